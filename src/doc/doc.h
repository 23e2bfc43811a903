/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One bounded tree for YAML, JSON and TOML, with the place of every key and
 * value.  Scalars are not typed here: a plain YAML scalar stays text until a
 * schema says what it is (so `no` is never a boolean by accident).
 *
 * Refused in every syntax, with the place: more than 1 MiB of text, depth over
 * 32, too many nodes, invalid UTF-8, NUL, duplicate keys; in YAML also
 * anchors, aliases, merge keys, tags, several documents, tabs as indentation.
 */
#pragma once

#include "base/err.h"
#include "base/mem.h"
#include "doc/problem.h"

enum {
	DOC_TEXT_MAX = 1 << 20,
	DOC_DEPTH_MAX = 32,
	DOC_NODES_MAX = 100000
};

enum doc_syntax {
	DOC_YAML,
	DOC_JSON,
	DOC_TOML,
	DOC_SYNTAX_UNKNOWN
};

enum doc_kind {
	DOC_NULL, /* JSON null; an empty YAML value or ~ is PLAIN with "" / "~" */
	DOC_PLAIN, /* YAML plain scalar: the schema decides what it is */
	DOC_STRING,
	DOC_INT,   /* JSON, TOML; text is the source text */
	DOC_FLOAT, /* JSON, TOML */
	DOC_BOOL,  /* JSON, TOML; text is true or false */
	DOC_TIME,  /* TOML date and time; text is the source text */
	DOC_LIST,
	DOC_MAP,
};

struct doc_node {
	enum doc_kind kind;
	struct doc_place at; /* of the value */
	struct str text;     /* scalars: decoded text */
	struct str key;      /* in a map: this entry's key */
	struct doc_place key_at;
	uint32_t index; /* in a list: this entry's index, from 0 */
	uint32_t n;     /* list, map: children */
	struct doc_node *parent, *first, *last, *next;
};

/* A tree owns its nodes and all their text. */
struct doc {
	struct arena *arena;
	struct doc_node *root;
	enum doc_syntax syntax;
};

/* By name ("a.yaml", ".yml", ".json", ".toml") or DOC_SYNTAX_UNKNOWN. */
enum doc_syntax doc_syntax_of_name(struct str name);
/* Media types, parameters ignored; also of the plain words yaml, json, toml. */
enum doc_syntax doc_syntax_of_type(struct str media_type);
const char *doc_syntax_name(enum doc_syntax s); /* "yaml" */

/*
 * Parse.  On success *ret is the caller's (doc_free).  On failure -1 with at
 * least one problem added.
 */
MUST_USE int doc_parse(struct str text, enum doc_syntax syntax,
		       struct doc **ret, struct problems *ps);
/* The same with another bound on the text, for what we wrote ourselves. */
MUST_USE int doc_parse_max(struct str text, enum doc_syntax syntax, size_t max,
			   struct doc **ret, struct problems *ps);
void doc_free(struct doc *d);

/* Look up; NULL when absent (or node is NULL, or no map). */
struct doc_node *doc_get(const struct doc_node *map, const char *key);
struct doc_node *doc_get_str(const struct doc_node *map, struct str key);
/* RFC 6901, as in "/tasks/build/run". */
struct doc_node *doc_pointer(struct doc_node *root, struct str pointer);
/* Append the node's own pointer. */
bool doc_pointer_of(const struct doc_node *node, struct buf *b);
const char *doc_kind_name(enum doc_kind k); /* "a list", for messages */

/*
 * Scalars as a schema wants them; -1 when it is not one (nothing is reported
 * here).  A PLAIN scalar may be any of them; a quoted string is only a string.
 */
MUST_USE int doc_as_string(const struct doc_node *n, struct str *ret);
MUST_USE int doc_as_i64(const struct doc_node *n, int64_t *ret);
MUST_USE int doc_as_bool(const struct doc_node *n, bool *ret); /* true/false */
bool doc_is_null(const struct doc_node *n); /* NULL, plain "", ~, null */

/*
 * The same content: kinds after a PLAIN is taken as what it reads as, a time
 * is its text, texts byte by byte, the order of a map's entries does not count.
 */
bool doc_equal(const struct doc_node *a, const struct doc_node *b);

/*
 * Build trees in memory (for convert, import and JSON answers): a new document
 * with a map as root; nodes are appended to their parent, text is copied.
 */
struct doc *doc_new(void) MUST_USE;
struct doc_node *doc_add(struct doc *d, struct doc_node *parent, struct str key,
			 enum doc_kind kind, struct str text);
struct doc_node *doc_add_str(struct doc *d, struct doc_node *parent,
			     const char *key, struct str text);
struct doc_node *doc_add_int(struct doc *d, struct doc_node *parent,
			     const char *key, int64_t v);
struct doc_node *doc_add_bool(struct doc *d, struct doc_node *parent,
			      const char *key, bool v);
struct doc_node *doc_add_map(struct doc *d, struct doc_node *parent,
			     const char *key);
struct doc_node *doc_add_list(struct doc *d, struct doc_node *parent,
			      const char *key);

/*
 * Where two trees differ, as a JSON list of {"op","pointer","from","to"}: op is
 * add, remove or replace; lists are compared entry by entry.  -1: a value that
 * canonical JSON cannot hold, or no room.
 */
MUST_USE int doc_diff(const struct doc_node *from, const struct doc_node *to,
		      struct buf *b, struct err *e);

/* Write a tree.  PLAIN scalars must have been given a kind by a schema where
 * that matters; a PLAIN that reads as a number or boolean in the target is
 * written bare, anything else quoted.  YAML keeps multi-line text as literal
 * blocks where that is byte-exact, else double-quoted. */
MUST_USE int doc_write(const struct doc_node *root, enum doc_syntax syntax,
		       struct buf *b, struct err *e);
/* RFC 8785 (JSON canonicalisation): sorted keys (UTF-16 order), no space. */
MUST_USE int doc_write_canonical(const struct doc_node *root, struct buf *b,
				 struct err *e);

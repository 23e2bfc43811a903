/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Every key of the job format, once.  The checks, the JSON Schema, `nfo
 * explain` and the reference page are made from this table; a test fails when
 * an example uses a key that is not in it.
 */
#pragma once

#include "doc/doc.h"

/* What a value may be: bits. */
enum key_form {
	FORM_TEXT = 1,
	FORM_INT = 2,
	FORM_BOOL = 4,
	FORM_LIST = 8,     /* of texts */
	FORM_OBJECT = 16,  /* with the keys of `sub` */
	FORM_OBJECTS = 32, /* a list of those */
	FORM_NAMED = 64,   /* a map from names to those */
	FORM_TEXTS = 128,  /* a map from names to texts */
	FORM_ANY = 256,    /* anything: checked elsewhere */
};

/* What a text must look like. */
enum key_text {
	TEXT_ANY,
	TEXT_NAME,       /* [a-z][a-z0-9_-]{0,62} */
	TEXT_DURATION,   /* 10s 5m 2h 30d */
	TEXT_SIZE,       /* 64K 512M 1G */
	TEXT_ENUM,       /* one of `choices` */
	TEXT_EXPRESSION, /* a bare expression, as in `if` */
	TEXT_REGEX,
	TEXT_CRON,
	TEXT_CPU,      /* 2, 0.5: thousandths are the finest */
	TEXT_TEMPLATE, /* template.h */
};

struct job_key {
	const char *where; /* "job", "task", "sandbox", ... */
	const char *name;
	unsigned forms;
	enum key_text text;
	const char *choices;        /* "a|b|c" */
	const char *sub;            /* where its own keys are */
	const char *fallback;       /* the default, for people; NULL: none */
	int64_t min, max;           /* of an int; both 0: no bounds */
	bool required, expressions; /* ${{ }} allowed */
	unsigned char live; /* 1: works; else the stage that brings it */
	const char *help, *example;
};

extern const struct job_key job_keys[];
extern const size_t job_n_keys;

const struct job_key *job_key_find(const char *where, struct str name);
/* The nearest name at `where`, for "did you mean"; NULL. */
const char *job_key_like(const char *where, struct str name);

/* What its value may be, for people: "text, or a list". */
bool job_key_takes(const struct job_key *k, struct buf *b);
/* The JSON Schema (2020-12) of the format. */
bool job_schema_json(struct buf *b);
/* What a key is for; all that carry the name.  False when none does. */
bool job_explain(struct str name, struct buf *b);

/* Formats of texts; -1 when it is none. */
MUST_USE int job_duration(struct str s, uint64_t *ret_us);
MUST_USE int job_size(struct str s, uint64_t *ret_bytes);
MUST_USE int job_cpu(struct str s, uint32_t *ret_milli);
bool job_name_ok(struct str s);

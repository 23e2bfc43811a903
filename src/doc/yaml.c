/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * YAML by libyaml's events.  What makes YAML surprising is refused: anchors,
 * aliases, merge keys, tags, several documents, tabs as indentation.
 */
#include "doc/parse.h"
#include "doc/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct yaml {
	struct tree t;
	struct str text;
	uint32_t line;     /* from 0: the last line looked at for tabs */
	size_t line_start; /* its offset in text */
	yaml_parser_t parser;
	struct doc_node *open[DOC_DEPTH_MAX + 1]; /* open[depth - 1] is open */
	size_t depth;
	bool have_key;
	struct buf key;
	struct doc_place key_at;
	bool had_root;
};

static struct doc_place place(yaml_mark_t m)
{
	return (struct doc_place){(uint32_t)m.line + 1, (uint32_t)m.column + 1};
}

static int refuse(struct yaml *y, yaml_mark_t m, const char *code,
		  const char *hint, const char *what)
{
	problem_add(y->t.ps, place(m), code, hint, "%s", what);
	return -1;
}

static int no_anchor(struct yaml *y, const yaml_char_t *anchor,
		     const yaml_char_t *tag, yaml_mark_t m)
{
	if (anchor)
		return refuse(
			y, m, "yaml-anchor",
			"write the value out, or quote what starts with &",
			"an anchor (&)");
	if (tag)
		return refuse(y, m, "yaml-tag",
			      "quote it: a bare ! starts a YAML tag",
			      "a tag (!)");
	return 0;
}

static struct doc_node *top(const struct yaml *y)
{
	return y->depth ? y->open[y->depth - 1] : NULL;
}

/* Add a value where the parser stands: after a key, in a list, at the root. */
static struct doc_node *value(struct yaml *y, enum doc_kind kind,
			      struct str text, yaml_mark_t m)
{
	struct doc_node *parent = top(y), *n;
	struct str key = buf_view(&y->key);
	bool keyed = parent && parent->kind == DOC_MAP;

	n = tree_add(&y->t, parent, kind, text, place(m), keyed ? &key : NULL,
		     y->key_at);
	y->have_key = false;
	return n;
}

static int scalar(struct yaml *y, const yaml_event_t *ev)
{
	struct str text = str_n((const char *)ev->data.scalar.value,
				ev->data.scalar.length);
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct doc_node *parent = top(y);

	if (no_anchor(y, ev->data.scalar.anchor, ev->data.scalar.tag,
		      ev->start_mark))
		return -1;
	if (str_has(text, '\0'))
		return refuse(y, ev->start_mark, "nul", NULL, "a NUL (\\0)");
	if (parent && parent->kind == DOC_MAP && !y->have_key) {
		if (plain && str_is(text, "<<"))
			return refuse(y, ev->start_mark, "yaml-merge",
				      "write the keys out", "a merge key (<<)");
		buf_reset(&y->key);
		buf_str(&y->key, text);
		y->key_at = place(ev->start_mark);
		y->have_key = true;
		return 0;
	}
	if (!value(y, plain ? DOC_PLAIN : DOC_STRING, text, ev->start_mark))
		return -1;
	return 0;
}

static int open_node(struct yaml *y, enum doc_kind kind,
		     const yaml_char_t *anchor, const yaml_char_t *tag,
		     yaml_mark_t m)
{
	struct doc_node *parent = top(y), *n;

	if (no_anchor(y, anchor, tag, m))
		return -1;
	if (parent && parent->kind == DOC_MAP && !y->have_key)
		return refuse(y, m, "yaml-key", NULL,
			      "a key that is a list or a map");
	if (y->depth == DOC_DEPTH_MAX)
		return tree_too_deep(&y->t, place(m));
	n = value(y, kind, str_n(NULL, 0), m);
	if (!n)
		return -1;
	y->open[y->depth++] = n;
	return 0;
}

static int on_event(struct yaml *y, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (y->had_root)
			return refuse(y, ev->start_mark, "yaml-documents",
				      "one file, one job",
				      "a second document (---)");
		y->had_root = true;
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(y, ev->start_mark, "yaml-alias",
			      "quote it if it is text that starts with *",
			      "an alias (*)");
	case YAML_SCALAR_EVENT:
		return scalar(y, ev);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(y, DOC_LIST, ev->data.sequence_start.anchor,
				 ev->data.sequence_start.tag, ev->start_mark);
	case YAML_MAPPING_START_EVENT:
		return open_node(y, DOC_MAP, ev->data.mapping_start.anchor,
				 ev->data.mapping_start.tag, ev->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		y->depth--;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return -1;
}

/* What libyaml says of it, and how we say it.  Values that start with one of
 * YAML's signs are what people stumble over. */
static const struct {
	const char *text, *code, *hint;
} known[] = {
	{"found a tab",                 "yaml-tab",    "indent with spaces"        },
	{"mapping values are not",      "yaml-syntax",
	 "quote a value that holds \": \", and look at the indentation"            },
	{"while scanning an anchor",    "yaml-anchor",
	 "quote it: a bare & or * has a meaning in YAML"                           },
	{"while scanning an alias",     "yaml-alias",
	 "quote it: a bare & or * has a meaning in YAML"                           },
	{"while scanning a tag",        "yaml-tag",
	 "quote it: a bare ! starts a YAML tag"                                    },
	{"while parsing a tag",         "yaml-tag",
	 "quote it: a bare ! starts a YAML tag"                                    },
	{"undefined tag handle",        "yaml-tag",
	 "quote it: a bare ! starts a YAML tag"                                    },
	{"could not find expected ':'", "yaml-syntax",
	 "a key is followed by a colon and a space"                                },
	{"block sequence entries",      "yaml-syntax",
	 "look at the indentation of the list"                                     },
	{"expected key",                "yaml-syntax",
	 "look at the indentation, and quote what holds quotes"                    },
	{"quoted scalar",               "yaml-syntax", "look for the closing quote"},
};

/* The character that libyaml stumbled over. */
static char at_mark(const struct yaml *y, struct doc_place at)
{
	struct str rest = y->text;

	for (uint32_t i = 1; i < at.line; i++)
		(void)str_cut(&rest, '\n');
	for (uint32_t i = 1; rest.len; rest = str_from_at(rest, 1)) {
		if (((unsigned char)rest.p[0] & 0xc0) == 0x80)
			continue;
		if (i++ == at.column)
			return rest.p[0];
	}
	return '\0';
}

static int syntax_error(struct yaml *y)
{
	const yaml_parser_t *p = &y->parser;
	const char *what = p->problem ? p->problem : "not YAML";
	const char *context = p->context ? p->context : "";
	const char *code = "yaml-syntax", *hint = NULL;
	struct doc_place at = place(p->problem_mark);

	for (size_t i = 0; i < ARRAY_LEN(known) && !hint; i++) {
		if (!strstr(what, known[i].text) &&
		    !strstr(context, known[i].text))
			continue;
		code = known[i].code;
		hint = known[i].hint;
	}
	if (strstr(what, "cannot start any token")) {
		bool tab = at_mark(y, at) == '\t';

		code = tab ? "yaml-tab" : code;
		hint = tab ? "indent with spaces" :
			     "quote what starts with @, ` or %";
	}
	problem_add(y->t.ps, at, code, hint, "%s%s%s", context,
		    *context ? ": " : "", what);
	return -1;
}

/* --- before libyaml ----------------------------------------------------- */

/* Its length, when a character that YAML 1.1 and 1.2 (or YAML and editors) see
 * differently, or that libyaml refuses, stands at p; else 0. */
static size_t bad_character(const unsigned char *p, size_t left)
{
	if (p[0] == '\r')
		return left < 2 || p[1] != '\n';
	if (p[0] < 0x20)
		return p[0] != '\t' && p[0] != '\n';
	if (p[0] == 0x7f)
		return 1;
	if (p[0] == 0xc2 && p[1] < 0xa0) /* C1, NEL */
		return 2;
	if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3; /* line and paragraph separator */
	if (p[0] == 0xef &&
	    ((p[1] == 0xbb && p[2] == 0xbf) || (p[1] == 0xbf && p[2] >= 0xbe)))
		return 3; /* byte order mark, no characters */
	return 0;
}

static int refuse_character(struct str text, size_t at, size_t len,
			    struct problems *ps)
{
	char name[16] = "";
	const unsigned char *p = (const unsigned char *)text.p + at;

	for (size_t i = 0; i < len; i++)
		(void)snprintf(name + 2 * i, sizeof(name) - 2 * i, "%02x",
			       p[i]);
	problem_add(ps, tree_place(text, at), "yaml-character",
		    "write it as an escape in double quotes (\\r, \\x1b, "
		    "\\u2028)",
		    "a character that YAML does not take as it is (0x%s)",
		    name);
	return -1;
}

/* Lines may not start with a tab: libyaml takes some of them for white space
 * where the eye takes them for indentation.  Nor with %TAG: of these it
 * compares each with all before (12 s for 1 MiB). */
static int check_line(struct str text, size_t at, struct problems *ps)
{
	if (text.p[at] == '\t') {
		problem_add(ps, tree_place(text, at), "yaml-tab",
			    "indent with spaces", "a tab as indentation");
		return -1;
	}
	if (text.p[at] == '%' &&
	    str_starts(str_from_at(text, at), STR("%TAG"))) {
		problem_add(ps, tree_place(text, at), "yaml-tag",
			    "jobs have no tags", "a %%TAG line");
		return -1;
	}
	return 0;
}

/* All that would surprise, before libyaml sees any of it. */
static int check_text(struct str text, struct problems *ps)
{
	const unsigned char *p = (const unsigned char *)text.p;
	bool starts = true;

	for (size_t i = 0; i < text.len; i++) {
		size_t bad;

		if (starts && check_line(text, i, ps))
			return -1;
		starts = p[i] == '\n';
		if (p[i] >= 0x20 && p[i] < 0x7f)
			continue;
		bad = bad_character(p + i, text.len - i);
		if (bad)
			return refuse_character(text, i, bad, ps);
	}
	return 0;
}

/* Spaces, then a tab, then a value (block scalars have their own rule). */
static int check_tab(struct yaml *y, yaml_mark_t m)
{
	struct str rest;

	if (m.line <= y->line && y->line)
		return 0;
	rest = str_from_at(y->text, y->line_start);
	for (; y->line < m.line && rest.p; y->line++)
		(void)str_cut(&rest, '\n');
	if (!rest.p)
		return 0;
	y->line_start = (size_t)(rest.p - y->text.p);
	for (size_t i = 0; i < rest.len && i < m.column; i++) {
		if (rest.p[i] == '\t')
			return refuse(y, m, "yaml-tab", "indent with spaces",
				      "a tab as indentation");
		if (rest.p[i] != ' ')
			break;
	}
	return 0;
}

int doc_parse_yaml(struct str text, struct doc *d, struct problems *ps)
{
	struct yaml y = {
		.t = {.doc = d, .ps = ps},
                  .text = text
        };
	bool end = false;
	int bad = check_text(text, ps);

	if (bad)
		return -1;
	/* \L, two bytes, stands for three */
	y.key = BUF_INIT(2 * text.len);
	if (!yaml_parser_initialize(&y.parser))
		abort(); /* no memory */
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)text.p,
				     text.len);
	yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
	while (!bad && !end) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&y.parser, &ev)) {
			bad = syntax_error(&y);
			break;
		}
		bad = check_tab(&y, ev.start_mark) || on_event(&y, &ev) ? -1 :
									  0;
		end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&y.parser);
	buf_done(&y.key);
	tree_done(&y.t);
	if (!bad && !d->root) {
		problem_add(ps, (struct doc_place){1, 1}, "empty", NULL,
			    "the document is empty");
		bad = -1;
	}
	return bad;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * YAML by libyaml's events.  What makes YAML surprising is refused: anchors,
 * aliases, merge keys, tags, several documents, tabs as indentation.
 */
#include "doc/parse.h"
#include "doc/tree.h"

#include <string.h>
#include <yaml.h>

struct yaml {
	struct tree t;
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
		return refuse(y, m, "yaml-anchor",
			      "write the value out; jobs have no anchors",
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
	return value(y, plain ? DOC_PLAIN : DOC_STRING, text, ev->start_mark) ?
		       0 :
		       -1;
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
		return refuse(y, m, "too-deep", NULL,
			      "nested deeper than 32 levels");
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

static int syntax_error(struct yaml *y)
{
	const yaml_parser_t *p = &y->parser;
	bool mark = p->problem_mark.line || p->problem_mark.column ||
		    p->problem_mark.index;
	const char *text = p->problem ? p->problem : "not YAML";
	bool tab = strstr(text, "cannot start any token") != NULL;

	problem_add(y->t.ps, mark ? place(p->problem_mark) : place(p->mark),
		    "yaml-syntax",
		    tab ? "indent with spaces, and quote what starts with @, "
			  "` or %" :
			  NULL,
		    "%s", text);
	return -1;
}

/* libyaml takes a tab for white space in places where the eye takes it for
 * indentation. */
static int check_tabs(struct str text, struct problems *ps)
{
	uint32_t line = 1;

	while (text.len) {
		struct str l = str_cut(&text, '\n');
		size_t i = 0;

		while (i < l.len && l.p[i] == ' ')
			i++;
		if (i < l.len && l.p[i] == '\t' && str_trim(l).len && !i) {
			problem_add(ps, (struct doc_place){line, 1}, "yaml-tab",
				    "indent with spaces",
				    "a tab as indentation");
			return -1;
		}
		line++;
	}
	return 0;
}

int doc_parse_yaml(struct str text, struct doc *d, struct problems *ps)
{
	struct yaml y = {
		.t = {.doc = d, .ps = ps},
                  .key = BUF_INIT(DOC_TEXT_MAX)
        };
	bool end = false;
	int bad = check_tabs(text, ps);

	if (bad || !yaml_parser_initialize(&y.parser))
		return -1;
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)text.p,
				     text.len);
	yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
	while (!bad && !end) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&y.parser, &ev)) {
			bad = syntax_error(&y);
			break;
		}
		bad = on_event(&y, &ev);
		end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&y.parser);
	buf_done(&y.key);
	if (!bad && !d->root) {
		problem_add(ps, (struct doc_place){1, 1}, "empty", NULL,
			    "the document is empty");
		bad = -1;
	}
	return bad;
}

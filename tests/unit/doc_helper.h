/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the tests of src/doc share: parse and expect, or expect a problem. */
#pragma once

#include "doc/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One problem, as "line:column code"; "ok" when the text parses. */
MAYBE_UNUSED static const char *verdict(struct str text, enum doc_syntax s)
{
	static char out[64];
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d = NULL;

	if (!doc_parse(text, s, &d, ps)) {
		assert_int_equal(ps->n, 0);
		(void)snprintf(out, sizeof(out), "ok");
	} else {
		assert_int_equal(ps->n, 1);
		(void)snprintf(out, sizeof(out), "%u:%u %s",
			       ps->items[0].at.line, ps->items[0].at.column,
			       ps->items[0].code);
	}
	doc_free(d);
	mem_free(ps);
	return out;
}

/* Why it does not parse: the message and the hint. */
MAYBE_UNUSED static const char *reason(const char *text, enum doc_syntax s)
{
	static char out[2 * PROBLEM_TEXT_MAX + 4];
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d = NULL;

	assert_int_equal(doc_parse(str_from(text), s, &d, ps), -1);
	(void)snprintf(out, sizeof(out), "%s (%s)", ps->items[0].message,
		       ps->items[0].hint);
	mem_free(ps);
	return out;
}

MAYBE_UNUSED static struct doc *parse(struct str text, enum doc_syntax s)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d = NULL;

	if (doc_parse(text, s, &d, ps))
		fail_msg("%u:%u %s\n" STR_FMT, ps->items[0].at.line,
			 ps->items[0].at.column, ps->items[0].message,
			 STR_ARG(text));
	mem_free(ps);
	return d;
}

/* "kind text @line:column" of a node; also of its key. */
MAYBE_UNUSED static const char *at(const struct doc *d, const char *pointer)
{
	static const char *const kinds[] = {"null", "plain", "string",
					    "int",  "float", "bool",
					    "time", "list",  "map"};
	static char out[200];
	struct doc_node *n = doc_pointer(d->root, str_from(pointer));

	if (!n)
		return "absent";
	(void)snprintf(out, sizeof(out), "%s " STR_FMT " @%u:%u key @%u:%u",
		       kinds[n->kind], STR_ARG(n->text), n->at.line,
		       n->at.column, n->key_at.line, n->key_at.column);
	return out;
}

/* A text of n times the piece, between two others; mem_free() its p. */
MAYBE_UNUSED static struct str many(const char *before, const char *piece,
				    size_t n, const char *after)
{
	struct buf b = BUF_INIT(64 << 20);

	buf_puts(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, piece);
	buf_puts(&b, after);
	assert_false(b.failed);
	size_t len = b.len;

	return str_n(buf_take(&b), len);
}

MAYBE_UNUSED static const char *verdict_many(const char *before,
					     const char *piece, size_t n,
					     const char *after,
					     enum doc_syntax s)
{
	struct str text = many(before, piece, n, after);
	const char *v = verdict(text, s);

	mem_free((void *)(uintptr_t)text.p);
	return v;
}

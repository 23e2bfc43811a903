/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Collecting and printing problems; see problem.h. */
#include "doc/problem.h"
#include "doc/doc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy(char *to, size_t max, const char *from)
{
	(void)snprintf(to, max, "%s", from ? from : "");
}

/* A text that was cut must not end within a character. */
static void trim(char *text)
{
	size_t len = strlen(text);

	for (int i = 0; i < 3 && len; i++) {
		if (str_utf8_valid(str_n(text, len)))
			return;
		text[--len] = '\0';
	}
}

/* The node's pointer, or that of the nearest one above it which fits. */
static void point_at(struct problem *p, const struct doc_node *node)
{
	CLEANUP_BUF struct buf b = BUF_INIT(PROBLEM_POINTER_MAX - 1);

	while (node && !doc_pointer_of(node, &b)) {
		node = node->parent;
		buf_reset(&b);
	}
	copy(p->pointer, sizeof(p->pointer), buf_cstr(&b));
}

static void add(struct problems *ps, const struct doc_node *node,
		struct doc_place at, const char *code, const char *hint,
		const char *fmt, va_list ap)
{
	struct problem *p;

	if (ps->n == PROBLEMS_MAX) {
		ps->n_dropped++;
		return;
	}
	p = &ps->items[ps->n++];
	*p = (struct problem){.at = at};
	copy(p->code, sizeof(p->code), code);
	copy(p->hint, sizeof(p->hint), hint);
	(void)vsnprintf(p->message, sizeof(p->message), fmt, ap);
	if (strlen(p->message) == PROBLEM_TEXT_MAX - 1)
		trim(p->message);
	point_at(p, node);
}

void problem_at(struct problems *ps, const struct doc_node *node,
		const char *code, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(ps, node, node->at, code, hint, fmt, ap);
	va_end(ap);
}

void problem_at_key(struct problems *ps, const struct doc_node *node,
		    const char *code, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(ps, node, node->key_at.line ? node->key_at : node->at, code, hint,
	    fmt, ap);
	va_end(ap);
}

void problem_add(struct problems *ps, struct doc_place at, const char *code,
		 const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(ps, NULL, at, code, hint, fmt, ap);
	va_end(ap);
}

static int by_place(const void *va, const void *vb)
{
	const struct problem *a = va, *b = vb;

	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.column != b->at.column)
		return a->at.column < b->at.column ? -1 : 1;
	return strcmp(a->code, b->code);
}

void problems_sort(struct problems *ps)
{
	qsort(ps->items, ps->n, sizeof(ps->items[0]), by_place);
}

/* What users wrote is quoted in messages: keep what a terminal would obey out
 * (C0, DEL, and C1 as UTF-8). */
static void put_safe(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool c1 = c == 0xc2 && (unsigned char)s[1] < 0xa0 && s[1];

		if (c1)
			buf_printf(b, "\\u%04x", (unsigned char)*++s);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\x%02x", c);
		else
			buf_putc(b, *s);
	}
}

bool problems_print(const struct problems *ps, const char *file, struct buf *b)
{
	for (size_t i = 0; i < ps->n; i++) {
		const struct problem *p = &ps->items[i];

		buf_puts(b, file);
		if (p->at.line)
			buf_printf(b, ":%" PRIu32 ":%" PRIu32, p->at.line,
				   p->at.column);
		buf_puts(b, ": error: ");
		put_safe(b, p->message);
		if (p->hint[0]) {
			buf_puts(b, " (");
			put_safe(b, p->hint);
			buf_puts(b, ")");
		}
		buf_printf(b, " [%s]\n", p->code);
	}
	if (ps->n_dropped)
		buf_printf(b, "%s: and %zu more\n", file, ps->n_dropped);
	return !b->failed;
}

static void field(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "\"%s\":\"", name);
	buf_json(b, str_from(text));
	buf_puts(b, "\"");
}

bool problems_json(const struct problems *ps, struct buf *b)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < ps->n; i++) {
		const struct problem *p = &ps->items[i];

		buf_puts(b, i ? ",{" : "{");
		field(b, "code", p->code);
		buf_putc(b, ',');
		field(b, "pointer", p->pointer);
		buf_printf(b, ",\"line\":%" PRIu32 ",\"column\":%" PRIu32 ",",
			   p->at.line, p->at.column);
		field(b, "message", p->message);
		buf_putc(b, ',');
		field(b, "hint", p->hint);
		buf_putc(b, '}');
	}
	return buf_putc(b, ']');
}

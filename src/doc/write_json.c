/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* JSON out, for people: two spaces a level, keys in the order of the tree. */
#include "doc/write.h"

static void quoted(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	buf_json(b, s);
	buf_putc(b, '"');
}

static void scalar(struct buf *b, const struct doc_node *n)
{
	switch (doc_write_kind(n)) {
	case DOC_NULL:
		buf_puts(b, "null");
		break;
	case DOC_INT:
	case DOC_FLOAT:
	case DOC_BOOL:
		buf_str(b, n->text);
		break;
	case DOC_PLAIN:
	case DOC_STRING:
	case DOC_TIME:
	case DOC_LIST:
	case DOC_MAP:
		quoted(b, n->text);
		break;
	}
}

static void newline(struct buf *b, unsigned depth)
{
	buf_putc(b, '\n');
	for (unsigned i = 0; i < depth; i++)
		buf_puts(b, "  ");
}

static void value(struct buf *b, const struct doc_node *n, unsigned depth)
{
	bool map = n->kind == DOC_MAP;

	if (!map && n->kind != DOC_LIST) {
		scalar(b, n);
		return;
	}
	buf_putc(b, map ? '{' : '[');
	for (const struct doc_node *k = n->first; k; k = k->next) {
		newline(b, depth + 1);
		if (map) {
			quoted(b, k->key);
			buf_puts(b, ": ");
		}
		value(b, k, depth + 1);
		if (k->next)
			buf_putc(b, ',');
	}
	if (n->first)
		newline(b, depth);
	buf_putc(b, map ? '}' : ']');
}

void doc_write_json(const struct doc_node *root, struct buf *b)
{
	value(b, root, 0);
	buf_putc(b, '\n');
}

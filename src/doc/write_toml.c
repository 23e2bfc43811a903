/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * TOML out: scalars and inline values of a table first, then its sub-tables
 * under headers of their own; a list is always inline.
 */
#include "doc/write.h"

static bool bare_key(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
		      (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		      (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_' ||
		      s.p[i] == '-'))
			return false;
	return s.len > 0;
}

static void quoted(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	buf_json(b, s);
	buf_putc(b, '"');
}

static void key(struct buf *b, struct str s)
{
	if (bare_key(s))
		buf_str(b, s);
	else
		quoted(b, s);
}

/* Lines as they are, where nothing in them needs an escape. */
static bool literal(struct str s)
{
	if (!str_has(s, '\n') || s.p[s.len - 1] == '\'')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return false;
		if (str_starts(str_from_at(s, i), STR("'''")))
			return false;
	}
	return true;
}

static void text(struct buf *b, struct str s)
{
	if (literal(s)) {
		buf_puts(b, "'''\n");
		buf_str(b, s);
		buf_puts(b, "'''");
	} else {
		quoted(b, s);
	}
}

static void value(struct buf *b, const struct doc_node *n);

/* On one line: what TOML calls an inline table, or an array. */
static void entries(struct buf *b, const struct doc_node *n)
{
	bool map = n->kind == DOC_MAP;

	buf_putc(b, map ? '{' : '[');
	for (const struct doc_node *k = n->first; k; k = k->next) {
		buf_puts(b, k == n->first ? (map ? " " : "") : ", ");
		if (map) {
			key(b, k->key);
			buf_puts(b, " = ");
		}
		value(b, k);
	}
	if (map && n->first)
		buf_putc(b, ' ');
	buf_putc(b, map ? '}' : ']');
}

static void value(struct buf *b, const struct doc_node *n)
{
	switch (doc_write_kind(n)) {
	case DOC_INT:
	case DOC_FLOAT:
	case DOC_BOOL:
	case DOC_TIME:
		buf_str(b, n->text);
		break;
	case DOC_NULL: /* refused before */
	case DOC_PLAIN:
	case DOC_STRING:
		text(b, n->text);
		break;
	case DOC_LIST:
	case DOC_MAP:
		entries(b, n);
		break;
	}
}

/* The names from the root down. */
static void header(struct buf *b, const struct doc_node *root,
		   const struct doc_node *n)
{
	if (n->parent != root) {
		header(b, root, n->parent);
		buf_putc(b, '.');
	}
	key(b, n->key);
}

static void table(struct buf *b, const struct doc_node *root,
		  const struct doc_node *n)
{
	for (const struct doc_node *k = n->first; k; k = k->next) {
		if (k->kind == DOC_MAP)
			continue;
		key(b, k->key);
		buf_puts(b, " = ");
		value(b, k);
		buf_putc(b, '\n');
	}
	for (const struct doc_node *k = n->first; k; k = k->next) {
		if (k->kind != DOC_MAP)
			continue;
		buf_puts(b, b->len ? "\n[" : "[");
		header(b, root, k);
		buf_puts(b, "]\n");
		table(b, root, k);
	}
}

void doc_write_toml(const struct doc_node *root, struct buf *b)
{
	table(b, root, root);
}

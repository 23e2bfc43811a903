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

static int value(struct buf *b, const struct doc_node *n, struct err *e)
{
	bool map = n->kind == DOC_MAP;

	switch (doc_write_kind(n)) {
	case DOC_NULL:
		return err_set(e, ERR_INVALID,
			       "line %u: TOML has no null; leave the key out",
			       n->at.line);
	case DOC_INT:
	case DOC_FLOAT:
	case DOC_BOOL:
	case DOC_TIME:
		buf_str(b, n->text);
		return 0;
	case DOC_PLAIN:
	case DOC_STRING:
		if (literal(n->text)) {
			buf_puts(b, "'''\n");
			buf_str(b, n->text);
			buf_puts(b, "'''");
		} else {
			quoted(b, n->text);
		}
		return 0;
	case DOC_LIST:
	case DOC_MAP:
		break;
	}
	buf_puts(b, map ? "{" : "[");
	for (const struct doc_node *k = n->first; k; k = k->next) {
		buf_puts(b, k == n->first ? " " : ", ");
		if (map) {
			key(b, k->key);
			buf_puts(b, " = ");
		}
		if (value(b, k, e))
			return -1;
	}
	buf_puts(b, n->first ? (map ? " }" : " ]") : (map ? "}" : "]"));
	return 0;
}

static void header(struct buf *b, const struct doc_node *n)
{
	if (n->parent && n->parent->parent) {
		header(b, n->parent);
		buf_putc(b, '.');
	}
	key(b, n->key);
}

static int table(struct buf *b, const struct doc_node *n, struct err *e)
{
	for (const struct doc_node *k = n->first; k; k = k->next) {
		if (k->kind == DOC_MAP)
			continue;
		key(b, k->key);
		buf_puts(b, " = ");
		if (value(b, k, e))
			return -1;
		buf_putc(b, '\n');
	}
	for (const struct doc_node *k = n->first; k; k = k->next) {
		if (k->kind != DOC_MAP)
			continue;
		buf_puts(b, b->len ? "\n[" : "[");
		header(b, k);
		buf_puts(b, "]\n");
		if (table(b, k, e))
			return -1;
	}
	return 0;
}

int doc_write_toml(const struct doc_node *root, struct buf *b, struct err *e)
{
	if (root->kind != DOC_MAP)
		return err_set(e, ERR_INVALID, "a TOML document is a table");
	return table(b, root, e);
}

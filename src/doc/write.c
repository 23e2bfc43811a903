/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Writing a tree as JSON (also canonical, RFC 8785) and the choice of writer;
 * YAML and TOML are write_yaml.c and write_toml.c. */
#include "doc/write.h"
#include "doc/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum doc_kind doc_plain_kind(struct str s)
{
	struct doc_node n = {.kind = DOC_PLAIN, .text = s};
	int64_t i;
	bool b;

	if (doc_is_null(&n))
		return DOC_NULL;
	if (!doc_as_bool(&n, &b))
		return DOC_BOOL;
	if (!doc_as_i64(&n, &i))
		return DOC_INT;
	return DOC_STRING;
}

enum doc_kind doc_write_kind(const struct doc_node *n)
{
	return n->kind == DOC_PLAIN ? doc_plain_kind(n->text) : n->kind;
}

static void put_string(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	buf_json(b, s);
	buf_putc(b, '"');
}

static void put_scalar(struct buf *b, const struct doc_node *n)
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
		put_string(b, n->text);
		break;
	}
}

static void newline(struct buf *b, unsigned depth)
{
	buf_putc(b, '\n');
	for (unsigned i = 0; i < depth; i++)
		buf_puts(b, "  ");
}

static void pretty(struct buf *b, const struct doc_node *n, unsigned depth)
{
	bool map = n->kind == DOC_MAP;

	if (!map && n->kind != DOC_LIST) {
		put_scalar(b, n);
		return;
	}
	buf_putc(b, map ? '{' : '[');
	for (const struct doc_node *k = n->first; k; k = k->next) {
		newline(b, depth + 1);
		if (map) {
			put_string(b, k->key);
			buf_puts(b, ": ");
		}
		pretty(b, k, depth + 1);
		if (k->next)
			buf_putc(b, ',');
	}
	if (n->first)
		newline(b, depth);
	buf_putc(b, map ? '}' : ']');
}

/* --- canonical ---------------------------------------------------------- */

/* The next UTF-16 unit of s at *i; surrogates come one by one. */
static uint32_t utf16_next(struct str s, size_t *i, uint32_t *low)
{
	const unsigned char *p = (const unsigned char *)s.p + *i;
	uint32_t c;

	if (*low) {
		c = *low;
		*low = 0;
		return c;
	}
	if (p[0] < 0x80) {
		*i += 1;
		return p[0];
	}
	if (p[0] < 0xe0) {
		*i += 2;
		return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
	}
	if (p[0] < 0xf0) {
		*i += 3;
		return (uint32_t)(p[0] & 15) << 12 |
		       (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
	}
	*i += 4;
	c = (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 |
	    (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
	c -= 0x10000;
	*low = 0xdc00 | (c & 0x3ff);
	return 0xd800 | c >> 10;
}

static int by_utf16(const void *va, const void *vb)
{
	struct str a = (*(const struct doc_node *const *)va)->key;
	struct str b = (*(const struct doc_node *const *)vb)->key;
	uint32_t low_a = 0, low_b = 0;
	size_t i = 0, k = 0;

	while ((i < a.len || low_a) && (k < b.len || low_b)) {
		uint32_t x = utf16_next(a, &i, &low_a);
		uint32_t y = utf16_next(b, &k, &low_b);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (i < a.len || low_a) - (k < b.len || low_b);
}

/* Floating point: the shortest text that reads back the same (ECMAScript). */
static int put_float(struct buf *b, struct str text, struct err *e)
{
	CLEANUP_MEM char *s = mem_strndup(text.p, text.len);
	char out[32];
	double v = strtod(s, NULL);

	for (int digits = 1; digits <= 17; digits++) {
		(void)snprintf(out, sizeof(out), "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	if (strchr(out, 'n') || strchr(out, 'i')) /* nan, inf */
		return err_set(e, ERR_INVALID,
			       "a number that JSON cannot hold");
	buf_puts(b, out);
	return 0;
}

static int canonical(struct buf *b, const struct doc_node *n, struct err *e);

static int canonical_map(struct buf *b, const struct doc_node *n, struct err *e)
{
	CLEANUP_MEM const struct doc_node **keys =
		mem_array(n->n, sizeof(*keys));
	size_t count = 0;

	for (const struct doc_node *k = n->first; k; k = k->next)
		keys[count++] = k;
	qsort(keys, count, sizeof(*keys), by_utf16);
	buf_putc(b, '{');
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_putc(b, ',');
		put_string(b, keys[i]->key);
		buf_putc(b, ':');
		if (canonical(b, keys[i], e))
			return -1;
	}
	buf_putc(b, '}');
	return 0;
}

static int canonical(struct buf *b, const struct doc_node *n, struct err *e)
{
	if (n->kind == DOC_MAP)
		return canonical_map(b, n, e);
	if (n->kind == DOC_FLOAT)
		return put_float(b, n->text, e);
	if (n->kind != DOC_LIST) {
		put_scalar(b, n);
		return 0;
	}
	buf_putc(b, '[');
	for (const struct doc_node *k = n->first; k; k = k->next) {
		if (k != n->first)
			buf_putc(b, ',');
		if (canonical(b, k, e))
			return -1;
	}
	buf_putc(b, ']');
	return 0;
}

static int fits(const struct buf *b, struct err *e)
{
	return b->failed ? err_set(e, ERR_LIMIT, "over %zu bytes", b->max) : 0;
}

int doc_write_canonical(const struct doc_node *root, struct buf *b,
			struct err *e)
{
	return canonical(b, root, e) ? -1 : fits(b, e);
}

int doc_write(const struct doc_node *root, enum doc_syntax syntax,
	      struct buf *b, struct err *e)
{
	int bad = 0;

	switch (syntax) {
	case DOC_JSON:
		pretty(b, root, 0);
		buf_putc(b, '\n');
		break;
	case DOC_YAML:
		doc_write_yaml(root, b);
		break;
	case DOC_TOML:
		bad = doc_write_toml(root, b, e);
		break;
	case DOC_SYNTAX_UNKNOWN:
	default:
		bad = err_set(e, ERR_INVALID, "unknown syntax");
	}
	return bad ? -1 : fits(b, e);
}

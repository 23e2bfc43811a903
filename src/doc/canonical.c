/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * RFC 8785: one text for one JSON value, which digests are made of.  Keys are
 * sorted by UTF-16 units, numbers written as ECMAScript does.  A whole number
 * that a double cannot hold is refused: two of them must not share a digest.
 */
#include "doc/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t exact_max = (int64_t)1 << 53;

/* RFC 8785, 3.2.2.2: what has a short escape gets it, other control characters
 * are \u00xx, all else stands as it is (DEL too, unlike buf_json). */
static void text(struct buf *b, struct str s)
{
	static const char named[] = "btn\vfr"; /* 8 to 13 */
	size_t done = 0;

	buf_putc(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_put(b, s.p + done, i - done);
		done = i + 1;
		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c >= 8 && c <= 13 && c != 11)
			buf_printf(b, "\\%c", named[c - 8]);
		else
			buf_printf(b, "\\u%04x", c);
	}
	buf_str(b, str_from_at(s, done));
	buf_putc(b, '"');
}

/* --- numbers ------------------------------------------------------------ */

static void zeros(struct buf *b, int n)
{
	while (n-- > 0)
		buf_putc(b, '0');
}

/* The fewest digits that read back as v (> 0): v = 0.DIGITS * 10^*ret_point. */
static size_t shortest(double v, char digits[20], int *ret_point)
{
	char out[40];
	size_t n = 0;

	for (int precision = 0; precision < 17; precision++) {
		(void)snprintf(out, sizeof(out), "%.*e", precision, v);
		if (strtod(out, NULL) == v)
			break;
	}
	for (const char *p = out; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	*ret_point = (int)strtol(strchr(out, 'e') + 1, NULL, 10) + 1;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

/* ECMA-262, Number::toString. */
static void put_double(struct buf *b, double v)
{
	char digits[20];
	int point, k;

	if (v == 0) {
		buf_putc(b, '0');
		return;
	}
	if (v < 0)
		buf_putc(b, '-');
	k = (int)shortest(fabs(v), digits, &point);
	if (k <= point && point <= 21) {
		buf_put(b, digits, (size_t)k);
		zeros(b, point - k);
	} else if (point > 0 && point <= 21) {
		buf_put(b, digits, (size_t)point);
		buf_putc(b, '.');
		buf_put(b, digits + point, (size_t)(k - point));
	} else if (point > -6 && point <= 0) {
		buf_puts(b, "0.");
		zeros(b, -point);
		buf_put(b, digits, (size_t)k);
	} else {
		buf_putc(b, digits[0]);
		if (k > 1)
			buf_putc(b, '.');
		buf_put(b, digits + 1, (size_t)(k - 1));
		buf_printf(b, "e%+d", point - 1);
	}
}

static int number(struct buf *b, const struct doc_node *n, enum doc_kind kind,
		  struct err *e)
{
	CLEANUP_MEM char *s = mem_strndup(n->text.p, n->text.len);
	double v = strtod(s, NULL);
	int64_t i;

	if (kind == DOC_INT && str_to_i64(n->text, -exact_max, exact_max, &i))
		return doc_refuse(n, e,
				  "a whole number beyond 2^53 has no "
				  "canonical form; quote it");
	if (!isfinite(v))
		return doc_refuse(n, e, "a number that JSON cannot hold");
	put_double(b, v);
	return 0;
}

/* --- maps --------------------------------------------------------------- */

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

static int value(struct buf *b, const struct doc_node *n, struct err *e);

static int map(struct buf *b, const struct doc_node *n, struct err *e)
{
	CLEANUP_MEM const struct doc_node **sorted =
		mem_array(n->n, sizeof(*sorted));
	size_t count = 0;

	for (const struct doc_node *k = n->first; k; k = k->next)
		sorted[count++] = k;
	qsort(sorted, count, sizeof(*sorted), by_utf16);
	buf_putc(b, '{');
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_putc(b, ',');
		text(b, sorted[i]->key);
		buf_putc(b, ':');
		if (value(b, sorted[i], e))
			return -1;
	}
	buf_putc(b, '}');
	return 0;
}

static int list(struct buf *b, const struct doc_node *n, struct err *e)
{
	buf_putc(b, '[');
	for (const struct doc_node *k = n->first; k; k = k->next) {
		if (k != n->first)
			buf_putc(b, ',');
		if (value(b, k, e))
			return -1;
	}
	buf_putc(b, ']');
	return 0;
}

static int value(struct buf *b, const struct doc_node *n, struct err *e)
{
	enum doc_kind kind = doc_write_kind(n);

	switch (kind) {
	case DOC_MAP:
		return map(b, n, e);
	case DOC_LIST:
		return list(b, n, e);
	case DOC_INT:
	case DOC_FLOAT:
		return number(b, n, kind, e);
	case DOC_NULL:
		buf_puts(b, "null");
		return 0;
	case DOC_BOOL:
		buf_str(b, n->text);
		return 0;
	case DOC_PLAIN:
	case DOC_STRING:
	case DOC_TIME:
		break;
	}
	text(b, n->text);
	return 0;
}

int doc_write_canonical(const struct doc_node *root, struct buf *b,
			struct err *e)
{
	/* YAML's check is the strict one about texts, and asks no more. */
	if (doc_check_writable(root, DOC_YAML, e) || value(b, root, e))
		return -1;
	return b->failed ? err_set(e, ERR_LIMIT, "over %zu bytes", b->max) : 0;
}

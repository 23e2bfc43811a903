/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Borrowed strings; see str.h. */
#include "base/str.h"

#include <string.h>

struct str str_from(const char *cstr)
{
	return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

struct str str_n(const char *p, size_t len)
{
	return (struct str){p, len};
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

bool str_is(struct str a, const char *cstr)
{
	return str_eq(a, str_from(cstr));
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_n(s.p, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       str_eq(str_from_at(s, s.len - suffix.len), suffix);
}

bool str_has(struct str s, char c)
{
	return s.len && memchr(s.p, c, s.len);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.len && blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct str str_from_at(struct str s, size_t from)
{
	if (from > s.len)
		from = s.len;
	if (!from) /* NULL + 0 is undefined, in C */
		return s;
	return str_n(s.p + from, s.len - from);
}

struct str str_cut(struct str *s, char sep)
{
	const char *at = s->len ? memchr(s->p, sep, s->len) : NULL;
	struct str head = *s;

	if (!at) {
		*s = (struct str){NULL, 0};
		return head;
	}
	head.len = (size_t)(at - s->p);
	*s = str_from_at(*s, head.len + 1);
	return head;
}

int str_to_u64(struct str s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.len)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return -1;
	}
	if (v > max)
		return -1;
	*ret = v;
	return 0;
}

int str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret)
{
	bool neg = s.len && s.p[0] == '-';
	uint64_t u;
	int64_t v;

	if (str_to_u64(neg ? str_from_at(s, 1) : s, (uint64_t)INT64_MAX + neg,
		       &u))
		return -1;
	v = neg ? (int64_t)(0 - u) : (int64_t)u;
	if (v < min || v > max)
		return -1;
	*ret = v;
	return 0;
}

static int scaled(struct str s, const char *units, const uint64_t *worth,
		  uint64_t *ret)
{
	const char *u = s.len ? strchr(units, s.p[s.len - 1]) : NULL;
	uint64_t v;

	if (!u || !*u)
		return -1;
	if (str_to_u64(str_n(s.p, s.len - 1), INT64_MAX / worth[u - units], &v))
		return -1;
	*ret = v * worth[u - units];
	return 0;
}

int str_to_duration(struct str s, uint64_t *ret_us)
{
	static const uint64_t worth[] = {1000000, 60000000, 3600000000,
					 86400000000};

	return scaled(s, "smhd", worth, ret_us);
}

int str_to_size(struct str s, uint64_t *ret_bytes)
{
	static const uint64_t worth[] = {1 << 10, 1 << 20, 1 << 30,
					 (uint64_t)1 << 40};

	if (!str_to_u64(s, INT64_MAX, ret_bytes))
		return 0;
	return scaled(s, "KMGT", worth, ret_bytes);
}

/* The length of the sequence at p, 0 when it is not valid UTF-8. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char mask, lead, n, lo, hi;
	} rows[] = {
		{0xff, 0xe0, 3, 0xa0, 0xbf},
                {0xff, 0xed, 3, 0x80, 0x9f},
		{0xff, 0xf0, 4, 0x90, 0xbf},
                {0xff, 0xf4, 4, 0x80, 0x8f},
		{0xe0, 0xc0, 2, 0x80, 0xbf},
                {0xf0, 0xe0, 3, 0x80, 0xbf},
		{0xfc, 0xf0, 4, 0x80, 0xbf},
	};

	if (p[0] < 0x80)
		return 1;
	if (p[0] == 0xc0 || p[0] == 0xc1)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if ((p[0] & rows[i].mask) != rows[i].lead)
			continue;
		if (left < rows[i].n || p[1] < rows[i].lo || p[1] > rows[i].hi)
			return 0;
		for (size_t k = 2; k < rows[i].n; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].n;
	}
	return 0;
}

bool str_utf8_valid(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_len(p + i, s.len - i);

		if (!n)
			return false;
		i += n;
	}
	return true;
}

unsigned str_distance(struct str a, struct str b, unsigned max)
{
	unsigned row[65];

	if (a.len > 64 || b.len > 64)
		return max + 1;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned diag = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned sub = diag + (a.p[i - 1] != b.p[j - 1]);
			unsigned best = row[j] + 1;

			diag = row[j];
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = sub < best ? sub : best;
		}
	}
	return row[b.len] > max ? max + 1 : row[b.len];
}

/* Iterative, with one point to come back to for each kind of star: linear in
 * the usual case and never worse than pattern times text. */
bool str_glob(struct str pat, struct str s, bool path)
{
	size_t p = 0, i = 0, star_p = SIZE_MAX, star_i = 0;
	size_t deep_p = SIZE_MAX, deep_i = 0;

	for (;;) {
		if (p < pat.len && pat.p[p] == '*') {
			bool deep = !path ||
				    (p + 1 < pat.len && pat.p[p + 1] == '*');

			while (p < pat.len && pat.p[p] == '*')
				p++;
			if (deep) {
				deep_p = p;
				deep_i = i;
				star_p = SIZE_MAX;
			} else {
				star_p = p;
				star_i = i;
			}
			continue;
		}
		if (i == s.len && p == pat.len)
			return true;
		if (i < s.len && p < pat.len &&
		    (pat.p[p] == s.p[i] ||
		     (pat.p[p] == '?' && !(path && s.p[i] == '/')))) {
			p++;
			i++;
			continue;
		}
		if (star_p != SIZE_MAX && star_i < s.len &&
		    s.p[star_i] != '/') {
			p = star_p;
			i = ++star_i;
			continue;
		}
		if (deep_p == SIZE_MAX || deep_i >= s.len)
			return false;
		star_p = SIZE_MAX;
		p = deep_p;
		i = ++deep_i;
	}
}

int str_frame(struct str *s, struct str *ret_name, struct str *ret)
{
	struct str head = str_cut(s, '\n');
	const char *space = head.len ? memrchr(head.p, ' ', head.len) : NULL;
	uint64_t len;

	if (!space || !s->p)
		return -1;
	*ret_name = str_n(head.p, (size_t)(space - head.p));
	if (str_to_u64(str_from_at(head, ret_name->len + 1), s->len, &len) ||
	    len == s->len || s->p[len] != '\n')
		return -1;
	*ret = str_n(s->p, (size_t)len);
	*s = str_from_at(*s, (size_t)len + 1);
	return 0;
}

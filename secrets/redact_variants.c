/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * From a secret to the patterns that are looked for: the value, the values in
 * it (lines, JSON strings, the password of a URL), each in every encoding,
 * squeezed and cut into tiles.  Pure: no text is seen here.
 */
#include "secrets/redact_internal.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BIG = 64 << 10,   /* bytes: from here on the common encodings only */
	DUMP_MAX = 4096,  /* bytes of a value whose hex dump is looked for */
	DUMP_LINE = 16,   /* bytes on a line of xxd, hexdump -C, od */
	PARTS_FULL = 64,  /* lines or leaves that are looked for encoded */
	PARTS_MAX = 4096, /* and at all */
	GROWTH = 12,      /* the most that an encoder makes of a byte */
};

struct job {
	struct redact_list *lists;
	uint32_t secret;
	const struct str *words;
	size_t n_words;
	struct guard *scratch; /* the encoded value, behind it the squeezed */
	size_t parts;
};

struct guard redact_guard(size_t len)
{
	struct guard g;
	struct err e;

	if (guard_map(len, 64, 0, &g, &e)) {
		fprintf(stderr, "nfo: %s\n", e.text);
		abort();
	}
	return g;
}

void redact_list_reserve(struct redact_list *l, size_t len)
{
	struct guard g;

	if (len <= l->mem.len)
		return;
	g = redact_guard(len);
	if (l->used)
		memcpy(g.p, l->mem.p, l->used);
	guard_unmap(&l->mem);
	l->mem = g;
}

void redact_list_add(struct redact_list *l, const uint8_t *p, size_t len,
		     uint32_t secret)
{
	if (l->used + len > l->mem.len)
		redact_list_reserve(l, 2 * (l->used + len) + 4096);
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 256;
		l->v = mem_resize(l->v, l->cap, sizeof(*l->v));
	}
	memcpy((uint8_t *)l->mem.p + l->used, p, len);
	l->v[l->n++] =
		(struct redact_pat){(uint32_t)l->used, (uint32_t)len, secret};
	l->used += len;
}

void redact_list_done(struct redact_list *l)
{
	guard_unmap(&l->mem);
	mem_free(l->v);
	*l = (struct redact_list){0};
}

/* Tiles of about the same size, so that none is too short to be found. */
static void add_tiles(struct job *j, enum redact_view view, const uint8_t *p,
		      size_t n)
{
	size_t tiles = (n + REDACT_TILE_MAX - 1) / REDACT_TILE_MAX;

	for (size_t i = 0; i < tiles; i++) {
		size_t from = n * i / tiles, to = n * (i + 1) / tiles;

		redact_list_add(&j->lists[view], p + from, to - from,
				j->secret);
	}
}

/* Is nothing dropped from it?  Eight bytes at a time. */
static bool all_kept(const uint8_t *p, size_t n)
{
	const uint64_t ones = 0x0101010101010101u, high = ones << 7;
	uint64_t dropped = 0, w, del;

	for (; n >= sizeof(w); n -= sizeof(w), p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		del = w ^ ones * 0x7f;
		/* Some byte is under 0x21, or 0x7f. */
		dropped |= ((w - ones * 0x21) & ~w) | ((del - ones) & ~del);
	}
	while (n--)
		if (!redact_kept(*p++))
			return false;
	return !(dropped & high);
}

static void add_pattern(struct job *j, const uint8_t *p, size_t n)
{
	uint8_t *sq = (uint8_t *)j->scratch->p + j->scratch->len / 2;
	size_t k = 0;

	if (n < REDACT_MIN || n > j->scratch->len / 2 ||
	    redact_in_mark(str_n((const char *)p, n)))
		return;
	if (n >= REDACT_FULL_MIN && all_kept(p, n)) {
		add_tiles(j, REDACT_VIEW_SQUEEZED, p, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (redact_kept(p[i]))
			sq[k++] = p[i];
	if (k >= REDACT_FULL_MIN) {
		if (!redact_in_mark(str_n((const char *)sq, k)))
			add_tiles(j, REDACT_VIEW_SQUEEZED, sq, k);
	} else if (n >= REDACT_FULL_MIN) {
		add_tiles(j, REDACT_VIEW_RAW, p, n);
	} else {
		redact_list_add(&j->lists[REDACT_VIEW_SHORT], p, n, j->secret);
	}
}

static void add_encoded(struct job *j, const struct redact_encoder *enc,
			const uint8_t *v, size_t n)
{
	struct redact_out o = {j->scratch->p, 0, j->scratch->len / 2, false};

	enc->fn(&o, v, n, enc->arg);
	/* An encoding may come out shorter than is safe to look for. */
	if (!o.full && (o.n >= REDACT_FULL_MIN || n < REDACT_FULL_MIN))
		add_pattern(j, o.p, o.n);
}

static bool is_dumped(size_t n)
{
	return n > DUMP_LINE && n <= DUMP_MAX;
}

/* xxd, hexdump -C and od show 16 bytes a line, with other things between.
 * Together with the last 16 bytes, the hexadecimal lines also cover what
 * `xxd -p` makes of the whole. */
static void add_dump_line(struct job *j, const uint8_t *v, size_t len,
			  bool with_text)
{
	static const char lower[] = "0123456789abcdef";
	static const char upper[] = "0123456789ABCDEF";
	uint8_t text[DUMP_LINE], hex[3][2 * DUMP_LINE];

	for (size_t i = 0; i < len; i++) {
		text[i] = v[i] >= 0x20 && v[i] < 0x7f ? v[i] : '.';
		hex[0][2 * i] = (uint8_t)lower[v[i] >> 4];
		hex[0][2 * i + 1] = (uint8_t)lower[v[i] & 15];
		hex[1][2 * i] = (uint8_t)upper[v[i] >> 4];
		hex[1][2 * i + 1] = (uint8_t)upper[v[i] & 15];
		hex[2][2 * (i ^ 1)] = hex[0][2 * i];
		hex[2][2 * (i ^ 1) + 1] = hex[0][2 * i + 1];
	}
	if (with_text && len >= REDACT_FULL_MIN &&
	    !redact_is_common(str_n((char *)text, len), j->words, j->n_words))
		add_pattern(j, text, len);
	for (size_t i = 0; i < 3 && 2 * len >= REDACT_FULL_MIN; i++)
		add_pattern(j, hex[i], 2 * (i < 2 ? len : len / 2 * 2));
	mem_wipe(text, sizeof(text));
	mem_wipe(hex, sizeof(hex));
}

/* Has v[at..at + len) a part of a line that begins like the frame of a PEM
 * block?  Those are in every key. */
static bool in_frame(const uint8_t *v, size_t at, size_t len)
{
	const uint8_t *nl = at ? memrchr(v, '\n', at) : NULL;
	size_t line = nl ? (size_t)(nl - v) + 1 : 0;

	return (at + len - line >= 5 && !memcmp(v + line, "-----", 5)) ||
	       memmem(v + at, len, "\n--", 3);
}

static void add_dump(struct job *j, const uint8_t *v, size_t n)
{
	for (size_t at = 0; at < n; at += DUMP_LINE) {
		size_t len = n - at < DUMP_LINE ? n - at : DUMP_LINE;

		add_dump_line(j, v + at, len, !in_frame(v, at, len));
	}
	if (n % DUMP_LINE)
		add_dump_line(j, v + n - DUMP_LINE, DUMP_LINE, false);
}

static size_t n_kept(const uint8_t *v, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += redact_kept(v[i]);
	return k;
}

/* One value that counts as a secret by itself. */
static void add_value(struct job *j, const uint8_t *v, size_t n)
{
	uint64_t useful = redact_changers(v, n) | 1; /* and as it is */

	/* Of a value with little to squeeze, dropped bytes count as well. */
	if (n_kept(v, n) < REDACT_FULL_MIN)
		useful = ~(uint64_t)0;
	for (size_t i = 0; i < redact_n_encoders; i++)
		if (useful >> i & 1 && (n <= BIG || redact_encoders[i].big) &&
		    !(redact_encoders[i].dump && is_dumped(n)))
			add_encoded(j, &redact_encoders[i], v, n);
	if (is_dumped(n))
		add_dump(j, v, n);
}

/* 4 to 7 bytes: as it is and encoded exactly, base64 with its padding. */
static void add_short(struct job *j, const uint8_t *v, size_t n)
{
	uint8_t text[16];

	for (unsigned i = 0; i < 2; i++) {
		struct redact_out o = {text, 0, sizeof(text), false};
		uint8_t padded[9] = {0};

		memcpy(padded, v, n);
		redact_b64_middle(&o, padded, (n + 2) / 3 * 3, 0, i);
		o.n = (8 * n + 5) / 6;
		add_pattern(j, text, o.n);
	}
	for (size_t i = 0; i < redact_n_encoders; i++)
		if (strncmp(redact_encoders[i].name, "base64", 6))
			add_encoded(j, &redact_encoders[i], v, n);
	mem_wipe(text, sizeof(text));
}

/* A value within the value. */
static void add_part(struct job *j, struct str s)
{
	s = str_trim(s);
	if (s.len < REDACT_FULL_MIN || j->parts >= PARTS_MAX ||
	    redact_is_common(s, j->words, j->n_words))
		return;
	if (j->parts++ < PARTS_FULL)
		add_value(j, (const uint8_t *)s.p, s.len);
	else
		add_pattern(j, (const uint8_t *)s.p, s.len);
}

static void add_lines(struct job *j, struct str s)
{
	if (!str_has(s, '\n'))
		return;
	while (s.len)
		add_part(j, str_cut(&s, '\n'));
}

static unsigned hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		v = v << 4 |
		    (unsigned)(c >= '0' && c <= '9' ? c - '0' :
			       (c | 32) >= 'a' && (c | 32) <= 'f' ?
						      (c | 32) - 'a' + 10 :
						      0);
	}
	return v;
}

/* What a JSON string holds; \u beyond Latin is left as it is written. */
static size_t unescape(struct str s, char *out)
{
	static const char letters[] = "b\bf\fn\nr\rt\t";
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		const char *l;
		unsigned u;

		if (s.p[i] != '\\' || i + 1 == s.len) {
			out[n++] = s.p[i];
			continue;
		}
		if (s.p[i + 1] == 'u' && i + 5 < s.len &&
		    (u = hex4(s.p + i + 2)) < 0x80) {
			out[n++] = (char)u;
			i += 5;
			continue;
		}
		i++;
		l = strchr(letters, s.p[i]);
		out[n++] =
			l && s.p[i] && (l - letters) % 2 == 0 ? l[1] : s.p[i];
	}
	return n;
}

/* The end of the JSON string that begins behind the quote at i. */
static size_t string_end(struct str s, size_t i)
{
	while (i < s.len && s.p[i] != '"')
		i += s.p[i] == '\\' ? 2 : 1;
	return i < s.len ? i : s.len;
}

/* The strings in a JSON object or array that are no keys. */
static void add_json_leaves(struct job *j, struct str s)
{
	struct str t = str_trim(s);
	struct guard g;

	if (!t.len || (t.p[0] != '{' && t.p[0] != '['))
		return;
	g = redact_guard(t.len);
	for (size_t i = 0; i < t.len; i++) {
		size_t end, next;

		if (t.p[i] != '"')
			continue;
		end = next = string_end(t, i + 1);
		do
			next++;
		while (next < t.len && strchr(" \t\r\n", t.p[next]));
		if (end < t.len && (next >= t.len || t.p[next] != ':')) {
			size_t n =
				unescape(str_n(t.p + i + 1, end - i - 1), g.p);
			struct str leaf = str_n(g.p, n);

			add_part(j, leaf);
			add_lines(j, leaf);
		}
		i = end;
	}
	guard_unmap(&g);
}

/* scheme://user:PASSWORD@host */
static void add_url_password(struct job *j, struct str s)
{
	const char *p = s.len ? memmem(s.p, s.len, "://", 3) : NULL;
	struct str rest, user;
	size_t at = 0, end = 0;

	if (!p || memchr(s.p, '\n', s.len))
		return;
	rest = str_from_at(s, (size_t)(p - s.p) + 3);
	while (end < rest.len && !strchr("/?#", rest.p[end]))
		end++;
	for (size_t i = 0; i < end; i++)
		if (rest.p[i] == '@')
			at = i;
	rest.len = at;
	user = str_cut(&rest, ':');
	if (user.len != at)
		add_part(j, rest);
}

enum redact_status redact_judge(struct secret_view v, const struct str *words,
				size_t n_words)
{
	struct str value = str_n((const char *)v.bytes, v.n_bytes);

	if (str_trim(value).len < REDACT_MIN && value.len < REDACT_FULL_MIN)
		return REDACT_TOO_SHORT;
	if (redact_is_common(value, words, n_words))
		return REDACT_COMMON;
	if (redact_in_mark(value))
		return REDACT_IN_MARK;
	if (value.len < REDACT_FULL_MIN)
		return REDACT_SHORT;
	return value.len > BIG ? REDACT_REDUCED : REDACT_FULL;
}

enum redact_status redact_variants(struct redact_list lists[REDACT_N_VIEWS],
				   struct guard *scratch, uint32_t secret,
				   struct str value, const struct str *words,
				   size_t n_words)
{
	struct job j = {lists, secret, words, n_words, scratch, 0};
	struct str trimmed = str_trim(value);
	const uint8_t *v = (const uint8_t *)value.p;
	enum redact_status status = redact_judge(
		(struct secret_view){v, value.len}, words, n_words);

	if (status != REDACT_FULL && status != REDACT_SHORT &&
	    status != REDACT_REDUCED)
		return status;
	if (scratch->len < 2 * (GROWTH * value.len + 64)) {
		guard_unmap(scratch);
		*scratch = redact_guard(2 * (GROWTH * value.len + 64));
	}
	if (status == REDACT_SHORT) {
		add_short(&j, v, value.len);
	} else {
		add_value(&j, v, value.len);
		if (trimmed.len < value.len && trimmed.len >= REDACT_FULL_MIN)
			add_value(&j, (const uint8_t *)trimmed.p, trimmed.len);
		else if (trimmed.len < value.len && trimmed.len >= REDACT_MIN)
			add_short(&j, (const uint8_t *)trimmed.p, trimmed.len);
		add_lines(&j, value);
		add_json_leaves(&j, value);
		add_url_password(&j, value);
	}
	return status;
}

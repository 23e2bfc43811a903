/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Many patterns against much text, no miss: of each pattern, the 4-byte grams
 * at `stride` consecutive places are in a Bloom filter; of the text, every
 * stride-th gram is looked up.  An occurrence covers one of the looked-up
 * places with one of the pattern's grams, whatever its alignment.  What the
 * filter lets through is looked up with four bytes more, then by its hash, and
 * compared.
 */
#include "secrets/redact_gram.h"

static inline bool bit(const uint32_t *bits, uint32_t i)
{
	return bits[i >> 5] >> (i & 31) & 1;
}

struct search {
	const struct redact_match *m;
	const uint8_t *b;
	size_t n;
	redact_hit_fn *fn;
	void *ctx;
	uint64_t verifies;
	/* What was found last, with all that it overlaps. */
	size_t from, to;
	uint32_t secret;
};

/* Of the n places in v, leave those that the second filter lets through: most
 * that the first one does are of a pattern's gram, but beside other bytes. */
static size_t pairs(const struct search *s, uint32_t *v, size_t n)
{
	const struct redact_match *m = s->m;
	size_t kept = 0;

	if (m->kinds >> ARRAY_LEN(around))
		return n; /* some have no other bytes */
	for (size_t i = 0; i < n; i++) {
		uint32_t at = v[i], gram = load32(s->b + at);
		/* At the ends there may be nothing to look up. */
		unsigned found = at < GRAM || s->n - at < 2 * GRAM;

		for (unsigned k = 0; k < ARRAY_LEN(around); k++) {
			if (m->kinds >> k & 1)
				found |= has_place(
					m->pair, pair_place(gram,
							    load32(s->b + at +
								   around[k]),
							    k, m->pair_shift));
		}
		v[kept] = at;
		kept += found;
	}
	return kept;
}

/* Is it within what was found of the same secret?  In "aaaa..." a pattern is
 * at every place. */
static bool is_covered(const struct search *s, uint32_t secret, size_t from,
		       size_t to)
{
	return secret == s->secret && from >= s->from && to <= s->to;
}

static void found(struct search *s, size_t from, const struct redact_pat *p)
{
	size_t to = from + p->len;

	if (p->secret != s->secret || from >= s->to || to <= s->from) {
		s->secret = p->secret;
		s->from = from;
		s->to = to;
	}
	s->from = from < s->from ? from : s->from;
	s->to = to > s->to ? to : s->to;
	s->fn(s->ctx, from, p);
}

static const uint32_t *bucket_of(const struct search *s, size_t at)
{
	return &s->m->bucket[hash32(load32(s->b + at)) >> s->m->bucket_shift];
}

/* The filters let the gram at `at` through: find the patterns it is of. */
static void look(struct search *s, size_t at)
{
	uint32_t hash = hash32(load32(s->b + at));
	const struct redact_match *m = s->m;
	const uint32_t *b = bucket_of(s, at);

	for (uint32_t i = b[0]; i < b[1]; i++) {
		const struct redact_gram *g = &m->gram[i];
		const struct redact_pat *p;
		size_t from = at - g->at;

		if (g->hash != (uint16_t)hash || at < g->at ||
		    g->len > s->n - from ||
		    load32(s->b + from + g->len - GRAM) != g->tail)
			continue;
		p = &m->pat[g->pat];
		if (is_covered(s, p->secret, from, from + g->len))
			continue;
		s->verifies++;
		if (!memcmp(s->b + from, m->bytes + p->off, g->len))
			found(s, from, p);
	}
}

/* Look at all; when they are many, ask for the memory of the next ones. */
static void look_all(struct search *s, const uint32_t *v, size_t n)
{
	enum {
		AHEAD = 6
	};
	size_t ahead = n < 4 * AHEAD ? 0 : AHEAD;

	for (size_t i = 0; i < n + 2 * ahead; i++) {
		if (ahead && i < n)
			__builtin_prefetch(bucket_of(s, v[i]));
		if (ahead && i >= ahead && i - ahead < n)
			__builtin_prefetch(
				&s->m->gram[*bucket_of(s, v[i - ahead])]);
		if (i >= 2 * ahead)
			look(s, v[i - 2 * ahead]);
	}
}

uint64_t redact_match_scan(const struct redact_match *m, const uint8_t *b,
			   size_t n, redact_hit_fn *fn, void *ctx)
{
	enum {
		PLACES = 512 /* looked up at a time */
	};
	struct search s = {.m = m, .b = b, .n = n, .fn = fn, .ctx = ctx};
	size_t piece = PLACES * m->stride, at = 0;
	uint32_t v[PLACES + REDACT_FILTER_SLACK];

	if (!m->n || n < GRAM)
		return 0;
	for (size_t end = n - GRAM + 1; at < end; at += piece) {
		size_t k = redact_filter(
			m, b, at, end - at < piece ? end : at + piece, v);

		k = pairs(&s, v, k);
		look_all(&s, v, k);
	}
	return s.verifies;
}

/* Is b[0..n) a proper beginning of a pattern? */
static bool begins(const struct redact_match *m, const uint8_t *b, size_t n)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct redact_pat *p = &m->pat[mid];
		size_t len = p->len < n ? p->len : n;
		int c = memcmp(m->bytes + p->off, b, len);

		/* A pattern that is all of b sorts before longer ones. */
		if (c < 0 || (!c && p->len <= n))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && m->pat[lo].len > n &&
	       !memcmp(m->bytes + m->pat[lo].off, b, n);
}

size_t redact_match_hold(const struct redact_match *m, const uint8_t *b,
			 size_t n)
{
	size_t most = m->max_len ? m->max_len - 1 : 0;
	size_t at = n > most ? n - most : 0;

	if (!m->n)
		return 0;
	for (; at + GRAM <= n; at++)
		if (bit(m->prefix, hash32(load32(b + at)) >> m->prefix_shift) &&
		    begins(m, b + at, n - at))
			return n - at;
	for (; at < n; at++)
		if (m->first[b[at]] && begins(m, b + at, n - at))
			return n - at;
	return 0;
}

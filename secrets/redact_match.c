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

/* The filters let the gram at `at` through: find the patterns it is of. */
static void look(struct search *s, size_t at)
{
	uint32_t hash = hash32(load32(s->b + at));
	const struct redact_match *m = s->m;
	const uint32_t *b = &m->bucket[hash >> m->bucket_shift];

	for (uint32_t i = b[0]; i < b[1]; i++) {
		const struct redact_gram *g = &m->gram[i];
		const struct redact_pat *p;
		size_t from = at - g->at;

		if (g->hash != (uint16_t)hash || at < g->at)
			continue;
		p = &m->pat[g->pat];
		if (p->len > s->n - from ||
		    load32(s->b + at + g->check_at) != g->check)
			continue;
		s->verifies++;
		if (!memcmp(s->b + from, m->bytes + p->off, p->len))
			s->fn(s->ctx, from, p);
	}
}

uint64_t redact_match_scan(const struct redact_match *m, const uint8_t *b,
			   size_t n, redact_hit_fn *fn, void *ctx)
{
	enum {
		PLACES = 512 /* looked up at a time */
	};
	struct search s = {m, b, n, fn, ctx, 0};
	size_t piece = PLACES * m->stride, at = 0;
	uint32_t v[PLACES + REDACT_FILTER_SLACK];

	if (!m->n || n < GRAM)
		return 0;
	for (size_t end = n - GRAM + 1; at < end; at += piece) {
		size_t k = redact_filter(
			m, b, at, end - at < piece ? end : at + piece, v);

		k = pairs(&s, v, k);
		for (size_t i = 0; i < k; i++)
			look(&s, v[i]);
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

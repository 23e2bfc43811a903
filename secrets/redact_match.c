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

/* Most grams that are let through are in a pattern, but beside other bytes. */
static inline bool pair_passes(const struct search *s, size_t at, uint32_t gram)
{
	const struct redact_match *m = s->m;

	for (unsigned k = 0; k < ARRAY_LEN(around); k++) {
		size_t other = at + (size_t)around[k];

		/* Before the beginning it has wrapped around. */
		if (m->kinds >> k & 1 && other < s->n && s->n - other >= GRAM &&
		    has_place(m->pair, pair_place(gram, load32(s->b + other), k,
						  m->pair_shift)))
			return true;
	}
	return m->kinds >> ARRAY_LEN(around);
}

/* The filter let the gram at `at` through: find the patterns it is of. */
static __attribute__((noinline)) void look(struct search *s, size_t at)
{
	uint32_t gram = load32(s->b + at), hash = hash32(gram);
	const struct redact_match *m = s->m;
	const uint32_t *b = &m->bucket[hash >> m->bucket_shift];

	if (!pair_passes(s, at, gram))
		return;
	for (uint32_t i = b[0]; i < b[1]; i++) {
		const struct redact_gram *g = &m->gram[i];
		const struct redact_pat *p;
		size_t from = at - g->at;

		if (g->hash != hash || at < g->at)
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

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* Inlined with a constant stride. */
static inline __attribute__((always_inline)) void scan(struct search *s,
						       size_t stride)
{
	enum {
		TURN = 8
	};
	const uint64_t *bloom = s->m->bloom;
	const unsigned shift = s->m->bloom_shift;
	const uint8_t *b = s->b;
	size_t i = 0;

	for (; i + TURN * stride + GRAM <= s->n; i += TURN * stride) {
		unsigned hits = 0;

		UNROLL
		for (unsigned k = 0; k < TURN; k++)
			hits |= (unsigned)has_place(
					bloom,
					bloom_place(load32(b + i + k * stride),
						    shift))
				<< k;
		for (; __builtin_expect(hits != 0, 0); hits &= hits - 1)
			look(s, i + (unsigned)__builtin_ctz(hits) * stride);
	}
	for (; i + GRAM <= s->n; i += stride)
		if (has_place(bloom, bloom_place(load32(b + i), shift)))
			look(s, i);
}

#if defined(__x86_64__)
/* Shifts by any register: a third more than without. */
static __attribute__((target("bmi2"))) void scan_bmi2(struct search *s)
{
	scan(s, REDACT_FULL_MIN - GRAM + 1);
}
#endif

static void scan_full(struct search *s)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("bmi2")) {
		scan_bmi2(s);
		return;
	}
#endif
	scan(s, REDACT_FULL_MIN - GRAM + 1);
}

uint64_t redact_match_scan(const struct redact_match *m, const uint8_t *b,
			   size_t n, redact_hit_fn *fn, void *ctx)
{
	struct search s = {m, b, n, fn, ctx, 0};

	if (!m->n)
		return 0;
	if (m->stride == REDACT_FULL_MIN - GRAM + 1)
		scan_full(&s);
	else
		scan(&s, REDACT_MIN - GRAM + 1);
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

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Many patterns against much text, no miss: of each pattern, the 4-byte grams
 * at `stride` consecutive places go into a Bloom filter; of the text, every
 * stride-th gram is looked up.  An occurrence covers one of the looked-up
 * places with one of the pattern's grams, whatever its alignment.  What the
 * filter lets through is looked up by its hash and compared.
 */
#include "secrets/redact_internal.h"

#include "base/mem.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	GRAM = 4,
	BLOOM_PER_GRAM = 24, /* bits, at least */
	PAIR_PER_GRAM = 12,
	BLOOM_MIN_LOG = 16,
	BLOOM_MAX_LOG = 24,
	PREFIX_PER_PATTERN = 16,
};

struct redact_gram {
	uint32_t hash;  /* one to one with the gram */
	uint32_t check; /* the pattern's 4 bytes check_at from the gram */
	uint32_t pat;
	uint8_t at; /* the gram's place in the pattern */
	int8_t check_at;
};

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* A place in the filter: a word by the top bits, and two bits in it. */
struct place {
	uint32_t word, one, two;
};

static inline struct place bloom_place(uint32_t gram, unsigned shift)
{
	uint64_t h = gram * 0x9e3779b97f4a7c15u;

	return (struct place){(uint32_t)(h >> shift), h >> 24 & 63,
			      h >> 18 & 63};
}

/* The same for a gram and the four bytes behind or before it. */
static inline struct place pair_place(uint32_t gram, uint32_t other,
				      bool before, unsigned shift)
{
	uint64_t h = ((uint64_t)gram << 32 | other) * 0xd6e8feb86659fd93u;

	h ^= before ? h >> 17 : 0;
	return (struct place){(uint32_t)(h >> shift), h >> 24 & 63,
			      h >> 18 & 63};
}

/* Odd, so no two grams have the same hash. */
static inline uint32_t hash32(uint32_t gram)
{
	return gram * 0x9e3779b1u;
}

static inline bool bit(const uint32_t *bits, uint32_t i)
{
	return bits[i >> 5] >> (i & 31) & 1;
}

static void set_bit(uint32_t *bits, uint32_t i)
{
	bits[i >> 5] |= 1u << (i & 31);
}

static unsigned log2_for(size_t n, unsigned min, unsigned max)
{
	while (min < max && (size_t)1 << min < n)
		min++;
	return min;
}

/* How often a gram comes in logs: times and numbers, then words, then
 * identifiers and hexadecimal.  Only the order of the figures matters much. */
static unsigned gram_weight(const uint8_t *p)
{
	unsigned digits = 0, lower = 0, hex = 0, points = 0, others = 0;

	for (unsigned i = 0; i < GRAM; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			digits++;
		else if (p[i] >= 'a' && p[i] <= 'f')
			hex++;
		else if (p[i] >= 'g' && p[i] <= 'z')
			lower++;
		else if (p[i] && strchr("./:=-_\",", p[i]))
			points++;
		else
			others++;
	}
	if (others)
		return 1;
	if (digits + points == GRAM)
		return 60;
	if (!digits)
		return points ? 30 : 50;
	return lower ? 4 : 10;
}

/* The stride consecutive grams that are least like ordinary text. */
static uint32_t rarest_window(const uint8_t *p, size_t len, unsigned stride)
{
	unsigned least = ~0u;
	uint32_t best = 0;

	/* Best with four more bytes behind each of its grams. */
	if (len >= stride + 2 * GRAM - 1)
		len -= GRAM;
	for (uint32_t at = 0; at + stride + GRAM - 1 <= len; at++) {
		unsigned w = 0;

		for (unsigned k = 0; k < stride; k++)
			w += gram_weight(p + at + k);
		if (w < least) {
			least = w;
			best = at;
		}
	}
	return best;
}

/* For qsort_r(): by bytes, the shorter first. */
static int pat_cmp(const void *a, const void *b, void *bytes)
{
	const struct redact_pat *x = a, *y = b;
	const uint8_t *base = bytes;
	int c = memcmp(base + x->off, base + y->off,
		       x->len < y->len ? x->len : y->len);

	if (c)
		return c;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->secret < y->secret ? -1 : x->secret > y->secret;
}

/* A part of the one mapping, in the order of the calls. */
static void *carve(struct guard *g, size_t *used, size_t n, size_t size)
{
	void *p = (uint8_t *)g->p + *used;

	*used += (n * size + 15) & ~(size_t)15;
	assert(*used <= g->len);
	return p;
}

static void put_place(uint64_t *bits, struct place b)
{
	bits[b.word] |= (uint64_t)1 << b.one | (uint64_t)1 << b.two;
}

static void add_grams(struct redact_match *m, struct redact_gram *out,
		      uint32_t pat, uint64_t *bloom, uint64_t *pair)
{
	const uint8_t *p = m->bytes + m->pat[pat].off;
	uint32_t len = m->pat[pat].len;
	uint32_t from = rarest_window(p, len, m->stride);

	for (uint32_t k = 0; k < m->stride; k++) {
		uint32_t at = from + k;
		int8_t check = at + 2 * GRAM <= len ? GRAM :
			       at >= GRAM           ? -GRAM :
						      0;

		uint32_t gram = load32(p + at), other = load32(p + at + check);

		put_place(bloom, bloom_place(gram, m->bloom_shift));
		put_place(pair,
			  pair_place(gram, other, check < 0, m->pair_shift));
		m->any_before |= check < 0;
		m->any_alone |= !check;
		out[k] = (struct redact_gram){
			.hash = hash32(gram),
			.check = other,
			.pat = pat,
			.at = (uint8_t)at,
			.check_at = check,
		};
	}
}

/* Sort the grams into buckets by the top bits of their hashes. */
static void fill_buckets(const struct redact_match *m, uint32_t *bucket,
			 struct redact_gram *to, const struct redact_gram *from,
			 size_t n)
{
	size_t n_buckets = (size_t)1 << (32 - m->bucket_shift);

	for (size_t i = 0; i < n; i++)
		bucket[from[i].hash >> m->bucket_shift]++;
	for (size_t i = 1; i <= n_buckets; i++)
		bucket[i] += bucket[i - 1];
	for (size_t i = n; i--;)
		to[--bucket[from[i].hash >> m->bucket_shift]] = from[i];
}

/* Of the same pattern from several secrets, the first one's stays. */
static size_t sort_unique(struct redact_list *l)
{
	const uint8_t *bytes = l->mem.p;
	size_t n = 0;

	qsort_r(l->v, l->n, sizeof(*l->v), pat_cmp, l->mem.p);
	for (size_t i = 0; i < l->n; i++)
		if (!n || l->v[n - 1].len != l->v[i].len ||
		    memcmp(bytes + l->v[n - 1].off, bytes + l->v[i].off,
			   l->v[i].len))
			l->v[n++] = l->v[i];
	return n;
}

static void copy_pats(struct redact_match *m, const struct redact_list *l,
		      struct redact_pat *pat, uint8_t *bytes)
{
	uint32_t used = 0;

	m->n = l->n;
	for (size_t i = 0; i < l->n; i++) {
		pat[i] = l->v[i];
		pat[i].off = used;
		memcpy(bytes + used, (uint8_t *)l->mem.p + l->v[i].off,
		       pat[i].len);
		used += pat[i].len;
		if (pat[i].len > m->max_len)
			m->max_len = pat[i].len;
	}
}

void redact_match_build(struct redact_match *m, struct redact_list *l,
			unsigned min_len)
{
	size_t n_grams, used = 0, total;
	unsigned bloom_log, pair_log, prefix_log, bucket_log;
	uint32_t *prefix, *bucket;
	uint64_t *bloom, *pair;
	struct redact_gram *gram;
	struct redact_pat *pat;
	struct guard tmp;
	uint8_t *bytes;
	bool *first;

	*m = (struct redact_match){.stride = min_len - GRAM + 1};
	if (!l->n)
		return;
	l->n = sort_unique(l);
	n_grams = l->n * m->stride;
	bloom_log = log2_for(n_grams * BLOOM_PER_GRAM, BLOOM_MIN_LOG,
			     BLOOM_MAX_LOG);
	pair_log =
		log2_for(n_grams * PAIR_PER_GRAM, BLOOM_MIN_LOG, BLOOM_MAX_LOG);
	prefix_log = log2_for(l->n * PREFIX_PER_PATTERN, 10, BLOOM_MAX_LOG);
	bucket_log = log2_for(n_grams, 8, 24);
	total = ((size_t)1 << bloom_log) / 8 + ((size_t)1 << pair_log) / 8 +
		((size_t)1 << prefix_log) / 8 +
		(((size_t)1 << bucket_log) + 1) * sizeof(*bucket) +
		n_grams * sizeof(*gram) + l->n * sizeof(*pat) + l->used + 256 +
		8 * 16;
	m->mem = redact_guard(total);
	bloom = carve(&m->mem, &used, ((size_t)1 << bloom_log) / 64, 8);
	pair = carve(&m->mem, &used, ((size_t)1 << pair_log) / 64, 8);
	prefix = carve(&m->mem, &used, ((size_t)1 << prefix_log) / 32, 4);
	bucket = carve(&m->mem, &used, ((size_t)1 << bucket_log) + 1, 4);
	gram = carve(&m->mem, &used, n_grams, sizeof(*gram));
	pat = carve(&m->mem, &used, l->n, sizeof(*pat));
	bytes = carve(&m->mem, &used, l->used, 1);
	first = carve(&m->mem, &used, 256, 1);
	copy_pats(m, l, pat, bytes);
	m->bytes = bytes;
	m->pat = pat;
	m->bloom = bloom;
	m->prefix = prefix;
	m->bucket = bucket;
	m->gram = gram;
	m->first = first;
	m->pair = pair;
	m->bloom_shift = 64 - (bloom_log - 6);
	m->pair_shift = 64 - (pair_log - 6);
	m->prefix_shift = 32 - prefix_log;
	m->bucket_shift = 32 - bucket_log;
	tmp = redact_guard(n_grams * sizeof(*gram));
	for (uint32_t i = 0; i < m->n; i++) {
		const uint8_t *p = bytes + pat[i].off;

		add_grams(m, (struct redact_gram *)tmp.p + i * m->stride, i,
			  bloom, pair);
		first[p[0]] = true;
		set_bit(prefix, hash32(load32(p)) >> m->prefix_shift);
	}
	fill_buckets(m, bucket, gram, tmp.p, n_grams);
	guard_unmap(&tmp);
}

void redact_match_done(struct redact_match *m)
{
	guard_unmap(&m->mem);
	*m = (struct redact_match){0};
}

struct search {
	const struct redact_match *m;
	const uint8_t *b;
	size_t n;
	redact_hit_fn *fn;
	void *ctx;
	uint64_t verifies;
};

static inline bool has_place(const uint64_t *bits, struct place x)
{
	uint64_t word = bits[x.word];

	return word >> x.one & word >> x.two & 1;
}

/* Most grams that are let through are in a pattern, but beside other bytes. */
static inline bool pair_passes(const struct search *s, size_t at, uint32_t gram)
{
	const struct redact_match *m = s->m;

	if (at + 2 * GRAM <= s->n &&
	    has_place(m->pair, pair_place(gram, load32(s->b + at + GRAM), false,
					  m->pair_shift)))
		return true;
	return m->any_before && at >= GRAM &&
	       has_place(m->pair, pair_place(gram, load32(s->b + at - GRAM),
					     true, m->pair_shift));
}

/* The filter let the gram at `at` through: find the patterns it is of. */
static __attribute__((noinline)) void look(struct search *s, size_t at)
{
	uint32_t gram = load32(s->b + at), hash = hash32(gram);
	const struct redact_match *m = s->m;
	const uint32_t *b = &m->bucket[hash >> m->bucket_shift];

	if (!m->any_alone && !pair_passes(s, at, gram))
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

uint64_t redact_match_scan(const struct redact_match *m, const uint8_t *b,
			   size_t n, redact_hit_fn *fn, void *ctx)
{
	struct search s = {m, b, n, fn, ctx, 0};

	if (!m->n)
		return 0;
	if (m->stride == REDACT_FULL_MIN - GRAM + 1)
		scan(&s, REDACT_FULL_MIN - GRAM + 1);
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

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Compile a list of patterns: of each, the grams at `stride` consecutive
 * places, chosen where it is least like ordinary text, go into the filters and
 * the table behind them.  See redact_match.c for why that is enough.
 */
#include "secrets/redact_gram.h"

#include "base/mem.h"
#include <assert.h>
#include <endian.h>
#include <stdlib.h>

enum {
	BLOOM_PER_GRAM = 32, /* bits, while it fits the second cache */
	BLOOM_LEAST = 8,     /* in any case */
	BLOOM_CACHE_LOG = 21,
	BLOOM_MIN_LOG = 16,
	BLOOM_MAX_LOG = 24,
	PAIR_PER_GRAM = 12,
	PREFIX_PER_PATTERN = 16,
	WINDOW_REACH = 48 /* bytes of a pattern; further on is none better */
};

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

/* What a byte is in logs, in fields of a word that are added up. */
enum {
	DIGIT = 1,
	HEX = 1 << 3,
	LOWER = 1 << 6,
	POINT = 1 << 9,
	OTHER = 1 << 12,
	FIELD = 7,
	RARE = 10 /* the weight of a gram that is worth no search */
};

static unsigned class_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return DIGIT;
	if (c >= 'a' && c <= 'f')
		return HEX;
	if (c >= 'g' && c <= 'z')
		return LOWER;
	return c && strchr("./:=-_\",", c) ? POINT : OTHER;
}

static uint16_t classes_of[256];

/* Before main(), so that no two threads race to make it. */
static __attribute__((constructor)) void make_classes(void)
{
	for (unsigned c = 0; c < 256; c++)
		classes_of[c] = (uint16_t)class_of((uint8_t)c);
}

/* How often a gram comes in logs: times and numbers, then words, then
 * identifiers and hexadecimal.  Only the order of the figures matters much. */
static unsigned gram_weight(unsigned classes)
{
	unsigned digits = classes / DIGIT & FIELD;
	unsigned points = classes / POINT & FIELD;

	if (classes / OTHER & FIELD)
		return 1;
	if (digits + points == GRAM)
		return 60;
	if (!digits)
		return points ? 30 : 50;
	return classes / LOWER & FIELD ? 4 : 10;
}

/* The stride consecutive grams that are least like ordinary text. */
static uint32_t rarest_window(const uint8_t *p, size_t len, unsigned stride)
{
	uint16_t class[WINDOW_REACH];
	uint8_t weight[WINDOW_REACH];
	unsigned least = ~0u, classes = 0, sum = 0;
	uint32_t best = 0;

	assert(len <= REDACT_TILE_MAX);
	if (len > WINDOW_REACH)
		len = WINDOW_REACH;
	/* Best with four more bytes behind each of its grams. */
	if (len >= stride + 2 * GRAM - 1)
		len -= GRAM;
	for (uint32_t i = 0; i < len; i++) {
		class[i] = classes_of[p[i]];
		classes += class[i];
		if (i + 1 < GRAM)
			continue;
		weight[i + 1 - GRAM] = (uint8_t)gram_weight(classes);
		classes -= class[i + 1 - GRAM];
		sum += weight[i + 1 - GRAM];
		if (i + 1 < GRAM + stride - 1)
			continue;
		if (sum < least) {
			least = sum;
			best = i + 1 - (GRAM + stride - 1);
			if (sum <= stride * RARE)
				break;
		}
		sum -= weight[i + 1 - (GRAM + stride - 1)];
	}
	return best;
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

static void put_gram(uint32_t *bloom, uint64_t h, unsigned shift)
{
	bloom[bloom_word(h, shift)] |=
		1u << (h >> 32 & 31) | 1u << (h >> 37 & 31);
}

/* Which of around[] is in the pattern; none in a short one. */
static unsigned kind_of(uint32_t at, uint32_t len)
{
	unsigned k = 0;

	for (; k < ARRAY_LEN(around); k++)
		if ((int)at + around[k] >= 0 &&
		    (int)at + around[k] + GRAM <= (int)len)
			break;
	return k;
}

/* Into the filters; how many are in each bucket. */
static void count_grams(struct redact_match *m, uint32_t pat, uint32_t from,
			uint32_t *bloom, uint64_t *pair, uint32_t *bucket)
{
	const uint8_t *p = m->bytes + m->pat[pat].off;

	for (uint32_t at = from; at < from + m->stride; at++) {
		unsigned kind = kind_of(at, m->pat[pat].len);
		uint32_t gram = load32(p + at);
		uint32_t other = 0;

		if (kind < ARRAY_LEN(around))
			other = load32(p + at + around[kind]);
		put_gram(bloom, bloom_hash(gram), m->bloom_shift);
		put_place(pair, pair_place(gram, other, kind, m->pair_shift));
		m->kinds |= 1u << kind;
		bucket[hash32(gram) >> m->bucket_shift]++;
	}
}

/* Into the table; the last first, as `end` is the end of each bucket.  So of a
 * gram that is in a pattern twice, the first place comes first. */
static void put_grams(const struct redact_match *m, uint32_t pat, uint32_t from,
		      struct redact_gram *to, uint32_t *end)
{
	const uint8_t *p = m->bytes + m->pat[pat].off;
	uint32_t len = m->pat[pat].len;

	for (uint32_t at = from + m->stride; at-- > from;) {
		uint32_t hash = hash32(load32(p + at));

		to[--end[hash >> m->bucket_shift]] = (struct redact_gram){
			.tail = load32(p + len - GRAM),
			.pat = pat,
			.hash = (uint16_t)hash,
			.at = (uint8_t)at,
			.len = (uint8_t)len,
		};
	}
}

static void fill(struct redact_match *m, uint32_t *bloom, uint64_t *pair,
		 uint32_t *bucket, struct redact_gram *gram)
{
	size_t n_buckets = (size_t)1 << (32 - m->bucket_shift);
	uint8_t *from = mem_alloc(m->n); /* the window of each pattern */

	for (uint32_t i = 0; i < m->n; i++) {
		const struct redact_pat *p = &m->pat[i];

		from[i] = (uint8_t)rarest_window(m->bytes + p->off, p->len,
						 m->stride);
		count_grams(m, i, from[i], bloom, pair, bucket);
	}
	for (size_t i = 1; i <= n_buckets; i++)
		bucket[i] += bucket[i - 1];
	for (uint32_t i = (uint32_t)m->n; i--;)
		put_grams(m, i, from[i], gram, bucket);
	mem_free(from);
}

/* For qsort_r(): by bytes, the shorter first, of the same ones that of the
 * first secret. */
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

/* A pattern by its first bytes, as a number that sorts as they do. */
struct key {
	uint64_t head;
	size_t i; /* of the pattern */
};

static uint64_t head_of(const uint8_t *p, size_t len)
{
	uint64_t head = 0;

	memcpy(&head, p, len < sizeof(head) ? len : sizeof(head));
	return be64toh(head);
}

/* Sort by one byte of the heads; what is the same stays in order. */
static void sort_byte(struct key *to, const struct key *from, size_t n,
		      unsigned shift)
{
	size_t at[257] = {0};

	for (size_t i = 0; i < n; i++)
		at[(from[i].head >> shift & 0xff) + 1]++;
	for (unsigned i = 1; i < 256; i++)
		at[i] += at[i - 1];
	for (size_t i = 0; i < n; i++)
		to[at[from[i].head >> shift & 0xff]++] = from[i];
}

/* By the heads first, where most differ; those are plaintext. */
static void sort_list(struct redact_list *l)
{
	struct redact_pat *v = mem_array(l->n, sizeof(*v));
	struct guard tmp = redact_guard(2 * l->n * sizeof(struct key));
	struct key *keys = tmp.p, *other = keys + l->n;
	size_t from = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct redact_pat *p = &l->v[i];

		keys[i] = (struct key){
			head_of((uint8_t *)l->mem.p + p->off, p->len), i};
	}
	for (unsigned shift = 0; shift < 64; shift += 16) {
		sort_byte(other, keys, l->n, shift);
		sort_byte(keys, other, l->n, shift + 8);
	}
	for (size_t i = 0; i < l->n; i++) {
		v[i] = l->v[keys[i].i];
		if (i + 1 < l->n && keys[i + 1].head == keys[i].head)
			continue;
		if (i > from)
			qsort_r(v + from, i + 1 - from, sizeof(*v), pat_cmp,
				l->mem.p);
		from = i + 1;
	}
	guard_unmap(&tmp);
	mem_free(l->v);
	l->v = v;
	l->cap = l->n;
}

/* Of the same pattern from several secrets, the first one's stays. */
static size_t sort_unique(struct redact_list *l)
{
	const uint8_t *bytes = l->mem.p;
	size_t n = 0;

	sort_list(l);
	for (size_t i = 0; i < l->n; i++)
		if (!n || l->v[n - 1].len != l->v[i].len ||
		    memcmp(bytes + l->v[n - 1].off, bytes + l->v[i].off,
			   l->v[i].len))
			l->v[n++] = l->v[i];
	return n;
}

static bool has_odd(const uint8_t *p, size_t len)
{
	while (len--)
		if (redact_odd(*p++))
			return true;
	return false;
}

static void copy_pats(struct redact_match *m, const struct redact_list *l,
		      struct redact_pat *pat, uint8_t *bytes)
{
	uint32_t used = 0;

	m->n = l->n;
	m->all_odd = true;
	for (size_t i = 0; i < l->n; i++) {
		pat[i] = l->v[i];
		pat[i].off = used;
		memcpy(bytes + used, (uint8_t *)l->mem.p + l->v[i].off,
		       pat[i].len);
		m->all_odd = m->all_odd && has_odd(bytes + used, pat[i].len);
		used += pat[i].len;
		if (pat[i].len > m->max_len)
			m->max_len = pat[i].len;
	}
}

void redact_match_build(struct redact_match *m, struct redact_list *l,
			unsigned min_len)
{
	size_t n_grams, used = 0, total, n_bytes = 0;
	unsigned bloom_log, pair_log, prefix_log, bucket_log;
	uint32_t *prefix, *bucket, *bloom;
	uint64_t *pair;
	struct redact_gram *gram;
	struct redact_pat *pat;
	uint8_t *bytes;
	bool *first;

	*m = (struct redact_match){.stride = min_len - GRAM + 1};
	if (!l->n)
		return;
	l->n = sort_unique(l);
	n_grams = l->n * m->stride;
	for (size_t i = 0; i < l->n; i++)
		n_bytes += l->v[i].len;
	bloom_log =
		log2_for(n_grams * BLOOM_LEAST, BLOOM_MIN_LOG, BLOOM_MAX_LOG);
	if (bloom_log < BLOOM_CACHE_LOG)
		bloom_log = log2_for(n_grams * BLOOM_PER_GRAM, bloom_log,
				     BLOOM_CACHE_LOG);
	pair_log =
		log2_for(n_grams * PAIR_PER_GRAM, BLOOM_MIN_LOG, BLOOM_MAX_LOG);
	prefix_log = log2_for(l->n * PREFIX_PER_PATTERN, 10, BLOOM_MAX_LOG);
	bucket_log = log2_for(n_grams / 2, 8, 24);
	total = ((size_t)1 << bloom_log) / 8 + ((size_t)1 << pair_log) / 8 +
		((size_t)1 << prefix_log) / 8 +
		(((size_t)1 << bucket_log) + 1) * sizeof(*bucket) +
		n_grams * sizeof(*gram) + l->n * sizeof(*pat) + n_bytes + 256 +
		8 * 16;
	m->mem = redact_guard(total);
	bloom = carve(&m->mem, &used, ((size_t)1 << bloom_log) / 32, 4);
	pair = carve(&m->mem, &used, ((size_t)1 << pair_log) / 64, 8);
	prefix = carve(&m->mem, &used, ((size_t)1 << prefix_log) / 32, 4);
	bucket = carve(&m->mem, &used, ((size_t)1 << bucket_log) + 1, 4);
	gram = carve(&m->mem, &used, n_grams, sizeof(*gram));
	pat = carve(&m->mem, &used, l->n, sizeof(*pat));
	bytes = carve(&m->mem, &used, n_bytes, 1);
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
	m->bloom_shift = 32 - (bloom_log - 5);
	m->pair_shift = 64 - (pair_log - 6);
	m->prefix_shift = 32 - prefix_log;
	m->bucket_shift = 32 - bucket_log;
	for (uint32_t i = 0; i < m->n; i++) {
		const uint8_t *p = bytes + pat[i].off;

		first[p[0]] = true;
		set_bit(prefix, hash32(load32(p)) >> m->prefix_shift);
	}
	fill(m, bloom, pair, bucket, gram);
}

void redact_match_done(struct redact_match *m)
{
	guard_unmap(&m->mem);
	*m = (struct redact_match){0};
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The squeezed view: text without white space and control characters, block
 * by block, and for each block where it went.  A secret that is in the text is
 * in here too, so this is the only view that most secrets are looked for in.
 * The compiled-in implementations are picked by what the processor has.
 */
#include "secrets/redact_internal.h"

#include <assert.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

struct odd {
	uint64_t esc, other; /* not 0 when there is one */
};

/* What one implementation does with a block: which bytes stay, then putting
 * them at o.  Both are inlined into squeeze(). */
typedef uint64_t keep_fn(const uint8_t *p, struct odd *odd);
typedef void pack_fn(const uint8_t *p, uint64_t keep, uint8_t *o);

/* Between the last byte of block `before` and the first of block `after`. */
static bool gap_breaks(uint64_t before, size_t empty, uint64_t after)
{
	return (size_t)__builtin_clzll(before) + REDACT_BLOCK * empty +
		       (size_t)__builtin_ctzll(after) >
	       REDACT_GAP_MAX;
}

INLINE unsigned squeeze(const uint8_t *p, size_t len,
			struct redact_squeezed *out, keep_fn *keep_of,
			pack_fn *pack)
{
	size_t n_blocks = (len + REDACT_BLOCK - 1) / REDACT_BLOCK, empty = 0;
	uint64_t last = 0;
	struct odd odd = {0};
	uint8_t *o = out->b;

	for (size_t i = 0; i < n_blocks; i++, p += REDACT_BLOCK) {
		uint64_t keep = out->kept[i] = keep_of(p, &odd);

		if (__builtin_expect(!keep, 0)) {
			out->map[i] = (uint32_t)(o - out->b);
			empty++;
			continue;
		}
		if (__builtin_expect(empty != 0, 0)) {
			if (last && gap_breaks(last, empty, keep))
				*o++ = 0;
			empty = 0;
		}
		last = keep;
		out->map[i] = (uint32_t)(o - out->b);
		pack(p, keep, o);
		o += __builtin_popcountll(keep);
	}
	out->n = (size_t)(o - out->b);
	out->n_blocks = n_blocks;
	out->hint = 0;
	return (odd.esc ? REDACT_HAS_ESC : 0) |
	       (odd.other ? REDACT_HAS_ODD : 0);
}

INLINE uint64_t keep_plain(const uint8_t *p, struct odd *odd)
{
	uint64_t keep = 0;

	for (unsigned i = 0; i < REDACT_BLOCK; i++) {
		keep |= (uint64_t)redact_kept(p[i]) << i;
		odd->esc |= p[i] == 0x1b;
		odd->other |= redact_odd(p[i]);
	}
	return keep;
}

INLINE void pack_plain(const uint8_t *p, uint64_t keep, uint8_t *o)
{
	for (unsigned i = 0; i < REDACT_BLOCK; i++) {
		*o = p[i];
		o += keep >> i & 1;
	}
}

static unsigned squeeze_plain(const uint8_t *p, size_t len,
			      struct redact_squeezed *out)
{
	return squeeze(p, len, out, keep_plain, pack_plain);
}

#if defined(__x86_64__)
#define TARGET_SSSE3 __attribute__((target("ssse3,popcnt")))
#define TARGET_AVX512                                                          \
	__attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt")))

INLINE uint64_t keep_sse2(const uint8_t *p, struct odd *odd)
{
	const __m128i space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f);
	/* Odd are 0 to 8, and 0x0e to 0x1f, that is 0 to 0x11 from there. */
	const __m128i low = _mm_set1_epi8(8), high = _mm_set1_epi8(0x11);
	const __m128i from = _mm_set1_epi8(0x0e);
	const __m128i escape = _mm_set1_epi8(0x1b);
	__m128i odds = _mm_setzero_si128(), escs = odds;
	uint64_t drop = 0;

	for (unsigned i = 0; i < 4; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i));
		__m128i w = _mm_sub_epi8(v, from);
		__m128i e = _mm_cmpeq_epi8(v, escape);
		/* min(v, most) == v is v <= most, unsigned */
		__m128i d =
			_mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(v, space), v),
				     _mm_cmpeq_epi8(v, del));
		unsigned m = (unsigned)_mm_movemask_epi8(d);

		drop |= (uint64_t)m << (16 * i);
		escs = _mm_or_si128(escs, e);
		odds = _mm_or_si128(
			odds,
			_mm_or_si128(
				_mm_cmpeq_epi8(_mm_min_epu8(v, low), v),
				_mm_andnot_si128(
					e, _mm_cmpeq_epi8(_mm_min_epu8(w, high),
							  w))));
	}
	odd->esc |= (unsigned)_mm_movemask_epi8(escs);
	odd->other |= (unsigned)_mm_movemask_epi8(odds);
	return ~drop;
}

/* For each set of kept bytes out of 8, where they come from. */
static uint64_t shuffles[256];

/* Before main(), so that no two threads race to make it. */
static __attribute__((constructor)) void make_shuffles(void)
{
	for (unsigned keep = 0; keep < 256; keep++) {
		unsigned n = 0;

		for (unsigned i = 0; i < 8; i++)
			if (keep >> i & 1)
				shuffles[keep] |= (uint64_t)i << (8 * n++);
	}
}

TARGET_SSSE3 static inline void pack_ssse3(const uint8_t *p, uint64_t keep,
					   uint8_t *o)
{
	for (unsigned i = 0; i < 8; i++, p += 8, keep >>= 8) {
		__m128i v = _mm_loadl_epi64((const __m128i *)p);
		__m128i how = _mm_loadl_epi64(
			(const __m128i *)&shuffles[keep & 0xff]);

		_mm_storel_epi64((__m128i *)o, _mm_shuffle_epi8(v, how));
		o += __builtin_popcountll(keep & 0xff);
	}
}

TARGET_SSSE3 static unsigned squeeze_ssse3(const uint8_t *p, size_t len,
					   struct redact_squeezed *out)
{
	return squeeze(p, len, out, keep_sse2, pack_ssse3);
}

TARGET_AVX512 static inline uint64_t keep_avx512(const uint8_t *p,
						 struct odd *odd)
{
	__m512i v = _mm512_loadu_si512(p);
	__m512i w = _mm512_sub_epi8(v, _mm512_set1_epi8(0x0e));
	uint64_t esc = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(0x1b));

	odd->esc |= esc;
	odd->other |=
		_mm512_cmple_epu8_mask(v, _mm512_set1_epi8(8)) |
		(_mm512_cmple_epu8_mask(w, _mm512_set1_epi8(0x11)) & ~esc);
	return _mm512_cmpgt_epu8_mask(v, _mm512_set1_epi8(0x20)) &
	       _mm512_cmpneq_epi8_mask(v, _mm512_set1_epi8(0x7f));
}

TARGET_AVX512 static inline void pack_avx512(const uint8_t *p, uint64_t keep,
					     uint8_t *o)
{
	__m512i v = _mm512_loadu_si512(p);

	_mm512_storeu_si512(o, _mm512_maskz_compress_epi8(keep, v));
}

TARGET_AVX512 static unsigned squeeze_avx512(const uint8_t *p, size_t len,
					     struct redact_squeezed *out)
{
	return squeeze(p, len, out, keep_avx512, pack_avx512);
}
#endif

redact_squeeze_fn *redact_squeeze_impl(unsigned i)
{
#if defined(__x86_64__)
	if (i == 1 && __builtin_cpu_supports("ssse3") &&
	    __builtin_cpu_supports("popcnt"))
		return squeeze_ssse3;
	if (i == 2 && __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vbmi2") &&
	    __builtin_cpu_supports("popcnt"))
		return squeeze_avx512;
#endif
	return i == 0 ? squeeze_plain : NULL;
}

unsigned redact_squeeze(const uint8_t *p, size_t len,
			struct redact_squeezed *out)
{
	static redact_squeeze_fn *best;
	redact_squeeze_fn *fn = __atomic_load_n(&best, __ATOMIC_RELAXED);

	for (unsigned i = 3; !fn && i--;)
		fn = redact_squeeze_impl(i);
	__atomic_store_n(&best, fn, __ATOMIC_RELAXED);
	return fn(p, len, out);
}

size_t redact_squeeze_index(const struct redact_squeezed *s, size_t at)
{
	size_t block = at / REDACT_BLOCK;
	uint64_t before = ((uint64_t)1 << at % REDACT_BLOCK) - 1;

	if (block >= s->n_blocks)
		return s->n;
	return s->map[block] +
	       (size_t)__builtin_popcountll(s->kept[block] & before);
}

enum {
	NEAR = 4 /* blocks */
};

size_t redact_squeeze_origin(struct redact_squeezed *s, size_t i)
{
	size_t lo = 0, hi = s->n_blocks, skip;
	uint64_t kept;

	/* The last block that begins at i or before; often near the last. */
	if (s->map[s->hint] <= i) {
		lo = s->hint;
		if (lo + NEAR < hi && s->map[lo + NEAR] > i)
			hi = lo + NEAR;
	} else {
		hi = s->hint;
		if (hi > NEAR && s->map[hi - NEAR] <= i)
			lo = hi - NEAR;
	}
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->map[mid] <= i)
			lo = mid;
		else
			hi = mid;
	}
	s->hint = lo;
	skip = i - s->map[lo];
	kept = s->kept[lo];
	while (skip) { /* a run of kept bytes at a time */
		unsigned from = (unsigned)__builtin_ctzll(kept);
		uint64_t rest = ~(kept >> from);
		unsigned run =
			rest ? (unsigned)__builtin_ctzll(rest) : REDACT_BLOCK;

		if (skip < run)
			return lo * REDACT_BLOCK + from + skip;
		skip -= run;
		kept &= ~(((uint64_t)1 << run) - 1) << from;
	}
	assert(kept); /* i is no gap's zero */
	return lo * REDACT_BLOCK + (size_t)__builtin_ctzll(kept);
}

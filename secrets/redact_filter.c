/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The first filter: of the text's grams at every stride-th place, which may be
 * in a pattern?  All of a piece are looked up before any is looked at, so that
 * few branches depend on the text.  As redact_squeeze.c picks its code.
 */
#include "secrets/redact_gram.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* Inlined with a constant stride. */
static inline __attribute__((always_inline)) size_t
filter(const struct redact_match *m, const uint8_t *b, size_t i, size_t end,
       uint32_t *out, size_t stride)
{
	enum {
		TURN = 8
	};
	const uint32_t *bloom = m->bloom;
	const unsigned shift = m->bloom_shift;
	size_t n = 0;

	for (; i + (TURN - 1) * stride < end; i += TURN * stride) {
		unsigned hits = 0;

		UNROLL
		for (unsigned k = 0; k < TURN; k++)
			hits |= bloom_has(bloom, load32(b + i + k * stride),
					  shift)
				<< k;
		/* The first without a branch: often there is one, seldom two.
		 */
		out[n] = (uint32_t)(i + stride * (unsigned)__builtin_ctz(
							 hits | 1 << TURN));
		n += hits != 0;
		hits &= hits - 1;
		for (; __builtin_expect(hits != 0, 0); hits &= hits - 1)
			out[n++] =
				(uint32_t)(i + stride * (unsigned)__builtin_ctz(
								hits));
	}
	for (; i < end; i += stride) {
		out[n] = (uint32_t)i;
		n += bloom_has(bloom, load32(b + i), shift);
	}
	return n;
}

static size_t filter_plain(const struct redact_match *m, const uint8_t *b,
			   size_t from, size_t end, uint32_t *out)
{
	if (m->stride == REDACT_STRIDE)
		return filter(m, b, from, end, out, REDACT_STRIDE);
	return filter(m, b, from, end, out, m->stride);
}

#if defined(__x86_64__)
/* Shifts by any register: a third more than without. */
static __attribute__((target("bmi2"))) size_t
filter_bmi2(const struct redact_match *m, const uint8_t *b, size_t from,
	    size_t end, uint32_t *out)
{
	if (m->stride == REDACT_STRIDE)
		return filter(m, b, from, end, out, REDACT_STRIDE);
	return filter(m, b, from, end, out, m->stride);
}

enum {
	LANES = 16,
	WINDOW = 128 /* bytes of text that are loaded for so many places */
};

#define TARGET_AVX512                                                          \
	__attribute__((target("avx512f,avx512bw,avx512vbmi,popcnt,bmi2")))

/* The first `left` bytes of 64 at p. */
TARGET_AVX512 static inline __m512i load_some(const uint8_t *p, size_t left)
{
	uint64_t mask = left < 64 ? ((uint64_t)1 << left) - 1 : ~(uint64_t)0;

	return _mm512_maskz_loadu_epi8(mask, p);
}

/* bloom_has() sixteen times. */
TARGET_AVX512 static inline __mmask16 has16(const struct redact_match *m,
					    __m512i gram)
{
	const __m512i one = _mm512_set1_epi32(1), low = _mm512_set1_epi32(31);
	const __m512i factor = _mm512_set1_epi64(BLOOM_FACTOR);
	__m512i even = _mm512_mul_epu32(gram, factor);
	__m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(gram, 32), factor);
	__m512i lo =
		_mm512_mask_mov_epi32(even, 0xaaaa, _mm512_slli_epi64(odd, 32));
	__m512i hi =
		_mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), 0xaaaa, odd);
	__m512i bits = _mm512_or_si512(
		_mm512_sllv_epi32(one, _mm512_and_si512(hi, low)),
		_mm512_sllv_epi32(
			one, _mm512_and_si512(_mm512_srli_epi32(hi, 5), low)));
	__m512i word = _mm512_i32gather_epi32(
		_mm512_srl_epi32(lo, _mm_cvtsi32_si128((int)m->bloom_shift)),
		m->bloom, 4);

	return _mm512_testn_epi32_mask(_mm512_andnot_si512(word, bits), bits);
}

TARGET_AVX512 static size_t filter_avx512(const struct redact_match *m,
					  const uint8_t *b, size_t i,
					  size_t end, uint32_t *out)
{
	/* Where each lane's gram is from the first, and all of its bytes. */
	const __m512i lane =
		_mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9,
						    8, 7, 6, 5, 4, 3, 2, 1, 0),
				   _mm512_set1_epi32((int)m->stride));
	const __m512i bytes = _mm512_add_epi32(
		_mm512_mullo_epi32(lane, _mm512_set1_epi32(0x01010101)),
		_mm512_set1_epi32(0x03020100));
	size_t n = 0;

	for (; i < end; i += LANES * m->stride) {
		size_t left = end + GRAM - 1 - i;
		__m512i first, second, place;
		__mmask16 hits;

		if (__builtin_expect(left >= WINDOW, 1)) {
			first = _mm512_loadu_si512(b + i);
			second = _mm512_loadu_si512(b + i + WINDOW / 2);
		} else {
			first = load_some(b + i, left);
			second = left <= WINDOW / 2 ?
					 _mm512_setzero_si512() :
					 load_some(b + i + WINDOW / 2,
						   left - WINDOW / 2);
		}
		hits = has16(m, _mm512_permutex2var_epi8(first, bytes, second));
		place = _mm512_add_epi32(lane, _mm512_set1_epi32((int)i));
		hits = _mm512_mask_cmplt_epu32_mask(
			hits, place, _mm512_set1_epi32((int)end));
		_mm512_storeu_si512(out + n,
				    _mm512_maskz_compress_epi32(hits, place));
		n += (size_t)__builtin_popcount(hits);
	}
	return n;
}
#endif

redact_filter_fn *redact_filter_impl(unsigned i)
{
#if defined(__x86_64__)
	if (i == 1 && __builtin_cpu_supports("bmi2"))
		return filter_bmi2;
	if (i == 2 && __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vbmi") &&
	    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
		return filter_avx512;
#endif
	return i == 0 ? filter_plain : NULL;
}

size_t redact_filter(const struct redact_match *m, const uint8_t *b,
		     size_t from, size_t end, uint32_t *out)
{
	static redact_filter_fn *best;
	redact_filter_fn *fn = __atomic_load_n(&best, __ATOMIC_RELAXED);

	for (unsigned i = 3; !fn && i--;)
		fn = redact_filter_impl(i);
	__atomic_store_n(&best, fn, __ATOMIC_RELAXED);
	return fn(m, b, from, end, out);
}

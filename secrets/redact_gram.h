/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Grams and the filters they are in: what redact_build.c writes is what
 * redact_match.c reads. */
#pragma once

#include "secrets/redact_internal.h"

#include <string.h>

enum {
	GRAM = 4
};

struct redact_gram {
	uint32_t tail; /* the pattern's last 4 bytes */
	uint32_t pat;
	uint16_t hash; /* its low half; the bucket is of the high one */
	uint8_t at;    /* the gram's place in the pattern */
	uint8_t len;   /* the pattern's */
};
_Static_assert(REDACT_TILE_MAX <= UINT8_MAX, "fits len");

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The first filter: a word by the low half of a product, and two bits in it
 * by the high half, where all of the gram's bits meet. */
#define BLOOM_FACTOR 0x9e3779b1u

static inline uint64_t bloom_hash(uint32_t gram)
{
	return (uint64_t)gram * BLOOM_FACTOR;
}

static inline uint32_t bloom_word(uint64_t h, unsigned shift)
{
	return (uint32_t)h >> shift;
}

static inline unsigned bloom_has(const uint32_t *bloom, uint32_t gram,
				 unsigned shift)
{
	uint64_t h = bloom_hash(gram);
	uint32_t word = bloom[bloom_word(h, shift)];

	return word >> (h >> 32 & 31) & word >> (h >> 37 & 31) & 1;
}

/* A place in the second filter: a word by the top bits, and two bits in it. */
struct place {
	uint32_t word, one, two;
};

/* Where the other four bytes of a pair are from the gram, the best first.  In
 * 8 bytes each of the 5 grams has one of them. */
static const int8_t around[] = {GRAM, -GRAM, 2, -3};

/* That of a gram and other four bytes. */
static inline struct place pair_place(uint32_t gram, uint32_t other,
				      unsigned kind, unsigned shift)
{
	uint64_t h =
		(((uint64_t)gram << 32 | other) + kind) * 0xd6e8feb86659fd93u;

	return (struct place){(uint32_t)(h >> shift), h >> 24 & 63,
			      h >> 18 & 63};
}

/* Odd, so no two grams have the same hash. */
static inline uint32_t hash32(uint32_t gram)
{
	return gram * 0x9e3779b1u;
}

/* 1 or 0 */
static inline unsigned has_place(const uint64_t *bits, struct place x)
{
	uint64_t word = bits[x.word];

	return word >> x.one & word >> x.two & 1;
}

/*
 * filter.c: put the places from `from` on, every m->stride-th, before `end`,
 * whose gram may be in a pattern, into out.  There must be GRAM - 1 bytes of b
 * from `end` on, and REDACT_FILTER_SLACK more places in out than are looked
 * at.  Returns how many they are.
 */
enum {
	REDACT_STRIDE = REDACT_FULL_MIN - GRAM + 1, /* of most sets */
	REDACT_FILTER_SLACK = 16
};
typedef size_t redact_filter_fn(const struct redact_match *m, const uint8_t *b,
				size_t from, size_t end, uint32_t *out);
redact_filter_fn redact_filter;
/* The implementations by themselves, as redact_squeeze_impl(). */
redact_filter_fn *redact_filter_impl(unsigned i);

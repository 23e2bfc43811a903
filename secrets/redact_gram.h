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

/* Where the other four bytes of a pair are from the gram, the best first.  In
 * 8 bytes each of the 5 grams has one of them. */
static const int8_t around[] = {GRAM, -GRAM, 2, -3};

/* The same for a gram and other four bytes. */
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

/* Only the lowest bit of the result means something. */
static inline uint64_t place_bits(const uint64_t *bits, struct place x)
{
	uint64_t word = bits[x.word];

	return word >> x.one & word >> x.two;
}

static inline bool has_place(const uint64_t *bits, struct place x)
{
	return place_bits(bits, x) & 1;
}

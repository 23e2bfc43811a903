/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* tar as it comes: only where members begin and end matters here. */
#include "unpack/internal.h"

enum {
	BLOCK = 512,
	SIZE_AT = 124,
	SUM_AT = 148,
	SUM_LEN = 8
};

static uint64_t octal(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] >= '0' && p[i] <= '7')
			v = v << 3 | (uint64_t)(p[i] - '0');
		else if (p[i] != ' ' || v)
			break;
	}
	return v;
}

/* Of GNU tar for what octal cannot write: base 256. */
static uint64_t size_of(const uint8_t *p)
{
	uint64_t v = 0;

	if (!(p[0] & 0x80))
		return octal(p, 12);
	for (unsigned i = 4; i < 12; i++)
		v = v << 8 | p[i];
	return v;
}

bool tar_is(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	if (n < BLOCK || !p[0])
		return false;
	for (unsigned i = 0; i < BLOCK; i++)
		sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? ' ' : p[i];
	return sum == octal(p + SUM_AT, SUM_LEN);
}

int tar_level(struct level *l, const uint8_t *p, size_t n)
{
	while (n) {
		uint64_t *left = l->left ? &l->left : &l->pad;
		size_t len = *left < n ? (size_t)*left : n;

		if (!*left) {
			if (!level_gather(l, &p, &n, BLOCK))
				continue;
			l->n_head = 0;
			if (!tar_is(l->head, BLOCK)) {
				l->kind = KIND_PLAIN;
				return 0;
			}
			l->left = size_of(l->head + SIZE_AT);
			l->pad = (BLOCK - l->left % BLOCK) % BLOCK;
			member_begin(l);
			continue;
		}
		if (left == &l->left && member_data(l, false, p, len))
			return -1;
		*left -= len;
		p += len;
		n -= len;
	}
	return 0;
}

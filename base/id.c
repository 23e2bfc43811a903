/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* ULIDs; see id.h. */
#include "base/id.h"
#include "base/clock.h"
#include "base/hash.h"

#include <pthread.h>
#include <string.h>

static const char abc[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* 128 bits, most significant first: 48 of time, 80 of chance. */
static void next(unsigned char out[16])
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned char last[16];
	uint64_t ms = (uint64_t)clock_real_us() / 1000;
	unsigned char v[16];

	for (int i = 0; i < 6; i++)
		v[i] = (unsigned char)(ms >> (40 - 8 * i));
	pthread_mutex_lock(&lock);
	if (memcmp(v, last, 6) <=
	    0) { /* same time, or a clock that went back */
		memcpy(v, last, sizeof(v));
		for (int i = 15; i >= 0 && !++v[i]; i--)
			;
	} else {
		random_bytes(v + 6, 10);
		v[6] &= 0x7f; /* room to count up inside a millisecond */
	}
	memcpy(last, v, sizeof(v));
	pthread_mutex_unlock(&lock);
	memcpy(out, v, sizeof(v));
}

struct ulid ulid_new(void)
{
	unsigned char v[16];
	struct ulid u;

	next(v);
	/* 26 characters of 5 bits: 130 bits, so two zero bits go in front. */
	for (int i = 0; i < ULID_LEN; i++) {
		unsigned x = 0;

		for (int k = 0; k < 5; k++) {
			int bit = i * 5 + k - 2;
			unsigned one = bit < 0 ? 0 :
						 (unsigned)v[bit / 8] >>
								 (7 - bit % 8) &
							 1u;

			x = x << 1 | one;
		}
		u.s[i] = abc[x];
	}
	u.s[ULID_LEN] = '\0';
	return u;
}

bool ulid_valid(struct str s)
{
	if (s.len != ULID_LEN || s.p[0] > '7')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!s.p[i] || !strchr(abc, s.p[i]))
			return false;
	return true;
}

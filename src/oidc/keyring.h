/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One provider's keys over time: when to fetch them, for how long they count.
 * Pure; the time is the caller's.
 *
 *   fresh   as long as the provider said, 5 minutes to 24 hours
 *   stale   then they are fetched again, and count on while that fails
 *   gone    12 hours later: no token of it is right
 */
#pragma once

#include "base/hash.h"
#include "oidc/jwk.h"

#include <stdint.h>

#define KEYRING_FRESH_MIN_US (INT64_C(300) * 1000000)
#define KEYRING_FRESH_US     (INT64_C(3600) * 1000000) /* nothing was said */
#define KEYRING_FRESH_MAX_US (INT64_C(86400) * 1000000)
#define KEYRING_STALE_US     (INT64_C(43200) * 1000000)
#define KEYRING_AGAIN_US     (INT64_C(60) * 1000000) /* each at most so often */

struct keyring {
	struct jwks *keys; /* NULL: none yet */
	struct hash hash;  /* of their text */
	int64_t fresh_us, gone_us;
	/* When they were last asked for, in their turn and because one was
	 * missing; 0: never. */
	int64_t tried_us, missed_us;
	bool asking;
};

void keyring_done(struct keyring *k);
/* What counts now; NULL: nothing does. */
const struct jwks *keyring_keys(const struct keyring *k, int64_t now_us);
/* Is it time to fetch?  missing: a key was named that is not there. */
bool keyring_wants(const struct keyring *k, bool missing, int64_t now_us);
void keyring_asked(struct keyring *k, bool missing, int64_t now_us);
/* -1: it is no key set; what was there stays.  max_age_s 0: not said.
 * *ret_changed: other keys than before. */
MUST_USE int keyring_took(struct keyring *k, struct str json, int64_t max_age_s,
			  int64_t now_us, bool *ret_changed, struct err *e);
void keyring_failed(struct keyring *k);
/* From a file: they count until there is another. */
MUST_USE int keyring_set(struct keyring *k, struct str json, struct err *e);

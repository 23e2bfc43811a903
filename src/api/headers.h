/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What single headers say: ranges, waiting, ids, keys.  Pure. */
#pragma once

#include "base/str.h"

enum {
	REQUEST_ID_MAX = 64,
	IDEMPOTENCY_KEY_MAX = 255
};

enum range {
	RANGE_ALL,  /* none, several, or not understood: all is sent */
	RANGE_PART, /* *from and *len are set, len > 0 */
	RANGE_NONE, /* cannot be had: 416 */
};

/* Range (RFC 9110), of something that has size bytes: "bytes=A-B", "bytes=A-"
 * and "bytes=-N". */
enum range range_parse(struct str s, uint64_t size, uint64_t *from,
		       uint64_t *len);
/* If-Range: does a part still belong to this one?  tag: strong, with quotes;
 * NULL: it has none, so that nothing can say so. */
bool if_range_holds(struct str s, const char *tag);
/* Prefer: wait=SECONDS (RFC 7240) in microseconds, at most max_us; 0: nobody's
 * wish, also where it is odd. */
int64_t prefer_wait(struct str s, int64_t max_us);
/* An X-Request-Id that may be said again in answers and logs. */
bool request_id_ok(struct str s);
/* An Idempotency-Key: visible ASCII. */
bool idempotency_key_ok(struct str s);

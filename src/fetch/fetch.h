/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * GET of small documents from places that the operator named, several at once:
 * HTTPS, HTTP only where the URL says so; no redirects, no proxies, no cookies,
 * ten seconds, a bounded body.  For the role that does nothing else.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <poll.h>

enum {
	FETCH_AT_ONCE = 16,
	FETCH_CONNECT_S = 5,
	FETCH_TOTAL_S = 10
};

struct fetches;
/* body is "" when *why is set; max_age_s 0: nothing was said. */
typedef void fetch_fn(void *ctx, uint64_t tag, struct str body,
		      uint32_t max_age_s, const struct err *why);

/* Before the role is confined: libraries read what they read once. */
MUST_USE int fetch_begin(struct err *e);
MUST_USE int fetches_new(size_t body_max, fetch_fn *fn, void *ctx,
			 struct fetches **ret, struct err *e);
/* ca: PEM of who may have signed the server's certificate; "": whom the system
 * trusts.  ERR_LIMIT: there are FETCH_AT_ONCE. */
MUST_USE int fetches_add(struct fetches *f, const char *url, struct str ca,
			 uint64_t tag, struct err *e);
/* Until something is ready: others are the caller's own descriptors. */
MUST_USE int fetches_turn(struct fetches *f, struct pollfd *others, size_t n,
			  struct err *e);

/* "max-age" of Cache-Control (RFC 9111); 0 where it is not said, or must not
 * be kept. */
uint32_t fetch_max_age(struct str cache_control);

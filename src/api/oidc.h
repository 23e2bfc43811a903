/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Tokens of providers as logins (src/oidc): which provider, its keys, and what
 * is kept of who came in.  In the loop's thread only.
 */
#pragma once

#include "api/request.h"
#include "base/hash.h"

struct oidc_ring;

struct oidc {
	struct oidc_ring *rings; /* by the provider's place in the settings */
	size_t n;
	struct link waiting; /* requests, for keys that are fetched */
	size_t n_waiting;
};

/* The settings are there, or others: nobody who came in by them is in any
 * more. */
void oidc_begin(struct api *a);
void oidc_end(struct api *a);
/* Now and then: keys that are not fresh any more are fetched. */
void oidc_beat(struct api *a);

/*
 * Somebody shows a token that looks like a provider's.  0: r->who is set.  -1:
 * it is answered.  1: its key is being fetched; the request is resumed then, and
 * asks again.
 */
MUST_USE int oidc_login(struct request *r, struct str token,
			const struct hash *h);
/* The request is gone. */
void oidc_forget(struct request *r);

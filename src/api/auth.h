/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who asks, and may they: one function, called before any handler. */
#pragma once

#include "api/request.h"
#include "base/buf.h"

/* What the server knows about logins; part of the api. */
struct auth {
	unsigned char token_hash[32];
	bool has_token;
	uint32_t owner_uid;
};

/* 0: go on, r->who is set.  -1: answered with 400, 401, 403, or 404 where that
 * something exists is a secret.  1: it takes a while; the request is resumed
 * when it may ask again. */
MUST_USE int auth_check(struct request *r);
/* 401, which waits where there were more; "the token ...". -1. */
int auth_bad_token(struct request *r, const char *why);
/* The id of a token of ours that was shown, for what goes on when the request
 * is over; "": none was, or a provider's. */
struct str auth_own_token(const struct request *r);
/* For streams: who is known may have changed since. */
bool auth_still(struct request *r);
/* The same for an answer that has waited.  -1: answered with 403. */
MUST_USE int auth_again(struct request *r);
/* For lists of OF_ANY: the projects that may be seen, as a JSON list; nothing
 * appended: all. */
bool auth_visible(struct request *r, struct buf *b);

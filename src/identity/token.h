/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The token of an attempt (RFC 7519, signed as ES256): what it says comes from
 * the grant alone, so that nobody who writes a job can have it say anything.
 * Pure; the time is the caller's.
 */
#pragma once

#include "identity/ring.h"
#include "proto/grant.h"

enum {
	TOKEN_TTL_S = 300, /* where nobody says how long */
	TOKEN_TTL_MIN_S = 30,
	TOKEN_TTL_MAX_S = 600,
	TOKEN_MAX = 8192, /* bytes: what src/oidc takes, too */
	TOKEN_ISSUER_MAX = 255
};

struct token_facts {
	const struct grant *g;
	struct str issuer, audience;
	struct str node; /* where it runs: a host's name */
	struct ulid id;  /* "jti": of this token alone */
	int64_t issued_s, expires_s;
};

/* The claims as JSON.  ERR_INVALID: an audience that is none. */
MUST_USE int token_claims(const struct token_facts *f, struct buf *b,
			  struct err *e);

/* The compact form; the caller frees.  ERR_LIMIT: longer than TOKEN_MAX. */
MUST_USE int token_sign(const struct ring_key *k, struct str claims,
			struct secret **ret, struct err *e);

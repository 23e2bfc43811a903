/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Signed tokens (RFC 7515, 7519, 8725): the compact form, three algorithms, and
 * nothing that is optional there.  Pure; the time is the caller's.
 *
 * Errors read on from "the token ...".
 */
#pragma once

#include "doc/doc.h"
#include "oidc/jwk.h"

enum {
	JWT_TEXT_MAX = 8 * 1024,
	JWT_HEADER_MAX = 1024,
	JWT_SUBJECT_MAX = 255,
	JWT_SKEW_S = 60, /* by default */
	JWT_SKEW_MAX_S = 300
};

/* Does it look like one: two dots, and begins as {" does in base64? */
bool jwt_looks_like(struct str token);

/* A token that was taken apart.  Nothing of it is true before jwt_check(). */
struct jwt {
	enum jwt_alg alg;
	struct str kid;                            /* {NULL, 0}: none */
	struct str issuer;                         /* "iss" */
	struct str subject;                        /* "sub" */
	int64_t expires_s, not_before_s, issued_s; /* 0: not said (not exp) */
	const struct doc_node *claims;
	/* what it was made from */
	struct doc *header, *payload;
	struct str signed_text; /* borrowed of the token */
	struct buf signature;
};

/* -1: it is none that we take.  On success jwt_done(), and the token's text has
 * to stay. */
MUST_USE int jwt_read(struct str token, struct jwt *ret, struct err *e);
void jwt_done(struct jwt *t);

struct jwt_rules {
	struct str issuer;
	const struct str *audiences; /* one of them is enough */
	size_t n_audiences;
	unsigned algs; /* bits of enum jwt_alg */
	unsigned skew_s;
};

/*
 * Issuer, audience, times, and the signature.  ERR_NOT_FOUND only where the
 * keys have none of its name; ERR_DENIED for everything else.
 */
MUST_USE int jwt_check(const struct jwt *t, const struct jwt_rules *rules,
		       const struct jwks *keys, int64_t now_s, struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The public keys of a provider (RFC 7517, 7518, 8037): JSON in, keys out that
 * check signatures and do nothing else.  Pure.
 *
 * A key says by its own kind which algorithm it is for; what a token claims
 * about that only has to agree.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum jwt_alg {
	JWT_ES256, /* P-256, SHA-256 */
	JWT_RS256, /* RSA PKCS#1 v1.5, SHA-256 */
	JWT_EDDSA, /* Ed25519 */
	N_JWT_ALGS
};

enum {
	JWKS_TEXT_MAX = 256 * 1024,
	JWKS_KEYS_MAX = 64,
	JWK_KID_MAX = 256,
	JWK_RSA_BITS_MIN = 2048,
	JWK_RSA_BITS_MAX = 8192,
	JWT_ALGS_ALL = (1 << N_JWT_ALGS) - 1
};

const char *jwt_alg_name(enum jwt_alg a);
/* "ES256", "RS256", "EdDSA", also "Ed25519" (RFC 9864); -1: any other. */
MUST_USE int jwt_alg_parse(struct str s, enum jwt_alg *ret);

struct jwks;
/*
 * A JWK set.  Keys of kinds that are not known here, for other uses, too weak or
 * not on their curve are left out, as RFC 7517 section 5 wants it; -1 only for
 * what is no set, holds over JWKS_KEYS_MAX keys, or two of one name and kind.
 * *ret is the caller's; it may be empty.
 */
MUST_USE int jwks_parse(struct str json, struct jwks **ret, struct err *e);
void jwks_free(struct jwks *k);
size_t jwks_len(const struct jwks *k);

/*
 * Is this the signature of text by the key of that name?  kid {NULL, 0}: the
 * token names none, which is enough where one key of the kind is there.
 *
 * ERR_NOT_FOUND: there is no such key (a newer set may have it).
 * ERR_DENIED: it is not its signature.
 */
MUST_USE int jwks_check(const struct jwks *k, struct str kid, enum jwt_alg alg,
			struct str text, struct str signature, struct err *e);

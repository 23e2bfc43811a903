/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Two curves: P-256, for signatures that others check (ES256, RFC 7518 section
 * 3.4), and X25519, for what others seal to us (RFC 7748).  Keys are plain
 * bytes, borrowed; what OpenSSL makes of them lives for one call.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum { /* bytes */
	CURVE_PRIVATE_LEN = 32,
	CURVE_PUBLIC_MAX = 64,
	CURVE_SHARED_LEN = 32,
	ES256_PUBLIC_LEN = 64, /* x, then y */
	ES256_SIG_LEN = 64,    /* r, then s */
	X25519_PUBLIC_LEN = 32
};

/* A new pair.  Fails with ERR_INTERNAL when OpenSSL does. */
MUST_USE int es256_new(unsigned char *ret_private, unsigned char *ret_public,
		       struct err *e);
MUST_USE int x25519_new(unsigned char *ret_private, unsigned char *ret_public,
			struct err *e);

/* ECDSA over the SHA-256 of text.  ERR_INTERNAL, also for a pair that is
 * none. */
MUST_USE int es256_sign(const unsigned char *private_key,
			const unsigned char *public_key, struct str text,
			unsigned char ret[ES256_SIG_LEN], struct err *e);

/*
 * What both ends know.  ERR_INVALID: a public key of low order, with which
 * everybody would know it (RFC 7748, 6.1).
 */
MUST_USE int x25519_shared(const unsigned char *private_key,
			   const unsigned char *public_key,
			   unsigned char ret[CURVE_SHARED_LEN], struct err *e);

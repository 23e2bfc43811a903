/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A secret on its way to the keeper, which whoever carries it cannot read
 * (docs/secrets.md has the same for programs of others):
 *
 *   nfo1.KEY.TIME.TEXT
 *
 *   KEY    which of the keeper's X25519 keys: its thumbprint (RFC 7638)
 *   TIME   seconds since 1970, as the server gave it with the key
 *   TEXT   base64url, without padding, of
 *          the sender's ephemeral public key, 32 bytes
 *          the value, enciphered with AES-256-GCM
 *          its tag, 16 bytes
 *
 *   what both know = X25519(ephemeral, keeper's)
 *   key, nonce     = HKDF-SHA256(what both know; salt: both public keys, the
 *                    ephemeral one first; info: "nfo-sealed-v1"), 32 + 12 bytes
 *   bound to it    = "nfo-sealed-v1", STORE, KEY, TIME, PROJECT, NAME, EXPECT,
 *                    each with a line feed behind it
 *
 * STORE is the id of the store, EXPECT the version that must be there: "any",
 * "none", or its number.  Pure; the time is the caller's.
 */
#pragma once

#include "base/buf.h"
#include "secrets/curve.h"
#include "secrets/secret.h"

#include <stdint.h>

enum { /* bytes */
	SEALED_VALUE_MAX = 64 << 10,
	SEALED_KID_LEN = 43,
	SEALED_TEXT_MAX = 88 << 10,
	SEALED_TIME_MAX = 12 /* digits */
};

/* What it is bound to, besides its own KEY and TIME. */
struct sealed_place {
	struct str store, project, name, expect;
};

struct sealed {
	struct str kid; /* borrowed from the text */
	int64_t at_s;
	struct str time; /* its digits */
	struct buf raw;  /* owned: the ephemeral key, value, tag */
};

/* Seal a value of at least a byte.  ERR_LIMIT: longer than SEALED_VALUE_MAX. */
MUST_USE int sealed_make(struct str kid, const unsigned char *public_key,
			 int64_t at_s, const struct sealed_place *p,
			 struct str value, struct buf *ret, struct err *e);

/* Take the text apart; nothing of it is true yet.  ERR_INVALID.  On success the
 * text has to stay, and sealed_done(). */
MUST_USE int sealed_parse(struct str text, struct sealed *ret, struct err *e);
void sealed_done(struct sealed *s);
/* The sender's, which no two have: how a replay is known. */
const unsigned char *sealed_ephemeral(const struct sealed *s);

/* The value; the caller frees.  ERR_INVALID: changed, or sealed for another
 * place. */
MUST_USE int sealed_open(const struct sealed *s,
			 const unsigned char *private_key,
			 const unsigned char *public_key,
			 const struct sealed_place *p, struct secret **ret,
			 struct err *e);

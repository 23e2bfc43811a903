/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The keeper's own keys over time: one that is in use, the next one, which is
 * published before it is used, and those that were in use until nothing that
 * was made with them counts any more.  Pure but for the making of keys; the time
 * is the caller's.
 *
 * The whole struct lives in guarded memory: ring_new().
 */
#pragma once

#include "base/buf.h"
#include "secrets/curve.h"
#include "secrets/secret.h"

#include <stdint.h>

enum ring_kind {
	RING_ES256,  /* signs tokens */
	RING_X25519, /* what secrets on their way are sealed to */
	N_RING_KINDS
};

enum {
	RING_KEYS_MAX = 8,
	RING_KID_LEN = 43 /* RFC 7638: SHA-256 in base64url */
};

struct ring_key {
	int64_t since_us; /* in use since; 0: not yet */
	int64_t until_us; /* in use until; 0: it is, or not yet */
	unsigned char private_key[CURVE_PRIVATE_LEN];
	unsigned char public_key[CURVE_PUBLIC_MAX];
	char kid[RING_KID_LEN + 1];
};

struct ring {
	enum ring_kind kind;
	uint32_t n;
	struct ring_key keys[RING_KEYS_MAX]; /* oldest first */
};

struct ring_rules {
	int64_t rotate_us; /* how long one is in use */
	int64_t keep_us;   /* and counts after that */
};

/* Empty; *ret is within *ret_mem, which the caller frees. */
MUST_USE int ring_new(enum ring_kind kind, struct secret **ret_mem,
		      struct ring **ret, struct err *e);

/*
 * What is to change at this time: the first keys, the next in its turn, the old
 * ones gone.  *ret_changed: it is to be stored before a new one is used.
 */
MUST_USE int ring_turn(struct ring *r, const struct ring_rules *rules,
		       int64_t now_us, bool *ret_changed, struct err *e);
/* When it is to be asked again; after ring_turn(). */
int64_t ring_due_us(const struct ring *r, const struct ring_rules *rules);

/* The one in use; NULL before the first ring_turn(). */
const struct ring_key *ring_current(const struct ring *r);
/* Any that counts; NULL. */
const struct ring_key *ring_find(const struct ring *r, struct str kid);

/* As it is stored, and back; ERR_INVALID.  The caller frees. */
MUST_USE int ring_encode(const struct ring *r, struct secret **ret,
			 struct err *e);
MUST_USE int ring_decode(struct ring *r, const struct secret *text,
			 struct err *e);

/* The public halves as a JWK set (RFC 7517). */
bool ring_jwks(const struct ring *r, struct buf *b);

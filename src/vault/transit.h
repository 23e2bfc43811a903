/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A key of 32 bytes, sealed by a transit engine or opened again, for who has to
 * have it while nothing else is open: the provider's own login is used, and
 * nothing is kept of it.
 *
 *   POST MOUNT/encrypt/KEY {plaintext, context, associated_data}
 *   POST MOUNT/decrypt/KEY {ciphertext, context, associated_data}
 *
 * The context counts for derived keys only; others take no notice.  Additional
 * data is refused (400) by keys that are no AEAD (RSA): then it is left out.
 */
#pragma once

#include "secrets/secret.h"
#include "secrets/store.h"
#include "vault/vault.h"

enum {
	TRANSIT_KEY_LEN = 32
};

struct transit;

/*
 * why NULL: where sealed and bound are as they are to be kept (encrypt), or the
 * key (decrypt), both borrowed.
 *
 * Codes: ERR_UNAVAILABLE: away, try later; ERR_DENIED, ERR_INVALID, ...: it
 * refuses; ERR_CONFLICT: its answer is no key of that length.
 */
typedef void transit_fn(void *ctx, const struct secret_transit *where,
			const struct secret *key, const struct err *why);

/*
 * key  to be sealed; NULL: open where->sealed.  Borrowed during the call.
 * id   what it is bound to, text
 *
 * fn is called once, from the loop, never from in here.  NULL: the provider
 * cannot be used for it, and *e says why: there is none of that name
 * (ERR_NOT_FOUND), or its logins need the store (ERR_INVALID).
 */
struct transit *transit_start(struct vault *v,
			      const struct secret_transit *where,
			      const char *id, const struct secret *key,
			      transit_fn *fn, void *ctx,
			      struct err *e) MUST_USE;
void transit_cancel(struct transit *t); /* NULL is fine; not within fn */

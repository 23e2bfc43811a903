/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Files that only one run may read: sealed in segments, so that neither
 * reading nor writing needs more than one of them in memory.
 *
 *	"NFOPRIV1"  salt[16]  segment...
 *
 * A segment is 65536 bytes, the last one fewer (maybe none), sealed with
 * XAES-256-GCM: the nonce is the salt and the segment's number, in its top bit
 * whether it is the last, so that none can be left out, moved or added.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "secrets/secret.h"

#include <stdint.h>

enum { /* bytes */
	PRIVATE_KEY_LEN = 32,
	PRIVATE_HEAD = 24,
	PRIVATE_SEGMENT = 65536,
};

/* Bytes to be written, borrowed during the call; -1 with *e set ends it. */
typedef int private_fn(void *ctx, const void *p, size_t len, struct err *e);

struct private_seal;
/* key: borrowed until it is freed.  what: bound to it, such as its run. */
struct private_seal *private_seal_new(const struct secret *key, struct str what,
				      private_fn *fn, void *ctx);
void private_seal_free(struct private_seal *s); /* NULL is fine; wipes */
MUST_USE int private_seal_put(struct private_seal *s, const void *p, size_t len,
			      struct err *e);
MUST_USE int private_seal_end(struct private_seal *s, struct err *e);

/* How much is in a sealed file of so many bytes; ERR_INVALID: it is none. */
MUST_USE int private_length(uint64_t sealed, uint64_t *ret, struct err *e);
/* All of it, from fd's beginning.  ERR_INVALID when anything of it is not as it
 * was sealed; fn has then had a part of it. */
MUST_USE int private_open(int fd, const struct secret *key, struct str what,
			  private_fn *fn, void *ctx, struct err *e);

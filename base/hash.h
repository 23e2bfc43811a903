/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SHA-256, HMAC and random bytes, by OpenSSL.  Failure aborts: without these
 * nothing here may go on. */
#pragma once

#include "base/err.h"
#include "base/str.h"

enum {
	HASH_LEN = 32,
	HASH_HEX_LEN = 64
};

struct hash {
	unsigned char b[HASH_LEN];
};

struct hash hash_sha256(const void *p, size_t len);
struct hash hash_hmac_sha256(const void *key, size_t key_len, const void *p,
			     size_t len);
bool hash_eq(const struct hash *a, const struct hash *b); /* constant time */
void hash_hex(const struct hash *h, char out[HASH_HEX_LEN + 1]);
/* All of a descriptor from its position on; -1 on a read error. */
MUST_USE int hash_fd(int fd, struct hash *ret, uint64_t *ret_len);

/* Streaming. */
struct hash_ctx;
struct hash_ctx *hash_begin(void);
void hash_update(struct hash_ctx *c, const void *p, size_t len);
struct hash hash_end(struct hash_ctx *c); /* frees */

void random_bytes(void *p, size_t len);                   /* getrandom(2) */
bool mem_eq_ct(const void *a, const void *b, size_t len); /* constant time */

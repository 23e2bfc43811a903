/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SHA-256 and HMAC; see hash.h.  base's only use of OpenSSL. */
#include "base/hash.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>

struct hash_ctx {
	EVP_MD_CTX *md;
};

static void must(int ok)
{
	if (!ok)
		abort();
}

/* Looked up once: that costs more than a short text's hash. */
static EVP_MD *sha256_md;

static void fetch_sha256(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256_md != NULL);
}

static const EVP_MD *sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, fetch_sha256);
	return sha256_md;
}

struct hash hash_sha256(const void *p, size_t len)
{
	struct hash h;

	must(EVP_Digest(p, len, h.b, NULL, sha256(), NULL));
	return h;
}

struct hash hash_hmac_sha256(const void *key, size_t key_len, const void *p,
			     size_t len)
{
	struct hash h;

	must(key_len <= INT32_MAX);
	must(HMAC(sha256(), key, (int)key_len, p, len, h.b, NULL) != NULL);
	return h;
}

bool hash_eq(const struct hash *a, const struct hash *b)
{
	return mem_eq_ct(a->b, b->b, HASH_LEN);
}

void hash_hex(const struct hash *h, char out[HASH_HEX_LEN + 1])
{
	hex_encode(h->b, HASH_LEN, out);
}

struct hash_ctx *hash_begin(void)
{
	struct hash_ctx *c = mem_alloc(sizeof(*c));

	c->md = EVP_MD_CTX_new();
	must(c->md && EVP_DigestInit_ex(c->md, sha256(), NULL));
	return c;
}

void hash_update(struct hash_ctx *c, const void *p, size_t len)
{
	must(EVP_DigestUpdate(c->md, p, len));
}

struct hash hash_end(struct hash_ctx *c)
{
	struct hash h;

	must(EVP_DigestFinal_ex(c->md, h.b, NULL));
	EVP_MD_CTX_free(c->md);
	mem_free(c);
	return h;
}

int hash_fd(int fd, struct hash *ret, uint64_t *ret_len)
{
	struct hash_ctx *c = hash_begin();
	CLEANUP_MEM char *block = mem_alloc(65536);
	uint64_t len = 0;
	struct hash h;
	ssize_t n;

	while ((n = fd_read(fd, block, 65536)) > 0) {
		hash_update(c, block, (size_t)n);
		len += (uint64_t)n;
	}
	h = hash_end(c);
	if (n < 0)
		return -1;
	*ret = h;
	*ret_len = len;
	return 0;
}

bool mem_eq_ct(const void *a, const void *b, size_t len)
{
	return !CRYPTO_memcmp(a, b, len);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* AES-256-GCM, XAES-256-GCM, ChaCha20-Poly1305, HKDF-SHA256 and scrypt; see
 * crypto.h. */
#include "secrets/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

#include "base/mem.h"
#include "secrets/wipe.h"

enum {
	BLOCK = 16
};

static void ctx_cleanup(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c); /* wipes the key schedule */
}

static void *heap_alloc(size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return len ? wipe_alloc(len) : NULL;
}

static void heap_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	wipe_free(p);
}

static void *heap_resize(void *p, size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	if (len)
		return wipe_realloc(p, len);
	wipe_free(p);
	return NULL;
}

int crypto_heap_init(struct err *e)
{
	if (CRYPTO_set_mem_functions(heap_alloc, heap_resize, heap_free) != 1)
		return err_set(e, ERR_CONFLICT,
			       "OpenSSL is in use already: its heap cannot be "
			       "changed");
	return 0;
}

/* The queue of OpenSSL's errors belongs to the thread: leave it empty. */
static int failed(const char *what, struct err *e)
{
	ERR_clear_error();
	return err_set(e, ERR_INTERNAL, "%s failed in libcrypto", what);
}

static int aead_text(EVP_CIPHER_CTX *c, struct str aad, const unsigned char *in,
		     size_t len, unsigned char *out)
{
	int n;

	if (aad.len > INT_MAX || len > INT_MAX)
		return -1;
	if (aad.len &&
	    EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)aad.p,
			     (int)aad.len) != 1)
		return -1;
	if (len && EVP_CipherUpdate(c, out, &n, in, (int)len) != 1)
		return -1;
	return 0;
}

static int aead_seal(const EVP_CIPHER *cipher, const unsigned char *key,
		     const unsigned char *nonce, struct str aad,
		     const unsigned char *plain, size_t len, unsigned char *out,
		     unsigned char *tag, struct err *e)
{
	EVP_CIPHER_CTX *c CLEANUP(ctx_cleanup) = EVP_CIPHER_CTX_new();
	unsigned char none[BLOCK];
	int n;

	if (!c || EVP_EncryptInit_ex2(c, cipher, key, nonce, NULL) != 1 ||
	    aead_text(c, aad, plain, len, out) ||
	    EVP_EncryptFinal_ex(c, none, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_LEN,
				tag) != 1) {
		mem_wipe(out, len);
		return failed(EVP_CIPHER_get0_name(cipher), e);
	}
	return 0;
}

static int aead_open(const EVP_CIPHER *cipher, const unsigned char *key,
		     const unsigned char *nonce, struct str aad,
		     const unsigned char *text, size_t len,
		     const unsigned char *tag, unsigned char *out,
		     struct err *e)
{
	EVP_CIPHER_CTX *c CLEANUP(ctx_cleanup) = EVP_CIPHER_CTX_new();
	unsigned char expected[CRYPTO_TAG_LEN], none[BLOCK];
	int n;

	memcpy(expected, tag, sizeof(expected));
	if (!c || EVP_DecryptInit_ex2(c, cipher, key, nonce, NULL) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_LEN,
				expected) != 1 ||
	    aead_text(c, aad, text, len, out)) {
		mem_wipe(out, len);
		return failed(EVP_CIPHER_get0_name(cipher), e);
	}
	if (EVP_DecryptFinal_ex(c, none, &n) != 1) {
		mem_wipe(out, len);
		ERR_clear_error();
		return err_set(e, ERR_INVALID, "does not authenticate");
	}
	return 0;
}

int crypto_gcm_seal(const unsigned char *key, const unsigned char *nonce,
		    struct str aad, const unsigned char *plain, size_t len,
		    unsigned char *out, unsigned char *tag, struct err *e)
{
	return aead_seal(EVP_aes_256_gcm(), key, nonce, aad, plain, len, out,
			 tag, e);
}

int crypto_gcm_open(const unsigned char *key, const unsigned char *nonce,
		    struct str aad, const unsigned char *text, size_t len,
		    const unsigned char *tag, unsigned char *out, struct err *e)
{
	return aead_open(EVP_aes_256_gcm(), key, nonce, aad, text, len, tag,
			 out, e);
}

int crypto_chacha_seal(const unsigned char *key, const unsigned char *nonce,
		       const unsigned char *plain, size_t len,
		       unsigned char *out, unsigned char *tag, struct err *e)
{
	return aead_seal(EVP_chacha20_poly1305(), key, nonce, STR(""), plain,
			 len, out, tag, e);
}

int crypto_chacha_open(const unsigned char *key, const unsigned char *nonce,
		       const unsigned char *text, size_t len,
		       const unsigned char *tag, unsigned char *out,
		       struct err *e)
{
	return aead_open(EVP_chacha20_poly1305(), key, nonce, STR(""), text,
			 len, tag, out, e);
}

/* Two AES blocks with no chaining: the key and label are never repeated. */
static int derive_blocks(const unsigned char *key, const unsigned char *nonce,
			 unsigned char *ret_key)
{
	EVP_CIPHER_CTX *c CLEANUP(ctx_cleanup) = EVP_CIPHER_CTX_new();
	unsigned char k1[BLOCK] = {0}, m[2 * BLOCK] = {0};
	unsigned char carry;
	int n, rc = -1;

	if (!c ||
	    EVP_EncryptInit_ex2(c, EVP_aes_256_ecb(), key, NULL, NULL) != 1 ||
	    EVP_EncryptUpdate(c, k1, &n, k1, BLOCK) != 1)
		goto out;
	carry = (unsigned char)(k1[0] >> 7);
	for (int i = 0; i < BLOCK - 1; i++)
		k1[i] = (unsigned char)(k1[i] << 1 | k1[i + 1] >> 7);
	k1[BLOCK - 1] = (unsigned char)(k1[BLOCK - 1] << 1 ^ carry * 0x87);
	for (int i = 0; i < 2; i++) {
		unsigned char *block = m + i * BLOCK;

		block[1] = (unsigned char)(i + 1);
		block[2] = 'X';
		memcpy(block + 4, nonce, CRYPTO_NONCE_LEN);
		for (int j = 0; j < BLOCK; j++)
			block[j] ^= k1[j];
	}
	if (EVP_EncryptUpdate(c, ret_key, &n, m, sizeof(m)) == 1)
		rc = 0;
out:
	mem_wipe(k1, sizeof(k1));
	mem_wipe(m, sizeof(m));
	return rc;
}

int crypto_xaes_seal(const unsigned char *key, const unsigned char *nonce,
		     struct str aad, const unsigned char *plain, size_t len,
		     unsigned char *out, unsigned char *tag, struct err *e)
{
	unsigned char derived[CRYPTO_KEY_LEN];
	int rc;

	if (derive_blocks(key, nonce, derived))
		return failed("XAES-256-GCM", e);
	rc = crypto_gcm_seal(derived, nonce + CRYPTO_NONCE_LEN, aad, plain, len,
			     out, tag, e);
	mem_wipe(derived, sizeof(derived));
	return rc;
}

int crypto_xaes_open(const unsigned char *key, const unsigned char *nonce,
		     struct str aad, const unsigned char *text, size_t len,
		     const unsigned char *tag, unsigned char *out,
		     struct err *e)
{
	unsigned char derived[CRYPTO_KEY_LEN];
	int rc;

	if (derive_blocks(key, nonce, derived))
		return failed("XAES-256-GCM", e);
	rc = crypto_gcm_open(derived, nonce + CRYPTO_NONCE_LEN, aad, text, len,
			     tag, out, e);
	mem_wipe(derived, sizeof(derived));
	return rc;
}

static OSSL_PARAM octets(const char *name, const void *p, size_t len)
{
	/* The interface has no const; the key derivation only reads. */
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p,
						 len);
}

int crypto_hkdf(const unsigned char *key, size_t key_len, struct str salt,
		struct str info, unsigned char *out, size_t out_len,
		struct err *e)
{
	static char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest,
						 0),
		octets(OSSL_KDF_PARAM_KEY, key, key_len),
		octets(OSSL_KDF_PARAM_SALT, salt.len ? salt.p : "", salt.len),
		octets(OSSL_KDF_PARAM_INFO, info.len ? info.p : "", info.len),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int ok = c && EVP_KDF_derive(c, out, out_len, params) == 1;

	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
	if (ok)
		return 0;
	mem_wipe(out, out_len);
	return failed("HKDF-SHA256", e);
}

int crypto_scrypt(const unsigned char *pass, size_t pass_len, struct str salt,
		  unsigned log_n, unsigned char *out, struct err *e)
{
	/* 128 * r * (N + p), and what OpenSSL counts beside it */
	uint64_t mem = (uint64_t)(128 * 8) * ((1ULL << log_n) + 4);

	if (log_n <= CRYPTO_SCRYPT_MAX &&
	    EVP_PBE_scrypt((const char *)pass, pass_len,
			   (const unsigned char *)salt.p, salt.len,
			   1ULL << log_n, 8, 1, mem, out, CRYPTO_KEY_LEN) == 1)
		return 0;
	mem_wipe(out, CRYPTO_KEY_LEN);
	return failed("scrypt", e);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Authenticated encryption and key derivation, by OpenSSL's EVP.  Keys are
 * borrowed; the copies that OpenSSL makes of them live for one call and are
 * wiped by it (EVP_CIPHER_CTX_free, EVP_KDF_CTX_free).  Knows no format: what
 * is bound to a ciphertext is the caller's aad.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/*
 * From now on what OpenSSL frees or moves is wiped: before anything uses it,
 * as it fails (ERR_CONFLICT) afterwards.  For the whole process.
 */
MUST_USE int crypto_heap_init(struct err *e);

enum { /* bytes */
	CRYPTO_KEY_LEN = 32,
	CRYPTO_NONCE_LEN = 12,
	CRYPTO_XNONCE_LEN = 24,
	CRYPTO_TAG_LEN = 16
};

/*
 * AES-256-GCM (NIST SP 800-38D).  A nonce must never be used twice with a key.
 *
 * out  as long as the input (may be the input itself); tag CRYPTO_TAG_LEN
 *
 * Open fails with ERR_INVALID when key, nonce, aad, text and tag do not belong
 * together; out is then wiped.  Both: ERR_INTERNAL when OpenSSL fails.
 */
MUST_USE int crypto_gcm_seal(const unsigned char *key,
			     const unsigned char *nonce, struct str aad,
			     const unsigned char *plain, size_t len,
			     unsigned char *out, unsigned char *tag,
			     struct err *e);
MUST_USE int crypto_gcm_open(const unsigned char *key,
			     const unsigned char *nonce, struct str aad,
			     const unsigned char *text, size_t len,
			     const unsigned char *tag, unsigned char *out,
			     struct err *e);

/* The same with ChaCha20-Poly1305 (RFC 8439) and no aad. */
MUST_USE int crypto_chacha_seal(const unsigned char *key,
				const unsigned char *nonce,
				const unsigned char *plain, size_t len,
				unsigned char *out, unsigned char *tag,
				struct err *e);
MUST_USE int crypto_chacha_open(const unsigned char *key,
				const unsigned char *nonce,
				const unsigned char *text, size_t len,
				const unsigned char *tag, unsigned char *out,
				struct err *e);

/*
 * XAES-256-GCM (C2SP, https://c2sp.org/XAES-256-GCM): the same with a nonce of
 * CRYPTO_XNONCE_LEN bytes, long enough to be random for ever.
 */
MUST_USE int crypto_xaes_seal(const unsigned char *key,
			      const unsigned char *nonce, struct str aad,
			      const unsigned char *plain, size_t len,
			      unsigned char *out, unsigned char *tag,
			      struct err *e);
MUST_USE int crypto_xaes_open(const unsigned char *key,
			      const unsigned char *nonce, struct str aad,
			      const unsigned char *text, size_t len,
			      const unsigned char *tag, unsigned char *out,
			      struct err *e);

/*
 * scrypt (RFC 7914) with r = 8 and p = 1, 32 bytes out; log_n at most
 * CRYPTO_SCRYPT_MAX, which needs 1 GiB.
 *
 * Fails with ERR_INTERNAL, also when there is no memory.
 */
enum {
	CRYPTO_SCRYPT_MAX = 20
};
MUST_USE int crypto_scrypt(const unsigned char *pass, size_t pass_len,
			   struct str salt, unsigned log_n, unsigned char *out,
			   struct err *e);

/* HKDF-SHA256 (RFC 5869), extract and expand; out_len at most 255 * 32.
 * Fails with ERR_INTERNAL. */
MUST_USE int crypto_hkdf(const unsigned char *key, size_t key_len,
			 struct str salt, struct str info, unsigned char *out,
			 size_t out_len, struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A provider's other side: keys that are made here, and tokens they sign. */
#pragma once

#include "base/hex.h"
#include "base/mem.h"
#include "oidc/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_ROOM = 16 * 1024
};

static inline void put_b64(struct buf *b, const void *p, size_t len)
{
	b64url_encode(b, p, len);
}

static inline void put_bn(struct buf *b, const EVP_PKEY *key, const char *name,
			  size_t pad)
{
	unsigned char raw[1024];
	BIGNUM *n = NULL;
	int len;

	if (!EVP_PKEY_get_bn_param(key, name, &n))
		abort();
	len = pad ? BN_bn2binpad(n, raw, (int)pad) : BN_bn2bin(n, raw);
	put_b64(b, raw, (size_t)len);
	BN_free(n);
}

/* The key's own fields, without braces: "kty":..., */
static inline void put_jwk(struct buf *b, const EVP_PKEY *key)
{
	unsigned char raw[32];
	size_t len = sizeof(raw);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		buf_puts(b, "\"kty\":\"RSA\",\"n\":\"");
		put_bn(b, key, OSSL_PKEY_PARAM_RSA_N, 0);
		buf_puts(b, "\",\"e\":\"");
		put_bn(b, key, OSSL_PKEY_PARAM_RSA_E, 0);
		break;
	case EVP_PKEY_EC:
		buf_puts(b, "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"");
		put_bn(b, key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
		buf_puts(b, "\",\"y\":\"");
		put_bn(b, key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
		break;
	default:
		if (!EVP_PKEY_get_raw_public_key(key, raw, &len))
			abort();
		buf_puts(b, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
		put_b64(b, raw, len);
	}
	buf_putc(b, '"');
}

/* What the key itself makes of it: DER for EC. */
static inline size_t sign_der(EVP_PKEY *key, struct str text,
			      unsigned char *out, size_t room)
{
	const EVP_MD *md = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ?
				   NULL :
				   EVP_sha256();
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = room;

	if (EVP_DigestSignInit(c, NULL, md, NULL, key) != 1 ||
	    EVP_DigestSign(c, out, &len, (const unsigned char *)text.p,
			   text.len) != 1)
		abort();
	EVP_MD_CTX_free(c);
	return len;
}

/* As JWS wants it. */
static inline size_t sign_raw(EVP_PKEY *key, struct str text,
			      unsigned char *out, size_t room)
{
	size_t len = sign_der(key, text, out, room);
	const unsigned char *at = out;
	ECDSA_SIG *sig;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
		return len;
	sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32);
	ECDSA_SIG_free(sig);
	return 64;
}

static inline void put_signed(struct buf *b, const char *header,
			      const char *claims)
{
	put_b64(b, header, strlen(header));
	buf_putc(b, '.');
	put_b64(b, claims, strlen(claims));
}

/* A whole token; the caller frees it. */
static inline char *token_make(EVP_PKEY *key, const char *header,
			       const char *claims)
{
	struct buf b = BUF_INIT(TEXT_ROOM);
	unsigned char sig[1024];
	size_t len;

	put_signed(&b, header, claims);
	len = sign_raw(key, buf_view(&b), sig, sizeof(sig));
	buf_putc(&b, '.');
	put_b64(&b, sig, len);
	return buf_take(&b);
}

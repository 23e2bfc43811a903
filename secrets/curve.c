/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* ES256 and X25519; see curve.h. */
#include "secrets/curve.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"

enum {
	POINT_LEN = 1 + ES256_PUBLIC_LEN, /* uncompressed */
	DER_MAX = 80
};

static void key_cleanup(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void ctx_cleanup(EVP_PKEY_CTX **c)
{
	EVP_PKEY_CTX_free(*c);
}

static void md_cleanup(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

#define CLEANUP_KEY CLEANUP(key_cleanup)
#define CLEANUP_CTX CLEANUP(ctx_cleanup)
#define CLEANUP_MD  CLEANUP(md_cleanup)

/* The queue of OpenSSL's errors belongs to the thread: leave it empty. */
static int failed(const char *what, struct err *e)
{
	ERR_clear_error();
	return err_set(e, ERR_INTERNAL, "%s failed in libcrypto", what);
}

/* --- P-256 --------------------------------------------------------------- */

static int number_of(const EVP_PKEY *k, const char *name, unsigned char *ret)
{
	BIGNUM *n = NULL;
	int ok = EVP_PKEY_get_bn_param(k, name, &n) == 1 &&
		 BN_bn2binpad(n, ret, CURVE_PRIVATE_LEN) == CURVE_PRIVATE_LEN;

	BN_clear_free(n);
	return ok ? 0 : -1;
}

int es256_new(unsigned char *ret_private, unsigned char *ret_public,
	      struct err *e)
{
	EVP_PKEY *k CLEANUP_KEY = EVP_EC_gen("P-256");

	if (!k || number_of(k, OSSL_PKEY_PARAM_PRIV_KEY, ret_private) ||
	    number_of(k, OSSL_PKEY_PARAM_EC_PUB_X, ret_public) ||
	    number_of(k, OSSL_PKEY_PARAM_EC_PUB_Y,
		      ret_public + CURVE_PRIVATE_LEN))
		return failed("a key on P-256", e);
	return 0;
}

/* OpenSSL takes numbers in the machine's order, which here is little-endian. */
static EVP_PKEY *es256_key(const unsigned char *private_key,
			   const unsigned char *public_key)
{
	EVP_PKEY_CTX *c CLEANUP_CTX =
		EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	unsigned char d[CURVE_PRIVATE_LEN], point[POINT_LEN] = {4};
	static char curve[] = "P-256";
	EVP_PKEY *k = NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
						 curve, 0),
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, d, sizeof(d)),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
						  point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};

	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
		       "the number would have to stay as it is");
	for (size_t i = 0; i < sizeof(d); i++)
		d[i] = private_key[sizeof(d) - 1 - i];
	memcpy(point + 1, public_key, ES256_PUBLIC_LEN);
	if (!c || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &k, EVP_PKEY_KEYPAIR, params) != 1)
		k = NULL;
	mem_wipe(d, sizeof(d));
	return k;
}

/* JOSE wants r and s alone (RFC 7518, 3.4), not DER. */
static int raw_of(const unsigned char *der, size_t len,
		  unsigned char ret[ES256_SIG_LEN])
{
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int half = ES256_SIG_LEN / 2;
	bool ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), ret, half) == half &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(s), ret + half, half) == half;

	ECDSA_SIG_free(s);
	return ok ? 0 : -1;
}

int es256_sign(const unsigned char *private_key,
	       const unsigned char *public_key, struct str text,
	       unsigned char ret[ES256_SIG_LEN], struct err *e)
{
	EVP_PKEY *k CLEANUP_KEY = es256_key(private_key, public_key);
	EVP_MD_CTX *c CLEANUP_MD = EVP_MD_CTX_new();
	unsigned char der[DER_MAX];
	size_t len = sizeof(der);

	if (!k || !c ||
	    EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k) != 1 ||
	    EVP_DigestSign(c, der, &len, (const unsigned char *)text.p,
			   text.len) != 1 ||
	    raw_of(der, len, ret))
		return failed("ES256", e);
	return 0;
}

/* --- X25519 -------------------------------------------------------------- */

int x25519_new(unsigned char *ret_private, unsigned char *ret_public,
	       struct err *e)
{
	EVP_PKEY *k CLEANUP_KEY = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	size_t n = CURVE_PRIVATE_LEN, m = X25519_PUBLIC_LEN;

	if (!k || EVP_PKEY_get_raw_private_key(k, ret_private, &n) != 1 ||
	    EVP_PKEY_get_raw_public_key(k, ret_public, &m) != 1)
		return failed("a key on X25519", e);
	return 0;
}

int x25519_shared(const unsigned char *private_key,
		  const unsigned char *public_key,
		  unsigned char ret[CURVE_SHARED_LEN], struct err *e)
{
	EVP_PKEY *ours CLEANUP_KEY = EVP_PKEY_new_raw_private_key_ex(
		NULL, "X25519", NULL, private_key, CURVE_PRIVATE_LEN);
	EVP_PKEY *theirs CLEANUP_KEY = EVP_PKEY_new_raw_public_key_ex(
		NULL, "X25519", NULL, public_key, X25519_PUBLIC_LEN);
	EVP_PKEY_CTX *c CLEANUP_CTX =
		ours ? EVP_PKEY_CTX_new(ours, NULL) : NULL;
	size_t len = CURVE_SHARED_LEN;

	if (!c || !theirs || EVP_PKEY_derive_init(c) != 1)
		return failed("X25519", e);
	/* it refuses a result of nothing but zeros */
	if (EVP_PKEY_derive_set_peer(c, theirs) == 1 &&
	    EVP_PKEY_derive(c, ret, &len) == 1 && len == CURVE_SHARED_LEN)
		return 0;
	mem_wipe(ret, CURVE_SHARED_LEN);
	ERR_clear_error();
	return err_set(e, ERR_INVALID, "a public key of low order");
}

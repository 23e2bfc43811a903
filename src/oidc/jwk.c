/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Keys of providers; see jwk.h. */
#include "oidc/jwk.h"
#include "base/hex.h"
#include "base/mem.h"
#include "doc/doc.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

enum {
	P256_LEN = 32,
	ED25519_LEN = 32,
	ED25519_SIGNATURE_LEN = 64,
	RSA_LEN_MAX = JWK_RSA_BITS_MAX / 8,
	DER_MAX = 80
};

struct jwk {
	char *kid; /* NULL: it has none */
	size_t kid_len;
	enum jwt_alg alg;
	EVP_PKEY *key;
};

struct jwks {
	size_t n;
	struct jwk keys[JWKS_KEYS_MAX];
};

static const struct {
	const char *name;
	enum jwt_alg alg;
} algs[] = {
	{"ES256",   JWT_ES256},
	{"RS256",   JWT_RS256},
	{"EdDSA",   JWT_EDDSA},
	{"Ed25519", JWT_EDDSA},
};

const char *jwt_alg_name(enum jwt_alg a)
{
	return algs[a].name;
}

int jwt_alg_parse(struct str s, enum jwt_alg *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		if (!str_is(s, algs[i].name))
			continue;
		*ret = algs[i].alg;
		return 0;
	}
	return -1;
}

/* --- one key ------------------------------------------------------------ */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !c || EVP_PKEY_fromdata_init(c) <= 0 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(c);
	return key;
}

/* A field's bytes; -1 when it is none, or longer than max. */
static int bytes_of(const struct doc_node *jwk, const char *field, size_t max,
		    struct buf *b)
{
	struct str s;

	if (doc_as_string(doc_get(jwk, field), &s) || !s.len ||
	    s.len > max * 4 / 3 + 3)
		return -1;
	return b64url_decode(s, b) || b->len > max ? -1 : 0;
}

static bool rsa_fits(const BIGNUM *n, const BIGNUM *e)
{
	int bits = BN_num_bits(n);

	return bits >= JWK_RSA_BITS_MIN && bits <= JWK_RSA_BITS_MAX &&
	       BN_is_odd(n) && BN_is_odd(e) && BN_num_bits(e) >= 2 &&
	       BN_num_bits(e) <= 32;
}

static EVP_PKEY *make_rsa(const struct doc_node *jwk)
{
	CLEANUP_BUF struct buf n = BUF_INIT(RSA_LEN_MAX + 1), e = BUF_INIT(8);
	OSSL_PARAM_BLD *bld;
	BIGNUM *bn, *be;
	EVP_PKEY *key = NULL;

	if (bytes_of(jwk, "n", RSA_LEN_MAX + 1, &n) ||
	    bytes_of(jwk, "e", 8, &e))
		return NULL;
	bn = BN_bin2bn((const unsigned char *)n.data, (int)n.len, NULL);
	be = BN_bin2bn((const unsigned char *)e.data, (int)e.len, NULL);
	bld = OSSL_PARAM_BLD_new();
	if (bn && be && bld && rsa_fits(bn, be) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
		key = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return key;
}

/* Both coordinates have the curve's length (RFC 7518, 6.2.1.2). */
static EVP_PKEY *make_p256(const struct doc_node *jwk)
{
	CLEANUP_BUF struct buf x = BUF_INIT(P256_LEN), y = BUF_INIT(P256_LEN);
	unsigned char point[1 + 2 * P256_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
	OSSL_PARAM_BLD *bld;
	EVP_PKEY_CTX *check;
	EVP_PKEY *key = NULL;

	if (bytes_of(jwk, "x", P256_LEN, &x) || x.len != P256_LEN ||
	    bytes_of(jwk, "y", P256_LEN, &y) || y.len != P256_LEN)
		return NULL;
	memcpy(point + 1, x.data, P256_LEN);
	memcpy(point + 1 + P256_LEN, y.data, P256_LEN);
	bld = OSSL_PARAM_BLD_new();
	if (bld &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
					    "P-256", 0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
					     point, sizeof(point)))
		key = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	check = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
	if (!check || EVP_PKEY_public_check(check) != 1) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	EVP_PKEY_CTX_free(check);
	return key;
}

static EVP_PKEY *make_ed25519(const struct doc_node *jwk)
{
	CLEANUP_BUF struct buf x = BUF_INIT(ED25519_LEN);

	if (bytes_of(jwk, "x", ED25519_LEN, &x) || x.len != ED25519_LEN)
		return NULL;
	return EVP_PKEY_new_raw_public_key(
		EVP_PKEY_ED25519, NULL, (const unsigned char *)x.data, x.len);
}

static bool text_is(const struct doc_node *map, const char *key,
		    const char *value)
{
	struct str s;

	return !doc_as_string(doc_get(map, key), &s) && str_is(s, value);
}

/* Is it meant for signatures, as far as it says? */
static bool is_for_signatures(const struct doc_node *jwk)
{
	const struct doc_node *ops = doc_get(jwk, "key_ops");

	if (doc_get(jwk, "use") && !text_is(jwk, "use", "sig"))
		return false;
	if (!ops)
		return true;
	if (ops->kind != DOC_LIST)
		return false;
	for (const struct doc_node *n = ops->first; n; n = n->next)
		if (n->kind == DOC_STRING && str_is(n->text, "verify"))
			return true;
	return false;
}

/* NULL: none that we take. */
static EVP_PKEY *make_key(const struct doc_node *jwk, enum jwt_alg *ret)
{
	static const struct {
		const char *kty, *crv;
		enum jwt_alg alg;
		EVP_PKEY *(*make)(const struct doc_node *jwk);
	} kinds[] = {
		{"EC",  "P-256",   JWT_ES256, make_p256   },
		{"RSA", NULL,      JWT_RS256, make_rsa    },
		{"OKP", "Ed25519", JWT_EDDSA, make_ed25519},
	};
	const struct doc_node *alg = doc_get(jwk, "alg");
	enum jwt_alg said;
	struct str s;

	if (jwk->kind != DOC_MAP || !is_for_signatures(jwk) ||
	    doc_get(jwk, "d")) /* everybody has this one */
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!text_is(jwk, "kty", kinds[i].kty) ||
		    (kinds[i].crv && !text_is(jwk, "crv", kinds[i].crv)))
			continue;
		if (alg && (doc_as_string(alg, &s) || jwt_alg_parse(s, &said) ||
			    said != kinds[i].alg))
			return NULL;
		*ret = kinds[i].alg;
		return kinds[i].make(jwk);
	}
	return NULL;
}

/* --- the set ------------------------------------------------------------ */

static bool is_named(const struct jwk *k, struct str kid)
{
	return k->kid && kid.p && str_eq(str_n(k->kid, k->kid_len), kid);
}

static int add_key(struct jwks *k, const struct doc_node *jwk, struct err *e)
{
	const struct doc_node *named = doc_get(jwk, "kid");
	struct str kid = {NULL, 0};
	struct jwk one = {NULL};

	if (named && (doc_as_string(named, &kid) || kid.len > JWK_KID_MAX))
		return 0;
	one.key = make_key(jwk, &one.alg);
	if (!one.key)
		return 0;
	for (size_t i = 0; i < k->n; i++) {
		if (k->keys[i].alg != one.alg || !is_named(&k->keys[i], kid))
			continue;
		EVP_PKEY_free(one.key);
		return err_set(e, ERR_INVALID,
			       "keys: two of one kind have the same kid");
	}
	if (named) {
		one.kid = mem_strndup(kid.p, kid.len);
		one.kid_len = kid.len;
	}
	k->keys[k->n++] = one;
	return 0;
}

static int read_set(struct jwks *k, const struct doc_node *root, struct err *e)
{
	const struct doc_node *list =
		root->kind == DOC_MAP ? doc_get(root, "keys") : NULL;

	if (!list || list->kind != DOC_LIST)
		return err_set(e, ERR_INVALID,
			       "keys: {\"keys\": [...]} is "
			       "wanted");
	if (list->n > JWKS_KEYS_MAX)
		return err_set(e, ERR_LIMIT, "keys: over %d", JWKS_KEYS_MAX);
	for (const struct doc_node *n = list->first; n; n = n->next)
		if (n->kind == DOC_MAP && add_key(k, n, e))
			return -1;
	return 0;
}

int jwks_parse(struct str json, struct jwks **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct jwks *k;
	struct doc *d;
	int bad;

	if (json.len > JWKS_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "keys: over %d bytes",
			       JWKS_TEXT_MAX);
	if (doc_parse(json, DOC_JSON, &d, ps))
		return err_set(e, ERR_INVALID, "keys: line %u: %s",
			       ps->items[0].at.line, ps->items[0].message);
	k = mem_alloc(sizeof(*k));
	bad = read_set(k, d->root, e);
	doc_free(d);
	ERR_clear_error();
	if (bad) {
		jwks_free(k);
		return -1;
	}
	*ret = k;
	return 0;
}

void jwks_free(struct jwks *k)
{
	for (size_t i = 0; k && i < k->n; i++) {
		mem_free(k->keys[i].kid);
		EVP_PKEY_free(k->keys[i].key);
	}
	mem_free(k);
}

size_t jwks_len(const struct jwks *k)
{
	return k->n;
}

/* --- checking ----------------------------------------------------------- */

/* r || s, 32 bytes each (RFC 7518, 3.4), as the DER that OpenSSL takes. */
static int der_of(struct str raw, unsigned char *ret, size_t *ret_len)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = NULL, *s = NULL;
	unsigned char *at = ret;
	int len;

	if (raw.len == 2 * P256_LEN) {
		r = BN_bin2bn((const unsigned char *)raw.p, P256_LEN, NULL);
		s = BN_bin2bn((const unsigned char *)raw.p + P256_LEN, P256_LEN,
			      NULL);
	}
	if (!sig || !r || !s || BN_is_zero(r) || BN_is_zero(s) ||
	    !ECDSA_SIG_set0(sig, r, s)) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(sig);
		return -1;
	}
	len = i2d_ECDSA_SIG(sig, NULL);
	if (len > 0 && len <= DER_MAX)
		len = i2d_ECDSA_SIG(sig, &at);
	else
		len = -1;
	ECDSA_SIG_free(sig);
	*ret_len = len > 0 ? (size_t)len : 0;
	return len > 0 ? 0 : -1;
}

static bool verifies(EVP_PKEY *key, const EVP_MD *md, const void *sig,
		     size_t sig_len, struct str text)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good =
		c && EVP_DigestVerifyInit(c, NULL, md, NULL, key) == 1 &&
		EVP_DigestVerify(c, sig, sig_len, (const unsigned char *)text.p,
				 text.len) == 1;

	EVP_MD_CTX_free(c);
	ERR_clear_error();
	return good;
}

static bool is_signature(const struct jwk *k, struct str text, struct str sig)
{
	unsigned char der[DER_MAX];
	size_t len;

	switch (k->alg) {
	case JWT_ES256:
		return !der_of(sig, der, &len) &&
		       verifies(k->key, EVP_sha256(), der, len, text);
	case JWT_RS256:
		return sig.len == (size_t)EVP_PKEY_get_size(k->key) &&
		       verifies(k->key, EVP_sha256(), sig.p, sig.len, text);
	case JWT_EDDSA:
		return sig.len == ED25519_SIGNATURE_LEN &&
		       verifies(k->key, NULL, sig.p, sig.len, text);
	case N_JWT_ALGS:
		break;
	}
	return false;
}

/* By name and kind; without a name only where there is no choice. */
static const struct jwk *find(const struct jwks *k, struct str kid,
			      enum jwt_alg alg)
{
	const struct jwk *found = NULL;

	for (size_t i = 0; i < k->n; i++) {
		if (k->keys[i].alg != alg ||
		    (kid.p && !is_named(&k->keys[i], kid)))
			continue;
		if (found)
			return NULL;
		found = &k->keys[i];
	}
	return found;
}

int jwks_check(const struct jwks *k, struct str kid, enum jwt_alg alg,
	       struct str text, struct str signature, struct err *e)
{
	const struct jwk *key = find(k, kid, alg);

	if (!key)
		return err_set(e, ERR_NOT_FOUND,
			       "is signed with a key that its issuer does not "
			       "show");
	if (!is_signature(key, text, signature))
		return err_set(e, ERR_DENIED, "is not signed by its issuer");
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One value of the secret store: padded, sealed under a key of its own, that
 * key wrapped.  The only file here that sees plaintext.
 */
#include "secrets/store_internal.h"

#include <string.h>

#include "base/mem.h"

enum {
	LEN_LEN = 4 /* the value's length, after the padding */
};

/* The fixed nonce: each DEK encrypts one message, and never another. */
static const unsigned char value_nonce[CRYPTO_NONCE_LEN] = {[11] = 1};

/* What length the ciphertext shows: 64, 256, then whole KiB. */
static size_t padded_len(size_t len)
{
	len += LEN_LEN;
	if (len <= 64)
		return 64;
	if (len <= 256)
		return 256;
	return (len + 1023) / 1024 * 1024;
}

static void value_aad(const struct secret_store *s, const struct sstore_head *h,
		      const struct sstore_version *v, struct tlv *ret)
{
	tlv_start(ret, "nfo-secret-v1", s->uuid);
	tlv_str(ret, TLV_PROJECT, h->project);
	tlv_str(ret, TLV_NAME, h->name);
	tlv_u64(ret, TLV_VERSION, v->version);
	tlv_u64(ret, TLV_CREATED, (uint64_t)v->created_us);
	tlv_put(ret, TLV_DEK_ID, v->dek_id, sizeof(v->dek_id));
	tlv_u64(ret, TLV_TERM, v->term);
	tlv_u64(ret, TLV_TYPE, v->type);
	tlv_u64(ret, TLV_FLAGS, v->flags);
	tlv_u64(ret, TLV_SCHEMA, SSTORE_FORMAT);
}

static void wrap_aad(const struct secret_store *s, const struct sstore_head *h,
		     const struct sstore_version *v, struct tlv *ret)
{
	value_aad(s, h, v, ret);
	tlv_str(ret, TLV_LABEL, "wrap");
	tlv_u64(ret, TLV_WRAP_TERM, v->wrap_term);
}

/* The DEK that lies in s->keys, into the current term. */
static int wrap(struct secret_store *s, const struct sstore_head *h,
		struct sstore_version *v, struct err *e)
{
	const unsigned char *kek;
	struct tlv aad;

	v->wrap_term = s->term;
	random_bytes(v->wrap_nonce, sizeof(v->wrap_nonce));
	wrap_aad(s, h, v, &aad);
	if (sstore_kek(s, v->wrap_term, &kek, e))
		return -1;
	return crypto_xaes_seal(kek, v->wrap_nonce, tlv_view(&aad),
				s->keys->dek, CRYPTO_KEY_LEN, v->wrap,
				v->wrap + CRYPTO_KEY_LEN, e);
}

/* Into s->keys. */
static int unwrap(struct secret_store *s, const struct sstore_head *h,
		  const struct sstore_version *v, struct err *e)
{
	const unsigned char *kek;
	struct tlv aad;

	wrap_aad(s, h, v, &aad);
	if (sstore_kek(s, v->wrap_term, &kek, e))
		return -1;
	if (crypto_xaes_open(kek, v->wrap_nonce, tlv_view(&aad), v->wrap,
			     CRYPTO_KEY_LEN, v->wrap + CRYPTO_KEY_LEN,
			     s->keys->dek, e))
		return sstore_damaged("the key of a version", e);
	return 0;
}

static void forget_dek(struct secret_store *s)
{
	mem_wipe(s->keys->dek, sizeof(s->keys->dek));
}

static int row_put(struct secret_store *s, const struct sstore_head *h,
		   const struct sstore_version *v, const unsigned char *text,
		   size_t len, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};

	if (ssql_start(&s->sql, SSQL_VERSION_PUT, &q, e))
		return -1;
	ssql_blob(&q, h->path.b, HASH_LEN);
	ssql_u64(&q, v->version);
	ssql_i64(&q, v->created_us);
	ssql_u64(&q, v->type);
	ssql_u64(&q, v->flags);
	ssql_u64(&q, v->term);
	ssql_blob(&q, v->dek_id, sizeof(v->dek_id));
	ssql_u64(&q, v->wrap_term);
	ssql_blob(&q, v->wrap_nonce, sizeof(v->wrap_nonce));
	ssql_blob(&q, v->wrap, sizeof(v->wrap));
	ssql_blob(&q, v->tag, sizeof(v->tag));
	ssql_blob(&q, text, len);
	return ssql_step(&q, e);
}

int sstore_value_seal(struct secret_store *s, const struct sstore_head *h,
		      struct sstore_version *v, const struct secret *value,
		      struct err *e)
{
	struct secret_view view = secret_bytes(value);
	size_t len = padded_len(view.n_bytes);
	struct secret *text CLEANUP_SECRET = NULL;
	unsigned char *p;
	struct tlv aad;
	int rc;

	if (secret_new(NULL, len, SECRET_WIPE_ON_FORK, &text, e))
		return -1;
	p = secret_room(text);
	memcpy(p, view.bytes, view.n_bytes);
	for (int i = 0; i < LEN_LEN; i++)
		p[len - LEN_LEN + (size_t)i] =
			(unsigned char)(view.n_bytes >> (24 - 8 * i));
	v->term = s->term;
	random_bytes(v->dek_id, sizeof(v->dek_id));
	random_bytes(s->keys->dek, sizeof(s->keys->dek));
	value_aad(s, h, v, &aad);
	rc = crypto_gcm_seal(s->keys->dek, value_nonce, tlv_view(&aad), p, len,
			     p, v->tag, e);
	if (!rc)
		rc = wrap(s, h, v, e);
	forget_dek(s);
	return rc ? -1 : row_put(s, h, v, p, len, e);
}

static int unpad(struct secret *text, struct err *e)
{
	struct secret_view v = secret_bytes(text);
	const unsigned char *p = v.bytes + v.n_bytes - LEN_LEN;
	size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 |
		     (size_t)p[2] << 8 | p[3];

	if (len > SECRET_STORE_VALUE_MAX || padded_len(len) != v.n_bytes)
		return sstore_damaged("the padding of a value", e);
	secret_shrink(text, len);
	return 0;
}

static int decrypt(struct secret_store *s, const struct sstore_head *h,
		   const struct sstore_version *v, struct str text,
		   struct secret *out, struct err *e)
{
	struct tlv aad;
	int rc;

	value_aad(s, h, v, &aad);
	if (unwrap(s, h, v, e))
		return -1;
	rc = crypto_gcm_open(s->keys->dek, value_nonce, tlv_view(&aad),
			     (const unsigned char *)text.p, text.len, v->tag,
			     secret_room(out), e);
	forget_dek(s);
	return rc ? sstore_damaged("a value", e) : unpad(out, e);
}

int sstore_value_open(struct secret_store *s, const struct sstore_head *h,
		      const struct sstore_version *v, struct secret **ret,
		      struct err *e)
{
	struct secret *out CLEANUP_SECRET = NULL;
	struct ssql_query q CLEANUP_SSQL = {0};
	struct str text;
	int row;

	if (ssql_start(&s->sql, SSQL_VERSION_VALUE, &q, e))
		return -1;
	ssql_blob(&q, h->path.b, HASH_LEN);
	ssql_u64(&q, v->version);
	row = ssql_step(&q, e);
	if (row < 0)
		return -1;
	text = row ? ssql_view_blob(&q) : STR("");
	if (text.len < 64 || text.len > padded_len(SECRET_STORE_VALUE_MAX))
		return sstore_damaged("the length of a value", e);
	if (secret_new(NULL, text.len, SECRET_WIPE_ON_FORK, &out, e) ||
	    decrypt(s, h, v, text, out, e))
		return -1;
	*ret = out;
	out = NULL;
	return 0;
}

int sstore_value_rewrap(struct secret_store *s, const struct sstore_head *h,
			struct sstore_version *v, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	int rc;

	if (unwrap(s, h, v, e))
		return -1;
	rc = wrap(s, h, v, e);
	forget_dek(s);
	if (rc || ssql_start(&s->sql, SSQL_VERSION_REWRAP, &q, e))
		return -1;
	ssql_u64(&q, v->wrap_term);
	ssql_blob(&q, v->wrap_nonce, sizeof(v->wrap_nonce));
	ssql_blob(&q, v->wrap, sizeof(v->wrap));
	ssql_blob(&q, h->path.b, HASH_LEN);
	ssql_u64(&q, v->version);
	return ssql_step(&q, e);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The secret store's keys: what is derived from the root key, and the keyring. */
#include "secrets/store_internal.h"

#include <string.h>

#include "base/mem.h"

int sstore_keys_new(struct secret_store *s, struct err *e)
{
	if (secret_new(NULL, sizeof(struct sstore_keys), SECRET_WIPE_ON_FORK,
		       &s->keys_mem, e))
		return -1;
	/* Only bytes in it: any alignment will do. */
	s->keys = (void *)secret_room(s->keys_mem);
	return 0;
}

static int derive(const struct secret_store *s, const unsigned char *root,
		  struct str info, unsigned char *out, struct err *e)
{
	struct str salt = str_n((const char *)s->uuid, SSTORE_UUID_LEN);

	return crypto_hkdf(root, CRYPTO_KEY_LEN, salt, info, out,
			   CRYPTO_KEY_LEN, e);
}

int sstore_keys_derive(struct secret_store *s, struct err *e)
{
	const unsigned char *root = s->keys->root;

	s->root_from = 0;
	sstore_terms_forget(s);
	if (derive(s, root, STR("nfo/idx"), s->keys->idx, e))
		return -1;
	return derive(s, root, STR("nfo/epoch"), s->keys->epoch, e);
}

int secret_store_derive(const struct secret_store *s, const char *label,
			unsigned char *out, struct err *e)
{
	return derive(s, s->keys->root, str_from(label), out, e);
}

static int derive_term(struct secret_store *s, const char *label, uint64_t term,
		       unsigned char *out, struct err *e)
{
	struct tlv info = {0};

	tlv_str(&info, TLV_LABEL, label);
	tlv_u64(&info, TLV_TERM, term);
	return derive(s,
		      term < s->root_from ? s->keys->old_root : s->keys->root,
		      tlv_view(&info), out, e);
}

void sstore_terms_forget(struct secret_store *s)
{
	memset(s->kek_term, 0, sizeof(s->kek_term));
	memset(s->mac_term, 0, sizeof(s->mac_term));
}

int sstore_kek(struct secret_store *s, uint64_t term, const unsigned char **ret,
	       struct err *e)
{
	if (s->kek_term[term & 1] != term) {
		s->kek_term[term & 1] = 0;
		if (derive_term(s, "nfo/kek", term, s->keys->kek[term & 1], e))
			return -1;
		s->kek_term[term & 1] = term;
	}
	*ret = s->keys->kek[term & 1];
	return 0;
}

int sstore_mac(struct secret_store *s, uint64_t term, const struct tlv *t,
	       struct hash *ret, struct err *e)
{
	if (s->mac_term[term & 1] != term) {
		s->mac_term[term & 1] = 0;
		if (derive_term(s, "nfo/mac", term, s->keys->mac[term & 1], e))
			return -1;
		s->mac_term[term & 1] = term;
	}
	*ret = hash_hmac_sha256(s->keys->mac[term & 1], CRYPTO_KEY_LEN, t->b,
				t->len);
	return 0;
}

struct hash sstore_path(const struct secret_store *s, struct str project,
			struct str name)
{
	struct tlv t;

	tlv_start(&t, "nfo/path", s->uuid);
	tlv_put(&t, TLV_PROJECT, project.p, project.len);
	tlv_put(&t, TLV_NAME, name.p, name.len);
	return hash_hmac_sha256(s->keys->idx, CRYPTO_KEY_LEN, t.b, t.len);
}

/* --- the keyring --------------------------------------------------------- */

/*
 * Beside the slots, which hold the root key: keys that are wrapped by it.
 *
 *   idx       what paths are made with: it outlives every root key, since
 *             names are no secret and paths must stay
 *   old-root  the root key before this one, for the terms below before_term,
 *             until nothing is wrapped in them any more
 */
#define KEY_IDX      "idx"
#define KEY_OLD_ROOT "old-root"

struct kept_key {
	char kind[16];
	uint64_t before_term;
	unsigned char nonce[CRYPTO_XNONCE_LEN];
	unsigned char wrap[CRYPTO_KEY_LEN + CRYPTO_TAG_LEN];
};

static void kept_aad(const struct secret_store *s, const struct kept_key *k,
		     struct tlv *ret)
{
	tlv_start(ret, "nfo/keyring", s->uuid);
	tlv_str(ret, TLV_KIND, k->kind);
	tlv_u64(ret, TLV_TERM, k->before_term);
}

static int kept_read(struct ssql_query *q, struct kept_key *k, struct err *e)
{
	ssql_get_text(q, k->kind, sizeof(k->kind) - 1);
	k->before_term = ssql_get_u64(q);
	ssql_get_blob(q, k->nonce, sizeof(k->nonce));
	ssql_get_blob(q, k->wrap, sizeof(k->wrap));
	return q->bad ? sstore_damaged("the form of the keyring", e) : 0;
}

static int kept_open(struct secret_store *s, const struct kept_key *k,
		     unsigned char *out, struct err *e)
{
	unsigned char kek[CRYPTO_KEY_LEN];
	struct tlv aad;
	int rc;

	kept_aad(s, k, &aad);
	if (secret_store_derive(s, "nfo/keyring", kek, e))
		return -1;
	rc = crypto_xaes_open(kek, k->nonce, tlv_view(&aad), k->wrap,
			      CRYPTO_KEY_LEN, k->wrap + CRYPTO_KEY_LEN, out, e);
	mem_wipe(kek, sizeof(kek));
	return rc ? sstore_damaged("the keyring", e) : 0;
}

static int kept_put(struct secret_store *s, const char *kind, uint64_t before,
		    const unsigned char *key, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct kept_key k = {.before_term = before};
	unsigned char kek[CRYPTO_KEY_LEN];
	struct tlv aad;
	int rc;

	memcpy(k.kind, kind, strlen(kind) + 1);
	random_bytes(k.nonce, sizeof(k.nonce));
	kept_aad(s, &k, &aad);
	if (secret_store_derive(s, "nfo/keyring", kek, e))
		return -1;
	rc = crypto_xaes_seal(kek, k.nonce, tlv_view(&aad), key, CRYPTO_KEY_LEN,
			      k.wrap, k.wrap + CRYPTO_KEY_LEN, e);
	mem_wipe(kek, sizeof(kek));
	if (rc || ssql_start(&s->sql, SSQL_KEYRING_PUT, &q, e))
		return -1;
	ssql_text(&q, k.kind);
	ssql_u64(&q, k.before_term);
	ssql_blob(&q, k.nonce, sizeof(k.nonce));
	ssql_blob(&q, k.wrap, sizeof(k.wrap));
	return ssql_step(&q, e);
}

int sstore_keyring_load(struct secret_store *s, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct kept_key k;
	int row;

	if (ssql_start(&s->sql, SSQL_KEYRING, &q, e))
		return -1;
	while ((row = ssql_step(&q, e)) > 0) {
		if (kept_read(&q, &k, e))
			return -1;
		if (!strcmp(k.kind, KEY_IDX)) {
			if (kept_open(s, &k, s->keys->idx, e))
				return -1;
		} else if (!strcmp(k.kind, KEY_OLD_ROOT)) {
			if (kept_open(s, &k, s->keys->old_root, e) ||
			    derive(s, s->keys->old_root, STR("nfo/epoch"),
				   s->keys->old_epoch, e))
				return -1;
			s->root_from = k.before_term;
		} else {
			return sstore_damaged("the keyring", e);
		}
	}
	return row;
}

int sstore_keyring_digest(struct secret_store *s, struct hash_ctx *c,
			  struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct kept_key k;
	struct tlv t;
	int row;

	if (ssql_start(&s->sql, SSQL_KEYRING, &q, e))
		return -1;
	while ((row = ssql_step(&q, e)) > 0) {
		if (kept_read(&q, &k, e))
			return -1;
		kept_aad(s, &k, &t);
		tlv_put(&t, TLV_NONCE, k.nonce, sizeof(k.nonce));
		tlv_put(&t, TLV_WRAP, k.wrap, sizeof(k.wrap));
		hash_update(c, t.b, t.len);
	}
	return row;
}

int sstore_root_new(struct secret_store *s, uint64_t from_term, struct err *e)
{
	struct sstore_keys *k = s->keys;

	memcpy(k->old_root, k->root, sizeof(k->root));
	memcpy(k->old_epoch, k->epoch, sizeof(k->epoch));
	random_bytes(k->root, sizeof(k->root));
	s->root_from = from_term;
	sstore_terms_forget(s);
	if (derive(s, k->root, STR("nfo/epoch"), k->epoch, e) ||
	    kept_put(s, KEY_IDX, 0, k->idx, e))
		return -1;
	return kept_put(s, KEY_OLD_ROOT, from_term, k->old_root, e);
}

int sstore_old_root_drop(struct secret_store *s, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};

	if (ssql_start(&s->sql, SSQL_KEYRING_DROP, &q, e))
		return -1;
	ssql_text(&q, KEY_OLD_ROOT);
	return ssql_step(&q, e);
}

void sstore_old_root_forget(struct secret_store *s)
{
	s->root_from = 0;
	mem_wipe(s->keys->old_root, sizeof(s->keys->old_root));
	mem_wipe(s->keys->old_epoch, sizeof(s->keys->old_epoch));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The secret store's keys: slots, the root key and what is derived from it. */
#include "secrets/store_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define SLOT_KEYFILE "keyfile"

int sstore_keys_new(struct secret_store *s, struct err *e)
{
	if (secret_new(NULL, sizeof(struct sstore_keys), SECRET_WIPE_ON_FORK,
		       &s->keys_mem, e))
		return -1;
	/* Only bytes in it: any alignment will do. */
	s->keys = (void *)secret_room(s->keys_mem);
	return 0;
}

static struct str salt_of(const struct secret_store *s)
{
	return str_n((const char *)s->uuid, SSTORE_UUID_LEN);
}

static int derive(const struct secret_store *s, struct str info,
		  unsigned char *out, struct err *e)
{
	return crypto_hkdf(s->keys->root, CRYPTO_KEY_LEN, salt_of(s), info, out,
			   CRYPTO_KEY_LEN, e);
}

int sstore_keys_derive(struct secret_store *s, struct err *e)
{
	if (derive(s, STR("nfo/idx"), s->keys->idx, e))
		return -1;
	return derive(s, STR("nfo/epoch"), s->keys->epoch, e);
}

static int derive_term(struct secret_store *s, const char *label, uint64_t term,
		       unsigned char *out, struct err *e)
{
	struct tlv info = {0};

	tlv_str(&info, TLV_LABEL, label);
	tlv_u64(&info, TLV_TERM, term);
	return derive(s, tlv_view(&info), out, e);
}

int sstore_kek(struct secret_store *s, uint64_t term, const unsigned char **ret,
	       struct err *e)
{
	if (s->kek_term != term) {
		s->kek_term = 0;
		if (derive_term(s, "nfo/kek", term, s->keys->kek, e))
			return -1;
		s->kek_term = term;
	}
	*ret = s->keys->kek;
	return 0;
}

int sstore_mac(struct secret_store *s, uint64_t term, const struct tlv *t,
	       struct hash *ret, struct err *e)
{
	if (s->mac_term != term) {
		s->mac_term = 0;
		if (derive_term(s, "nfo/mac", term, s->keys->mac, e))
			return -1;
		s->mac_term = term;
	}
	*ret = hash_hmac_sha256(s->keys->mac, CRYPTO_KEY_LEN, t->b, t->len);
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

/* --- slots --------------------------------------------------------------- */

struct slot {
	uint64_t id;
	char kind[16];
	struct str params; /* borrowed */
	int64_t created_us;
	struct hash commitment;
	unsigned char nonce[CRYPTO_XNONCE_LEN];
	unsigned char wrap[CRYPTO_KEY_LEN + CRYPTO_TAG_LEN];
};

static int slot_aad(const struct secret_store *s, const struct slot *slot,
		    struct tlv *ret, struct err *e)
{
	if (slot->params.len > 256)
		return sstore_damaged("a slot", e);
	tlv_start(ret, "nfo/slot", s->uuid);
	tlv_u64(ret, TLV_SLOT, slot->id);
	tlv_str(ret, TLV_KIND, slot->kind);
	tlv_put(ret, TLV_PARAMS, slot->params.p, slot->params.len);
	tlv_u64(ret, TLV_CREATED, (uint64_t)slot->created_us);
	return 0;
}

/*
 * GCM alone lets one ciphertext open under several keys.  The commitment does
 * not: it is a hash of the key, compared before anything is decrypted.
 */
static int slot_keys(const struct secret_store *s, const struct secret *key,
		     const struct tlv *aad, unsigned char *kek,
		     struct hash *ret_commitment, struct err *e)
{
	struct secret_view v = secret_bytes(key);
	unsigned char commit[CRYPTO_KEY_LEN];

	if (v.n_bytes != SECRET_STORE_KEY_LEN)
		return err_set(e, ERR_INVALID, "a key of %zu bytes, not %d",
			       v.n_bytes, SECRET_STORE_KEY_LEN);
	if (crypto_hkdf(v.bytes, v.n_bytes, salt_of(s), STR("nfo/slot-kek"),
			kek, CRYPTO_KEY_LEN, e) ||
	    crypto_hkdf(v.bytes, v.n_bytes, salt_of(s), STR("nfo/slot-commit"),
			commit, sizeof(commit), e)) {
		mem_wipe(kek, CRYPTO_KEY_LEN);
		return -1;
	}
	*ret_commitment =
		hash_hmac_sha256(commit, sizeof(commit), aad->b, aad->len);
	mem_wipe(commit, sizeof(commit));
	return 0;
}

int sstore_slot_add(struct secret_store *s, const struct secret *key,
		    struct err *e)
{
	struct slot slot = {
		.id = 1,
		.kind = SLOT_KEYFILE,
		.params = STR(""),
		.created_us = clock_real_us(),
	};
	struct ssql_query q CLEANUP_SSQL = {0};
	unsigned char kek[CRYPTO_KEY_LEN];
	struct tlv aad;
	int rc;

	random_bytes(slot.nonce, sizeof(slot.nonce));
	if (slot_aad(s, &slot, &aad, e) ||
	    slot_keys(s, key, &aad, kek, &slot.commitment, e))
		return -1;
	rc = crypto_xaes_seal(kek, slot.nonce, tlv_view(&aad), s->keys->root,
			      CRYPTO_KEY_LEN, slot.wrap,
			      slot.wrap + CRYPTO_KEY_LEN, e);
	mem_wipe(kek, sizeof(kek));
	if (rc || ssql_start(&s->sql, SSQL_SLOT_PUT, &q, e))
		return -1;
	ssql_u64(&q, slot.id);
	ssql_text(&q, slot.kind);
	ssql_blob(&q, slot.params.p, slot.params.len);
	ssql_i64(&q, slot.created_us);
	ssql_blob(&q, slot.commitment.b, HASH_LEN);
	ssql_blob(&q, slot.nonce, sizeof(slot.nonce));
	ssql_blob(&q, slot.wrap, sizeof(slot.wrap));
	return ssql_step(&q, e);
}

static int slot_read(struct ssql_query *q, struct slot *ret, struct err *e)
{
	ret->id = ssql_get_u64(q);
	ssql_get_text(q, ret->kind, sizeof(ret->kind) - 1);
	ret->params = ssql_view_blob(q);
	ret->created_us = ssql_get_i64(q);
	ssql_get_blob(q, ret->commitment.b, HASH_LEN);
	ssql_get_blob(q, ret->nonce, sizeof(ret->nonce));
	ssql_get_blob(q, ret->wrap, sizeof(ret->wrap));
	return q->bad ? sstore_damaged("a slot", e) : 0;
}

/* 1: opened; 0: this key is not for this slot. */
static int slot_try(struct secret_store *s, const struct slot *slot,
		    const struct secret *key, struct err *e)
{
	unsigned char kek[CRYPTO_KEY_LEN];
	struct hash commitment;
	struct tlv aad;
	int rc;

	if (slot_aad(s, slot, &aad, e) ||
	    slot_keys(s, key, &aad, kek, &commitment, e))
		return -1;
	if (!hash_eq(&commitment, &slot->commitment)) {
		mem_wipe(kek, sizeof(kek));
		return 0;
	}
	rc = crypto_xaes_open(kek, slot->nonce, tlv_view(&aad), slot->wrap,
			      CRYPTO_KEY_LEN, slot->wrap + CRYPTO_KEY_LEN,
			      s->keys->root, e);
	mem_wipe(kek, sizeof(kek));
	return rc ? sstore_damaged("the slot of this key", e) : 1;
}

int sstore_slot_open(struct secret_store *s, const struct secret *key,
		     struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	struct slot slot;
	int row;

	if (ssql_start(&s->sql, SSQL_SLOTS, &q, e))
		return -1;
	while ((row = ssql_step(&q, e)) > 0) {
		int rc;

		if (slot_read(&q, &slot, e))
			return -1;
		if (strcmp(slot.kind, SLOT_KEYFILE))
			continue;
		rc = slot_try(s, &slot, key, e);
		if (rc)
			return rc < 0 ? -1 : 0;
	}
	if (row < 0)
		return -1;
	return err_set(e, ERR_DENIED,
		       "the key does not open the secret store (or its slot is "
		       "damaged)");
}

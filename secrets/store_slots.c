/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Slots of the secret store: the root key, wrapped for each of the keys and
 * passphrases that open it.  What a slot says of itself is bound to its wrap;
 * which slots there are is in the manifest, so that one that was removed cannot
 * be put back.
 */
#include "secrets/store_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	SALT_LEN = 16,
	SCRYPT_PARAMS_LEN = 3 + SALT_LEN /* log2 of N, r, p, salt */
};

static const char *const kinds[N_SECRET_SLOT_KINDS] = {
	[SECRET_SLOT_KEYFILE] = "keyfile",
	[SECRET_SLOT_PASSPHRASE] = "passphrase",
	[SECRET_SLOT_CREDENTIAL] = "credential",
	[SECRET_SLOT_TRANSIT] = "transit",
};

const char *secret_slot_kind_name(enum secret_slot_kind k)
{
	return kinds[k];
}

struct slot {
	uint64_t id;
	enum secret_slot_kind kind;
	unsigned char params[SSTORE_PARAMS_MAX];
	size_t params_len;
	int64_t created_us;
	struct hash commitment;
	unsigned char nonce[CRYPTO_XNONCE_LEN];
	unsigned char wrap[CRYPTO_KEY_LEN + CRYPTO_TAG_LEN];
};

static void slot_aad(const struct secret_store *s, const struct slot *slot,
		     struct tlv *ret)
{
	tlv_start(ret, "nfo/slot", s->uuid);
	tlv_u64(ret, TLV_SLOT, slot->id);
	tlv_str(ret, TLV_KIND, kinds[slot->kind]);
	tlv_put(ret, TLV_PARAMS, slot->params, slot->params_len);
	tlv_u64(ret, TLV_CREATED, (uint64_t)slot->created_us);
}

/* --- from a passphrase to a key ------------------------------------------ */

static int check_key(const struct secret_opener *by, struct err *e)
{
	size_t n = secret_bytes(by->key).n_bytes;

	if (by->kind != SECRET_SLOT_PASSPHRASE)
		return n == SECRET_STORE_KEY_LEN ?
			       0 :
			       err_set(e, ERR_INVALID,
				       "a key of %zu bytes, not %d", n,
				       SECRET_STORE_KEY_LEN);
	if (n < SECRET_STORE_PASSPHRASE_MIN || n > SECRET_STORE_PASSPHRASE_MAX)
		return err_set(e, ERR_INVALID,
			       "a passphrase has %d to %d bytes",
			       SECRET_STORE_PASSPHRASE_MIN,
			       SECRET_STORE_PASSPHRASE_MAX);
	return 0;
}

/* Before any memory is spent: whoever wrote the row may be anybody. */
static int check_params(const struct slot *slot, struct err *e)
{
	const unsigned char *p = slot->params;
	struct secret_transit t;

	if (slot->kind == SECRET_SLOT_TRANSIT &&
	    sstore_transit_parse(p, slot->params_len, &t, e))
		return sstore_damaged("the parameters of a transit slot", e);
	if (slot->kind != SECRET_SLOT_PASSPHRASE)
		return 0;
	if (slot->params_len != SCRYPT_PARAMS_LEN ||
	    p[0] < SECRET_STORE_SCRYPT_MIN || p[0] > SECRET_STORE_SCRYPT_MAX ||
	    p[1] != 8 || p[2] != 1)
		return sstore_damaged("the parameters of a passphrase's slot",
				      e);
	return 0;
}

static int stretch(const struct slot *slot, const struct secret *pass,
		   unsigned char *out, struct err *e)
{
	struct secret_view v = secret_bytes(pass);
	struct str salt = str_n((const char *)slot->params + 3, SALT_LEN);

	if (check_params(slot, e))
		return -1;
	return crypto_scrypt(v.bytes, v.n_bytes, salt, slot->params[0], out, e);
}

/*
 * GCM alone lets one ciphertext open under several keys.  The commitment does
 * not: it is a hash of the key, compared before anything is decrypted.
 */
static int slot_keys(const struct secret_store *s, const struct slot *slot,
		     const struct secret_opener *by, unsigned char *kek,
		     struct hash *ret_commitment, struct err *e)
{
	struct str salt = str_n((const char *)s->uuid, SSTORE_UUID_LEN);
	unsigned char key[CRYPTO_KEY_LEN], commit[CRYPTO_KEY_LEN];
	struct tlv aad;
	int rc = 0;

	if (check_key(by, e))
		return -1;
	if (slot->kind == SECRET_SLOT_PASSPHRASE)
		rc = stretch(slot, by->key, key, e);
	else
		memcpy(key, secret_bytes(by->key).bytes, sizeof(key));
	if (!rc)
		rc = crypto_hkdf(key, sizeof(key), salt, STR("nfo/slot-kek"),
				 kek, CRYPTO_KEY_LEN, e);
	if (!rc)
		rc = crypto_hkdf(key, sizeof(key), salt, STR("nfo/slot-commit"),
				 commit, sizeof(commit), e);
	mem_wipe(key, sizeof(key));
	if (rc) {
		mem_wipe(kek, CRYPTO_KEY_LEN);
		return -1;
	}
	slot_aad(s, slot, &aad);
	*ret_commitment =
		hash_hmac_sha256(commit, sizeof(commit), aad.b, aad.len);
	mem_wipe(commit, sizeof(commit));
	return 0;
}

/* --- rows ---------------------------------------------------------------- */

static int slot_read(struct ssql_query *q, struct slot *ret, struct err *e)
{
	unsigned kind = 0;
	char text[16];
	struct str params;

	ret->id = ssql_get_u64(q);
	ssql_get_text(q, text, sizeof(text) - 1);
	params = ssql_view_blob(q);
	ret->created_us = ssql_get_i64(q);
	ssql_get_blob(q, ret->commitment.b, HASH_LEN);
	ssql_get_blob(q, ret->nonce, sizeof(ret->nonce));
	ssql_get_blob(q, ret->wrap, sizeof(ret->wrap));
	while (kind < N_SECRET_SLOT_KINDS && strcmp(text, kinds[kind]))
		kind++;
	if (q->bad || kind == N_SECRET_SLOT_KINDS ||
	    params.len > SSTORE_PARAMS_MAX)
		return sstore_damaged("a slot", e);
	ret->kind = (enum secret_slot_kind)kind;
	ret->params_len = params.len;
	memcpy(ret->params, params.p, params.len);
	return check_params(ret, e);
}

static int slots_read(struct secret_store *s, struct slot *ret, size_t *ret_n,
		      struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	size_t n = 0;
	int row;

	if (ssql_start(&s->sql, SSQL_SLOTS, &q, e))
		return -1;
	while ((row = ssql_step(&q, e)) > 0) {
		if (n == SECRET_STORE_SLOTS_MAX)
			return sstore_damaged("too many slots", e);
		if (slot_read(&q, &ret[n++], e))
			return -1;
	}
	*ret_n = n;
	return row;
}

static int slot_write(struct secret_store *s, const struct slot *slot,
		      struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};

	if (ssql_start(&s->sql, SSQL_SLOT_PUT, &q, e))
		return -1;
	ssql_u64(&q, slot->id);
	ssql_text(&q, kinds[slot->kind]);
	ssql_blob(&q, slot->params, slot->params_len);
	ssql_i64(&q, slot->created_us);
	ssql_blob(&q, slot->commitment.b, HASH_LEN);
	ssql_blob(&q, slot->nonce, sizeof(slot->nonce));
	ssql_blob(&q, slot->wrap, sizeof(slot->wrap));
	return ssql_step(&q, e);
}

int sstore_slots_digest(struct secret_store *s, struct hash_ctx *c,
			struct err *e)
{
	struct slot slots[SECRET_STORE_SLOTS_MAX];
	struct tlv t;
	size_t n = 0;

	if (slots_read(s, slots, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		slot_aad(s, &slots[i], &t);
		tlv_put(&t, TLV_DIGEST, slots[i].commitment.b, HASH_LEN);
		tlv_put(&t, TLV_NONCE, slots[i].nonce, CRYPTO_XNONCE_LEN);
		tlv_put(&t, TLV_WRAP, slots[i].wrap, sizeof(slots[i].wrap));
		hash_update(c, t.b, t.len);
	}
	return 0;
}

/* --- wrap and open ------------------------------------------------------- */

/* The root key as it is now. */
static int wrap(struct secret_store *s, struct slot *slot,
		const unsigned char *kek, struct err *e)
{
	struct tlv aad;

	random_bytes(slot->nonce, sizeof(slot->nonce));
	slot_aad(s, slot, &aad);
	return crypto_xaes_seal(kek, slot->nonce, tlv_view(&aad), s->keys->root,
				CRYPTO_KEY_LEN, slot->wrap,
				slot->wrap + CRYPTO_KEY_LEN, e);
}

int sstore_slot_add(struct secret_store *s, uint64_t id,
		    const struct secret_opener *by, struct err *e)
{
	unsigned log_n = by->log_n ? by->log_n : SECRET_STORE_SCRYPT;
	struct slot slot = {
		.id = id, .kind = by->kind, .created_us = clock_real_us()};
	unsigned char kek[CRYPTO_KEY_LEN];
	int rc;

	if (by->kind == SECRET_SLOT_PASSPHRASE) {
		if (log_n < SECRET_STORE_SCRYPT_MIN ||
		    log_n > SECRET_STORE_SCRYPT_MAX)
			return err_set(e, ERR_INVALID,
				       "scrypt's N is 2^%d to 2^%d",
				       SECRET_STORE_SCRYPT_MIN,
				       SECRET_STORE_SCRYPT_MAX);
		slot.params[0] = (unsigned char)log_n;
		slot.params[1] = 8;
		slot.params[2] = 1;
		random_bytes(slot.params + 3, SALT_LEN);
		slot.params_len = SCRYPT_PARAMS_LEN;
	}
	if (by->kind == SECRET_SLOT_TRANSIT &&
	    sstore_transit_pack(by->transit, slot.params, &slot.params_len, e))
		return -1;
	if (slot_keys(s, &slot, by, kek, &slot.commitment, e))
		return -1;
	rc = wrap(s, &slot, kek, e);
	mem_wipe(kek, sizeof(kek));
	return rc ? -1 : slot_write(s, &slot, e);
}

/* 1: it is for this slot, whose key is in kek; 0: it is not. */
static int fits(const struct secret_store *s, const struct slot *slot,
		const struct secret_opener *by, unsigned char *kek,
		struct err *e)
{
	struct hash commitment;

	if (slot->kind != by->kind)
		return 0;
	if (slot_keys(s, slot, by, kek, &commitment, e))
		return -1;
	if (hash_eq(&commitment, &slot->commitment))
		return 1;
	mem_wipe(kek, CRYPTO_KEY_LEN);
	return 0;
}

/* The same; the root key is in out, whose kek is no longer needed. */
static int slot_try(const struct secret_store *s, const struct slot *slot,
		    const struct secret_opener *by, unsigned char *out,
		    struct err *e)
{
	unsigned char kek[CRYPTO_KEY_LEN];
	struct tlv aad;
	int rc = fits(s, slot, by, kek, e);

	if (rc <= 0)
		return rc;
	slot_aad(s, slot, &aad);
	rc = crypto_xaes_open(kek, slot->nonce, tlv_view(&aad), slot->wrap,
			      CRYPTO_KEY_LEN, slot->wrap + CRYPTO_KEY_LEN, out,
			      e);
	mem_wipe(kek, sizeof(kek));
	return rc ? sstore_damaged("the slot of this key", e) : 1;
}

int sstore_slot_open(struct secret_store *s, const struct secret_opener *by,
		     size_t n_by, struct err *e)
{
	struct slot slots[SECRET_STORE_SLOTS_MAX];
	size_t n = 0;

	if (slots_read(s, slots, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n_by; j++) {
			int rc = slot_try(s, &slots[i], &by[j], s->keys->root,
					  e);

			if (rc)
				return rc < 0 ? -1 : 0;
		}
	}
	return err_set(e, ERR_DENIED,
		       "the key does not open the secret store (or its slot is "
		       "damaged)");
}

/* --- what an administrator does with them -------------------------------- */

int sstore_slots_tell(struct secret_store *s, struct secret_slot *ret,
		      size_t *ret_n, struct err *e)
{
	struct slot slots[SECRET_STORE_SLOTS_MAX];

	if (slots_read(s, slots, ret_n, e))
		return -1;
	for (size_t i = 0; i < *ret_n; i++) {
		ret[i] = (struct secret_slot){
			.id = slots[i].id,
			.kind = slots[i].kind,
			.created_us = slots[i].created_us,
			.log_n = slots[i].kind == SECRET_SLOT_PASSPHRASE ?
					 slots[i].params[0] :
					 0,
		};
		if (slots[i].kind == SECRET_SLOT_TRANSIT &&
		    sstore_transit_parse(slots[i].params, slots[i].params_len,
					 &ret[i].transit, e))
			return -1;
	}
	return 0;
}

int secret_store_slots(struct secret_store *s, struct secret_slot *ret,
		       size_t *ret_n, struct err *e)
{
	return sstore_manifest_check(s, e) ||
			       sstore_slots_tell(s, ret, ret_n, e) ?
		       -1 :
		       0;
}

/* Inside a transaction, and as the manifest says. */
static int begin(struct secret_store *s, struct sstore_tx *tx,
		 struct slot *slots, size_t *ret_n, struct err *e)
{
	if (sstore_tx_begin(s, tx, e) || sstore_manifest_check(s, e))
		return -1;
	tx->side = true;
	return slots_read(s, slots, ret_n, e);
}

int secret_store_slot_add(struct secret_store *s,
			  const struct secret_opener *by, uint64_t *ret_id,
			  struct err *e)
{
	struct slot slots[SECRET_STORE_SLOTS_MAX];
	struct sstore_tx tx CLEANUP_TX = {0};
	unsigned char kek[CRYPTO_KEY_LEN];
	uint64_t id = 1;
	size_t n = 0;

	if (begin(s, &tx, slots, &n, e))
		return -1;
	if (n == SECRET_STORE_SLOTS_MAX)
		return err_set(e, ERR_LIMIT, "there are %d slots already",
			       SECRET_STORE_SLOTS_MAX);
	for (size_t i = 0; i < n; i++) {
		int rc = fits(s, &slots[i], by, kek, e);

		mem_wipe(kek, sizeof(kek));
		if (rc < 0)
			return -1;
		if (rc)
			return err_set(e, ERR_CONFLICT,
				       "it opens slot %llu already",
				       (unsigned long long)slots[i].id);
		id = slots[i].id + 1;
	}
	if (sstore_slot_add(s, id, by, e) || sstore_tx_commit(&tx, e))
		return -1;
	*ret_id = id;
	return 0;
}

int secret_store_slot_remove(struct secret_store *s, uint64_t id, struct err *e)
{
	struct slot slots[SECRET_STORE_SLOTS_MAX];
	struct ssql_query q CLEANUP_SSQL = {0};
	struct sstore_tx tx CLEANUP_TX = {0};
	size_t n = 0, i = 0;

	if (begin(s, &tx, slots, &n, e))
		return -1;
	while (i < n && slots[i].id != id)
		i++;
	if (i == n)
		return err_set(e, ERR_NOT_FOUND, "no slot %llu",
			       (unsigned long long)id);
	if (n == 1)
		return err_set(e, ERR_CONFLICT,
			       "the last slot cannot be removed: nothing would "
			       "open the store again");
	if (ssql_start(&s->sql, SSQL_SLOT_DROP, &q, e))
		return -1;
	ssql_u64(&q, id);
	if (ssql_step(&q, e) || sstore_tx_commit(&tx, e))
		return -1;
	return ssql_run(&s->sql, SSQL_CHECKPOINT, e);
}

/* --- another root key ---------------------------------------------------- */

/* The key of each slot, before anything is changed. */
static int keks_of(struct secret_store *s, const struct slot *slots, size_t n,
		   const struct secret_opener *by, size_t n_by,
		   unsigned char (*keks)[CRYPTO_KEY_LEN], struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int rc = 0;

		for (size_t j = 0; !rc && j < n_by; j++)
			rc = fits(s, &slots[i], &by[j], keks[i], e);
		if (rc < 0)
			return -1;
		if (!rc)
			return err_set(e, ERR_CONFLICT,
				       "slot %llu (%s) would be lost: what "
				       "opens it is needed too, or remove it",
				       (unsigned long long)slots[i].id,
				       kinds[slots[i].kind]);
	}
	return 0;
}

static int rekey(struct secret_store *s, struct sstore_tx *tx,
		 struct slot *slots, size_t n,
		 unsigned char (*keks)[CRYPTO_KEY_LEN], struct err *e)
{
	tx->term++;
	if (sstore_root_new(s, tx->term, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (wrap(s, &slots[i], keks[i], e) ||
		    slot_write(s, &slots[i], e))
			return -1;
	}
	return sstore_tx_commit(tx, e);
}

int secret_store_rekey(struct secret_store *s, const struct secret_opener *by,
		       size_t n_by, uint64_t *ret_term, struct err *e)
{
	unsigned char keks[SECRET_STORE_SLOTS_MAX][CRYPTO_KEY_LEN];
	struct secret *before CLEANUP_SECRET = NULL;
	struct slot slots[SECRET_STORE_SLOTS_MAX];
	struct sstore_tx tx CLEANUP_TX = {0};
	size_t n = 0;
	int rc;

	if (s->root_from)
		return err_set(e, ERR_CONFLICT,
			       "secrets are still wrapped by the root key "
			       "before this one: wait for that");
	if (begin(s, &tx, slots, &n, e) ||
	    secret_new(s->keys, sizeof(*s->keys), SECRET_WIPE_ON_FORK, &before,
		       e))
		return -1;
	rc = keks_of(s, slots, n, by, n_by, keks, e);
	if (!rc) {
		rc = rekey(s, &tx, slots, n, keks, e);
		if (rc) {
			memcpy(s->keys, secret_bytes(before).bytes,
			       sizeof(*s->keys));
			s->root_from = 0;
			sstore_terms_forget(s);
		}
	}
	mem_wipe(keks, sizeof(keks));
	if (rc)
		return -1;
	*ret_term = s->term;
	return ssql_run(&s->sql, SSQL_CHECKPOINT, e);
}

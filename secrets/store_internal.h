/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How the secret store is built; only store_*.c include this.
 *
 *   unsealing key --HKDF "nfo/slot-kek"--> wraps the root key (slot); of a
 *                                          passphrase it is scrypt's
 *   root key RK   --HKDF "nfo/kek"|term--> wraps the key of each version
 *                 --HKDF "nfo/mac"|term--> MACs heads and manifest
 *                 --HKDF "nfo/idx"-------> path = HMAC(project, name)
 *                 --HKDF "nfo/epoch"-----> MACs the epoch file
 *                 --HKDF "nfo/keyring"---> wraps the root key before it
 *   DEK, random, of one version: AES-256-GCM with the fixed nonce 0...01,
 *   since it encrypts one message only
 *
 * Wraps are XAES-256-GCM with random nonces.  What a row says about itself is
 * the additional data of value and wrap, so it cannot be moved or edited.  The
 * head of a secret MACs the digest of its version rows, the manifest MACs the
 * digest of all heads, slots and the keyring, and the epoch, which grows with
 * each change and is kept outside the database too.  So an old row, an old head, an old manifest and
 * an old database are all noticed, each by the level above it.
 *
 * Every salt is the store's uuid.
 */
#pragma once

#include "base/hash.h"
#include "secrets/crypto.h"
#include "secrets/store.h"
#include "secrets/store_sql.h"

enum {
	SSTORE_FORMAT = 1,   /* of values */
	SSTORE_MANIFEST = 2, /* of the manifest; 1 left out slots and keyring */
	SSTORE_UUID_LEN = 16,
	SSTORE_DEK_ID_LEN = 16,
	SSTORE_BUCKETS = 4096,    /* by the first twelve bits of the path */
	SSTORE_BUCKETS_OLD = 256, /* of the first format: by eight */
	SSTORE_KEEP_DEFAULT = 10
};

enum {
	SSTORE_DELETED = 1 /* flags of versions and heads */
};

/* Lives in guarded memory; wiped with it. */
struct sstore_keys {
	unsigned char root[CRYPTO_KEY_LEN];
	unsigned char idx[CRYPTO_KEY_LEN];
	unsigned char epoch[CRYPTO_KEY_LEN];
	unsigned char old_root[CRYPTO_KEY_LEN];  /* of terms below root_from */
	unsigned char old_epoch[CRYPTO_KEY_LEN]; /* hangs on it */
	unsigned char kek[2][CRYPTO_KEY_LEN];    /* of kek_term */
	unsigned char mac[2][CRYPTO_KEY_LEN];    /* of mac_term */
	unsigned char dek[CRYPTO_KEY_LEN];       /* of the call */
};

struct secret_store {
	struct ssql sql;
	struct secret *keys_mem; /* holds *keys */
	struct sstore_keys *keys;
	/* Which are derived, an even and an odd one; 0: none. */
	uint64_t kek_term[2], mac_term[2];
	uint64_t root_from; /* first term of the root key; 0: all */
	int lock_fd, epoch_dir_fd;
	unsigned keep_versions, max_secrets;
	bool epoch_stale;
	/* The manifest. */
	unsigned char uuid[SSTORE_UUID_LEN];
	int64_t created_us;
	uint64_t term, epoch;
	uint64_t n_heads;
	uint64_t old_left; /* secrets to be wrapped anew; unless it changed */
	bool old_known;
	unsigned format; /* of the manifest that is there */
	struct hash buckets[SSTORE_BUCKETS];
	struct hash side; /* slots and keyring */
};

/* --- length-prefixed fields: tag, u32 length, bytes (big-endian) --------- */

enum {
	TLV_MAX = 2048
};

enum tlv_tag {
	TLV_LABEL = 1,
	TLV_STORE,
	TLV_PROJECT,
	TLV_NAME,
	TLV_VERSION,
	TLV_CREATED,
	TLV_DEK_ID,
	TLV_TERM,
	TLV_TYPE,
	TLV_FLAGS,
	TLV_SCHEMA,
	TLV_WRAP_TERM,
	TLV_NONCE,
	TLV_WRAP,
	TLV_TAG,
	TLV_PATH,
	TLV_CURRENT,
	TLV_COUNT,
	TLV_UPDATED,
	TLV_DIGEST,
	TLV_EPOCH,
	TLV_SLOT,
	TLV_KIND,
	TLV_PARAMS,
	TLV_DESCRIPTION,
	TLV_KEEP,
};

struct tlv {
	char b[TLV_MAX];
	size_t len;
};

void tlv_start(struct tlv *t, const char *label, const unsigned char *uuid);
void tlv_put(struct tlv *t, enum tlv_tag tag, const void *p, size_t len);
void tlv_str(struct tlv *t, enum tlv_tag tag, const char *s);
void tlv_u64(struct tlv *t, enum tlv_tag tag, uint64_t v);
struct str tlv_view(const struct tlv *t);

/* --- keys: store_keys.c -------------------------------------------------- */

/* Room for the keys, zeroed. */
MUST_USE int sstore_keys_new(struct secret_store *s, struct err *e);
/* What hangs on the root key alone; the root key is there. */
MUST_USE int sstore_keys_derive(struct secret_store *s, struct err *e);
void sstore_terms_forget(struct secret_store *s);
/* *ret is borrowed until the next call. */
MUST_USE int sstore_kek(struct secret_store *s, uint64_t term,
			const unsigned char **ret, struct err *e);
MUST_USE int sstore_mac(struct secret_store *s, uint64_t term,
			const struct tlv *t, struct hash *ret, struct err *e);
struct hash sstore_path(const struct secret_store *s, struct str project,
			struct str name);
/* Keys that the root key wraps; before anything is compared. */
MUST_USE int sstore_keyring_load(struct secret_store *s, struct err *e);
MUST_USE int sstore_keyring_digest(struct secret_store *s, struct hash_ctx *c,
				   struct err *e);
/* Another root key from that term on, with the old one kept for the terms
 * before; s->keys has changed whatever comes of it. */
MUST_USE int sstore_root_new(struct secret_store *s, uint64_t from_term,
			     struct err *e);
MUST_USE int sstore_old_root_drop(struct secret_store *s, struct err *e);
void sstore_old_root_forget(struct secret_store *s); /* after the commit */

/* --- slots: store_slots.c, store_transit.c ------------------------------- */

enum {
	SSTORE_PARAMS_MAX = 1040 /* bytes of what a slot says of itself */
};

/* Into SSTORE_PARAMS_MAX bytes; ERR_INVALID for a malformed one. */
MUST_USE int sstore_transit_pack(const struct secret_transit *t,
				 unsigned char *out, size_t *ret_len,
				 struct err *e);
MUST_USE int sstore_transit_parse(const unsigned char *p, size_t len,
				  struct secret_transit *ret, struct err *e);
/* As they are in the database. */
MUST_USE int sstore_slots_tell(struct secret_store *s, struct secret_slot *ret,
			       size_t *ret_n, struct err *e);

/* Wrap the root key for an opener, into a new row of the slots. */
MUST_USE int sstore_slot_add(struct secret_store *s, uint64_t id,
			     const struct secret_opener *by, struct err *e);
/* The root key, from the first slot that one of them opens. */
MUST_USE int sstore_slot_open(struct secret_store *s,
			      const struct secret_opener *by, size_t n_by,
			      struct err *e);
MUST_USE int sstore_slots_digest(struct secret_store *s, struct hash_ctx *c,
				 struct err *e);

/* --- rows: store_rows.c -------------------------------------------------- */

struct sstore_head {
	struct hash path;
	char project[SECRET_STORE_NAME_MAX + 1];
	char name[SECRET_STORE_NAME_MAX + 1];
	uint64_t current, n_versions, flags;
	int64_t created_us, updated_us;
	uint64_t term;      /* of the mac */
	struct hash digest; /* over the version rows */
	struct hash mac;
	char description[SECRET_STORE_DESCRIPTION_MAX + 1];
	uint64_t keep; /* versions; 0: as many as the store keeps */
};

struct sstore_version {
	uint64_t version;
	int64_t created_us;
	uint64_t type, flags;
	uint64_t term; /* when the DEK was made: bound to the value */
	unsigned char dek_id[SSTORE_DEK_ID_LEN];
	uint64_t wrap_term; /* which the DEK is wrapped in now */
	unsigned char wrap_nonce[CRYPTO_XNONCE_LEN];
	unsigned char wrap[CRYPTO_KEY_LEN + CRYPTO_TAG_LEN];
	unsigned char tag[CRYPTO_TAG_LEN]; /* of the value */
};

struct sstore_versions {
	struct sstore_version v[SECRET_STORE_VERSIONS_MAX];
	size_t n;
};

int sstore_damaged(const char *what, struct err *e);

/* The row the statement stands on, its MAC compared. */
MUST_USE int sstore_head_read(struct secret_store *s, struct ssql_query *q,
			      struct sstore_head *ret, struct err *e);
/* A head and its version rows, oldest first, compared with its digest;
 * ERR_NOT_FOUND. */
MUST_USE int sstore_head_get(struct secret_store *s, const struct hash *path,
			     struct sstore_head *ret,
			     struct sstore_versions *ret_rows, struct err *e);
/* Count and digest the version rows, MAC, write. */
MUST_USE int sstore_head_put(struct secret_store *s, struct sstore_head *h,
			     struct err *e);

/* The same when nothing has changed but how its keys are wrapped. */
MUST_USE int sstore_head_rewrapped(struct secret_store *s,
				   struct sstore_head *h,
				   const struct sstore_versions *rows,
				   struct err *e);

/* --- values: store_value.c ----------------------------------------------- */

/* Seal under a fresh DEK and write the row; version, created_us, type and
 * flags of v are given. */
MUST_USE int sstore_value_seal(struct secret_store *s,
			       const struct sstore_head *h,
			       struct sstore_version *v,
			       const struct secret *value, struct err *e);
MUST_USE int sstore_value_open(struct secret_store *s,
			       const struct sstore_head *h,
			       const struct sstore_version *v,
			       struct secret **ret, struct err *e);
/* Wrap the DEK of v in the current term and write that. */
MUST_USE int sstore_value_rewrap(struct secret_store *s,
				 const struct sstore_head *h,
				 struct sstore_version *v, struct err *e);

/* Secrets that are not in the current term. */
MUST_USE int sstore_count_old(struct secret_store *s, uint64_t *ret,
			      struct err *e);

/* --- manifest, epoch, transactions: store_manifest.c, store_epoch.c ------ */

/* Read the manifest without believing it: uuid, created, term, epoch. */
MUST_USE int sstore_manifest_read(struct secret_store *s, struct err *e);
/* Compare it, with every head; fills the buckets. */
MUST_USE int sstore_manifest_load(struct secret_store *s, struct err *e);
/* Compare what is in the database with what was loaded. */
MUST_USE int sstore_manifest_check(struct secret_store *s, struct err *e);

struct sstore_tx {
	struct secret_store *s;
	bool open;
	bool making; /* leave the epoch file alone */
	bool side;   /* slots or keyring change */
	bool touched[SSTORE_BUCKETS];
	uint64_t term;    /* of the manifest to be written */
	uint64_t n_heads; /* afterwards */
};
void sstore_tx_done(struct sstore_tx *tx); /* rolls back unless committed */
#define CLEANUP_TX CLEANUP(sstore_tx_done)

MUST_USE int sstore_tx_begin(struct secret_store *s, struct sstore_tx *tx,
			     struct err *e);
/* Before a secret is changed: compare its bucket, and write it anew later. */
MUST_USE int sstore_tx_touch(struct sstore_tx *tx, const struct hash *path,
			     struct err *e);
MUST_USE int sstore_tx_commit(struct sstore_tx *tx, struct err *e);
/* The bucket of path as it was when the store was opened or last changed. */
MUST_USE int sstore_bucket_check(struct secret_store *s,
				 const struct hash *path, struct err *e);

/* The epoch file of a store to be; ERR_CONFLICT when one was in use. */
MUST_USE int sstore_epoch_create(struct secret_store *s, struct err *e);
/* Compare file and database, and bring the file up to date. */
MUST_USE int sstore_epoch_check(struct secret_store *s, bool accept,
				struct err *e);
MUST_USE int sstore_epoch_write(struct secret_store *s, struct err *e);

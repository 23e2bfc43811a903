/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The local secret store: one SQLite file in which every value is sealed with
 * AES-256-GCM under a key of its own, and every row is bound to its place, so
 * that rows which were swapped, edited, dropped or put back from an older copy
 * are noticed and refused.  See store_internal.h for how.
 *
 * One process at a time, one thread.  Values come in and go out as struct
 * secret and never reach SQLite in the clear.  Projects and names are
 * [a-z][a-z0-9_-]{0,62}.
 *
 * Errors of every call, besides those it names: ERR_INVALID for a malformed
 * project or name, ERR_INTERNAL "the secret store is damaged: ..." when
 * something does not authenticate, ERR_LIMIT when the disk is full.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "secrets/secret.h"

struct secret_store;

enum {
	SECRET_STORE_KEY_LEN = 32,          /* bytes of an unsealing key */
	SECRET_STORE_NAME_MAX = 63,         /* bytes of a project or name */
	SECRET_STORE_VALUE_MAX = 64 << 10,  /* bytes */
	SECRET_STORE_VERSIONS_MAX = 100,    /* kept of one secret */
	SECRET_STORE_DESCRIPTION_MAX = 256, /* bytes */
	SECRET_STORE_SLOTS_MAX = 8,
	SECRET_STORE_PASSPHRASE_MIN = 8, /* bytes */
	SECRET_STORE_PASSPHRASE_MAX = 1024,
	SECRET_STORE_SCRYPT_MIN = 16, /* N is 2 to the power of this */
	SECRET_STORE_SCRYPT = 17,     /* 128 MiB, a third of a second */
	SECRET_STORE_SCRYPT_MAX = 20,
	SECRET_STORE_MAX = 100000 /* secrets; see max_secrets */
};

/* A project that no reference and no request can name: the keeper's own. */
#define SECRET_STORE_OWN "_keeper"

struct secret_store_opts {
	/* The database.  Beside it: PATH.lock, PATH-wal; while it is made
	 * PATH.new. */
	const char *path;
	/* A second directory, best on another disk, for `secrets.epoch`: what
	 * tells an old copy of the database from the newest.  One store per
	 * directory. */
	const char *epoch_dir;
	/* Kept of each secret; 0: 10, at most SECRET_STORE_VERSIONS_MAX. */
	unsigned max_versions;
	/* Secrets, removed ones as well; 0: SECRET_STORE_MAX. */
	unsigned max_secrets;
	/* An administrator says that an older database, or one without its
	 * epoch file, is what they want. */
	bool accept_rollback;
};

/* What opens the store; each has slots of its own kind. */
enum secret_slot_kind {
	SECRET_SLOT_KEYFILE,
	SECRET_SLOT_PASSPHRASE,
	SECRET_SLOT_CREDENTIAL, /* of systemd */
	SECRET_SLOT_TRANSIT,    /* sealed by a transit engine of Vault */
	N_SECRET_SLOT_KINDS
};
const char *secret_slot_kind_name(enum secret_slot_kind k);

enum {
	SECRET_TRANSIT_PROVIDER_MAX = 63, /* bytes, as all of these */
	SECRET_TRANSIT_MOUNT_MAX = 128,
	SECRET_TRANSIT_KEY_MAX = 128,
	SECRET_TRANSIT_SEALED_MAX = 704 /* of RSA with 4096 bits: 693 */
};

/* Where the key of a slot is opened, and what is opened there; no secret. */
struct secret_transit {
	char provider[SECRET_TRANSIT_PROVIDER_MAX + 1];
	char mount[SECRET_TRANSIT_MOUNT_MAX + 1]; /* no slashes at its ends */
	char key[SECRET_TRANSIT_KEY_MAX + 1];
	char sealed[SECRET_TRANSIT_SEALED_MAX + 1];
	bool bound; /* the store's id is additional data of it */
};
/* "PROVIDER/KEY" or "PROVIDER/MOUNT/KEY"; without a mount it is `transit`. */
MUST_USE int secret_transit_read(struct str text, struct secret_transit *ret,
				 struct err *e);

/*
 * A key of SECRET_STORE_KEY_LEN bytes, or a passphrase; it is not needed after
 * the call.
 *
 * log_n    of a slot to be: how hard a passphrase is to guess; 0:
 *          SECRET_STORE_SCRYPT
 * transit  of a slot to be of this kind, else NULL
 */
struct secret_opener {
	enum secret_slot_kind kind;
	const struct secret *key;
	unsigned log_n;
	const struct secret_transit *transit;
};

/*
 * Make SQLite overwrite its heap when it frees.  Once, before anything else in
 * the process uses SQLite.
 *
 * Fails with ERR_CONFLICT when SQLite is in use already.
 */
MUST_USE int secret_store_heap_init(struct err *e);

/*
 * Make an empty store with one slot.  The directories have to exist.
 *
 * Fails with ERR_CONFLICT when there is a store already, or an epoch file says
 * that there was one, or another process has the store.
 */
MUST_USE int secret_store_create(const struct secret_store_opts *o,
				 const struct secret_opener *by, struct err *e);

/*
 * Unseal the store with the first of n_by that opens a slot.  A passphrase is
 * tried on each of its slots, a third of a second each.
 *
 * Fails with ERR_NOT_FOUND when there is none, ERR_DENIED for a wrong key,
 * ERR_CONFLICT "rollback suspected: ..." (sys is ESTALE) for an older database or a missing
 * epoch file, ERR_CONFLICT when another process has it (the text names its
 * pid), ERR_INTERNAL when it is damaged.
 */
MUST_USE int secret_store_open(const struct secret_store_opts *o,
			       const struct secret_opener *by, size_t n_by,
			       struct secret_store **ret, struct err *e);
/* Seal: wipes every key.  NULL is fine. */
void secret_store_close(struct secret_store *s);

/* --- slots --------------------------------------------------------------- */

struct secret_slot {
	uint64_t id;
	enum secret_slot_kind kind;
	int64_t created_us;            /* since 1970 */
	unsigned log_n;                /* of a passphrase */
	struct secret_transit transit; /* of this kind */
};

enum {
	SECRET_STORE_ID_LEN = 32 /* hex digits */
};

/*
 * The slots of a store that is not open, and its id: nobody vouches for them
 * until one of them has opened it.  ret has SECRET_STORE_SLOTS_MAX.
 */
MUST_USE int secret_store_peek(const struct secret_store_opts *o,
			       struct secret_slot *ret, size_t *ret_n,
			       char ret_id[SECRET_STORE_ID_LEN + 1],
			       struct err *e);
/* ret has SECRET_STORE_SLOTS_MAX. */
MUST_USE int secret_store_slots(struct secret_store *s, struct secret_slot *ret,
				size_t *ret_n, struct err *e);
/*
 * Another slot; *ret_id is its number.
 *
 * Fails with ERR_LIMIT when there are SECRET_STORE_SLOTS_MAX, ERR_INVALID for a
 * key or passphrase of the wrong length or a log_n out of bounds, ERR_CONFLICT
 * when a slot opens with it already.
 */
MUST_USE int secret_store_slot_add(struct secret_store *s,
				   const struct secret_opener *by,
				   uint64_t *ret_id, struct err *e);
/*
 * Whoever knew what opened it and has an older copy of the database still has
 * the root key: see secret_store_rekey().
 *
 * Fails with ERR_NOT_FOUND, ERR_CONFLICT for the last one.
 */
MUST_USE int secret_store_slot_remove(struct secret_store *s, uint64_t id,
				      struct err *e);
/*
 * A new root key in a new term, in one transaction; secrets follow by
 * secret_store_rewrap(), after which the old root key is gone.
 *
 * by  what opens the slots: all of them are wrapped anew
 *
 * Fails with ERR_CONFLICT when a slot is opened by none of them (the text names
 * it), or secrets are still wrapped by the root key before.
 */
MUST_USE int secret_store_rekey(struct secret_store *s,
				const struct secret_opener *by, size_t n_by,
				uint64_t *ret_term, struct err *e);

/* --- secrets ------------------------------------------------------------- */

enum secret_value_type {
	SECRET_VALUE_BYTES = 1,
	SECRET_VALUE_JSON = 2 /* an object; its members are the fields */
};

struct secret_version {
	uint64_t version;
	int64_t created_us; /* since 1970 */
	enum secret_value_type type;
	bool deleted;
};

struct secret_meta {
	char project[SECRET_STORE_NAME_MAX + 1];
	char name[SECRET_STORE_NAME_MAX + 1];
	uint64_t current;  /* the newest version's number */
	unsigned versions; /* how many are kept; 0: removed */
	bool deleted;      /* the newest version is deleted or removed */
	int64_t created_us, updated_us;
	unsigned keep; /* versions; 0: as many as the store keeps */
	char description[SECRET_STORE_DESCRIPTION_MAX + 1];
};

#define SECRET_STORE_ANY UINT64_MAX

/*
 * Seal value (1 to SECRET_STORE_VALUE_MAX bytes) as the next version.  Numbers
 * are not used again, not even after the secret was removed; where there
 * is no room for one more, the one removed longest ago is forgotten.  Durable when
 * it returns 0.
 *
 * expect  the current version, 0 when there must be none (or it is removed),
 *         SECRET_STORE_ANY when it does not matter
 *
 * Fails with ERR_CONFLICT when expect is not met, ERR_LIMIT for a value that
 * is too long, or where there is no room.
 */
MUST_USE int secret_store_put(struct secret_store *s, struct str project,
			      struct str name, const struct secret *value,
			      enum secret_value_type type, uint64_t expect,
			      uint64_t *ret_version, struct err *e);

/*
 * version  0 for the newest
 * ret      owned by the caller
 * ret_is   which one it is; may be NULL
 *
 * Fails with ERR_NOT_FOUND when there is none or it is deleted.
 */
MUST_USE int secret_store_get(struct secret_store *s, struct str project,
			      struct str name, uint64_t version,
			      struct secret **ret,
			      struct secret_version *ret_is, struct err *e);

/* Metadata without a value; ERR_NOT_FOUND also for a removed secret. */
MUST_USE int secret_store_stat(struct secret_store *s, struct str project,
			       struct str name, struct secret_meta *ret,
			       struct err *e);

/*
 * Up to max secrets of the project in the order of their names, starting
 * behind `after` (empty: from the first); removed ones are left out.
 */
MUST_USE int secret_store_list(struct secret_store *s, struct str project,
			       struct str after, struct secret_meta *ret,
			       size_t max, size_t *ret_n, struct err *e);

/* The kept versions, oldest first; ret has SECRET_STORE_VERSIONS_MAX. */
MUST_USE int secret_store_versions(struct secret_store *s, struct str project,
				   struct str name, struct secret_version *ret,
				   size_t *ret_n, struct err *e);

/*
 * Mark a version (0: the newest) as deleted, or take that back.  It is sealed
 * anew under a fresh key, as the mark is bound to the value.
 */
MUST_USE int secret_store_delete(struct secret_store *s, struct str project,
				 struct str name, uint64_t version,
				 bool deleted, struct err *e);

/*
 * What is noted of a secret beside its values: printable text of at most
 * SECRET_STORE_DESCRIPTION_MAX bytes, in the clear, and how many versions are
 * kept from the next put on (0: as many as the store keeps).
 */
MUST_USE int secret_store_describe(struct secret_store *s, struct str project,
				   struct str name, struct str description,
				   unsigned keep, struct err *e);

/*
 * Destroy one version, or with 0 all of them: the wrapped key and the value
 * are overwritten in the database and its log.  Copies made before (backups)
 * are readable as long as the term they were wrapped in.
 */
MUST_USE int secret_store_remove(struct secret_store *s, struct str project,
				 struct str name, uint64_t version,
				 struct err *e);

/*
 * Remove it and its name: what is put there later is a new secret, with numbers
 * from 1 on.  For what has names that nobody uses again.
 */
MUST_USE int secret_store_forget(struct secret_store *s, struct str project,
				 struct str name, struct err *e);

/* A new key-wrapping term, in O(1); old terms only decrypt from now on. */
MUST_USE int secret_store_rotate(struct secret_store *s, uint64_t *ret_term,
				 struct err *e);

/*
 * Wrap the keys of up to max_secrets secrets into the current term, in one
 * transaction.  Call it again until *ret_left is 0; a process that died in
 * between just goes on.
 */
MUST_USE int secret_store_rewrap(struct secret_store *s, unsigned max_secrets,
				 uint64_t *ret_left, struct err *e);

/* Open every value and compare every row: all is well, or the first damage. */
MUST_USE int secret_store_verify(struct secret_store *s, struct err *e);

/* A key of 32 bytes for a use of the caller's that label names; it changes with
 * the root key. */
MUST_USE int secret_store_derive(const struct secret_store *s,
				 const char *label, unsigned char *ret,
				 struct err *e);

/* What no two stores share; no secret. */
void secret_store_id(const struct secret_store *s,
		     char ret[SECRET_STORE_ID_LEN + 1]);

struct secret_store_status {
	uint64_t term, epoch, secrets; /* removed secrets count */
	uint64_t old;                  /* not in this term yet */
	/* The epoch file could not be written after the last change; the next
	 * change is refused unless it can. */
	bool epoch_stale;
	bool locked;   /* the keys are locked in memory */
	bool old_root; /* secrets are still wrapped by the root key before */
	int64_t created_us;
};
void secret_store_status(struct secret_store *s,
			 struct secret_store_status *ret);

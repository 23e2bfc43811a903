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
	SECRET_STORE_KEY_LEN = 32,         /* bytes of an unsealing key */
	SECRET_STORE_NAME_MAX = 63,        /* bytes of a project or name */
	SECRET_STORE_VALUE_MAX = 64 << 10, /* bytes */
	SECRET_STORE_VERSIONS_MAX = 100,   /* kept of one secret */
	SECRET_STORE_MAX = 100000          /* secrets, removed ones as well */
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
	/* An administrator says that an older database, or one without its
	 * epoch file, is what they want. */
	bool accept_rollback;
};

/*
 * Make SQLite overwrite its heap when it frees.  Once, before anything else in
 * the process uses SQLite.
 *
 * Fails with ERR_CONFLICT when SQLite is in use already.
 */
MUST_USE int secret_store_heap_init(struct err *e);

/*
 * Make an empty store that key (SECRET_STORE_KEY_LEN bytes, as keyfile_read()
 * gives) opens.  The directories have to exist.
 *
 * Fails with ERR_CONFLICT when there is a store already, or an epoch file says
 * that there was one, or another process has the store.
 */
MUST_USE int secret_store_create(const struct secret_store_opts *o,
				 const struct secret *key, struct err *e);

/*
 * Unseal the store.  key is not needed afterwards.
 *
 * Fails with ERR_NOT_FOUND when there is none, ERR_DENIED for a wrong key,
 * ERR_CONFLICT "rollback suspected: ..." for an older database or a missing
 * epoch file, ERR_CONFLICT when another process has it (the text names its
 * pid), ERR_INTERNAL when it is damaged.
 */
MUST_USE int secret_store_open(const struct secret_store_opts *o,
			       const struct secret *key,
			       struct secret_store **ret, struct err *e);
/* Seal: wipes every key.  NULL is fine. */
void secret_store_close(struct secret_store *s);

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
};

#define SECRET_STORE_ANY UINT64_MAX

/*
 * Seal value (1 to SECRET_STORE_VALUE_MAX bytes) as the next version.  Numbers
 * are never used again, not even after the secret was removed.  Durable when
 * it returns 0.
 *
 * expect  the current version, 0 when there must be none (or it is removed),
 *         SECRET_STORE_ANY when it does not matter
 *
 * Fails with ERR_CONFLICT when expect is not met, ERR_LIMIT for a value that
 * is too long or SECRET_STORE_MAX.
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
 * Destroy one version, or with 0 all of them: the wrapped key and the value
 * are overwritten in the database and its log.  Copies made before (backups)
 * are readable as long as the term they were wrapped in.
 */
MUST_USE int secret_store_remove(struct secret_store *s, struct str project,
				 struct str name, uint64_t version,
				 struct err *e);

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

struct secret_store_status {
	uint64_t term, epoch, secrets; /* removed secrets count */
	/* The epoch file could not be written after the last change; the next
	 * change is refused unless it can. */
	bool epoch_stale;
	bool locked; /* the keys are locked in memory */
};
void secret_store_status(const struct secret_store *s,
			 struct secret_store_status *ret);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What has to be ended at a provider, on disk, so that it is also ended after a
 * crash: the logins that leases are made under, and the leases.  A file that
 * only grows; made anew when it is opened and when most of it is history.
 *
 *   "nfoleas1", 16 random bytes; then records:
 *   u32 length, 24 bytes of nonce, 16 of tag, the record under XAES-256-GCM
 *
 * Bound to each are the file's random bytes and its number in it, so that none
 * can be moved, repeated or brought from an older file.  A record that was not
 * wholly written is the last, and is dropped; any other that does not open is
 * left out, and the file kept as leases.bad.
 */
#pragma once

#include "base/err.h"
#include "base/id.h"
#include "secrets/ref.h"
#include "secrets/secret.h"

struct journal;

enum {
	JOURNAL_KEY_LEN = 32,
	JOURNAL_TOKEN_MAX = 8192, /* bytes of a login */
	JOURNAL_LEASE_ID_MAX = 1024,
	JOURNAL_MAX = 64 << 20 /* bytes of the file that are read */
};

enum journal_what {
	JOURNAL_LOGIN = 1,  /* leases may be made under it from now on */
	JOURNAL_LOGIN_GONE, /* login */
	JOURNAL_LEASE,      /* it is there */
	JOURNAL_RENEWED,    /* id, expires_us, renewable */
	JOURNAL_LEASE_GONE, /* id */
	N_JOURNAL_WHATS,
};

/* What does not belong to `what` is zero and is not written. */
struct journal_record {
	enum journal_what what;
	uint64_t
		login; /* a number in this file, not 0: LOGIN, its end, LEASE */
	char provider[SECRET_REF_NAME_MAX + 1];
	struct ulid attempt; /* "": the server's own login */
	/* LOGIN; borrowed both ways */
	const struct secret *token;
	bool ours; /* we logged in, and so may revoke it */
	/* LEASE */
	struct ulid id; /* ours; also of RENEWED and LEASE_GONE */
	char lease_id[JOURNAL_LEASE_ID_MAX + 1]; /* the provider's */
	char project[SECRET_REF_NAME_MAX + 1];
	struct ulid run;
	char path[SECRET_REF_PATH_MAX + 1];
	int64_t made_us;    /* since 1970 */
	int64_t expires_us; /* since 1970 */
	bool renewable, keep;
};

/* During journal_open(), in the order in which they were written. */
typedef void journal_fn(void *ctx, const struct journal_record *r);

/*
 * dir       the directory, open; borrowed until the end
 * key       JOURNAL_KEY_LEN bytes; borrowed during the call
 * ret_lost  how many records did not open
 *
 * The file is not written to yet: journal_renew() has to follow.
 *
 * Fails with ERR_INTERNAL when it cannot be read, ERR_LIMIT when it is longer
 * than JOURNAL_MAX.
 */
MUST_USE int journal_open(int dir, const struct secret *key, journal_fn *fn,
			  void *ctx, struct journal **ret, size_t *ret_lost,
			  struct err *e);
void journal_free(struct journal *j); /* NULL is fine */

/*
 * A new file: what is appended until journal_renewed() goes there, unsynced;
 * then it takes the place of the old one.  When that fails the old one is as it
 * was.
 */
MUST_USE int journal_renew(struct journal *j, struct err *e);
MUST_USE int journal_renewed(struct journal *j, struct err *e);

/*
 * sync  on disk when this returns 0
 *
 * Fails with ERR_LIMIT when the disk is full, ERR_INTERNAL for what else can
 * happen.  After a failure nothing is appended until the next journal_renew().
 */
MUST_USE int journal_append(struct journal *j, const struct journal_record *r,
			    bool sync, struct err *e);
size_t journal_records(const struct journal *j); /* in the file */
bool journal_failed(const struct journal *j);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What the files of the leases share: lease.c keeps the tables, lease_disk.c the
 * journal, lease_work.c asks the providers, lease_tell.c shows them.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "vault/journal.h"
#include "vault/lease.h"

struct lease_login {
	struct link link;
	struct leases *l;
	uint64_t number; /* in the journal */
	char provider[SECRET_REF_NAME_MAX + 1];
	struct ulid attempt;
	struct secret *token;
	bool ours;
	bool foster;      /* token.c has no use for it: we see to it */
	bool kept;        /* it cannot be revoked: its leases are, one by one */
	unsigned pending; /* requests that may make a lease */
	/* As last counted: leases that somebody needs, all, those that are
	 * being revoked for the first time. */
	size_t n_needed, n_leases, n_ending;
	/* While it is ours to see to. */
	bool renewable;
	int64_t at_us; /* nothing to do before */
	unsigned tries;
	struct call *call;
};

struct lease {
	struct link link;
	struct leases *l;
	struct lease_login *login;
	struct journal_record rec; /* as it was written; no token */
	struct lease_life life;
	bool alive; /* its attempt is, as far as we know */
	void (*again)(void *ctx, struct lease *le);
	void (*gone)(void *ctx, bool wanted);
	void *ctx;
	struct call *call;
};

struct leases {
	struct loop *loop;
	const struct leases_host *host;
	void *ctx;
	struct loop_timer *timer;
	struct journal *journal; /* NULL: sealed */
	struct link logins, leases;
	size_t n_leases;
	uint64_t last_login;
	bool settled;      /* which attempts live is known */
	struct map *alive; /* before that: by attempt */
	bool stopping;
	void (*idle)(void *ctx);
	void *idle_ctx;
};

/* --- lease.c -------------------------------------------------------------- */

/* Do what is due, later in this turn. */
void leases_wake(struct leases *l);
/* It is gone: out of the journal and the table. */
void lease_forget(struct lease *le);
/* It is gone, and all its leases with it. */
void login_forget(struct lease_login *g);
struct lease_login *login_by_number(struct leases *l, uint64_t number);
struct lease *lease_by_id(struct leases *l, const char *id);
/* Into the tables; the login's token is copied. */
struct lease_login *login_new(struct leases *l, const struct journal_record *r,
			      struct err *e);
struct lease *lease_new(struct lease_login *g, const struct journal_record *r);
/* Only out of the tables. */
void lease_free(struct lease *le);
void login_free(struct lease_login *g);
/* Which attempts live is known: the others' leases end. */
void leases_settle(struct leases *l);
void leases_changed(struct leases *l);
uint32_t lease_dice(void);

/* --- lease_disk.c --------------------------------------------------------- */

MUST_USE int lease_note(struct leases *l, const struct journal_record *r,
			bool sync, struct err *e);
/* What is only history: when it cannot be written it is done once more after a
 * crash, and does no harm. */
void lease_note_history(struct leases *l, const struct journal_record *r);
void lease_note_renewed(struct lease *le);

/* --- lease_work.c --------------------------------------------------------- */

/* What is due; sets the timer for the rest. */
void leases_work(struct leases *l);

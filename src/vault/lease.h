/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Leases: which attempt has which, renewed while it runs, revoked at its end.
 * All are in the journal before their values are handed on, and so is the login
 * that they are made under, so that a crash leaves nothing that nobody ends.
 *
 * A login that token.c has no use for any more is ours from then on, if leases
 * were made under it: kept alive as long as one of them is needed, then revoked,
 * and with it whatever is still open under it.
 */
#pragma once

#include "base/buf.h"
#include "proto/grant.h"
#include "vault/call.h"
#include "vault/lease_life.h"

struct leases;
struct lease;
struct lease_login;

struct leases_host {
	/* The provider; NULL: the settings do not have it any more. */
	struct place *(*place)(void *ctx, const char *provider);
	/* This login is for nothing new any more; lease_takes_login() for it is
	 * called at some time.  May be called for a login that is unknown. */
	void (*doom)(void *ctx, struct place *p, const struct secret *token);
	/* lease_count() is another one. */
	void (*changed)(void *ctx);
};

struct leases *leases_new(struct loop *l, const struct leases_host *host,
			  void *ctx) MUST_USE;
void leases_free(struct leases *l); /* what is under way is forgotten */

/*
 * Read the journal and go on with what is in it; until then no lease is made.
 *
 * dir  the keeper's, open and borrowed; key: 32 bytes, borrowed
 */
MUST_USE int leases_open(struct leases *l, int dir, const struct secret *key,
			 struct err *e);

/* The login of a request that may make a lease. */
struct lease_under {
	struct place *place;
	const char *provider;
	const struct secret *token; /* copied */
	const struct ulid *attempt; /* whose login it is; NULL: the server's */
	bool ours;                  /* we logged in, so we may revoke it */
};

/*
 * Before a request that may make a lease: the login is on disk when this
 * returns 0.  Then exactly one of lease_made(), lease_none() and lease_lost().
 *
 * Fails with ERR_UNAVAILABLE as long as there is no journal, ERR_LIMIT when the
 * disk is full, ERR_INTERNAL.
 */
MUST_USE int lease_prepare(struct leases *l, const struct lease_under *u,
			   struct lease_login **ret, struct err *e);
/* There was no lease in the answer. */
void lease_none(struct lease_login *g);
/* There may be one that we do not know: it goes with its login. */
void lease_lost(struct lease_login *g);

struct lease_new {
	const struct grant *who;
	const char *path;     /* that was asked */
	const char *lease_id; /* at the provider */
	int64_t duration_s;
	bool renewable;
	bool keep; /* not revoked at the attempt's end */
	/* It is at its end and the value should be read anew; NULL: nobody
	 * wants that.  The lease is still there. */
	void (*again)(void *ctx, struct lease *le);
	/* It ended, and is not there any more: not to be released.  wanted: it
	 * is not that somebody ended it.  May be NULL. */
	void (*gone)(void *ctx, bool wanted);
	void *ctx;
};

/*
 * It was made, and is on disk when this returns 0.  After a failure it is being
 * revoked, and its value must not be handed on.  The lease is borrowed until
 * lease_release(), or `gone` was called.
 */
MUST_USE int lease_made(struct lease_login *g, const struct lease_new *n,
			struct lease **ret, struct err *e);
/* Nobody waits for `again` and `gone` any more. */
void lease_release(struct lease *le); /* NULL is fine */
/* Another one is in its place: it goes, whether its attempt lives or not. */
void lease_replaced(struct lease *le);

/* The attempt has ended: what is its own is revoked, or kept. */
void leases_attempt_ended(struct leases *l, const struct ulid *attempt);
/* After a start: these live, and then: all others have ended. */
void leases_attempt_alive(struct leases *l, const struct ulid *attempt);
void leases_alive_end(struct leases *l);
/* The provider is there again: what could not be revoked is tried anew. */
void leases_provider_up(struct leases *l, const char *provider);

/*
 * token.c has no use for a login any more.  True: it is ours now, and must not
 * be revoked; false: no lease was made under it.
 */
MUST_USE bool lease_takes_login(struct leases *l, const char *provider,
				const struct secret *token);

/* We are leaving: all attempts have ended.  idle is called once when nothing
 * is open or under way any more, perhaps at once. */
void leases_stop(struct leases *l, void (*idle)(void *ctx), void *ctx);

size_t leases_count(const struct leases *l); /* open ones */
/*
 * A JSON array of those behind `after` (ours; "": from the first) in the order
 * of their ids, at most limit; "" for provider, project, run: any.  Returns
 * whether there are more.
 */
bool leases_list(const struct leases *l, const char *provider,
		 const char *project, const char *run, const char *after,
		 size_t limit, struct buf *ret);
/* Somebody wants it revoked now; -1: there is none with this id. */
MUST_USE int leases_revoke(struct leases *l, const char *id);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The server's side of the edge to the keeper.  The server never sees a stored
 * value: it can put, list and remove, see names and versions, and ask whether a
 * text holds one, or was signed with one.
 */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "proto/edges.h"

struct keeper;

/* err.code ERR_NONE: done.  json: of a list; number: version, or 0/1; made: a
 * put found none. */
struct keeper_answer {
	struct err err;
	struct str json;
	uint64_t number;
	bool made;
	struct str
		masked; /* of a put: what a redactor cannot do; "": nothing */
};
typedef void keeper_fn(void *ctx, const struct keeper_answer *a);

/* The keeper's public keys: when it is new, and when they change. */
typedef void keeper_public_fn(void *ctx, const struct public_keys *k);

/* Takes fd. */
struct keeper *keeper_new(struct loop *l, int fd, keeper_public_fn *fn,
			  void *ctx);
void keeper_free(struct keeper *k); /* what waits gets ERR_UNAVAILABLE */
bool keeper_up(const struct keeper *k);
bool keeper_sealed(const struct keeper *k); /* the local store */

/* Each calls fn exactly once, later, in the loop's thread; -1: not, see e.
 * expect: the version that must be there, or EXPECT_*; else ERR_STALE. */
MUST_USE int keeper_put(struct keeper *k, struct str project, struct str name,
			uint64_t expect, struct str value, keeper_fn *fn,
			void *ctx, struct err *e);
/* The same of a value that we cannot read: secrets/sealed.h. */
MUST_USE int keeper_put_sealed(struct keeper *k, struct str project,
			       struct str name, uint64_t expect,
			       struct str sealed, keeper_fn *fn, void *ctx,
			       struct err *e);
MUST_USE int keeper_show(struct keeper *k, struct str project, struct str name,
			 keeper_fn *fn, void *ctx, struct err *e);
MUST_USE int keeper_versions(struct keeper *k, struct str project,
			     struct str name, keeper_fn *fn, void *ctx,
			     struct err *e);
/* By name, from behind `after` on ("": from the first); answered with number 1
 * when there are more.  limit: as of a page. */
MUST_USE int keeper_list(struct keeper *k, struct str project, struct str after,
			 uint32_t limit, keeper_fn *fn, void *ctx,
			 struct err *e);
MUST_USE int keeper_remove(struct keeper *k, struct str project,
			   struct str name, uint64_t expect, keeper_fn *fn,
			   void *ctx, struct err *e);
MUST_USE int keeper_scan(struct keeper *k, struct str project, struct str text,
			 keeper_fn *fn, void *ctx, struct err *e);
/* Answered with number 1 or 0.  content: what is signed. */
MUST_USE int keeper_verify(struct keeper *k, const struct verify *v,
			   struct str content, keeper_fn *fn, void *ctx,
			   struct err *e);

/* The run has ended: the key of its private files is to go.  Nobody waits, and
 * what is not heard is made up for by keeper_run_keys(), which calls fn, later,
 * for each run that the keeper has a key of. */
typedef void keeper_run_fn(void *ctx, const struct ulid *run);
void keeper_run_gone(struct keeper *k, const struct ulid *run);
void keeper_run_keys(struct keeper *k, keeper_run_fn *fn, void *ctx);

/* Any other question: type, and what comes behind its tag; beside: what goes
 * with it in a memory file, where there is any. */
MUST_USE int keeper_ask(struct keeper *k, enum msg_type type,
			const struct wire_writer *body, struct str beside,
			keeper_fn *fn, void *ctx, struct err *e);

/* Those that match, each "" for any; ids are ULIDs.  By id, from behind `after`
 * on; answered with number 1 when there are more. */
struct keeper_leases {
	struct str provider, project, run, after;
	uint32_t limit;
};
MUST_USE int keeper_leases(struct keeper *k, const struct keeper_leases *q,
			   keeper_fn *fn, void *ctx, struct err *e);
MUST_USE int keeper_lease_revoke(struct keeper *k, struct str id, keeper_fn *fn,
				 void *ctx, struct err *e);
/* How many are open. */
uint32_t keeper_lease_count(const struct keeper *k);

/* How a provider of secrets is; name "": the local store. */
struct keeper_provider {
	char name[64];
	enum provider_state state;
	char text[ERR_TEXT_MAX]; /* for people */
};
/* In the order that they were heard of; borrowed, until the next turn. */
const struct keeper_provider *keeper_providers(const struct keeper *k,
					       size_t *ret_n);
/* Called in the loop's thread at each change, borrowed. */
typedef void keeper_provider_fn(void *ctx, const struct keeper_provider *p);
void keeper_watch(struct keeper *k, keeper_provider_fn *fn, void *ctx);

/* Providers of secrets, as JSON; name "": all of them. */
MUST_USE int keeper_show_providers(struct keeper *k, struct str name,
				   keeper_fn *fn, void *ctx, struct err *e);
/* Ask one step by step, and whether its policy lets us read what jobs want:
 * "KIND PATH\n" for each.  Takes as long as the provider does. */
MUST_USE int keeper_check_provider(struct keeper *k, struct str name,
				   struct str paths, keeper_fn *fn, void *ctx,
				   struct err *e);

enum {
	KEEPER_INLINE_MAX = SECRET_INLINE_MAX,
	KEEPER_LIST_MAX = 1 << 20,
	KEEPER_PROVIDERS_MAX = 33, /* the store and those of the settings */
};

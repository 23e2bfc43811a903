/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Caches of tasks: content by project, scope and key.  The scope is what is
 * kept (a digest of the paths), so that nobody gets files where he did not ask
 * for them.  An entry never changes; those used longest ago go first.
 */
#pragma once

#include "store/store.h"

struct store_reader;

struct store_cache {
	int64_t id; /* grows; made by the store */
	struct ulid ulid;
	struct str project, scope, key;
	char sha256[HASH_HEX_LEN + 1];
	uint64_t bytes;
	struct ulid run; /* that saved it */
	int64_t created_us, used_us;
};
typedef int store_cache_fn(void *ctx, const struct store_cache *c,
			   struct err *e);

/* --- the engine --------------------------------------------------------- */

/* The one of this key; with prefix, the newest whose key begins so.  1 found,
 * 0 not, -1 error. */
MUST_USE int store_cache_find(struct store *s, struct str project,
			      struct str scope, struct str key, bool prefix,
			      store_cache_fn *fn, void *ctx, struct err *e);
/* Inside a transaction, all of these. */
MUST_USE int store_cache_used(struct store *s, int64_t id, int64_t now_us,
			      struct err *e);
/*
 * Keep one: where there is one of this key already, that stays.  Then the
 * project's caches are cut down to max_bytes.  What is not kept, or no longer,
 * becomes garbage.  *ret_kept: the new one is there.
 */
MUST_USE int store_cache_put(struct store *s, const struct store_cache *c,
			     uint64_t max_bytes, bool *ret_kept, struct err *e);
/* ERR_NOT_FOUND. */
MUST_USE int store_cache_delete(struct store *s, const struct ulid *ulid,
				struct err *e);
MUST_USE int store_cache_clear(struct store *s, struct str project,
			       struct err *e);

/* --- readers ------------------------------------------------------------ */

/* ERR_NOT_FOUND. */
MUST_USE int store_read_cache(struct store_reader *r, const struct ulid *ulid,
			      store_cache_fn *fn, void *ctx, struct err *e);
/* Newest first; project "" and visible "" (a JSON list of projects): all. */
MUST_USE int store_read_caches(struct store_reader *r, struct str project,
			       struct str visible, int64_t before,
			       uint32_t limit, store_cache_fn *fn, void *ctx,
			       struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Caches of tasks: which one an attempt starts from, and what becomes of the
 * one it leaves.  A cache that cannot be found, laid in or kept is none, and
 * never a reason for a task to fail.
 */
#include "job/cache.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/internal.h"
#include "store/caches.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int see(void *ctx, const struct store_cache *found, struct err *e)
{
	struct instance *in = ctx;
	struct job_cache *c = &in->job->cache;
	char *key = arena_strndup(in->job->arena, found->key.p, found->key.len);

	(void)e;
	if (!key)
		return 0;
	c->hit = str_n(key, found->key.len);
	memcpy(c->sha256, found->sha256, sizeof(c->sha256));
	in->cache_used = found->id;
	return 0;
}

void cache_find(struct instance *in)
{
	struct store *s = in->run->g->store;
	struct job_cache *c = &in->job->cache;
	struct str project = in->run->row.project, scope;
	char hex[HASH_HEX_LEN + 1];
	struct hash h;
	struct err e;
	int found;

	if (!c->key.len)
		return;
	h = job_cache_scope(c);
	hash_hex(&h, hex);
	scope = str_n(hex, HASH_HEX_LEN);
	found = store_cache_find(s, project, scope, c->key, false, see, in, &e);
	c->exact = found > 0;
	for (size_t i = 0; !found && i < c->n_restore_keys; i++)
		found = store_cache_find(s, project, scope, c->restore_keys[i],
					 true, see, in, &e);
	if (found < 0)
		log_warn("a cache cannot be looked for: %s", e.text);
}

void cache_lay(struct instance *in, int dir)
{
	struct job_cache *c = &in->job->cache;
	char blob[PATHS_MAX];

	if (!c->sha256[0])
		return;
	paths_blob(blob, c->sha256);
	if (!linkat(in->run->g->o.state_fd, blob, dir, "files/cache", 0))
		return;
	log_warn("cache " STR_FMT ": %s", STR_ARG(c->hit), strerror(errno));
	c->sha256[0] = '\0';
	c->hit = STR("");
	c->exact = false;
}

/* The key as it is now: what it was made of has not changed. */
static struct job_attempt *again(struct instance *in)
{
	struct job_stand stand = live_stand(in->run);
	struct job_attempt *a;
	struct err e;

	if (!job_plan_attempt(in->run->plan, in->index, &stand, &a, &e))
		return a;
	log_warn("a cache has no key: %s", e.text);
	return NULL;
}

void cache_keep(struct instance *in, const struct job_result_artifact *x,
		const struct collected *got)
{
	struct run *r = in->run;
	struct store_cache *c = arena_alloc(r->arena, sizeof(*c));
	struct job_attempt *a = again(in);
	char hex[HASH_HEX_LEN + 1];
	struct hash h;

	if (!a || !c || !got->bytes)
		goto out;
	h = job_cache_scope(&a->cache);
	hash_hex(&h, hex);
	*c = (struct store_cache){
		.ulid = ulid_new(),
		.project = r->row.project,
		.scope = live_str(r, str_n(hex, HASH_HEX_LEN)),
		.key = live_str(r, a->cache.key),
		.bytes = got->bytes,
		.run = r->row.ulid,
		.created_us = clock_real_us(),
	};
	c->used_us = c->created_us;
	hash_hex(&got->hash, c->sha256);
	if (strcmp(c->sha256, x->sha256) != 0 || !c->key.len ||
	    in->row.state != STATE_SUCCEEDED)
		c->bytes = UINT64_MAX; /* kept by nobody: garbage */
	in->cache_made = c;
out:
	job_attempt_free(a);
}

int cache_save(struct instance *in, struct err *e)
{
	struct engine *g = in->run->g;
	bool kept;

	if (in->cache_used &&
	    store_cache_used(g->store, in->cache_used, clock_real_us(), e))
		return -1;
	if (!in->cache_made)
		return 0;
	return store_cache_put(g->store, in->cache_made,
			       gate_cache_max(g, in->run->row.project), &kept,
			       e);
}

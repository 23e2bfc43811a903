/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Caches of tasks; see caches.h. */
#include "store/caches.h"
#include "store/reader.h"
#include "store/writer.h"

#include <string.h>

static void get_ulid(struct query *q, struct ulid *ret)
{
	struct str s = query_get_str(q);

	memset(ret, 0, sizeof(*ret));
	if (s.len == ULID_LEN)
		memcpy(ret->s, s.p, ULID_LEN);
}

static void get_cache(struct query *q, struct store_cache *c)
{
	struct str hex;

	*c = (struct store_cache){.id = query_get_i64(q)};
	get_ulid(q, &c->ulid);
	c->project = query_get_str(q);
	c->scope = query_get_str(q);
	c->key = query_get_str(q);
	hex = query_get_str(q);
	if (hex.len == HASH_HEX_LEN)
		memcpy(c->sha256, hex.p, HASH_HEX_LEN);
	c->bytes = (uint64_t)query_get_i64(q);
	get_ulid(q, &c->run);
	c->created_us = query_get_i64(q);
	c->used_us = query_get_i64(q);
}

/* 1 a row, 0 none, -1. */
static int see(struct query *q, store_cache_fn *fn, void *ctx, struct err *e)
{
	struct store_cache c;
	int r = query_step(q, e);

	if (r <= 0)
		return r;
	get_cache(q, &c);
	return fn(ctx, &c, e) ? -1 : 1;
}

/* --- the engine --------------------------------------------------------- */

int store_cache_find(struct store *s, struct str project, struct str scope,
		     struct str key, bool prefix, store_cache_fn *fn, void *ctx,
		     struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, prefix ? DB_CACHE_LIKE : DB_CACHE_FIND, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, scope);
	query_str(&q, key);
	return see(&q, fn, ctx, e);
}

int store_cache_used(struct store *s, int64_t id, int64_t now_us, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_CACHE_USED, &q, e))
		return -1;
	query_i64(&q, now_us);
	query_i64(&q, id);
	return query_run(&q, e);
}

static int add(struct store *s, const struct store_cache *c, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_CACHE_PUT, &q, e))
		return -1;
	query_str(&q, str_from(c->ulid.s));
	query_str(&q, c->project);
	query_str(&q, c->scope);
	query_str(&q, c->key);
	query_str(&q, str_from(c->sha256));
	query_i64(&q, (int64_t)c->bytes);
	query_str(&q, str_from(c->run.s));
	query_i64(&q, c->created_us);
	query_i64(&q, c->used_us);
	return query_run(&q, e);
}

static int of_project(struct store *s, enum db_stmt what, struct str project,
		      int64_t *ret, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, what, &q, e))
		return -1;
	query_str(&q, project);
	if (!ret)
		return query_run(&q, e);
	if (query_step(&q, e) < 0)
		return -1;
	*ret = query_get_i64(&q);
	return 0;
}

static int see_ulid(void *ctx, const struct store_cache *c, struct err *e)
{
	(void)e;
	memcpy(ctx, &c->ulid, sizeof(c->ulid));
	return 0;
}

/* The one that was used longest ago. */
static int oldest(struct store *s, struct str project, struct ulid *ret,
		  struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_CACHE_OLDEST, &q, e))
		return -1;
	query_str(&q, project);
	return see(&q, see_ulid, ret, e);
}

static int cut_down(struct store *s, struct str project, uint64_t max_bytes,
		    struct err *e)
{
	for (;;) {
		struct ulid old = {{0}};
		int64_t bytes = 0;
		int r;

		if (of_project(s, DB_CACHE_BYTES, project, &bytes, e))
			return -1;
		if ((uint64_t)bytes <= max_bytes)
			return 0;
		r = oldest(s, project, &old, e);
		if (r <= 0)
			return r;
		if (store_cache_delete(s, &old, e))
			return -1;
	}
}

int store_cache_put(struct store *s, const struct store_cache *c,
		    uint64_t max_bytes, bool *ret_kept, struct err *e)
{
	*ret_kept = false;
	if (c->bytes > max_bytes)
		return store_garbage_later(s, c->sha256, 0, e);
	if (add(s, c, e))
		return -1;
	if (!sqlite3_changes(s->db.lite))
		return store_garbage_later(s, c->sha256, 0, e);
	*ret_kept = true;
	return cut_down(s, c->project, max_bytes, e);
}

int store_cache_delete(struct store *s, const struct ulid *ulid, struct err *e)
{
	static const enum db_stmt steps[] = {DB_GARBAGE_OF_CACHE,
					     DB_DELETE_CACHE};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct query q CLEANUP_QUERY = {0};

		if (query_start(&s->db, steps[i], &q, e))
			return -1;
		query_str(&q, str_from(ulid->s));
		if (query_run(&q, e))
			return -1;
		if (!sqlite3_changes(s->db.lite))
			return err_set(e, ERR_NOT_FOUND, "no such cache");
	}
	return 0;
}

int store_cache_clear(struct store *s, struct str project, struct err *e)
{
	return of_project(s, DB_GARBAGE_OF_CACHES, project, NULL, e) ||
			       of_project(s, DB_DELETE_CACHES, project, NULL,
					  e) ?
		       -1 :
		       0;
}

/* --- readers ------------------------------------------------------------ */

int store_read_cache(struct store_reader *r, const struct ulid *ulid,
		     store_cache_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int found;

	if (query_start(&r->db, DB_CACHE_GET, &q, e))
		return -1;
	query_str(&q, str_from(ulid->s));
	found = see(&q, fn, ctx, e);
	return found > 0 ? 0 :
	       found < 0 ? -1 :
			   err_set(e, ERR_NOT_FOUND, "no such cache");
}

int store_read_caches(struct store_reader *r, struct str project,
		      struct str visible, int64_t before, uint32_t limit,
		      store_cache_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int more;

	if (query_start(&r->db, DB_CACHES, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, visible);
	query_i64(&q, before ? before : INT64_MAX);
	query_i64(&q, limit);
	while ((more = see(&q, fn, ctx, e)) > 0)
		;
	return more;
}

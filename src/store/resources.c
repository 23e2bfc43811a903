/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Small things with a name, and tokens; see resources.h. */
#include "store/resources.h"
#include "store/writer.h"

#include <string.h>

static int64_t below(int64_t before)
{
	return before ? before : INT64_MAX;
}

static int64_t at_most(uint32_t limit)
{
	return limit ? (int64_t)limit : -1; /* SQLite's word for all */
}

static void get_resource(struct query *q, struct store_resource *x)
{
	*x = (struct store_resource){.id = query_get_i64(q)};
	x->kind = query_get_str(q);
	x->name = query_get_str(q);
	x->body = query_get_str(q);
	x->created_us = query_get_i64(q);
	x->changed_us = query_get_i64(q);
	x->changed_by = query_get_str(q);
}

static int one(struct db *db, struct str kind, struct str name,
	       store_resource_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_resource x;
	int r;

	if (query_start(db, DB_RESOURCE_GET, &q, e))
		return -1;
	query_str(&q, kind);
	query_str(&q, name);
	r = query_step(&q, e);
	if (r < 0)
		return -1;
	if (!r)
		return err_set(e, ERR_NOT_FOUND, "no such " STR_FMT,
			       STR_ARG(kind));
	get_resource(&q, &x);
	return fn(ctx, &x, e);
}

static int each(struct db *db, struct str kind, int64_t before, uint32_t limit,
		store_resource_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_resource x;
	int r;

	if (query_start(db, DB_RESOURCES, &q, e))
		return -1;
	query_str(&q, kind);
	query_i64(&q, below(before));
	query_i64(&q, at_most(limit));
	while ((r = query_step(&q, e)) > 0) {
		get_resource(&q, &x);
		if (fn(ctx, &x, e))
			return -1;
	}
	return r;
}

int store_resource_put(struct store *s, const struct store_resource *x,
		       struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_RESOURCE_PUT, &q, e))
		return -1;
	query_str(&q, x->kind);
	query_str(&q, x->name);
	query_str(&q, x->body);
	query_i64(&q, x->changed_us);
	query_str(&q, x->changed_by);
	return query_run(&q, e);
}

static int gone(struct store *s, struct query *q, const char *what,
		struct err *e)
{
	if (query_run(q, e))
		return -1;
	return sqlite3_changes(s->db.lite) ?
		       0 :
		       err_set(e, ERR_NOT_FOUND, "no such %s", what);
}

int store_resource_delete(struct store *s, struct str kind, struct str name,
			  struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_RESOURCE_DELETE, &q, e))
		return -1;
	query_str(&q, kind);
	query_str(&q, name);
	return gone(s, &q, "thing", e);
}

int store_resource_get(struct store *s, struct str kind, struct str name,
		       store_resource_fn *fn, void *ctx, struct err *e)
{
	return one(&s->db, kind, name, fn, ctx, e);
}

int store_resources(struct store *s, struct str kind, store_resource_fn *fn,
		    void *ctx, struct err *e)
{
	return each(&s->db, kind, 0, 0, fn, ctx, e);
}

int store_read_resource(struct store_reader *r, struct str kind,
			struct str name, store_resource_fn *fn, void *ctx,
			struct err *e)
{
	return one(&r->db, kind, name, fn, ctx, e);
}

int store_read_resources(struct store_reader *r, struct str kind,
			 int64_t before, uint32_t limit, store_resource_fn *fn,
			 void *ctx, struct err *e)
{
	return each(&r->db, kind, before, limit, fn, ctx, e);
}

/* --- tokens ------------------------------------------------------------- */

static int get_token(struct query *q, struct store_token *t, struct err *e)
{
	struct str ulid, hash;

	*t = (struct store_token){.id = query_get_i64(q)};
	ulid = query_get_str(q);
	hash = query_get_str(q);
	if (ulid.len != ULID_LEN || hash.len != HASH_LEN)
		return err_set(e, ERR_INTERNAL, "a token's row is odd");
	memcpy(t->ulid.s, ulid.p, ULID_LEN);
	memcpy(t->hash.b, hash.p, HASH_LEN);
	t->name = query_get_str(q);
	t->subject = query_get_str(q);
	t->role = (uint8_t)query_get_i64(q);
	t->projects = query_get_str(q);
	t->created_us = query_get_i64(q);
	t->created_by = query_get_str(q);
	t->expires_us = query_get_i64(q);
	t->used_us = query_get_i64(q);
	return 0;
}

int store_token_add(struct store *s, const struct store_token *t, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_TOKEN_ADD, &q, e))
		return -1;
	query_str(&q, str_from(t->ulid.s));
	query_blob(&q, t->hash.b, HASH_LEN);
	query_str(&q, t->name);
	query_str(&q, t->subject);
	query_i64(&q, t->role);
	query_str(&q, t->projects);
	query_i64(&q, t->created_us);
	query_str(&q, t->created_by);
	query_i64(&q, t->expires_us);
	return query_run(&q, e);
}

int store_token_used(struct store *s, struct str ulid, int64_t us,
		     struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_TOKEN_USED, &q, e))
		return -1;
	query_i64(&q, us);
	query_str(&q, ulid);
	return query_run(&q, e);
}

int store_token_delete(struct store *s, struct str ulid, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_TOKEN_DELETE, &q, e))
		return -1;
	query_str(&q, ulid);
	return gone(s, &q, "token", e);
}

int store_tokens_delete(struct store *s, struct str subject, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_TOKENS_DELETE, &q, e))
		return -1;
	query_str(&q, subject);
	return query_run(&q, e);
}

static int one_token(struct db *db, struct str ulid, store_token_fn *fn,
		     void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_token t;
	int n;

	if (query_start(db, DB_TOKEN_GET, &q, e))
		return -1;
	query_str(&q, ulid);
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no such token");
	return get_token(&q, &t, e) ? -1 : fn(ctx, &t, e);
}

int store_token_get(struct store *s, struct str ulid, store_token_fn *fn,
		    void *ctx, struct err *e)
{
	return one_token(&s->db, ulid, fn, ctx, e);
}

int store_read_token(struct store_reader *r, struct str ulid,
		     store_token_fn *fn, void *ctx, struct err *e)
{
	return one_token(&r->db, ulid, fn, ctx, e);
}

int store_read_tokens(struct store_reader *r, struct str subject,
		      int64_t before, uint32_t limit, store_token_fn *fn,
		      void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_token t;
	int n;

	if (query_start(&r->db, DB_TOKENS, &q, e))
		return -1;
	query_str(&q, subject);
	query_i64(&q, below(before));
	query_i64(&q, at_most(limit));
	while ((n = query_step(&q, e)) > 0)
		if (get_token(&q, &t, e) || fn(ctx, &t, e))
			return -1;
	return n;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Webhooks and what became of their calls; see hooks.h. */
#include "store/hooks.h"
#include "store/writer.h"

enum {
	TRIM_EVERY = 256 /* rows: to count them takes a while */
};

static void get_hook(struct query *q, struct store_hook *h)
{
	*h = (struct store_hook){.n = query_get_i64(q)};
	h->id = query_get_str(q);
	h->project = query_get_str(q);
	h->job = query_get_str(q);
	h->name = query_get_str(q);
	h->scheme = query_get_str(q);
	h->secret = query_get_str(q);
	h->created_us = query_get_i64(q);
}

static void get_delivery(struct query *q, struct store_delivery *d)
{
	*d = (struct store_delivery){.id = query_get_i64(q)};
	d->hook = query_get_i64(q);
	d->delivery = query_get_str(q);
	d->event = query_get_str(q);
	d->outcome = query_get_str(q);
	d->run = query_get_str(q);
	d->error = query_get_str(q);
	d->at_us = query_get_i64(q);
}

/* --- hooks -------------------------------------------------------------- */

int store_hook_put(struct store *s, const struct store_hook *h, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_HOOK_PUT, &q, e))
		return -1;
	query_str(&q, h->id);
	query_str(&q, h->project);
	query_str(&q, h->job);
	query_str(&q, h->name);
	query_str(&q, h->scheme);
	query_str(&q, h->secret);
	query_i64(&q, h->created_us);
	return query_run(&q, e);
}

int store_hooks_keep(struct store *s, struct str project, struct str job,
		     struct str names, struct err *e)
{
	static const enum db_stmt steps[] = {DB_DELIVERIES_KEEP, DB_HOOKS_KEEP};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct query q CLEANUP_QUERY = {0};

		if (query_start(&s->db, steps[i], &q, e))
			return -1;
		query_str(&q, project);
		query_str(&q, job);
		query_str(&q, names);
		if (query_run(&q, e))
			return -1;
	}
	return 0;
}

int store_hook_rotate(struct store *s, struct str project, struct str job,
		      struct str name, struct str id, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_HOOK_ROTATE, &q, e))
		return -1;
	query_str(&q, id);
	query_str(&q, project);
	query_str(&q, job);
	query_str(&q, name);
	if (query_run(&q, e))
		return -1;
	return sqlite3_changes(s->db.lite) ?
		       0 :
		       err_set(e, ERR_NOT_FOUND, "no such hook");
}

int store_read_hook(struct store_reader *r, struct str id, store_hook_fn *fn,
		    void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_hook h;
	int found;

	if (query_start(&r->db, DB_HOOK_GET, &q, e))
		return -1;
	query_str(&q, id);
	found = query_step(&q, e);
	if (found <= 0)
		return found;
	get_hook(&q, &h);
	return fn(ctx, &h, e) ? -1 : 1;
}

int store_read_hooks(struct store_reader *r, struct str project, struct str job,
		     store_hook_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_hook h;
	int more;

	if (query_start(&r->db, DB_HOOKS, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, job);
	while ((more = query_step(&q, e)) > 0) {
		get_hook(&q, &h);
		if (fn(ctx, &h, e))
			return -1;
	}
	return more;
}

/* --- deliveries --------------------------------------------------------- */

static int trim(struct store *s, int64_t hook, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_DELIVERIES_TRIM, &q, e))
		return -1;
	query_i64(&q, hook);
	query_i64(&q, STORE_DELIVERIES_MAX - 1);
	return query_run(&q, e);
}

int store_delivery_put(struct store *s, const struct store_delivery *d,
		       struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_DELIVERY_PUT, &q, e))
		return -1;
	query_i64(&q, d->hook);
	query_str(&q, d->delivery);
	query_str(&q, d->event);
	query_str(&q, d->outcome);
	query_str(&q, d->run);
	query_str(&q, d->error);
	query_i64(&q, d->at_us);
	if (query_run(&q, e))
		return -1;
	return sqlite3_last_insert_rowid(s->db.lite) % TRIM_EVERY ?
		       0 :
		       trim(s, d->hook, e);
}

static int get(struct db *db, int64_t hook, struct str delivery,
	       store_delivery_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_delivery d;
	int found;

	if (query_start(db, DB_DELIVERY_GET, &q, e))
		return -1;
	query_i64(&q, hook);
	query_str(&q, delivery);
	found = query_step(&q, e);
	if (found <= 0)
		return found;
	get_delivery(&q, &d);
	return fn && fn(ctx, &d, e) ? -1 : 1;
}

int store_delivery_get(struct store *s, int64_t hook, struct str delivery,
		       store_delivery_fn *fn, void *ctx, struct err *e)
{
	return get(&s->db, hook, delivery, fn, ctx, e);
}

int store_read_delivery(struct store_reader *r, int64_t hook,
			struct str delivery, store_delivery_fn *fn, void *ctx,
			struct err *e)
{
	return get(&r->db, hook, delivery, fn, ctx, e);
}

int store_read_deliveries(struct store_reader *r, int64_t hook, int64_t before,
			  uint32_t limit, store_delivery_fn *fn, void *ctx,
			  struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_delivery d;
	int more;

	if (query_start(&r->db, DB_DELIVERIES, &q, e))
		return -1;
	query_i64(&q, hook);
	query_i64(&q, before ? before : INT64_MAX);
	query_i64(&q, limit);
	while ((more = query_step(&q, e)) > 0) {
		get_delivery(&q, &d);
		if (fn(ctx, &d, e))
			return -1;
	}
	return more;
}

int store_deliveries_expire(struct store *s, int64_t before_us, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_DELIVERIES_EXPIRE, &q, e))
		return -1;
	query_i64(&q, before_us);
	return query_run(&q, e);
}

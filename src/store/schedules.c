/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How far schedules have got; see jobs.h. */
#include "store/jobs.h"
#include "store/writer.h"

int store_schedule_put(struct store *s, const struct store_schedule *x,
		       struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_SCHEDULE_PUT, &q, e))
		return -1;
	query_str(&q, x->project);
	query_str(&q, x->job);
	query_str(&q, x->name);
	query_i64(&q, x->last_s);
	query_i64(&q, x->paused);
	query_str(&q, x->run);
	query_str(&q, x->error);
	return query_run(&q, e);
}

static int get(struct db *db, struct str project, struct str job,
	       struct str name, store_schedule_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_schedule x;
	int r;

	if (query_start(db, DB_SCHEDULE_GET, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, job);
	query_str(&q, name);
	r = query_step(&q, e);
	if (r <= 0)
		return r;
	x.project = query_get_str(&q);
	x.job = query_get_str(&q);
	x.name = query_get_str(&q);
	x.last_s = query_get_i64(&q);
	x.paused = query_get_i64(&q) != 0;
	x.run = query_get_str(&q);
	x.error = query_get_str(&q);
	return fn(ctx, &x, e) ? -1 : 1;
}

int store_schedule_get(struct store *s, struct str project, struct str job,
		       struct str name, store_schedule_fn *fn, void *ctx,
		       struct err *e)
{
	return get(&s->db, project, job, name, fn, ctx, e);
}

int store_read_schedule(struct store_reader *r, struct str project,
			struct str job, struct str name, store_schedule_fn *fn,
			void *ctx, struct err *e)
{
	return get(&r->db, project, job, name, fn, ctx, e);
}

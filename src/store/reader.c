/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A read-only connection; see reader.h. */
#include "store/reader.h"
#include "base/mem.h"
#include "store/db.h"

int store_reader_open(const char *path, struct store_reader **ret,
		      struct err *e)
{
	struct store_reader *r = mem_alloc(sizeof(*r));

	/* not READONLY: the shared index of the WAL is written by readers */
	if (db_open(path, SQLITE_OPEN_READWRITE, &r->db, e) ||
	    db_exec(&r->db, "PRAGMA query_only=ON;PRAGMA temp_store=MEMORY",
		    e)) {
		store_reader_close(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	db_close(&r->db);
	mem_free(r);
}

int store_reader_begin(struct store_reader *r, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&r->db, DB_BEGIN_READ, &q, e))
		return -1;
	return query_run(&q, e);
}

void store_reader_end(struct store_reader *r)
{
	struct query q CLEANUP_QUERY = {0};
	struct err e;

	if (!query_start(&r->db, DB_COMMIT, &q, &e))
		(void)!query_run(&q, &e);
}

int store_read_run(struct store_reader *r, const struct ulid *ulid,
		   store_run_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_run run;
	int n;

	if (query_start(&r->db, DB_RUN_GET, &q, e))
		return -1;
	query_str(&q, str_from(ulid->s));
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no such run");
	db_get_run(&q, &run);
	return fn(ctx, &run, e);
}

int store_read_canonical(struct store_reader *r, const struct ulid *run,
			 struct buf *b, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int n;

	if (query_start(&r->db, DB_RUN_CANONICAL, &q, e))
		return -1;
	query_str(&q, str_from(run->s));
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no such run");
	return buf_str(b, query_get_str(&q)) ?
		       0 :
		       err_set(e, ERR_LIMIT, "the job is too long");
}

int store_read_queue(struct store_reader *r, struct str visible, uint32_t limit,
		     store_run_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&r->db, DB_RUNS_QUEUE, &q, e))
		return -1;
	query_str(&q, visible);
	query_i64(&q, limit);
	return db_each_run(&q, fn, ctx, e);
}

int store_read_group(struct store_reader *r, struct str project,
		     struct str group, store_run_fn *fn, void *ctx,
		     struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&r->db, DB_RUNS_GROUP, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, group);
	return db_each_run(&q, fn, ctx, e);
}

/* --- parts of a run ----------------------------------------------------- */

int store_read_tasks(struct store_reader *r, int64_t run, store_task_fn *fn,
		     void *ctx, struct err *e)
{
	return db_tasks(&r->db, run, fn, ctx, e);
}

int store_read_attempts(struct store_reader *r, int64_t run,
			store_attempt_fn *fn, void *ctx, struct err *e)
{
	return db_attempts(&r->db, run, fn, ctx, e);
}

int store_read_attempts_from(struct store_reader *r, int64_t run,
			     uint64_t fence, store_attempt_fn *fn, void *ctx,
			     struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_attempt a;
	int n;

	if (query_start(&r->db, DB_ATTEMPTS_FROM, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, (int64_t)fence);
	while ((n = query_step(&q, e)) > 0) {
		db_get_attempt(&q, &a);
		if (fn(ctx, &a, e))
			return -1;
	}
	return n;
}

int store_read_attempt(struct store_reader *r, int64_t run, uint32_t index,
		       uint32_t number, store_attempt_fn *fn, void *ctx,
		       struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_attempt a;
	int n;

	if (query_start(&r->db, DB_ATTEMPT_GET, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, index);
	query_i64(&q, number);
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no such attempt");
	db_get_attempt(&q, &a);
	return fn(ctx, &a, e);
}

int store_read_artifacts(struct store_reader *r, int64_t run,
			 store_artifact_fn *fn, void *ctx, struct err *e)
{
	return db_artifacts(&r->db, run, fn, ctx, e);
}

int store_read_events(struct store_reader *r, const struct ulid *run,
		      struct str visible, int64_t after, int64_t to,
		      uint32_t limit, store_event_fn *fn, void *ctx,
		      struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_event ev;
	int n;

	if (query_start(&r->db, run ? DB_EVENTS_OF : DB_EVENTS, &q, e))
		return -1;
	query_i64(&q, after);
	query_str(&q, run ? str_from(run->s) : visible);
	query_i64(&q, limit);
	if (!run)
		query_i64(&q, to);
	while ((n = query_step(&q, e)) > 0) {
		db_get_event(&q, &ev);
		if (fn(ctx, &ev, e))
			return -1;
	}
	return n;
}

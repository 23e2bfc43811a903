/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stored jobs; see jobs.h. */
#include "store/jobs.h"
#include "store/hooks.h"
#include "store/writer.h"

static void get_job(struct query *q, bool whole, struct store_job *j)
{
	*j = (struct store_job){.revision = query_get_i64(q)};
	j->project = query_get_str(q);
	j->name = query_get_str(q);
	j->digest = query_get_str(q);
	j->syntax = query_get_str(q);
	j->description = query_get_str(q);
	j->created_us = query_get_i64(q);
	j->put_us = query_get_i64(q);
	j->put_by = query_get_str(q);
	j->current = query_get_i64(q) != 0;
	if (!whole)
		return;
	j->text = query_get_str(q);
	j->canonical = query_get_str(q);
}

static int one(struct db *db, struct str project, struct str name,
	       struct str digest, store_job_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_job j;
	int r;

	if (query_start(db, digest.len ? DB_REVISION_GET : DB_JOB_GET, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, name);
	if (digest.len)
		query_str(&q, digest);
	r = query_step(&q, e);
	if (r < 0)
		return -1;
	if (!r)
		return err_set(e, ERR_NOT_FOUND, "no such %s",
			       digest.len ? "revision" : "job");
	get_job(&q, true, &j);
	return fn(ctx, &j, e);
}

static int each(struct query *q, store_job_fn *fn, void *ctx, struct err *e)
{
	struct store_job j;
	int r;

	while ((r = query_step(q, e)) > 0) {
		get_job(q, false, &j);
		if (fn(ctx, &j, e))
			return -1;
	}
	return r;
}

static int of_project(struct db *db, struct str project, int64_t before,
		      uint32_t limit, store_job_fn *fn, void *ctx,
		      struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(db, DB_JOBS, &q, e))
		return -1;
	query_str(&q, project);
	query_i64(&q, before ? before : INT64_MAX);
	query_i64(&q, limit);
	return each(&q, fn, ctx, e);
}

/* --- writing ------------------------------------------------------------ */

int store_job_put(struct store *s, const struct store_job *j, struct err *e)
{
	struct query revision CLEANUP_QUERY = {0}, job CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_REVISION_PUT, &revision, e))
		return -1;
	query_str(&revision, j->project);
	query_str(&revision, j->name);
	query_str(&revision, j->digest);
	query_str(&revision, j->syntax);
	query_str(&revision, j->text);
	query_str(&revision, j->canonical);
	query_i64(&revision, j->put_us);
	query_str(&revision, j->put_by);
	if (query_run(&revision, e) || query_start(&s->db, DB_JOB_PUT, &job, e))
		return -1;
	query_str(&job, j->project);
	query_str(&job, j->name);
	query_i64(&job, sqlite3_last_insert_rowid(s->db.lite));
	query_i64(&job, j->created_us);
	return query_run(&job, e);
}

int store_job_delete(struct store *s, struct str project, struct str name,
		     struct err *e)
{
	/* the job last: its count of rows is the answer */
	static const enum db_stmt steps[] = {
		DB_DELETE_REVISIONS, DB_DELETE_SCHEDULES, DB_DELETE_JOB};

	if (store_hooks_keep(s, project, name, STR("[]"), e))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct query q CLEANUP_QUERY = {0};

		if (query_start(&s->db, steps[i], &q, e))
			return -1;
		query_str(&q, project);
		query_str(&q, name);
		if (query_run(&q, e))
			return -1;
	}
	return sqlite3_changes(s->db.lite) ?
		       0 :
		       err_set(e, ERR_NOT_FOUND, "no such job");
}

int store_job_get(struct store *s, struct str project, struct str name,
		  store_job_fn *fn, void *ctx, struct err *e)
{
	return one(&s->db, project, name, STR(""), fn, ctx, e);
}

int store_job_has(struct store *s, struct str project, struct str name,
		  struct str digest, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_REVISION_HAS, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, name);
	query_str(&q, digest);
	return query_step(&q, e);
}

int store_jobs(struct store *s, struct str project, uint32_t limit,
	       store_job_fn *fn, void *ctx, struct err *e)
{
	return of_project(&s->db, project, 0, limit, fn, ctx, e);
}

int store_jobs_scheduled(struct store *s, store_job_fn *fn, void *ctx,
			 struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_job j;
	int r;

	if (query_start(&s->db, DB_JOBS_SCHEDULED, &q, e))
		return -1;
	while ((r = query_step(&q, e)) > 0) {
		get_job(&q, true, &j);
		if (fn(ctx, &j, e))
			return -1;
	}
	return r;
}

/* --- reading ------------------------------------------------------------ */

int store_read_job(struct store_reader *r, struct str project, struct str name,
		   struct str digest, store_job_fn *fn, void *ctx,
		   struct err *e)
{
	return one(&r->db, project, name, digest, fn, ctx, e);
}

int store_read_jobs(struct store_reader *r, struct str project, int64_t before,
		    uint32_t limit, store_job_fn *fn, void *ctx, struct err *e)
{
	return of_project(&r->db, project, before, limit, fn, ctx, e);
}

int store_read_revisions(struct store_reader *r, struct str project,
			 struct str name, int64_t before, uint32_t limit,
			 store_job_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&r->db, DB_REVISIONS, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, name);
	query_i64(&q, before ? before : INT64_MAX);
	query_i64(&q, limit);
	return each(&q, fn, ctx, e);
}

int store_read_vault_paths(struct store_reader *r, struct str provider,
			   uint32_t limit, store_path_fn *fn, void *ctx,
			   struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int more;

	if (query_start(&r->db, DB_VAULT_PATHS, &q, e))
		return -1;
	query_str(&q, provider);
	query_i64(&q, limit);
	while ((more = query_step(&q, e)) > 0) {
		struct str path = query_get_str(&q);

		if (fn(ctx, path, query_get_str(&q), e))
			return -1;
	}
	return more;
}

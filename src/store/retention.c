/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Runs of a job by age; see retention.h. */
#include "store/retention.h"
#include "store/writer.h"

#include <string.h>

static void copy(char to[STORE_NAME_MAX + 1], struct str s)
{
	size_t n = s.len < STORE_NAME_MAX ? s.len : STORE_NAME_MAX;

	memcpy(to, s.p, n);
	to[n] = '\0';
}

int store_job_next(struct store *s, char project[STORE_NAME_MAX + 1],
		   char job[STORE_NAME_MAX + 1], struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	char before[2][STORE_NAME_MAX + 1];
	int r;

	memcpy(before[0], project, sizeof(before[0]));
	memcpy(before[1], job, sizeof(before[1]));
	if (query_start(&s->db, DB_JOB_NEXT, &q, e))
		return -1;
	query_str(&q, str_from(before[0]));
	query_str(&q, str_from(before[1]));
	r = query_step(&q, e);
	if (r <= 0)
		return r;
	copy(project, query_get_str(&q));
	copy(job, query_get_str(&q));
	return 1;
}

int store_job_runs(struct store *s, struct str project, struct str job,
		   int64_t after, uint32_t limit, store_run_fn *fn, void *ctx,
		   struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int r;

	if (query_start(&s->db, DB_JOB_RUNS, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, job);
	query_i64(&q, after);
	query_i64(&q, limit);
	while ((r = query_step(&q, e)) > 0) {
		struct store_run x = {.id = query_get_i64(&q)};
		struct str ulid = query_get_str(&q);

		memcpy(x.ulid.s, ulid.p,
		       ulid.len < ULID_LEN ? ulid.len : ULID_LEN);
		x.state = (enum run_state)query_get_i64(&q);
		x.finished_us = query_get_i64(&q);
		x.parent = query_get_str(&q);
		x.logs_gone = query_get_i64(&q) != 0;
		if (fn(ctx, &x, e))
			return -1;
	}
	return r;
}

static int number(struct query *q, int64_t *ret, struct err *e)
{
	int r = query_step(q, e);

	if (r < 0)
		return -1;
	*ret = r ? query_get_i64(q) : 0;
	return 0;
}

int store_job_boundary(struct store *s, struct str project, struct str job,
		       uint32_t keep, int64_t *ret, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_JOB_BOUNDARY, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, job);
	query_i64(&q, keep);
	return number(&q, ret, e);
}

int store_job_succeeded_after(struct store *s, struct str project,
			      struct str job, int64_t after, bool *ret,
			      struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int64_t id;

	if (query_start(&s->db, DB_JOB_SUCCEEDED, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, job);
	query_i64(&q, after);
	if (number(&q, &id, e))
		return -1;
	*ret = id != 0;
	return 0;
}

int store_run_logs_gone(struct store *s, int64_t run, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_RUN_LOGS_GONE, &q, e))
		return -1;
	query_i64(&q, run);
	return query_run(&q, e);
}

int store_run_has_logs(struct store *s, const struct ulid *run, bool *ret,
		       struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int64_t there;

	if (query_start(&s->db, DB_RUN_HAS_LOGS, &q, e))
		return -1;
	query_str(&q, str_from(run->s));
	if (number(&q, &there, e))
		return -1;
	*ret = there != 0;
	return 0;
}

int store_audit_expire(struct store *s, int64_t before_us, uint32_t limit,
		       struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_AUDIT_EXPIRE, &q, e))
		return -1;
	query_i64(&q, before_us);
	query_i64(&q, limit);
	return query_run(&q, e) ? -1 : sqlite3_changes(s->db.lite);
}

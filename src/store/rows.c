/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Rows as values, in the order of the column lists of statements.c. */
#include "store/db.h"

#include <string.h>

static void get_ulid(struct query *q, struct ulid *ret)
{
	struct str s = query_get_str(q);

	memset(ret, 0, sizeof(*ret));
	if (s.len == ULID_LEN)
		memcpy(ret->s, s.p, ULID_LEN);
}

/* What is out of range was not written by us: it reads as the harmless. */
static enum run_state get_state(struct query *q)
{
	int64_t v = query_get_i64(q);

	return v >= 0 && v < N_STATES ? (enum run_state)v : STATE_FAILED;
}

static enum fail_kind get_kind(struct query *q)
{
	int64_t v = query_get_i64(q);

	return v >= 0 && v < N_KINDS ? (enum fail_kind)v : KIND_INTERNAL;
}

void db_get_run(struct query *q, struct store_run *r)
{
	*r = (struct store_run){.id = query_get_i64(q)};
	get_ulid(q, &r->ulid);
	r->project = query_get_str(q);
	r->job = query_get_str(q);
	r->definition_digest = query_get_str(q);
	r->run_digest = query_get_str(q);
	r->state = get_state(q);
	r->kind = get_kind(q);
	r->blocked = query_get_str(q);
	r->error = query_get_str(q);
	r->labels = query_get_str(q);
	r->inputs = query_get_str(q);
	r->trigger = query_get_str(q);
	r->submitter = query_get_str(q);
	r->source = query_get_str(q);
	r->source_bytes = (uint64_t)query_get_i64(q);
	r->priority = (int32_t)query_get_i64(q);
	r->cancelled = query_get_i64(q) != 0;
	r->timed_out = query_get_i64(q) != 0;
	r->created_us = query_get_i64(q);
	r->started_us = query_get_i64(q);
	r->finished_us = query_get_i64(q);
	r->finally_us = query_get_i64(q);
	r->rerun_of = query_get_str(q);
	r->group = query_get_str(q);
	r->git_url = query_get_str(q);
	r->git_ref = query_get_str(q);
	r->commit = query_get_str(q);
	r->fetch = query_get_str(q);
	r->parent = query_get_str(q);
	r->parent_task = query_get_str(q);
	r->parent_attempt = (uint32_t)query_get_i64(q);
	r->root = query_get_str(q);
	r->depth = (uint32_t)query_get_i64(q);
	r->token = query_get_str(q);
	r->logs_gone = query_get_i64(q) != 0;
}

void db_get_task(struct query *q, struct store_task *t)
{
	*t = (struct store_task){.index = (uint32_t)query_get_i64(q)};
	t->name = query_get_str(q);
	t->state = get_state(q);
	t->kind = get_kind(q);
	t->attempt = (uint32_t)query_get_i64(q);
	t->blocked = query_get_str(q);
	t->error = query_get_str(q);
	t->due_us = query_get_i64(q);
}

void db_get_attempt(struct query *q, struct store_attempt *a)
{
	*a = (struct store_attempt){.fence = (uint64_t)query_get_i64(q)};
	a->index = (uint32_t)query_get_i64(q);
	a->number = (uint32_t)query_get_i64(q);
	get_ulid(q, &a->ulid);
	a->state = get_state(q);
	a->kind = get_kind(q);
	a->exit_code = (int32_t)query_get_i64(q);
	a->signo = (uint8_t)query_get_i64(q);
	a->shared = query_get_i64(q) != 0;
	a->uid_slot = (uint32_t)query_get_i64(q);
	get_ulid(q, &a->workspace);
	a->started_us = query_get_i64(q);
	a->finished_us = query_get_i64(q);
	a->cpu_us = (uint64_t)query_get_i64(q);
	a->memory_peak_bytes = (uint64_t)query_get_i64(q);
	a->log_bytes = (uint64_t)query_get_i64(q);
	a->redactions = (uint64_t)query_get_i64(q);
	a->pids_peak = (uint32_t)query_get_i64(q);
	a->not_enforced = (uint32_t)query_get_i64(q);
	a->log_truncated = query_get_i64(q) != 0;
	a->outputs = query_get_str(q);
	a->error = query_get_str(q);
	a->hint = query_get_str(q);
	get_ulid(q, &a->child);
	a->secrets = query_get_str(q);
}

void db_get_artifact(struct query *q, struct store_artifact *a)
{
	struct str hex;

	*a = (struct store_artifact){.name = query_get_str(q)};
	a->index = (uint32_t)query_get_i64(q);
	a->attempt = (uint32_t)query_get_i64(q);
	a->file = query_get_str(q);
	a->bytes = (uint64_t)query_get_i64(q);
	hex = query_get_str(q);
	if (hex.len == HASH_HEX_LEN)
		memcpy(a->sha256, hex.p, HASH_HEX_LEN);
	a->created_us = query_get_i64(q);
	a->expires_us = query_get_i64(q);
	a->is_private = query_get_i64(q) != 0;
}

void db_get_event(struct query *q, struct store_event *ev)
{
	*ev = (struct store_event){.id = query_get_i64(q)};
	get_ulid(q, &ev->run);
	ev->type = (enum store_event_type)query_get_i64(q);
	ev->task = query_get_str(q);
	ev->attempt = (uint32_t)query_get_i64(q);
	ev->state = get_state(q);
	ev->kind = get_kind(q);
	ev->ts_us = query_get_i64(q);
}

int db_each_run(struct query *q, store_run_fn *fn, void *ctx, struct err *e)
{
	struct store_run run;
	int r;

	while ((r = query_step(q, e)) > 0) {
		db_get_run(q, &run);
		if (fn(ctx, &run, e))
			return -1;
	}
	return r;
}

int db_tasks(struct db *db, int64_t run, store_task_fn *fn, void *ctx,
	     struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_task t;
	int r;

	if (query_start(db, DB_TASKS, &q, e))
		return -1;
	query_i64(&q, run);
	while ((r = query_step(&q, e)) > 0) {
		db_get_task(&q, &t);
		if (fn(ctx, &t, e))
			return -1;
	}
	return r;
}

int db_attempts(struct db *db, int64_t run, store_attempt_fn *fn, void *ctx,
		struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_attempt a;
	int r;

	if (query_start(db, DB_ATTEMPTS, &q, e))
		return -1;
	query_i64(&q, run);
	while ((r = query_step(&q, e)) > 0) {
		db_get_attempt(&q, &a);
		if (fn(ctx, &a, e))
			return -1;
	}
	return r;
}

int db_artifacts(struct db *db, int64_t run, store_artifact_fn *fn, void *ctx,
		 struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_artifact a;
	int r;

	if (query_start(db, DB_ARTIFACTS, &q, e))
		return -1;
	query_i64(&q, run);
	while ((r = query_step(&q, e)) > 0) {
		db_get_artifact(&q, &a);
		if (fn(ctx, &a, e))
			return -1;
	}
	return r;
}

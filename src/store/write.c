/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The writer: what the engine puts into a transaction, and what it reads. */
#include "base/crash.h"
#include "store/writer.h"

#include <string.h>

static int simple(struct store *s, enum db_stmt which, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	return query_start(&s->db, which, &q, e) || query_run(&q, e) ? -1 : 0;
}

int store_begin(struct store *s, struct err *e)
{
	int bad;

	CRASH_POINT("store.before-begin");
	bad = simple(s, DB_BEGIN, e);
	CRASH_POINT("store.after-begin");
	return bad;
}

int store_commit(struct store *s, struct err *e)
{
	CRASH_POINT("store.before-commit");
	if (!simple(s, DB_COMMIT, e)) {
		CRASH_POINT("store.after-commit");
		s->version++;
		return 0;
	}
	store_rollback(s);
	return -1;
}

uint64_t store_version(const struct store *s)
{
	return s->version;
}

void store_rollback(struct store *s)
{
	/* a full disk has rolled back already */
	if (!sqlite3_get_autocommit(s->db.lite))
		(void)sqlite3_exec(s->db.lite, "ROLLBACK", NULL, NULL, NULL);
}

static int add_labels(struct store *s, const struct store_run *r, int64_t id,
		      struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_LABELS_ADD, &q, e))
		return -1;
	query_i64(&q, id);
	query_str(&q, r->labels);
	return query_run(&q, e);
}

int store_run_add(struct store *s, const struct store_run *r, int64_t *ret_id,
		  struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_RUN_ADD, &q, e))
		return -1;
	query_str(&q, str_from(r->ulid.s));
	query_str(&q, r->project);
	query_str(&q, r->job);
	query_str(&q, r->definition_digest);
	query_str(&q, r->run_digest);
	query_i64(&q, r->state);
	query_i64(&q, r->kind);
	query_str(&q, r->blocked);
	query_str(&q, r->error);
	query_str(&q, r->labels);
	query_str(&q, r->inputs);
	query_str(&q, r->trigger);
	query_str(&q, r->submitter);
	query_str(&q, r->source);
	query_i64(&q, (int64_t)r->source_bytes);
	query_i64(&q, r->priority);
	query_i64(&q, r->cancelled);
	query_i64(&q, r->timed_out);
	query_i64(&q, r->created_us);
	query_i64(&q, r->started_us);
	query_i64(&q, r->finished_us);
	query_i64(&q, r->finally_us);
	query_str(&q, r->rerun_of);
	query_str(&q, r->group);
	query_str(&q, r->git_url);
	query_str(&q, r->git_ref);
	query_str(&q, r->commit);
	query_str(&q, r->fetch);
	query_str(&q, r->canonical);
	query_str(&q, r->parent);
	query_str(&q, r->parent_task);
	query_i64(&q, r->parent_attempt);
	query_str(&q, r->root);
	query_i64(&q, r->depth);
	query_str(&q, r->token);
	if (query_run(&q, e))
		return -1;
	*ret_id = sqlite3_last_insert_rowid(s->db.lite);
	return r->labels.len > 2 ? add_labels(s, r, *ret_id, e) : 0;
}

int store_run_set(struct store *s, const struct store_run *r, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_RUN_SET, &q, e))
		return -1;
	query_i64(&q, r->state);
	query_i64(&q, r->kind);
	query_str(&q, r->blocked);
	query_str(&q, r->error);
	query_i64(&q, r->cancelled);
	query_i64(&q, r->timed_out);
	query_i64(&q, r->started_us);
	query_i64(&q, r->finished_us);
	query_i64(&q, r->finally_us);
	query_i64(&q, r->id);
	return query_run(&q, e);
}

int store_run_source(struct store *s, const struct store_run *r, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_RUN_SOURCE, &q, e))
		return -1;
	query_str(&q, r->source);
	query_i64(&q, (int64_t)r->source_bytes);
	query_str(&q, r->commit);
	query_str(&q, r->run_digest);
	query_i64(&q, r->id);
	return query_run(&q, e);
}

static int break_those(struct store *s, enum db_stmt what, int64_t run,
		       enum run_state from, int64_t now_us, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	bool ran = from == STATE_RUNNING;

	if (query_start(&s->db, what, &q, e))
		return -1;
	query_i64(&q, from);
	query_i64(&q, ran ? STATE_FAILED : STATE_CANCELLED);
	query_i64(&q, ran ? KIND_INTERNAL : KIND_NONE);
	query_i64(&q, run);
	if (what == DB_BREAK_ATTEMPTS)
		query_i64(&q, now_us);
	return query_run(&q, e);
}

int store_run_break(struct store *s, int64_t run, int64_t now_us, struct err *e)
{
	static const enum run_state open[] = {STATE_QUEUED, STATE_BLOCKED,
					      STATE_RUNNING};

	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		if (break_those(s, DB_BREAK_TASKS, run, open[i], now_us, e))
			return -1;
	return break_those(s, DB_BREAK_ATTEMPTS, run, STATE_RUNNING, now_us, e);
}

int store_task_put(struct store *s, int64_t run, const struct store_task *t,
		   struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_TASK_PUT, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, t->index);
	query_str(&q, t->name);
	query_i64(&q, t->state);
	query_i64(&q, t->kind);
	query_i64(&q, t->attempt);
	query_str(&q, t->blocked);
	query_str(&q, t->error);
	query_i64(&q, t->due_us);
	return query_run(&q, e);
}

int store_attempt_put(struct store *s, int64_t run,
		      const struct store_attempt *a, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_ATTEMPT_PUT, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, (int64_t)a->fence);
	query_i64(&q, a->index);
	query_i64(&q, a->number);
	query_str(&q, str_from(a->ulid.s));
	query_i64(&q, a->state);
	query_i64(&q, a->kind);
	query_i64(&q, a->exit_code);
	query_i64(&q, a->signo);
	query_i64(&q, a->shared);
	query_i64(&q, a->uid_slot);
	query_str(&q, str_from(a->workspace.s));
	query_i64(&q, a->started_us);
	query_i64(&q, a->finished_us);
	query_i64(&q, (int64_t)a->cpu_us);
	query_i64(&q, (int64_t)a->memory_peak_bytes);
	query_i64(&q, (int64_t)a->log_bytes);
	query_i64(&q, (int64_t)a->redactions);
	query_i64(&q, a->pids_peak);
	query_i64(&q, a->not_enforced);
	query_i64(&q, a->log_truncated);
	query_str(&q, a->outputs);
	query_str(&q, a->error);
	query_str(&q, a->hint);
	query_str(&q, str_from(a->child.s));
	query_str(&q, a->secrets);
	return query_run(&q, e);
}

int store_attempts_drop(struct store *s, int64_t run, uint32_t index,
			uint32_t last, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_ATTEMPTS_DROP, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, index);
	query_i64(&q, last);
	return query_run(&q, e);
}

int store_event_add(struct store *s, int64_t run, const struct store_event *ev,
		    int64_t *ret_id, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_EVENT_ADD, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, ev->type);
	query_str(&q, ev->task);
	query_i64(&q, ev->attempt);
	query_i64(&q, ev->state);
	query_i64(&q, ev->kind);
	query_i64(&q, ev->ts_us);
	if (query_run(&q, e))
		return -1;
	*ret_id = sqlite3_last_insert_rowid(s->db.lite);
	return 0;
}

int store_artifact_put(struct store *s, int64_t run,
		       const struct store_artifact *a, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_ARTIFACT_PUT, &q, e))
		return -1;
	query_i64(&q, run);
	query_str(&q, a->name);
	query_i64(&q, a->index);
	query_i64(&q, a->attempt);
	query_str(&q, a->file);
	query_i64(&q, (int64_t)a->bytes);
	query_str(&q, str_from(a->sha256));
	query_i64(&q, a->created_us);
	query_i64(&q, a->expires_us);
	query_i64(&q, a->is_private);
	return query_run(&q, e);
}

int store_artifacts_close(struct store *s, int64_t run, int64_t now_us,
			  struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_ARTIFACTS_CLOSE, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, now_us);
	return query_run(&q, e);
}

int store_audit_add(struct store *s, int64_t ts_us, struct str who,
		    struct str action, struct str what, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_AUDIT_ADD, &q, e))
		return -1;
	query_i64(&q, ts_us);
	query_str(&q, who);
	query_str(&q, action);
	query_str(&q, what);
	return query_run(&q, e);
}

int store_run_delete(struct store *s, int64_t run, struct err *e)
{
	/* the run last: what is before it looks it up */
	static const enum db_stmt steps[] = {
		DB_GARBAGE_OF_RUN,   DB_DELETE_TASKS,     DB_DELETE_ATTEMPTS,
		DB_DELETE_EVENTS,    DB_DELETE_ARTIFACTS, DB_DELETE_KEYS,
		DB_DELETE_APPROVALS, DB_DELETE_DECISIONS, DB_DELETE_LABELS,
		DB_DELETE_RUN,
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct query q CLEANUP_QUERY = {0};

		if (query_start(&s->db, steps[i], &q, e))
			return -1;
		query_i64(&q, run);
		if (query_run(&q, e))
			return -1;
	}
	return 0;
}

/* --- keys --------------------------------------------------------------- */

int store_key_get(struct store *s, struct str who, struct str key,
		  struct hash *ret_request, struct ulid *ret_run, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct str request, run;
	int r;

	if (query_start(&s->db, DB_KEY_GET, &q, e))
		return -1;
	query_str(&q, who);
	query_str(&q, key);
	r = query_step(&q, e);
	if (r <= 0)
		return r;
	request = query_get_str(&q);
	run = query_get_str(&q);
	if (request.len != HASH_LEN || (run.len && run.len != ULID_LEN))
		return err_set(e, ERR_INTERNAL, "a key's row is odd");
	memcpy(ret_request->b, request.p, HASH_LEN);
	memset(ret_run, 0, sizeof(*ret_run));
	if (run.len) /* else what the key made is no run */
		memcpy(ret_run->s, run.p, ULID_LEN);
	return 1;
}

int store_key_put(struct store *s, struct str who, struct str key,
		  const struct hash *request, const struct ulid *run,
		  int64_t now_us, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_KEY_PUT, &q, e))
		return -1;
	query_str(&q, who);
	query_str(&q, key);
	query_blob(&q, request->b, HASH_LEN);
	query_str(&q, str_from(run->s));
	query_i64(&q, now_us);
	return query_run(&q, e);
}

int store_keys_expire(struct store *s, int64_t before_us, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_KEYS_EXPIRE, &q, e))
		return -1;
	query_i64(&q, before_us);
	return query_run(&q, e);
}

/* --- what the engine reads ---------------------------------------------- */

int store_live_runs(struct store *s, store_run_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_run run;
	int r;

	if (query_start(&s->db, DB_RUNS_LIVE, &q, e))
		return -1;
	while ((r = query_step(&q, e)) > 0) {
		db_get_run(&q, &run);
		run.canonical = query_get_str(&q);
		if (fn(ctx, &run, e))
			return -1;
	}
	return r;
}

int store_tasks(struct store *s, int64_t run, store_task_fn *fn, void *ctx,
		struct err *e)
{
	return db_tasks(&s->db, run, fn, ctx, e);
}

int store_attempts(struct store *s, int64_t run, store_attempt_fn *fn,
		   void *ctx, struct err *e)
{
	return db_attempts(&s->db, run, fn, ctx, e);
}

int store_artifacts(struct store *s, int64_t run, store_artifact_fn *fn,
		    void *ctx, struct err *e)
{
	return db_artifacts(&s->db, run, fn, ctx, e);
}

int store_run_find(struct store *s, const struct ulid *ulid, int64_t *ret_id,
		   enum run_state *ret_state, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int r;

	if (query_start(&s->db, DB_RUN_FIND, &q, e))
		return -1;
	query_str(&q, str_from(ulid->s));
	r = query_step(&q, e);
	if (r < 0)
		return -1;
	if (!r)
		return err_set(e, ERR_NOT_FOUND, "no such run");
	*ret_id = query_get_i64(&q);
	*ret_state = (enum run_state)query_get_i64(&q);
	return 0;
}

int store_run_get(struct store *s, const struct ulid *ulid, store_run_fn *fn,
		  void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_run run;
	int r;

	if (query_start(&s->db, DB_RUN_GET, &q, e))
		return -1;
	query_str(&q, str_from(ulid->s));
	r = query_step(&q, e);
	if (r < 0)
		return -1;
	if (!r)
		return err_set(e, ERR_NOT_FOUND, "no such run");
	db_get_run(&q, &run);
	return fn(ctx, &run, e);
}

int store_count_of_root(struct store *s, struct str root, uint32_t *ret,
			struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_RUNS_OF_ROOT, &q, e))
		return -1;
	query_str(&q, root);
	if (query_step(&q, e) < 0)
		return -1;
	*ret = (uint32_t)query_get_i64(&q);
	return 0;
}

int store_max_fence(struct store *s, uint64_t *ret, struct err *e)
{
	int64_t v;

	if (db_number(&s->db, db_sql[DB_MAX_FENCE], &v, e))
		return -1;
	*ret = (uint64_t)v;
	return 0;
}

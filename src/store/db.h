/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The little that is used of SQLite, for this folder only: one connection with
 * its prepared statements, values in and columns out in order, and its errors
 * as ours.
 */
#pragma once

#include "store/store.h"

#include <sqlite3.h>

enum db_stmt {
	DB_BEGIN,
	DB_BEGIN_READ,
	DB_COMMIT,
	DB_RUN_ADD,
	DB_LABELS_ADD,
	DB_RUN_SET,
	DB_RUN_SOURCE,
	DB_RUN_FIND,
	DB_RUN_GET,
	DB_RUN_CANONICAL,
	DB_RUNS_QUEUE,
	DB_RUNS_GROUP,
	DB_RUNS_LIVE,
	DB_TASK_PUT,
	DB_TASKS,
	DB_ATTEMPT_PUT,
	DB_ATTEMPTS_DROP,
	DB_ATTEMPTS,
	DB_ATTEMPT_GET,
	DB_ATTEMPTS_FROM,
	DB_EVENT_ADD,
	DB_EVENTS,
	DB_EVENTS_OF,
	DB_LAST_EVENT,
	DB_FIRST_EVENT,
	DB_EVENT_TIME,
	DB_FEW_RUNS,
	DB_ARTIFACT_PUT,
	DB_ARTIFACTS,
	DB_ARTIFACTS_CLOSE,
	DB_AUDIT_ADD,
	DB_KEY_GET,
	DB_KEY_PUT,
	DB_ANSWER_GET,
	DB_ANSWER_PUT,
	DB_KEYS_EXPIRE,
	DB_DELETE_TASKS,
	DB_DELETE_ATTEMPTS,
	DB_DELETE_EVENTS,
	DB_DELETE_ARTIFACTS,
	DB_DELETE_KEYS,
	DB_DELETE_LABELS,
	DB_DELETE_RUN,
	DB_EXPIRE_CONTENT,
	DB_EXPIRE,
	DB_BREAK_TASKS,
	DB_BREAK_ATTEMPTS,
	DB_GARBAGE_OF_RUN,
	DB_GARBAGE_DUE,
	DB_GARBAGE_NEXT,
	DB_GARBAGE_PUT,
	DB_GARBAGE_DONE,
	DB_CONTENT_USED,
	DB_REVISION_PUT,
	DB_JOB_PUT,
	DB_JOB_GET,
	DB_REVISION_GET,
	DB_REVISION_HAS,
	DB_JOBS,
	DB_REVISIONS,
	DB_DELETE_JOB,
	DB_DELETE_REVISIONS,
	DB_RESOURCE_PUT,
	DB_RESOURCE_GET,
	DB_RESOURCES,
	DB_RESOURCE_DELETE,
	DB_TOKEN_ADD,
	DB_TOKENS,
	DB_TOKEN_GET,
	DB_TOKEN_USED,
	DB_TOKEN_DELETE,
	DB_TOKENS_DELETE,
	DB_JOBS_SCHEDULED,
	DB_VAULT_PATHS,
	DB_SCHEDULE_PUT,
	DB_SCHEDULE_GET,
	DB_DELETE_SCHEDULES,
	DB_RUNS_OF_ROOT,
	DB_APPROVAL_PUT,
	DB_APPROVALS_OF,
	DB_APPROVALS_OPEN,
	DB_DECISION_PUT,
	DB_DECISIONS,
	DB_DELETE_APPROVALS,
	DB_DELETE_DECISIONS,
	DB_HOOK_PUT,
	DB_HOOK_ROTATE,
	DB_HOOK_GET,
	DB_HOOKS,
	DB_HOOKS_KEEP,
	DB_DELIVERIES_KEEP,
	DB_DELIVERY_GET,
	DB_DELIVERY_PUT,
	DB_DELIVERIES,
	DB_DELIVERIES_TRIM,
	DB_DELIVERIES_EXPIRE,
	DB_CACHE_FIND,
	DB_CACHE_LIKE,
	DB_CACHE_GET,
	DB_CACHES,
	DB_CACHE_USED,
	DB_CACHE_PUT,
	DB_CACHE_BYTES,
	DB_CACHE_OLDEST,
	DB_GARBAGE_OF_CACHE,
	DB_DELETE_CACHE,
	DB_GARBAGE_OF_CACHES,
	DB_DELETE_CACHES,
	DB_JOB_NEXT,
	DB_JOB_RUNS,
	DB_JOB_BOUNDARY,
	DB_JOB_SUCCEEDED,
	DB_RUN_LOGS_GONE,
	DB_RUN_HAS_LOGS,
	DB_AUDIT_EXPIRE,
	DB_MAX_FENCE,
	N_DB_STMTS,
};

struct db {
	sqlite3 *lite;
	sqlite3_stmt *stmts[N_DB_STMTS]; /* prepared when first used */
};

/* A reader is nothing but its connection; see reader.h. */
struct store_reader {
	struct db db;
};

extern const char *const db_sql[N_DB_STMTS];

MUST_USE int db_open(const char *path, int flags, struct db *db, struct err *e);
void db_close(struct db *db);
/* What SQLite says now, as an error of ours; -1. */
int db_fail(struct db *db, const char *doing, struct err *e);
MUST_USE int db_exec(struct db *db, const char *sql, struct err *e);
/* The first column of the first row. */
MUST_USE int db_number(struct db *db, const char *sql, int64_t *ret,
		       struct err *e);
MUST_USE int db_migrate(struct db *db, struct err *e);
/* Not beyond a version; ERR_INVALID when we do not know it. */
MUST_USE int db_migrate_to(struct db *db, int64_t version, struct err *e);

/* A statement under way: bind in order, then step or run, then done. */
struct query {
	struct db *db;
	sqlite3_stmt *stmt;
	int n;        /* bound so far, then columns read so far */
	bool one_off; /* not of the cache: finalise */
};
MUST_USE int query_start(struct db *db, enum db_stmt which, struct query *q,
			 struct err *e);
MUST_USE int query_text(struct db *db, const char *sql, struct query *q,
			struct err *e);
void query_i64(struct query *q, int64_t v);
void query_str(struct query *q, struct str s); /* s stays until done */
void query_blob(struct query *q, const void *p, size_t len);
/* 1 a row, 0 no more, -1 error. */
MUST_USE int query_step(struct query *q, struct err *e);
int64_t query_get_i64(struct query *q);
struct str query_get_str(struct query *q); /* until the next step */
void query_done(struct query *q);
#define CLEANUP_QUERY CLEANUP(query_done)
/* Step to the end and be done: for what gives no rows. */
MUST_USE int query_run(struct query *q, struct err *e);

/* Rows as values; the column lists are beside the statements. */
#define DB_RUN_COLUMNS                                                         \
	"id,ulid,project,job,definition_digest,run_digest,state,kind,"         \
	"blocked,error,labels,inputs,trigger,submitter,source,source_bytes,"   \
	"priority,cancelled,timed_out,created_us,started_us,finished_us,"      \
	"finally_us,rerun_of,grp,git_url,git_ref,git_commit,git_fetch,"        \
	"parent,parent_task,parent_attempt,root,depth,token,logs_gone"
#define DB_EVENT_COLUMNS                                                       \
	"e.id,r.ulid,e.type,e.task,e.attempt,e.state,e.kind,e.ts_us"
void db_get_run(struct query *q, struct store_run *ret);
void db_get_task(struct query *q, struct store_task *ret);
void db_get_attempt(struct query *q, struct store_attempt *ret);
void db_get_artifact(struct query *q, struct store_artifact *ret);
void db_get_event(struct query *q, struct store_event *ret);

/* Shared by writer and readers: all rows of a statement that is bound. */
MUST_USE int db_each_run(struct query *q, store_run_fn *fn, void *ctx,
			 struct err *e);
MUST_USE int db_tasks(struct db *db, int64_t run, store_task_fn *fn, void *ctx,
		      struct err *e);
MUST_USE int db_attempts(struct db *db, int64_t run, store_attempt_fn *fn,
			 void *ctx, struct err *e);
MUST_USE int db_artifacts(struct db *db, int64_t run, store_artifact_fn *fn,
			  void *ctx, struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What must not be forgotten: runs, tasks, attempts, events, artifacts' names,
 * audit.  Files and secrets are elsewhere.  One writer (the engine) that
 * batches; any number of readers (reader.h).
 *
 * The driver is SQLite: WAL, synchronous=FULL, so that a commit that returned
 * survives a power cut.  Nothing outside this folder sees SQL.
 *
 * Errors: a full disk is ERR_LIMIT with sys ENOSPC, and the transaction is
 * gone; anything else of the driver is ERR_INTERNAL.
 */
#pragma once

#include "base/err.h"
#include "base/hash.h"
#include "base/id.h"
#include "proto/state.h"

#include <errno.h>

enum {
	STORE_NAME_MAX = 255, /* an instance's name: build@gcc,release */
	STORE_BALLAST = 8 << 20
};

/* Text is borrowed: the caller's when writing, valid for the call of a row
 * function when reading.  "" is stored as "".  Times in microseconds since
 * 1970; 0: not yet. */
struct store_run {
	int64_t id; /* grows; made by the store */
	struct ulid ulid;
	struct str project, job;
	struct str definition_digest, run_digest; /* 64 hex digits */
	enum run_state state;
	enum fail_kind kind;
	struct str blocked, error; /* "" : none */
	struct str labels, inputs; /* JSON objects */
	struct str trigger, submitter;
	struct str source; /* 64 hex digits; "" : none */
	uint64_t source_bytes;
	/* Of a git source, else "": what it comes from, once it is known the
	 * commit, and the ULID of the run that fetches it. */
	struct str git_url, git_ref, commit, fetch;
	int32_t priority;
	bool cancelled; /* asked to; finally may still run */
	bool timed_out; /* the job's timeout has struck */
	int64_t created_us, started_us, finished_us;
	int64_t finally_us;  /* when `finally` began */
	struct str rerun_of; /* ULID of the run that it repeats; "" */
	struct str group;    /* of concurrency; "": none */
	/* Of a run that another one has called; "": none has. */
	struct str parent, parent_task; /* its ULID, the instance */
	uint32_t parent_attempt;
	struct str root;  /* ULID of the run at the beginning of all calls */
	uint32_t depth;   /* calls above it */
	struct str token; /* ULID of the one that was shown; "" */
	bool logs_gone;   /* their time is over; never set when it is added */
	struct str canonical; /* the job; only store_live_runs() fills it */
};

struct store_task {
	uint32_t index;  /* in the plan */
	struct str name; /* the instance */
	enum run_state state;
	enum fail_kind kind;
	uint32_t attempt; /* the last one made; 0: none yet */
	struct str blocked, error;
	int64_t due_us; /* a retry waits for it; an approval is void then */
};

struct store_attempt {
	uint32_t index, number; /* of the task; from 1 */
	struct ulid ulid;
	uint64_t fence;
	enum run_state state;
	enum fail_kind kind;
	int32_t exit_code; /* -1: none */
	uint8_t signo;
	bool shared; /* workspace and slot belong to the run */
	uint32_t uid_slot;
	struct ulid workspace;
	int64_t started_us, finished_us;
	uint64_t cpu_us, memory_peak_bytes, log_bytes, redactions;
	uint32_t pids_peak, not_enforced;
	bool log_truncated;
	struct str outputs; /* JSON object */
	struct str secrets; /* JSON list: which were seen; "": none */
	struct str error, hint;
	struct ulid child; /* the run that it has called; all zero: none */
};

enum store_event_type {
	STORE_EVENT_RUN = 1,
	STORE_EVENT_TASK = 2,
	STORE_EVENT_ARTIFACT = 3,
	STORE_EVENT_APPROVAL = 4,
};

struct store_event {
	int64_t id; /* grows for ever, survives restarts; made by the store */
	struct ulid run;
	enum store_event_type type;
	struct str task; /* instance; for an artifact TASK.NAME */
	uint32_t attempt;
	enum run_state state;
	enum fail_kind kind;
	int64_t ts_us;
};

struct store_artifact {
	uint32_t index, attempt;
	struct str name; /* TASK.NAME */
	struct str file; /* what to offer it as */
	uint64_t bytes;
	char sha256[HASH_HEX_LEN + 1];
	int64_t created_us;
	int64_t expires_us; /* 0: never; negative: it is over */
	bool is_private;    /* sealed with its run's key, and gone with it */
};

struct store;

/*
 * Open (or make) the database DIR/nfo.db, check it, bring its tables up to
 * date and see to the ballast DIR/ballast.
 *
 * ERR_CONFLICT: another process has it.  ERR_INVALID: it is damaged, or made
 * by a newer version; the text says which and what to do.
 */
MUST_USE int store_open(const char *dir, struct store **ret, struct err *e);
void store_close(struct store *s);             /* NULL is fine */
const char *store_path(const struct store *s); /* of the database */

/* --- writing: all between begin and commit ------------------------------ */

/* ERR_INTERNAL with this as sys: rows that the tables do not take.  A mistake of
 * ours about what was asked for; the store itself is well. */
enum {
	STORE_UNFIT = EDOM
};

MUST_USE int store_begin(struct store *s, struct err *e);
/* Durable when it returns 0; otherwise nothing of it happened. */
MUST_USE int store_commit(struct store *s, struct err *e);
/* Another number after each commit.  Any thread may ask. */
uint64_t store_version(const struct store *s);
void store_rollback(struct store *s); /* fine without a transaction */

MUST_USE int store_run_add(struct store *s, const struct store_run *r,
			   int64_t *ret_id, struct err *e);
/* state, kind, blocked, error, cancelled, timed_out, started, finished,
 * finally. */
MUST_USE int store_run_set(struct store *s, const struct store_run *r,
			   struct err *e);
/* source, source_bytes, commit, run_digest: its source has come. */
MUST_USE int store_run_source(struct store *s, const struct store_run *r,
			      struct err *e);
/* End what of a run's tasks and attempts is not ended: what ran has failed
 * (internal), what waited is cancelled. */
MUST_USE int store_run_break(struct store *s, int64_t run, int64_t now_us,
			     struct err *e);
MUST_USE int store_task_put(struct store *s, int64_t run,
			    const struct store_task *t, struct err *e);
MUST_USE int store_attempt_put(struct store *s, int64_t run,
			       const struct store_attempt *a, struct err *e);
/* Those after number `last`. */
MUST_USE int store_attempts_drop(struct store *s, int64_t run, uint32_t index,
				 uint32_t last, struct err *e);
MUST_USE int store_event_add(struct store *s, int64_t run,
			     const struct store_event *ev, int64_t *ret_id,
			     struct err *e);
MUST_USE int store_artifact_put(struct store *s, int64_t run,
				const struct store_artifact *a, struct err *e);
/* Those that are private are over now; the rest is the sweep's. */
MUST_USE int store_artifacts_close(struct store *s, int64_t run, int64_t now_us,
				   struct err *e);
MUST_USE int store_audit_add(struct store *s, int64_t ts_us, struct str who,
			     struct str action, struct str what, struct err *e);
/* Everything about a run but its audit; its content becomes garbage. */
MUST_USE int store_run_delete(struct store *s, int64_t run, struct err *e);

/*
 * Idempotency keys.  Get: 1 found, 0 not, -1 error.  Those older than
 * before_us are removed by expire.
 */
MUST_USE int store_key_get(struct store *s, struct str who, struct str key,
			   struct hash *ret_request, struct ulid *ret_run,
			   struct err *e);
MUST_USE int store_key_put(struct store *s, struct str who, struct str key,
			   const struct hash *request, const struct ulid *run,
			   int64_t now_us, struct err *e);
/* The same for what is no run: the answer itself, in the same table, so that a
 * key means one thing.  Get: 1 and fn was called, 0 not found, -1. */
struct store_answer {
	struct hash request;
	unsigned status; /* 0: the key made a run */
	struct str location, etag, body;
};
typedef int store_answer_fn(void *ctx, const struct store_answer *a,
			    struct err *e);
MUST_USE int store_answer_get(struct store *s, struct str who, struct str key,
			      store_answer_fn *fn, void *ctx, struct err *e);
MUST_USE int store_answer_put(struct store *s, struct str who, struct str key,
			      const struct store_answer *a, int64_t now_us,
			      struct err *e);
MUST_USE int store_keys_expire(struct store *s, int64_t before_us,
			       struct err *e);

/*
 * Content, by its SHA-256 in hex, that may be nobody's any more.  Expire does
 * that to the artifacts of ended runs whose time is over.  Next: 1 with the
 * first that is due and whether a run does use it, 0 none, -1 error; then the
 * caller says later or done.
 */
MUST_USE int store_expire(struct store *s, int64_t now_us, struct err *e);
MUST_USE int store_garbage_next(struct store *s, int64_t now_us,
				char ret_sha256[HASH_HEX_LEN + 1],
				bool *ret_used, struct err *e);
MUST_USE int store_garbage_later(struct store *s, const char *sha256,
				 int64_t due_us, struct err *e);
MUST_USE int store_garbage_done(struct store *s, const char *sha256,
				struct err *e);

/* --- what the engine reads ---------------------------------------------- */

/* Is there anything to expire, or any garbage due? */
MUST_USE int store_garbage_due(struct store *s, int64_t now_us, bool *ret,
			       struct err *e);

/* A row function returns -1 to stop (with *e set): the call then fails. */
typedef int store_run_fn(void *ctx, const struct store_run *r, struct err *e);
typedef int store_task_fn(void *ctx, const struct store_task *t, struct err *e);
typedef int store_attempt_fn(void *ctx, const struct store_attempt *a,
			     struct err *e);
typedef int store_artifact_fn(void *ctx, const struct store_artifact *a,
			      struct err *e);

/* Those whose state is not final, oldest first. */
MUST_USE int store_live_runs(struct store *s, store_run_fn *fn, void *ctx,
			     struct err *e);
MUST_USE int store_tasks(struct store *s, int64_t run, store_task_fn *fn,
			 void *ctx, struct err *e);
MUST_USE int store_attempts(struct store *s, int64_t run, store_attempt_fn *fn,
			    void *ctx, struct err *e);
MUST_USE int store_artifacts(struct store *s, int64_t run,
			     store_artifact_fn *fn, void *ctx, struct err *e);
/* id, state, finished_us of a run; ERR_NOT_FOUND. */
MUST_USE int store_run_find(struct store *s, const struct ulid *ulid,
			    int64_t *ret_id, enum run_state *ret_state,
			    struct err *e);
/* How many runs a run has led to, by calls. */
MUST_USE int store_count_of_root(struct store *s, struct str root,
				 uint32_t *ret, struct err *e);
/* ERR_NOT_FOUND; fn sees the one row. */
MUST_USE int store_run_get(struct store *s, const struct ulid *ulid,
			   store_run_fn *fn, void *ctx, struct err *e);
/* The highest fence ever given; the next one is above it. */
MUST_USE int store_max_fence(struct store *s, uint64_t *ret, struct err *e);

/* --- a full disk -------------------------------------------------------- */

/* Give the ballast back to the file system; true when there was some. */
bool store_ballast_drop(struct store *s);
bool store_ballast_held(const struct store *s);
/* Allocate it again; ERR_LIMIT while there is no room for twice of it. */
MUST_USE int store_ballast_make(struct store *s, struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The engine: one thread that owns every run that is alive, starts attempts
 * through the monitor and is the only writer of the store.  All that waits is
 * committed together and answered after the commit.
 *
 * Threads: what this header declares is called from the owner's thread (in the
 * server: `http`) and takes no time there; answers and news come back through
 * engine_fd() and engine_drain(), so that every callback runs in the owner's
 * thread too.  Reading is not done here: see store/reader.h and engine/view.h.
 */
#pragma once

#include "base/err.h"
#include "base/histogram.h"
#include "base/id.h"
#include "doc/problem.h"
#include "engine/retention.h"
#include "policy/policy.h"
#include "proto/edges.h"
#include "store/store.h"

struct job;
struct engine;

/* Every number has a default (0 means it). */
struct engine_opts {
	int state_fd;        /* borrowed: STATE; holds runs/, blobs/, tmp/ */
	struct store *store; /* taken */
	/* borrowed, lives longer than the engine, never changes */
	const struct policy_set *policies;
	int monitor_fd;     /* taken: a chan (edges.h) */
	uint32_t parallel;  /* attempts at once; default 64 */
	uint32_t uid_slots; /* workspaces at once; default parallel + 64 */
	uint32_t live_runs; /* not ended; beyond: ERR_LIMIT; default 2000 */
	uint32_t commands;  /* waiting for the engine; default 1024 */
	uint64_t artifact_max_bytes; /* one artifact; default 10 GiB */
	uint32_t owner_uid;          /* whose server it is */
	struct retention retention;  /* where a project says nothing else */
	uint32_t audit_days;         /* 0: for ever */
	bool monitor_is_new; /* nothing runs: do not wait for ALIVE_END */
	/* Otherwise the process ends when the monitor does: nothing can be
   * started or heard of any more.  For tests. */
	bool stay_without_monitor;
};

/*
 * Make the engine: recovers what the store says is alive.  The thread starts
 * with engine_start().  On failure the store and monitor_fd are closed too.
 */
MUST_USE int engine_new(const struct engine_opts *opts, struct engine **ret,
			struct err *e);
MUST_USE int engine_start(struct engine *g, struct err *e);
/* Ends the thread after a last commit; tasks run on.  Then frees.  Callbacks
 * that were not called yet are called with ERR_UNAVAILABLE. */
void engine_free(struct engine *g);

/* --- asking for a run --------------------------------------------------- */

enum engine_from {
	FROM_START,
	FROM_FAILED,
	FROM_TASK,
};

/* The attempt that calls the run. */
struct engine_caller {
	struct str run, task; /* ULID, the instance */
	uint32_t attempt;
	struct str root; /* ULID of the run at the beginning */
	uint32_t depth;  /* of the run that is called */
};

/* Who asks for what.  Strings are borrowed for the call. */
struct engine_ask {
	struct str project;   /* of the URL, checked by the caller */
	struct str canonical; /* the job, RFC 8785; its SHA-256 is the
                           definition_digest */
	struct str inputs;    /* JSON object as given; "" is {} */
	struct str labels;    /* JSON object of strings; "" is {} */
	struct str submitter; /* "uid:1000" */
	struct str trigger;   /* "api" */
	struct str token;     /* ULID of the token that was shown; "" */
	const struct engine_caller *caller; /* NULL: no other run */
	int32_t priority;                   /* 0..100; -1: the job's */
	/* Idempotency-Key of this submitter, "" for none, and what "the same
   * body" means: a digest that the caller made of the parsed parts. */
	struct str idempotency_key;
	struct hash request;
	/* A webhook's call: of a hook (store/hooks.h) the delivery that its
	 * caller names makes one run; hook 0: none. */
	int64_t hook;
	struct str delivery, event;
	/* A run that is repeated, and what is kept of it.  What did not
   * succeed, or needs what is not kept, runs anew. */
	struct ulid rerun_of; /* all zero: none */
	enum engine_from from;
	struct str from_task; /* FROM_TASK: it, and what needs it */
	/* The source as blob_put() has stored it; size 0: no source. */
	struct hash source;
	uint64_t source_bytes;
	struct str commit; /* of that source, when it came from git; or "" */
};

/*
 * Expand the job for these inputs and ask policy about every instance: all
 * that can be known before anything is stored.  Pure; called in the caller's
 * thread.
 *
 * job  taken, also on failure
 * ret  owned by the caller until engine_run() or engine_order_free()
 *
 * Fails with ERR_INVALID (422, see ps) or ERR_DENIED (403, the policy's
 * reasons are in ps with code "policy").
 */
struct engine_order;
MUST_USE int engine_order_new(const struct policy_set *policies,
			      const struct engine_ask *ask, struct job *job,
			      struct engine_order **ret, struct problems *ps,
			      struct err *e);
void engine_order_free(struct engine_order *o);
/* The job that it is of; borrowed. */
const struct job *engine_order_job(const struct engine_order *o);

/* --- commands ----------------------------------------------------------- */

struct engine_reply {
	struct err err;  /* code ERR_NONE: done, and durable */
	struct ulid run; /* the run it is about */
	bool replayed;   /* a key or delivery seen before: the run of then */
};
typedef void engine_reply_fn(void *ctx, const struct engine_reply *r);

/*
 * Each returns -1 without calling fn when it cannot be queued: ERR_LIMIT (too
 * many wait: 429; the disk is full: 507, err.sys is ENOSPC) or
 * ERR_UNAVAILABLE (stopping).  The reply's codes: ERR_NOT_FOUND, ERR_CONFLICT
 * (wrong state; for a key: it is another body's, err.sys is EEXIST: 422),
 * ERR_LIMIT as above.
 */
/* Takes o, also on failure. */
MUST_USE int engine_run(struct engine *g, struct engine_order *o,
			engine_reply_fn *fn, void *ctx, struct err *e);
MUST_USE int engine_cancel(struct engine *g, const struct ulid *run,
			   struct str who, engine_reply_fn *fn, void *ctx,
			   struct err *e);
/* Only of a run that has ended: rows, logs and artifacts. */
MUST_USE int engine_delete(struct engine *g, const struct ulid *run,
			   struct str who, engine_reply_fn *fn, void *ctx,
			   struct err *e);
/*
 * What somebody says to a task that waits for people.  The caller has seen to
 * it that they are one of those who are asked.  Done twice it is done
 * (replayed).  ERR_CONFLICT: err.sys ESTALE when digest is not that of what is
 * asked now, EALREADY when it is decided.
 */
struct engine_decision {
	struct ulid run;
	struct str task;   /* the instance */
	struct str who;    /* the subject */
	struct str person; /* the same for all subjects of one human being */
	struct str digest; /* 64 hex digits: to what they say it */
	struct str comment;
	bool approves;
};
MUST_USE int engine_decide(struct engine *g, const struct engine_decision *d,
			   engine_reply_fn *fn, void *ctx, struct err *e);
/*
 * A change of what is stored beside runs.  edit is called in the engine's
 * thread, inside the transaction that also holds the audit row; it returns -1
 * only when the store failed.  To refuse, it sets *refusal (which becomes the
 * reply's err) before it has written anything.  It may be called again after a
 * rollback.  ctx is the reply's.  action "": too small for an audit row,
 * and nothing that projects or schedules are made of.
 */
typedef int engine_edit_fn(void *ctx, struct store *s, struct err *refusal,
			   struct err *e);
MUST_USE int engine_edit(struct engine *g, struct str who, struct str action,
			 struct str what, engine_edit_fn *edit,
			 engine_reply_fn *fn, void *ctx, struct err *e);
/* An audit row of something the engine does not do itself ("secret.put"). */
MUST_USE int engine_audit(struct engine *g, struct str who, struct str action,
			  struct str what, engine_reply_fn *fn, void *ctx,
			  struct err *e);

/* --- secrets ------------------------------------------------------------ */

/* How a provider of secrets is (name "": the local store): tasks that need one
 * that is not up wait until it is.  text is for people. */
void engine_provider(struct engine *g, struct str name, enum provider_state s,
		     struct str text);

/* --- answers and news --------------------------------------------------- */

/*
 * Events were committed for a run: read them from the store by id.  Also how a
 * log's follower learns that its attempt has ended (then what log.idx has is
 * all there will be).
 */
struct engine_news {
	struct ulid run;  /* all zero: too much happened, look at everything */
	int64_t event_id; /* the last one */
	bool ended;       /* the run is final */
};
typedef void engine_news_fn(void *ctx, const struct engine_news *n);

int engine_fd(const struct engine *g); /* readable: call engine_drain() */
/* Calls waiting reply functions and news_fn (may be NULL). */
void engine_drain(struct engine *g, engine_news_fn *news_fn, void *ctx);

/* --- how it stands: for /readyz and /metrics ---------------------------- */

struct engine_stats {
	bool ready;       /* recovered: ALIVE_END has come */
	bool disk_full;   /* new runs are refused with ERR_LIMIT */
	bool monitor_up;  /* the channel is open */
	bool maintenance; /* no run takes its first step */
	uint64_t live_runs, running_attempts;
	uint64_t parallel;  /* attempts at once, on agent local */
	uint64_t schedules; /* that are not paused */
	uint64_t runs_made, runs_ended[3]; /* succeeded, failed, cancelled */
	uint64_t runs_by_state[STATE_SUCCEEDED]; /* of those that live */
	uint64_t runs_expired, logs_expired;     /* logs: of so many runs */
	uint64_t attempts_started, commits;
	uint64_t attempts_succeeded, attempts_cancelled;
	uint64_t attempts_failed[N_KINDS];
	uint64_t log_bytes, redactions;
	struct histogram commit_took, run_wait, run_took, attempt_took;
};
struct engine_stats engine_stats(struct engine *g);
/* Another number after each commit, and before what it did is answered: what
 * was read under the same number is not old.  Takes no lock. */
uint64_t engine_version(const struct engine *g);

/* While it is held nothing that a run may use is removed from the disk; what
 * was to go goes afterwards. */
void engine_hold_files(struct engine *g, bool hold);

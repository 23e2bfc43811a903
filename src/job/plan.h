/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A job with its inputs, expanded: every task instance, what it waits for, and
 * how one attempt of it looks.  Pure and deterministic: a server that was
 * restarted makes the same plan from the same canonical text and inputs.
 */
#pragma once

#include "job/attempt.h"
#include "job/job.h"
#include "proto/state.h"

/* What carries a task out. */
enum job_action {
	ACTION_COMMAND,  /* run or argv: an attempt in a sandbox */
	ACTION_APPROVAL, /* people: approval.h */
	ACTION_CALL,     /* a run of another job: call.h */
};

struct job_instance {
	/* "test@unit"; values in the order of the lists' names: maps have no
	 * order of their own, in JSON, TOML and the canonical text. */
	struct str name;
	uint32_t task; /* index into the job's tasks */
	struct job_pair *matrix;
	size_t n_matrix;
	uint32_t *needs; /* instances; all of a task that is needed */
	size_t n_needs;
	int32_t stdin_from; /* instance; -1: none */
	uint32_t group;     /* pipe group: index of its first member */
	enum job_action action;
	bool is_finally;
	bool uninterruptible;
};

/* Facts about the run that expressions may ask for. */
struct job_run_facts {
	struct str run_id; /* "run_01..." */
	struct str trigger, submitter;
	struct str commit; /* of a git source; "" : not known yet */
};

struct map;

/* What happens to a run that is one too many in its group. */
enum job_conflict {
	CONFLICT_QUEUE,
	CONFLICT_CANCEL,
	CONFLICT_REJECT,
};

struct job_plan {
	struct job *job; /* owned */
	struct arena *arena;
	struct map *names; /* to the index of an instance, plus one */
	/* Tasks, then finally; what starts first stands first. */
	struct job_instance *instances;
	size_t n, cap;
	struct job_pair *inputs; /* checked, with defaults, as text */
	size_t n_inputs;
	struct job_run_facts facts;
	struct str group; /* of concurrency, filled; "": none */
	uint32_t group_limit;
	enum job_conflict conflict;
};

/*
 * Expand.  Takes j, also on failure.
 *
 * inputs  a JSON object as text, "" for none
 * facts   copied
 *
 * -1: problems were added (inputs at pointers "/inputs/...").
 */
MUST_USE int job_plan_new(struct job *j, struct str inputs,
			  const struct job_run_facts *facts,
			  struct job_plan **ret, struct problems *ps);
void job_plan_free(struct job_plan *p);
int32_t job_plan_find(const struct job_plan *p, struct str name); /* -1 */

/* SHA-256 over the canonical job, the inputs, the source's digest ("" : none)
 * and the policies' digest. */
struct hash job_run_digest(const struct job_plan *p, struct str canonical,
			   struct str source, const struct hash *policies);

/* How the other instances stand, for one question. */
struct job_stand {
	const enum run_state *states; /* of every instance */
	/* Output `name` of instance i as text; -1: there is none. */
	int (*output)(void *ctx, size_t i, struct str name, struct str *ret);
	void *ctx;
	bool cancelled; /* the run was asked to end */
};

enum job_turn {
	TURN_WAIT, /* needs have not all ended */
	TURN_RUN,
	TURN_SKIP,
};
/*
 * Is it instance i's turn?  The skipping rules of the format: a need that was
 * skipped, failed or cancelled skips, unless `if` calls failed() or always().
 * A reader of a pipe also waits for what its writer needs, and is skipped with
 * it; `finally` waits until all else has ended.  -1 with e: the
 * condition could not be evaluated.
 */
MUST_USE int job_plan_turn(const struct job_plan *p, size_t i,
			   const struct job_stand *stand, enum job_turn *ret,
			   struct err *e);

/*
 * One attempt of instance i, everything evaluated.  With stand NULL outputs
 * are not known yet and count as empty (for policy at submission).  The caller
 * then fills attempt, number, fence, workspace facts, and the files' staged
 * names and hashes; and frees.
 */
MUST_USE int job_plan_attempt(const struct job_plan *p, size_t i,
			      const struct job_stand *stand,
			      struct job_attempt **ret, struct err *e);

/* --- retry -------------------------------------------------------------- */

/* Is attempt `number` (from 1), which ended so, to be followed by another?
 * ret_delay_us: wait so long before it. */
bool job_plan_retry(const struct job_plan *p, size_t i, uint32_t number,
		    enum fail_kind kind, int exit_code, uint64_t *ret_delay_us);

/* Matrix rules of a task: its instances at once (0: no limit), and whether one
 * failure ends the others. */
uint32_t job_plan_matrix_parallel(const struct job_plan *p, size_t i);
bool job_plan_fail_fast(const struct job_plan *p, size_t i);

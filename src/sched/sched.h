/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is next in a run: a pure function of how its instances stand.  It
 * knows nothing of processes, files or time but the numbers it is given, so
 * that every rule of the format about order, skipping and ending is tested as
 * a table.
 */
#pragma once

#include "base/err.h"
#include "job/plan.h"

enum sched_do {
	SCHED_START,  /* a pipe group's members come together, in plan order */
	SCHED_SKIP,   /* -> skipped */
	SCHED_CANCEL, /* it waits: -> cancelled */
	SCHED_STOP,   /* it runs: ask the monitor to end it */
	SCHED_REFUSE, /* its condition cannot be evaluated: -> failed, setup */
	SCHED_BLOCK,  /* its group can never fit: -> blocked, unschedulable */
	SCHED_ASK,    /* an approval: -> blocked, approval */
	SCHED_EXPIRE, /* and nobody gave it in time: -> failed, expired */
	SCHED_CALL,   /* a run of another job is made: -> running */
	SCHED_AWAIT,  /* a provider of secrets is away: -> blocked, stays so */
};

struct sched_step {
	enum sched_do what;
	uint32_t index;
};

/* How one run stands. */
struct sched_run {
	const struct job_plan *plan;
	const enum run_state *states; /* of every instance */
	/* Of every instance: not before; 0: at once.  Of an approval that was
	 * asked for: until then; 0: for ever. */
	const int64_t *due_us;
	/* Of every instance: it cannot start, though it is its turn; said again
	 * in every call.  NULL: all can. */
	const unsigned char *away;
	struct job_stand stand; /* for conditions; its states are ours */
	bool in_finally;
	bool cancelled, timed_out; /* the phase is to end */
	int64_t now_us;            /* the clock of due_us */
	uint32_t room;             /* attempts that may start now */
	uint32_t capacity;         /* that could ever run at once */
	bool may_call;             /* other runs can be made */
	bool hold;                 /* what is tried again waits */
};

struct sched_answer {
	struct sched_step *steps; /* the caller's: room for 2 * plan->n */
	size_t n;
	bool starved;    /* something may run, and only room is missing */
	bool held;       /* something waits only because of `hold` */
	bool phase_over; /* nothing of this phase waits or runs */
	int64_t due_us;  /* when to ask again at the latest; INT64_MAX: never */
};

/*
 * Decide.  States are as if every step was done already when the next one is
 * decided, so that one call goes as far as can be gone.  STOP is said again in
 * every call: the caller remembers whom it has told.
 */
void sched_next(const struct sched_run *run, struct sched_answer *ret);

/* How an attempt ended. */
struct sched_end {
	bool ended;
	enum run_state state;
	enum fail_kind kind;
	int exit_code;
	uint32_t number; /* of the attempt, from 1; without those away */
	bool away; /* what it needs was: the next try is no retry of the job's */
	uint64_t again_us; /* and comes so much later */
};

/* Was a member of i's group away?  Then the next try is no retry of any. */
bool sched_away(const struct job_plan *plan, size_t i,
		const struct sched_end *ends);

/*
 * May the group that instance i belongs to be tried again?  A group is retried
 * as one: each member that failed by itself must have a rule that allows it;
 * who was only dragged along (upstream, or cancelled) has no say, and nobody
 * else has one where a member was away.
 *
 * ends          of every instance
 * ret_delay_us  the longest backoff of those that failed
 */
bool sched_retry(const struct job_plan *plan, size_t i,
		 const struct sched_end *ends, uint64_t *ret_delay_us);

/* failed is stronger than cancelled, and that than succeeded. */
struct sched_verdict {
	enum run_state state;
	enum fail_kind kind;
	int32_t culprit; /* the instance that failed it; -1: none */
};
struct sched_verdict sched_judge(const struct job_plan *plan,
				 const enum run_state *states,
				 const enum fail_kind *kinds, bool cancelled,
				 bool timed_out);

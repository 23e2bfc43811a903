/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What is next in a run; see sched.h. */
#include "sched/sched.h"
#include "base/mem.h"

#include <string.h>

struct pass {
	const struct sched_run *r;
	struct sched_answer *a;
	enum run_state *states; /* as after the steps so far */
	uint32_t *group_size;   /* of the group whose first member is i */
	uint32_t *task_running; /* by the job's task */
	uint32_t running;       /* of this run */
	uint32_t room;
};

static const struct job_instance *instance(const struct pass *p, size_t i)
{
	return &p->r->plan->instances[i];
}

static bool waits(const struct pass *p, size_t i)
{
	return p->states[i] == STATE_QUEUED || p->states[i] == STATE_BLOCKED;
}

static bool in_phase(const struct pass *p, size_t i)
{
	return instance(p, i)->is_finally == p->r->in_finally;
}

static void step(struct pass *p, enum sched_do what, size_t i)
{
	static const enum run_state after[] = {
		[SCHED_START] = STATE_RUNNING,    [SCHED_SKIP] = STATE_SKIPPED,
		[SCHED_CANCEL] = STATE_CANCELLED, [SCHED_STOP] = STATE_RUNNING,
		[SCHED_REFUSE] = STATE_FAILED,    [SCHED_BLOCK] = STATE_BLOCKED,
		[SCHED_ASK] = STATE_BLOCKED,      [SCHED_EXPIRE] = STATE_FAILED,
		[SCHED_CALL] = STATE_RUNNING,     [SCHED_AWAIT] = STATE_BLOCKED,
	};

	p->states[i] = after[what];
	p->a->steps[p->a->n++] = (struct sched_step){what, (uint32_t)i};
}

static void count(struct pass *p)
{
	for (size_t i = 0; i < p->r->plan->n; i++) {
		p->group_size[instance(p, i)->group]++;
		if (p->states[i] != STATE_RUNNING)
			continue;
		p->running++;
		p->task_running[instance(p, i)->task]++;
	}
}

/* --- ending early ------------------------------------------------------- */

static void end_one(struct pass *p, size_t i, bool also_uninterruptible)
{
	if (waits(p, i))
		step(p, SCHED_CANCEL, i);
	else if (p->states[i] == STATE_RUNNING &&
		 (also_uninterruptible || !instance(p, i)->uninterruptible))
		step(p, SCHED_STOP, i);
}

/* A cancelled run lets `finally` begin, and then leaves it alone; a deadline
 * ends the phase that it belongs to. */
static void end_phase(struct pass *p)
{
	bool cancelled = p->r->cancelled && !p->r->in_finally;

	if (!cancelled && !p->r->timed_out)
		return;
	for (size_t i = 0; i < p->r->plan->n; i++)
		if (in_phase(p, i))
			end_one(p, i, p->r->timed_out);
}

/* One instance that failed for good ends its siblings of the matrix. */
static void fail_fast(struct pass *p)
{
	for (size_t i = 0; i < p->r->plan->n; i++) {
		uint32_t task = instance(p, i)->task;

		if (p->states[i] != STATE_FAILED ||
		    !job_plan_fail_fast(p->r->plan, i))
			continue;
		/* instances of one task lie together: once for all of them */
		for (size_t k = 0; k < p->r->plan->n; k++)
			if (instance(p, k)->task == task)
				end_one(p, k, true);
		while (i + 1 < p->r->plan->n &&
		       instance(p, i + 1)->task == task)
			i++;
	}
}

/* --- starting ----------------------------------------------------------- */

enum verdict {
	WAITS,
	MAY_RUN,
	IS_SKIPPED,
	IS_BROKEN,
};

/* Members may lie before the writer that names the group. */
static size_t from(const struct pass *p, size_t first)
{
	return p->group_size[first] == 1 ? first : 0;
}

/* A pipe group as a whole: the weakest member decides. */
static enum verdict group_verdict(struct pass *p, size_t first)
{
	struct job_stand stand = p->r->stand;
	enum verdict v = MAY_RUN;
	bool held = false;

	stand.states = p->states;
	for (size_t i = from(p, first); i < p->r->plan->n; i++) {
		enum job_turn turn;
		struct err e;

		if (instance(p, i)->group != first)
			continue;
		if (!waits(p, i))
			return WAITS;
		if (job_plan_turn(p->r->plan, i, &stand, &turn, &e))
			return IS_BROKEN;
		if (turn == TURN_SKIP)
			return IS_SKIPPED;
		if (turn == TURN_WAIT) {
			v = WAITS;
		} else if (p->r->due_us[i] > p->r->now_us) {
			v = WAITS;
			if (p->r->due_us[i] < p->a->due_us)
				p->a->due_us = p->r->due_us[i];
		} else if (p->r->hold && p->r->due_us[i] &&
			   p->states[i] == STATE_QUEUED) {
			held = true; /* a try that is not the first */
		}
		if (p->group_size[first] == 1)
			break;
	}
	p->a->held |= held && v == MAY_RUN;
	return held ? WAITS : v;
}

static void each_of_group(struct pass *p, enum sched_do what, size_t first)
{
	for (size_t i = from(p, first); i < p->r->plan->n; i++) {
		if (instance(p, i)->group != first || !waits(p, i))
			continue;
		if (what == SCHED_BLOCK && p->states[i] == STATE_BLOCKED)
			continue; /* said already */
		step(p, what, i);
		if (what == SCHED_START) {
			p->running++;
			p->room--;
			p->task_running[instance(p, i)->task]++;
		}
		if (p->group_size[first] == 1)
			break;
	}
}

static bool never_fits(const struct pass *p, size_t first)
{
	uint32_t size = p->group_size[first];
	uint32_t most = p->r->plan->job->max_parallel;

	return size > p->r->capacity || (most && size > most);
}

/* Room in the run itself: its own rules, not the machine's. */
static bool run_allows(const struct pass *p, size_t first)
{
	const struct job *j = p->r->plan->job;
	uint32_t size = p->group_size[first];
	uint32_t most = job_plan_matrix_parallel(p->r->plan, first);

	if (j->workspace_run && p->running)
		return false; /* one directory: one at a time */
	if (j->max_parallel && p->running + size > j->max_parallel)
		return false;
	return !most || p->task_running[instance(p, first)->task] < most;
}

/* People take no room; asked once, they have until it is due. */
static bool ask(struct pass *p, size_t i)
{
	if (p->states[i] == STATE_QUEUED)
		step(p, SCHED_ASK, i);
	else if (p->r->due_us[i]) /* else group_verdict() would wait */
		step(p, SCHED_EXPIRE, i);
	return p->states[i] == STATE_FAILED;
}

/* A run that is waited for takes a place in this run, none of the machine. */
static void call(struct pass *p, size_t i)
{
	if (!run_allows(p, i))
		return;
	if (!p->r->may_call) {
		p->a->starved = true;
		return;
	}
	step(p, SCHED_CALL, i);
	p->running++;
	p->task_running[instance(p, i)->task]++;
}

static bool group_away(const struct pass *p, size_t first)
{
	for (size_t i = from(p, first); p->r->away && i < p->r->plan->n; i++) {
		if (instance(p, i)->group == first && p->r->away[i])
			return true;
		if (p->group_size[first] == 1)
			break;
	}
	return false;
}

/* True when a state has changed that others may have waited for. */
static bool start_one(struct pass *p, size_t first)
{
	switch (group_verdict(p, first)) {
	case IS_BROKEN:
		each_of_group(p, SCHED_REFUSE, first);
		return true;
	case IS_SKIPPED:
		each_of_group(p, SCHED_SKIP, first);
		return true;
	case MAY_RUN:
		if (instance(p, first)->action == ACTION_APPROVAL)
			return ask(p, first);
		if (instance(p, first)->action == ACTION_CALL)
			call(p, first);
		else if (never_fits(p, first))
			each_of_group(p, SCHED_BLOCK, first);
		else if (group_away(p, first))
			each_of_group(p, SCHED_AWAIT, first);
		else if (!run_allows(p, first))
			return false;
		else if (p->group_size[first] > p->room)
			p->a->starved = true;
		else
			each_of_group(p, SCHED_START, first);
		return false;
	case WAITS:
		break;
	}
	return false;
}

static void start_some(struct pass *p)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (size_t i = 0; i < p->r->plan->n; i++)
			if (waits(p, i) && in_phase(p, i) &&
			    instance(p, i)->group == i)
				moved |= start_one(p, i);
	}
}

void sched_next(const struct sched_run *r, struct sched_answer *ret)
{
	CLEANUP_MEM enum run_state *states =
		mem_array(r->plan->n + 1, sizeof(*states));
	CLEANUP_MEM uint32_t *sizes = mem_array(r->plan->n + 1, sizeof(*sizes));
	CLEANUP_MEM uint32_t *running =
		mem_array(r->plan->job->n_tasks + 1, sizeof(*running));
	struct pass p = {.r = r,
			 .a = ret,
			 .states = states,
			 .group_size = sizes,
			 .task_running = running,
			 .room = r->room};

	memcpy(states, r->states, r->plan->n * sizeof(*states));
	ret->n = 0;
	ret->starved = ret->held = false;
	ret->due_us = INT64_MAX;
	count(&p);
	end_phase(&p);
	fail_fast(&p);
	start_some(&p);
	ret->phase_over = true;
	for (size_t i = 0; i < r->plan->n; i++)
		ret->phase_over &= !in_phase(&p, i) || state_final(states[i]);
}

/* --- after an attempt --------------------------------------------------- */

bool sched_away(const struct job_plan *plan, size_t i,
		const struct sched_end *ends)
{
	for (size_t k = 0; k < plan->n; k++)
		if (plan->instances[k].group == plan->instances[i].group &&
		    ends[k].away)
			return true;
	return false;
}

bool sched_retry(const struct job_plan *plan, size_t i,
		 const struct sched_end *ends, uint64_t *ret_delay_us)
{
	uint32_t group = plan->instances[i].group;
	bool any = false, away = sched_away(plan, i, ends);
	uint64_t longest = 0;

	for (size_t k = 0; k < plan->n; k++) {
		const struct sched_end *end = &ends[k];
		uint64_t delay;

		if (plan->instances[k].group != group ||
		    end->state != STATE_FAILED || end->kind == KIND_UPSTREAM)
			continue;
		/* what the others of its pipe made of that says nothing */
		if (away && !end->away)
			continue;
		delay = end->again_us;
		if (!away && !job_plan_retry(plan, k, end->number, end->kind,
					     end->exit_code, &delay))
			return false;
		any = true;
		if (delay > longest)
			longest = delay;
	}
	if (any)
		*ret_delay_us = longest;
	return any;
}

struct sched_verdict sched_judge(const struct job_plan *plan,
				 const enum run_state *states,
				 const enum fail_kind *kinds, bool cancelled,
				 bool timed_out)
{
	struct sched_verdict v = {.state = STATE_SUCCEEDED, .culprit = -1};

	if (cancelled)
		v.state = STATE_CANCELLED;
	for (size_t i = 0; i < plan->n; i++) {
		if (states[i] == STATE_CANCELLED && v.state == STATE_SUCCEEDED)
			v.state = STATE_CANCELLED;
		if (states[i] != STATE_FAILED)
			continue;
		/* who was dragged along is blamed only when nobody else is */
		if (v.culprit >= 0 && v.kind != KIND_UPSTREAM)
			continue;
		v = (struct sched_verdict){STATE_FAILED, kinds[i], (int32_t)i};
	}
	if (timed_out) {
		v.state = STATE_FAILED;
		v.kind = KIND_TIMEOUT;
	}
	return v;
}

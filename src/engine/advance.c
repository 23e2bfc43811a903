/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is next in a run: skip, start, cancel, end.  Called in a transaction
 * whenever something happened to it; what it starts is launched after the
 * commit.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engine/internal.h"

#include <string.h>

#define FINALLY_US ((int64_t)600 * 1000000)

static bool waiting(const struct run *r, size_t i)
{
	return r->states[i] == STATE_QUEUED;
}

static bool in_phase(const struct run *r, size_t i)
{
	return r->plan->instances[i].is_finally == r->in_finally;
}

/* --- cancelling --------------------------------------------------------- */

static void send_cancel(struct run *r, size_t i)
{
	struct attempt_id id = {r->inst[i].ulid, r->inst[i].fence};
	struct wire_writer w = {.len = 0};
	struct err e;

	if (r->inst[i].cancel_sent || !r->g->monitor)
		return;
	r->inst[i].cancel_sent = true;
	attempt_id_encode(&id, &w);
	if (chan_post(r->g->monitor, MSG_CANCEL, &w, NULL, 0, &e))
		log_warn("cancel: %s", e.text);
}

void advance_cancel_running(struct run *r)
{
	for (size_t i = 0; i < r->plan->n; i++)
		if (r->inst[i].running && in_phase(r, i) && !r->in_finally &&
		    !r->plan->instances[i].uninterruptible)
			send_cancel(r, i);
}

/* Tasks that have not begun when the run was cancelled or ran out of time. */
static int cancel_waiting(struct run *r, struct err *e)
{
	if (r->in_finally || !(r->row.cancelled || r->row.timed_out))
		return 0;
	for (size_t i = 0; i < r->plan->n; i++)
		if (waiting(r, i) && in_phase(r, i) &&
		    live_task_state(r, i, STATE_CANCELLED, KIND_NONE, e))
			return -1;
	return 0;
}

/* One failed instance of a matrix ends its siblings. */
static int fail_fast(struct run *r, struct err *e)
{
	const struct job_instance *all = r->plan->instances;

	for (size_t i = 0; i < r->plan->n; i++) {
		if (r->states[i] != STATE_FAILED ||
		    !job_plan_fail_fast(r->plan, i))
			continue;
		for (size_t k = 0; k < r->plan->n; k++) {
			if (all[k].task != all[i].task)
				continue;
			if (r->inst[k].running)
				send_cancel(r, k);
			else if (waiting(r, k) &&
				 live_task_state(r, k, STATE_CANCELLED,
						 KIND_NONE, e))
				return -1;
		}
	}
	return 0;
}

/* --- starting ----------------------------------------------------------- */

/* What would be one too many, of this run or of all. */
static bool room_for(const struct run *r, size_t first, uint32_t size)
{
	const struct job_instance *all = r->plan->instances;
	uint32_t mine = 0, siblings = 0;
	uint32_t most = job_plan_matrix_parallel(r->plan, first);

	for (size_t i = 0; i < r->plan->n; i++) {
		mine += r->inst[i].running;
		siblings +=
			r->inst[i].running && all[i].task == all[first].task;
	}
	if (r->g->n_running + size > r->g->o.parallel)
		return false;
	if (r->plan->job->workspace_run && mine)
		return false; /* a shared directory: one at a time */
	if (r->plan->job->max_parallel && mine &&
	    mine + size > r->plan->job->max_parallel)
		return false;
	return !most || siblings + size <= most;
}

static int start(struct run *r, size_t i, struct err *e)
{
	struct err why;

	if (launch_prepare(r, i, &why)) {
		log_warn("task not started: %s", why.text);
		return live_task_state(r, i, STATE_FAILED, KIND_SETUP, e);
	}
	r->inst[i].running = true;
	r->g->n_running++;
	if (!r->row.started_us) {
		r->row.started_us = clock_real_us();
		r->row.state = STATE_RUNNING;
		if (live_save_run(r, e))
			return -1;
	}
	return live_task_state(r, i, STATE_RUNNING, KIND_NONE, e);
}

/* A pipe group as a whole: 1 all may run, 0 some wait, 2 one is skipped. */
static int group_turn(struct run *r, size_t group, uint32_t *size,
		      struct err *e)
{
	struct job_stand stand = live_stand(r);
	int64_t now = clock_real_us();
	int all = 1;

	*size = 0;
	for (size_t i = 0; i < r->plan->n; i++) {
		enum job_turn turn = TURN_RUN;

		if (r->plan->instances[i].group != group)
			continue;
		(*size)++;
		if (!waiting(r, i))
			return 0;
		if (r->inst[i].due_us > now)
			all = 0;
		if (job_plan_turn(r->plan, i, &stand, &turn, e))
			return -1;
		if (turn == TURN_SKIP)
			return 2;
		if (turn == TURN_WAIT)
			all = 0;
	}
	return all;
}

static int each_of_group(struct run *r, size_t group,
			 int (*fn)(struct run *r, size_t i, struct err *e),
			 struct err *e)
{
	for (size_t i = 0; i < r->plan->n; i++)
		if (r->plan->instances[i].group == group && waiting(r, i) &&
		    fn(r, i, e))
			return -1;
	return 0;
}

static int skip(struct run *r, size_t i, struct err *e)
{
	return live_task_state(r, i, STATE_SKIPPED, KIND_NONE, e);
}

static int refuse(struct run *r, size_t i, struct err *e)
{
	return live_task_state(r, i, STATE_FAILED, KIND_SETUP, e);
}

/* One pass over the waiting groups; *moved when a state changed that others
 * may have waited for. */
static int start_some(struct run *r, bool *moved, struct err *e)
{
	for (size_t i = 0; i < r->plan->n; i++) {
		uint32_t size;
		int turn;

		if (!waiting(r, i) || !in_phase(r, i) ||
		    r->plan->instances[i].group != i)
			continue;
		turn = group_turn(r, i, &size, e);
		if (turn < 0) { /* a condition that cannot be evaluated */
			*moved = true;
			if (each_of_group(r, i, refuse, e))
				return -1;
		} else if (turn == 2) {
			*moved = true;
			if (each_of_group(r, i, skip, e))
				return -1;
		} else if (turn == 1 && room_for(r, i, size)) {
			if (each_of_group(r, i, start, e))
				return -1;
			*moved |= r->states[i] == STATE_FAILED;
		}
	}
	return 0;
}

/* --- ending ------------------------------------------------------------- */

static bool phase_over(const struct run *r)
{
	for (size_t i = 0; i < r->plan->n; i++)
		if (in_phase(r, i) && !state_final(r->states[i]))
			return false;
	return true;
}

/* failed is stronger than cancelled, and that than succeeded. */
static void judge(struct run *r)
{
	r->row.state = r->row.cancelled ? STATE_CANCELLED : STATE_SUCCEEDED;
	for (size_t i = 0; i < r->plan->n; i++) {
		if (r->states[i] == STATE_CANCELLED &&
		    r->row.state == STATE_SUCCEEDED)
			r->row.state = STATE_CANCELLED;
		if (r->states[i] != STATE_FAILED ||
		    r->row.state == STATE_FAILED)
			continue;
		r->row.state = STATE_FAILED;
		r->row.kind = r->inst[i].kind;
	}
	if (r->row.timed_out) {
		r->row.state = STATE_FAILED;
		r->row.kind = KIND_TIMEOUT;
	}
}

static int finish(struct run *r, struct err *e)
{
	judge(r);
	r->row.finished_us = clock_real_us();
	r->ended = true;
	return live_save_run(r, e);
}

static int next_phase(struct run *r, struct err *e)
{
	bool has_finally = false;

	for (size_t i = 0; i < r->plan->n; i++)
		has_finally |= r->plan->instances[i].is_finally;
	if (r->in_finally || !has_finally)
		return finish(r, e);
	r->in_finally = true;
	r->row.finally_us = clock_real_us();
	r->deadline_us = clock_mono_us() + FINALLY_US;
	return live_save_run(r, e);
}

/* --- all of it ---------------------------------------------------------- */

static int check_deadline(struct run *r, struct err *e)
{
	if (r->deadline_us < 0 || clock_mono_us() < r->deadline_us)
		return 0;
	r->deadline_us = -1;
	r->row.timed_out = true;
	for (size_t i = 0; i < r->plan->n; i++) {
		if (!in_phase(r, i))
			continue;
		if (r->inst[i].running)
			send_cancel(r, i);
		else if (waiting(r, i) &&
			 live_task_state(r, i, STATE_CANCELLED, KIND_NONE, e))
			return -1;
	}
	return live_save_run(r, e);
}

int advance(struct run *r, struct err *e)
{
	bool moved = true;

	if (r->ended)
		return 0;
	if (r->deadline_us < 0 && !r->row.timed_out && !r->in_finally)
		r->deadline_us =
			clock_mono_us() + (int64_t)r->plan->job->timeout_us;
	if (check_deadline(r, e))
		return -1;
	while (moved && !r->ended) {
		moved = false;
		if (cancel_waiting(r, e) || fail_fast(r, e) ||
		    start_some(r, &moved, e))
			return -1;
		if (!moved && phase_over(r)) {
			if (next_phase(r, e))
				return -1;
			moved = true;
		}
	}
	return 0;
}

void advance_launch(struct run *r)
{
	for (size_t i = 0; i < r->plan->n; i++) {
		struct err e;

		if (!r->inst[i].prepared)
			continue;
		if (launch_send(r, i, &e)) {
			struct ended end = {
				.id = {r->inst[i].ulid, r->inst[i].fence},
				.state = STATE_FAILED,
				.kind = KIND_SETUP,
				.exit_code = -1
                        };

			log_error("launch: %s", e.text);
			if (result_take(r, i, &end, &e))
				log_error("%s", e.text);
			r->dirty = true;
		}
	}
}

int64_t advance_due(const struct run *r)
{
	int64_t due = INT64_MAX;
	int64_t now_real = clock_real_us(), now = clock_mono_us();

	for (size_t i = 0; i < r->plan->n; i++)
		if (waiting(r, i) && r->inst[i].due_us > now_real &&
		    r->inst[i].due_us < due)
			due = r->inst[i].due_us;
	if (r->deadline_us >= 0 && now_real + (r->deadline_us - now) < due)
		due = now_real + (r->deadline_us - now);
	return due;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Carries out what sched decides for one run, until there is nothing more to
 * decide.  Changes memory only; what was started is launched after the commit.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <stdio.h>
#include <string.h>

#define FINALLY_US ((int64_t)600 * 1000000)

/* --- deadlines ---------------------------------------------------------- */

/* What is left of a span that began then, on the monotonic clock; a clock that
 * was set back or forth in between can only make it shorter, never longer. */
static int64_t deadline(int64_t began_real_us, int64_t span_us)
{
	int64_t gone = clock_real_us() - began_real_us;

	if (gone < 0)
		gone = 0;
	return clock_mono_us() + (gone > span_us ? 0 : span_us - gone);
}

static void find_deadline(struct run *r)
{
	if (r->deadline_us < 0 && r->in_finally)
		r->deadline_us = deadline(r->row.finally_us, FINALLY_US);
	else if (r->deadline_us < 0 && r->row.started_us)
		r->deadline_us = deadline(r->row.started_us,
					  (int64_t)r->plan->job->timeout_us);
}

static void check_deadline(struct run *r)
{
	find_deadline(r);
	if (r->deadline_us < 0 || clock_mono_us() < r->deadline_us)
		return;
	if (r->in_finally) {
		r->finally_over = true;
	} else if (!r->row.timed_out) {
		r->row.timed_out = true;
		r->row_dirty = true;
		live_put(r);
	}
}

static void set_timer(struct run *r, int64_t due_real_us)
{
	bool over = r->in_finally ? r->finally_over : r->row.timed_out;
	int64_t at;

	find_deadline(r); /* it may have begun a moment ago */
	at = over ? -1 : r->deadline_us;
	if (due_real_us != INT64_MAX) {
		int64_t wait = due_real_us - clock_real_us();
		int64_t due = clock_mono_us() + (wait > 0 ? wait : 0);

		if (at < 0 || due < at)
			at = due;
	}
	loop_timer_set(r->timer, r->ended ? -1 : at);
}

/* --- steps -------------------------------------------------------------- */

static void started(struct run *r)
{
	if (r->row.state == STATE_RUNNING)
		return;
	if (!r->row.started_us)
		r->row.started_us = clock_real_us();
	r->row.blocked = STR("");
	live_run_set(r, STATE_RUNNING);
}

/* One member could not be prepared: none of its group goes out. */
static void break_group(struct run *r, size_t of)
{
	uint32_t group = r->plan->instances[of].group;

	for (size_t i = 0; i < r->plan->n; i++) {
		if (i == of || r->plan->instances[i].group != group)
			continue;
		if (r->inst[i].prepared)
			launch_undo(r, i);
		live_task_set(r, i, STATE_FAILED, KIND_UPSTREAM,
			      STR("another task of its pipe could not start"));
	}
}

static bool start(struct run *r, size_t i)
{
	uint32_t group = r->plan->instances[i].group;
	enum fail_kind kind;
	struct err why;

	for (size_t k = 0; k < r->plan->n; k++)
		if (r->plan->instances[k].group == group &&
		    r->states[k] == STATE_FAILED)
			return false; /* broken a moment ago; looked at again */
	if (!launch_prepare(r, i, &why)) {
		started(r);
		live_task_set(r, i, STATE_RUNNING, KIND_NONE, STR(""));
		return true;
	}
	kind = why.code == ERR_DENIED ? KIND_POLICY : KIND_SETUP;
	live_task_set(r, i, STATE_FAILED, kind,
		      live_str(r, str_from(why.text)));
	break_group(r, i);
	return false;
}

/* True when it went as sched thought. */
static bool carry_out(struct run *r, const struct sched_step *s)
{
	size_t i = s->index;

	switch (s->what) {
	case SCHED_START:
		return start(r, i);
	case SCHED_SKIP:
		live_task_set(r, i, STATE_SKIPPED, KIND_NONE, STR(""));
		return true;
	case SCHED_CANCEL:
		live_task_set(r, i, STATE_CANCELLED, KIND_NONE, STR(""));
		return true;
	case SCHED_STOP:
		if (r->plan->instances[i].action == ACTION_CALL)
			call_stop(&r->inst[i]);
		else
			monitor_stop_attempt(&r->inst[i]);
		return true;
	case SCHED_CALL:
		started(r);
		return call_start(r, i);
	case SCHED_REFUSE:
		live_task_set(r, i, STATE_FAILED, KIND_SETUP,
			      STR("its condition cannot be evaluated"));
		return true;
	case SCHED_AWAIT:
		if (!r->row.started_us) /* its time counts from now on */
			started(r);
		away_block(r, i);
		return true;
	case SCHED_BLOCK:
		live_task_set(r, i, STATE_BLOCKED, KIND_NONE, STR(""));
		return true;
	case SCHED_ASK:
		started(r);
		return approve_ask(r, i);
	case SCHED_EXPIRE:
		approve_expire(r, i);
		return true;
	}
	return true;
}

/* --- ending ------------------------------------------------------------- */

static struct str why_failed(struct run *r, const struct sched_verdict *v)
{
	const struct instance *in = &r->inst[v->culprit];
	CLEANUP_BUF struct buf b = BUF_INIT(2000);

	buf_printf(&b, "task \"" STR_FMT "\": ",
		   STR_ARG(r->plan->instances[v->culprit].name));
	if (in->error.len)
		buf_str(&b, in->error);
	else if (in->kind == KIND_EXIT)
		buf_printf(&b, "exit code %d", in->row.exit_code);
	else if (in->kind == KIND_SIGNAL)
		buf_printf(&b, "signal %d", in->row.signo);
	else
		buf_puts(&b,
			 kind_name(in->kind) ? kind_name(in->kind) : "failed");
	return live_str(r, buf_view(&b));
}

static void finish(struct run *r)
{
	CLEANUP_MEM enum fail_kind *kinds =
		mem_array(r->plan->n + 1, sizeof(*kinds));
	struct sched_verdict v;

	for (size_t i = 0; i < r->plan->n; i++)
		kinds[i] = r->inst[i].kind;
	v = sched_judge(r->plan, r->states, kinds, r->row.cancelled,
			r->row.timed_out);
	r->row.kind = v.kind;
	if (r->row.timed_out)
		r->row.error = STR("the job's timeout has struck");
	else if (v.culprit >= 0)
		r->row.error = why_failed(r, &v);
	r->row.blocked = STR("");
	r->row.finished_us = clock_real_us();
	r->ended = true;
	live_run_set(r, v.state);
	if (gitsource_is_fetch(r))
		gitsource_ended(r);
	call_ended(r);
}

static bool has_finally(const struct run *r)
{
	return r->plan->n && r->plan->instances[r->plan->n - 1].is_finally;
}

static void next_phase(struct run *r)
{
	if (r->in_finally || !has_finally(r)) {
		finish(r);
		return;
	}
	r->in_finally = true;
	r->row.finally_us = clock_real_us();
	r->deadline_us = -1;
	r->row_dirty = true;
	live_put(r);
}

/* What a run waits for of which nothing runs, and to which no time comes; "":
 * it goes on. */
static struct str stands_still(const struct run *r)
{
	int64_t now = clock_real_us();
	struct str why = r->held ? STR("maintenance") : STR("");

	for (size_t i = 0; i < r->plan->n; i++) {
		if (r->states[i] == STATE_RUNNING ||
		    (r->states[i] == STATE_QUEUED && r->due_us[i] > now))
			return STR("");
		if (r->states[i] == STATE_BLOCKED && !str_is(why, "approval"))
			why = r->inst[i].blocked;
	}
	return why;
}

static void check_blocked(struct run *r, bool starved)
{
	struct str why = starved ? STR("") : stands_still(r);

	if (!why.len) {
		if (r->row.state == STATE_BLOCKED && r->row.started_us)
			started(r);
		return;
	}
	if (r->row.state == STATE_BLOCKED && str_eq(r->row.blocked, why))
		return;
	r->row.blocked = why;
	live_run_set(r, STATE_BLOCKED);
}

/* --- all of it ---------------------------------------------------------- */

/* Attempts that may start now.  Runs with a shared workspace hold a uid for as
 * long as they live; they get those that single attempts never need. */
uint32_t advance_room(const struct run *r)
{
	const struct engine *g = r->g;

	if (!g->monitor || !g->recovered || g->stuck ||
	    g->n_running >= g->o.parallel)
		return 0;
	if (r->plan->job->workspace_run && !r->has_slot &&
	    g->n_shared >= g->n_slots - g->o.parallel)
		return 0;
	return g->o.parallel - g->n_running;
}

static bool decide(struct run *r, struct sched_answer *a)
{
	CLEANUP_MEM unsigned char *away = away_look(r);
	struct sched_run view = {
		.plan = r->plan,
		.states = r->states,
		.due_us = r->due_us,
		.away = away,
		.stand = live_stand(r),
		.in_finally = r->in_finally,
		.cancelled = r->row.cancelled,
		.timed_out = r->in_finally ? r->finally_over : r->row.timed_out,
		.now_us = clock_real_us(),
		.room = advance_room(r),
		.capacity = r->g->o.parallel,
		.hold = !r->in_finally && gate_holds(r),
		.may_call = !r->g->stuck && !r->g->disk_full,
	};
	bool as_thought = true;

	sched_next(&view, a);
	for (size_t k = 0; k < a->n; k++)
		as_thought &= carry_out(r, &a->steps[k]);
	return as_thought;
}

void advance(struct run *r)
{
	struct sched_answer a;
	bool again = true;

	if (r->ended || !r->g->recovered)
		return;
	if (!gate_pass(r))
		return;
	a.steps = mem_array(2 * r->plan->n + 1, sizeof(*a.steps));
	while (again && !r->ended) {
		check_deadline(r);
		again = !decide(r, &a);
		if (!again && a.phase_over) {
			next_phase(r);
			again = true;
		}
	}
	live_starved(r, !r->ended && a.starved);
	r->held = !r->ended && a.held;
	if (!r->ended)
		check_blocked(r, a.starved);
	set_timer(r, a.due_us);
	mem_free(a.steps);
}

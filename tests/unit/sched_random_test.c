/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Random jobs, ended in random ways: pipes, conditions, retries, `finally`,
 * cancel, deadlines and restarts at random points.  Every run ends, no step is
 * against the state it meets, and who starts or is skipped does so as the
 * format says, by an oracle that looks at the generator's own needs alone.
 */
#include "base/mem.h"
#include "sched/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	TASKS = 12,
	RUNS = 3000,
	CAPACITY = 8
};

struct sim {
	uint64_t seed;
	struct job_plan *plan;
	size_t n_tasks, n; /* tasks, then finally */
	bool needs[TASKS][TASKS], has_if[TASKS];
	int at[TASKS]; /* plan index of the generator's task */
	enum run_state states[TASKS];
	enum fail_kind kinds[TASKS];
	struct sched_end ends[TASKS];
	uint32_t number[TASKS];
	int64_t due[TASKS], now;
	uint32_t room, most;
	bool cancelled, timed_out, in_finally, told[TASKS];
	bool started_now[TASKS];
};

static uint32_t rnd(struct sim *s, uint32_t below)
{
	s->seed = s->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(s->seed >> 33) % below;
}

static void write_task(struct sim *s, size_t i, size_t first, struct buf *b)
{
	bool any = false, pipe = i > first && !rnd(s, 4);

	buf_printf(b, "  t%zu:\n    run: x\n", i);
	if (pipe)
		buf_printf(b, "    stdin: t%zu.stdout\n",
			   first + rnd(s, (uint32_t)(i - first)));
	for (size_t k = first; k < i; k++) {
		if (rnd(s, 4))
			continue;
		buf_printf(b, any ? ", t%zu" : "    needs: [t%zu", k);
		any = s->needs[i][k] = true;
	}
	if (any)
		buf_puts(b, "]\n");
	s->has_if[i] = !rnd(s, 4);
	if (s->has_if[i])
		buf_puts(b, rnd(s, 2) ? "    if: always()\n" :
					"    if: failed()\n");
	if (!rnd(s, 3))
		buf_puts(b, "    retry: {max: 2, backoff: 1s}\n");
	if (!rnd(s, 5))
		buf_puts(b, "    uninterruptible: true\n");
}

/* False: the format has no such job (pipes that wait for each other). */
static bool make(struct sim *s)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	struct job_run_facts facts = {STR("run_X"), STR("api"), STR("uid:0"),
				      STR("")};
	struct job *j;

	s->n_tasks = 1 + rnd(s, TASKS - 3);
	s->n = s->n_tasks + rnd(s, 3);
	s->most = rnd(s, 2) ? 1 + rnd(s, 5) : 0;
	buf_puts(&b, "nfo: 1\nname: x\n");
	if (s->most)
		buf_printf(&b, "max_parallel: %u\n", s->most);
	buf_puts(&b, "tasks:\n");
	for (size_t i = 0; i < s->n; i++) {
		if (i == s->n_tasks)
			buf_puts(&b, "finally:\n");
		write_task(s, i, i < s->n_tasks ? 0 : s->n_tasks, &b);
	}
	if (job_parse(buf_view(&b), DOC_YAML, &j, ps) ||
	    job_plan_new(j, str_n(NULL, 0), &facts, &s->plan, ps))
		return false;
	assert_int_equal(s->plan->n, s->n);
	for (size_t i = 0; i < s->n; i++) {
		char name[24];

		(void)snprintf(name, sizeof(name), "t%zu", i);
		s->at[i] = job_plan_find(s->plan, str_from(name));
		assert_true(s->at[i] >= 0);
	}
	return true;
}

/* --- the oracle --------------------------------------------------------- */

static bool waits(const struct sim *s, size_t p)
{
	return s->states[p] == STATE_QUEUED || s->states[p] == STATE_BLOCKED;
}

static size_t task_of(const struct sim *s, size_t p)
{
	size_t i = 0;

	while (s->at[i] != (int)p)
		i++;
	return i;
}

static void check_start(struct sim *s, size_t p)
{
	size_t i = task_of(s, p);

	assert_true(waits(s, p));
	assert_true(s->due[p] <= s->now);
	assert_int_equal(i >= s->n_tasks, s->in_finally);
	assert_false(s->timed_out);
	assert_false(s->cancelled && !s->in_finally);
	for (size_t k = 0; k < s->n; k++) {
		if (!s->needs[i][k])
			continue;
		assert_true(state_final(s->states[s->at[k]]));
		if (!s->has_if[i])
			assert_int_equal(s->states[s->at[k]], STATE_SUCCEEDED);
	}
	s->started_now[p] = true;
}

/* Somebody of its group has a reason. */
static void check_skip(struct sim *s, size_t p)
{
	bool reason = false;

	assert_true(waits(s, p));
	for (size_t q = 0; q < s->n; q++) {
		size_t i = task_of(s, q);

		if (s->plan->instances[q].group != s->plan->instances[p].group)
			continue;
		reason |= s->has_if[i];
		for (size_t k = 0; k < s->n; k++)
			reason |= s->needs[i][k] &&
				  state_final(s->states[s->at[k]]) &&
				  s->states[s->at[k]] != STATE_SUCCEEDED;
	}
	assert_true(reason);
}

static void check_after(const struct sim *s)
{
	uint32_t running = 0, began = 0;

	for (size_t p = 0; p < s->n; p++) {
		running += s->states[p] == STATE_RUNNING;
		began += s->started_now[p];
		for (size_t q = 0; q < s->n; q++)
			if (s->plan->instances[p].group ==
			    s->plan->instances[q].group)
				assert_int_equal(s->started_now[p],
						 s->started_now[q]);
	}
	assert_true(running <= CAPACITY && began <= s->room);
	assert_true(!s->most || running <= s->most);
}

/* --- the world ---------------------------------------------------------- */

static void set(struct sim *s, size_t p, enum run_state state,
		enum fail_kind kind)
{
	s->states[p] = state;
	s->kinds[p] = kind;
}

static void carry_out(struct sim *s, const struct sched_step *step)
{
	size_t p = step->index;

	switch (step->what) {
	case SCHED_START:
		check_start(s, p);
		s->number[p]++;
		s->ends[p] = (struct sched_end){0};
		set(s, p, STATE_RUNNING, KIND_NONE);
		break;
	case SCHED_SKIP:
		check_skip(s, p);
		set(s, p, STATE_SKIPPED, KIND_NONE);
		break;
	case SCHED_CANCEL:
		assert_true(waits(s, p));
		assert_true(s->cancelled || s->timed_out);
		set(s, p, STATE_CANCELLED, KIND_NONE);
		break;
	case SCHED_STOP:
		assert_int_equal(s->states[p], STATE_RUNNING);
		assert_true(s->timed_out ||
			    (s->cancelled &&
			     !s->plan->instances[p].uninterruptible));
		s->told[p] = true;
		break;
	case SCHED_BLOCK:
		assert_int_equal(s->states[p], STATE_QUEUED);
		set(s, p, STATE_BLOCKED, KIND_NONE);
		break;
	case SCHED_REFUSE:
		fail_msg("no condition here is broken");
	}
}

static struct sched_answer decide(struct sim *s, struct sched_step *steps)
{
	struct sched_answer a = {.steps = steps};
	struct sched_run view = {.plan = s->plan,
				 .states = s->states,
				 .due_us = s->due,
				 .stand = {.cancelled = s->cancelled},
				 .in_finally = s->in_finally,
				 .cancelled = s->cancelled,
				 .timed_out = s->timed_out,
				 .now_us = s->now,
				 .capacity = CAPACITY};

	s->room = CAPACITY;
	for (size_t p = 0; p < s->n; p++)
		s->room -= s->states[p] == STATE_RUNNING;
	view.room = s->room;
	memset(s->started_now, 0, sizeof(s->started_now));
	sched_next(&view, &a);
	assert_true(a.n <= 2 * s->n);
	for (size_t k = 0; k < a.n; k++)
		carry_out(s, &a.steps[k]);
	check_after(s);
	return a;
}

static void settle(struct sim *s, size_t of)
{
	uint32_t group = s->plan->instances[of].group;
	bool again = !s->cancelled && !s->timed_out;
	uint64_t delay = 0;

	for (size_t p = 0; p < s->n; p++)
		if (s->plan->instances[p].group == group && !s->ends[p].ended)
			return;
	again = again && sched_retry(s->plan, of, s->ends, &delay);
	for (size_t p = 0; p < s->n; p++) {
		if (s->plan->instances[p].group != group)
			continue;
		if (again)
			assert_true(s->number[p] <= 2);
		s->due[p] = again ? s->now + (int64_t)delay : 0;
		set(s, p, again ? STATE_QUEUED : s->ends[p].state,
		    again ? KIND_NONE : s->ends[p].kind);
		s->told[p] = false;
	}
}

static void end(struct sim *s, size_t p, enum run_state state,
		enum fail_kind kind)
{
	s->ends[p] = (struct sched_end){true, state, kind, 1, s->number[p]};
	settle(s, p);
}

/* True when something happened. */
static bool end_one(struct sim *s)
{
	uint32_t from = rnd(s, (uint32_t)s->n);

	for (size_t k = 0; k < s->n; k++) {
		size_t p = (from + k) % s->n;

		if (s->states[p] != STATE_RUNNING || s->ends[p].ended)
			continue;
		if (s->told[p])
			end(s, p, STATE_CANCELLED, KIND_NONE);
		else if (rnd(s, 3))
			end(s, p, STATE_SUCCEEDED, KIND_NONE);
		else
			end(s, p, STATE_FAILED, KIND_EXIT);
		return true;
	}
	return false;
}

/* Who was told is forgotten, and some of what ran is lost. */
static void restart(struct sim *s)
{
	memset(s->told, 0, sizeof(s->told));
	for (size_t p = 0; p < s->n; p++)
		if (s->states[p] == STATE_RUNNING && !s->ends[p].ended &&
		    !rnd(s, 3))
			end(s, p, STATE_FAILED, KIND_LOST);
}

static void run_to_the_end(struct sim *s)
{
	struct sched_step steps[2 * TASKS];
	struct sched_answer a;

	for (int turns = 0;; turns++) {
		bool blocked = false;

		assert_true(turns < 1000);
		a = decide(s, steps);
		if (a.phase_over && (s->in_finally || s->n == s->n_tasks))
			break;
		if (a.phase_over) {
			s->in_finally = true;
			s->timed_out = false;
			continue;
		}
		s->cancelled |= !rnd(s, 20);
		s->timed_out |= !rnd(s, 40);
		if (!rnd(s, 15))
			restart(s);
		if (end_one(s))
			continue;
		for (size_t p = 0; p < s->n; p++)
			blocked |= s->states[p] == STATE_BLOCKED;
		if (a.due_us != INT64_MAX && a.due_us > s->now)
			s->now = a.due_us;
		else if (blocked) /* only a cancel or the deadline helps */
			s->timed_out = true;
	}
	for (size_t p = 0; p < s->n; p++)
		assert_true(state_final(s->states[p]));
}

static void check_verdict(const struct sim *s)
{
	struct sched_verdict v = sched_judge(s->plan, s->states, s->kinds,
					     s->cancelled, s->timed_out);
	bool failed = s->timed_out, cancelled = s->cancelled;

	for (size_t p = 0; p < s->n; p++) {
		failed |= s->states[p] == STATE_FAILED;
		cancelled |= s->states[p] == STATE_CANCELLED;
	}
	assert_int_equal(v.state, failed    ? STATE_FAILED :
				  cancelled ? STATE_CANCELLED :
					      STATE_SUCCEEDED);
}

static void test_random(void **state)
{
	size_t made = 0;

	(void)state;
	for (uint64_t k = 1; k <= RUNS; k++) {
		struct sim s = {.seed = k * 0x9e3779b97f4a7c15u};

		if (!make(&s))
			continue;
		made++;
		run_to_the_end(&s);
		check_verdict(&s);
		job_plan_free(s.plan);
	}
	print_message("%zu of %d jobs\n", made, RUNS);
	assert_true(made > RUNS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

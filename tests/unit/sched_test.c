/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is next, as tables: a job, how its tasks stand, what is to be done.
 *
 * States are one letter an instance in plan order: q queued, b blocked, r
 * running, s succeeded, f failed, c cancelled, k skipped.  Steps are +NAME
 * start, ~NAME skip, -NAME cancel, !NAME stop, ?NAME refuse, #NAME block, @NAME
 * ask, %NAME expire, *NAME call; then
 * "over" when the phase is, "starved" when only room is missing.
 */
#include "base/mem.h"
#include "sched/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct job_plan *plan_of(const char *text)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job_run_facts facts = {STR("run_X"), STR("api"), STR("uid:0"),
				      STR("")};
	struct job_plan *p;
	struct job *j;

	if (job_parse(str_from(text), DOC_YAML, &j, ps) ||
	    job_plan_new(j, str_n(NULL, 0), &facts, &p, ps)) {
		print_error("%s\n", ps->items[0].message);
		fail();
	}
	return p;
}

static enum run_state state_of(char c)
{
	static const char letters[] = "qbrsfck";

	return (enum run_state)(strchr(letters, c) - letters);
}

struct row {
	const char *job, *states, *want;
	uint32_t room; /* 0: plenty */
	bool in_finally, cancelled, timed_out, no_calls, hold;
	int64_t now;
	int64_t due;      /* of every instance */
	const char *away; /* names of one letter */
};

#define HEAD "nfo: 1\nname: x\n"

/* clang-format off */
static const char asking[] = HEAD "max_parallel: 1\ntasks:\n"
	"  a: {run: x}\n  b: {needs: [a], approval: {from: [user/u]}}\n"
	"  c: {needs: [a], run: x}\n  z: {needs: [b], run: x}\n";
static const char calling[] = HEAD "max_parallel: 2\ntasks:\n"
	"  a: {job: {name: j}}\n"
	"  b: {job: {name: j}, uninterruptible: true}\n"
	"  c: {job: {name: j}}\n  z: {needs: [c], run: x}\n";
static const char chain[] = HEAD "tasks:\n"
	"  - {name: a, run: x}\n  - {name: b, run: x}\n  - {name: c, run: x}\n";
static const char graph[] = HEAD "tasks:\n"
	"  a: {run: x}\n  b: {run: x}\n  c: {needs: [a, b], run: x}\n"
	"  d: {needs: [c], run: x}\n";
static const char ifs[] = HEAD "tasks:\n"
	"  a: {run: x}\n"
	"  bad: {needs: [a], if: \"failed('a')\", run: x}\n"
	"  ever: {needs: [a], if: always(), run: x}\n"
	"  z: {needs: [bad], run: x}\n";
static const char piped[] = HEAD "tasks:\n"
	"  x1: {stdin: w.stdout, run: x}\n"
	"  w: {run: x}\n"
	"  x2: {stdin: w.stdout, run: x}\n"
	"  z: {needs: [x1], run: x}\n";
static const char narrow[] = HEAD "max_parallel: 2\ntasks:\n"
	"  x1: {stdin: w.stdout, run: x}\n  w: {run: x}\n"
	"  x2: {stdin: w.stdout, run: x}\n";
static const char wide[] = HEAD "max_parallel: 2\ntasks:\n"
	"  a: {run: x}\n  b: {run: x}\n  c: {run: x}\n";
static const char matrix[] = HEAD "tasks:\n"
	"  t: {matrix: {v: [p, q, r], max_parallel: 2}, run: x}\n"
	"  u: {needs: [t], run: x}\n";
static const char slow[] = HEAD "tasks:\n"
	"  t: {matrix: {v: [p, q, r], fail_fast: false}, run: x}\n"
	"  u: {needs: [t], run: x}\n";
static const char shared[] = HEAD "workspace: run\ntasks:\n"
	"  a: {run: x}\n  b: {run: x}\n";
static const char finals[] = HEAD "tasks:\n  a: {run: x}\n  b: {run: x}\n"
	"finally:\n  f: {run: x}\n  g: {needs: [f], run: x}\n";
static const char firm[] = HEAD "tasks:\n"
	"  a: {run: x, uninterruptible: true}\n  b: {run: x}\n";

static const struct row rows[] = {
	/* order */
	{.job = chain, .states = "qqq", .want = "+a"},
	{.job = chain, .states = "rqq", .want = ""},
	{.job = chain, .states = "sqq", .want = "+b"},
	{.job = chain, .states = "sss", .want = "over"},
	{.job = chain, .states = "fqq", .want = "~b ~c over"},
	{.job = chain, .states = "cqq", .want = "~b ~c over"},
	{.job = graph, .states = "qqqq", .want = "+a +b"},
	{.job = graph, .states = "srqq", .want = ""},
	{.job = graph, .states = "frqq", .want = ""},
	{.job = graph, .states = "fsqq", .want = "~c ~d over"},
	{.job = graph, .states = "ssqq", .want = "+c"},
	{.job = graph, .states = "sskq", .want = "~d over"},
	/* conditions */
	{.job = ifs, .states = "sqqq", .want = "~bad +ever ~z"},
	{.job = ifs, .states = "fqqq", .want = "+bad +ever"},
	{.job = ifs, .states = "fssq", .want = "+z"},
	{.job = ifs, .states = "kqqq", .want = "~bad +ever ~z"},
	/* people: asked once, in no room at all, until it is due */
	{.job = asking, .states = "qqqq", .want = "+a"},
	{.job = asking, .states = "sqqq", .want = "@b +c"},
	{.job = asking, .states = "sqrq", .want = "@b"},
	{.job = asking, .states = "sbsq", .want = ""},
	{.job = asking, .states = "sbsq", .due = 50, .now = 10, .want = ""},
	{.job = asking, .states = "sbsq", .due = 50, .now = 50,
	 .want = "%b ~z over"},
	{.job = asking, .states = "sssq", .want = "+z"},
	{.job = asking, .states = "sfsq", .want = "~z over"},
	{.job = asking, .states = "sbsq", .cancelled = true,
	 .want = "-b -z over"},
	{.job = asking, .states = "sbsq", .timed_out = true,
	 .want = "-b -z over"},
	{.job = asking, .states = "fqqq", .want = "~b ~c ~z over"},
	/* held back: only what is tried again (its time was set) */
	{.job = wide, .states = "rqq", .due = 5, .now = 9, .want = "+b"},
	{.job = wide, .states = "rqq", .due = 5, .now = 9, .hold = true,
	 .want = "held"},
	{.job = wide, .states = "rqq", .due = 5, .now = 3, .hold = true,
	 .want = ""},
	{.job = wide, .states = "rqq", .hold = true, .want = "+b"},
	{.job = graph, .states = "qqqq", .away = "a", .want = "&a +b"},
	{.job = graph, .states = "bqqq", .away = "a", .want = "&a +b"},
	{.job = graph, .states = "brqq", .want = "+a"},
	{.job = piped, .states = "qqqq", .away = "w", .want = "&w &x1 &x2"},
	{.job = graph, .states = "bqqq", .away = "a", .cancelled = true,
	 .want = "-a -b -c -d over"},
	{.job = piped, .states = "qqqq", .due = 5, .now = 9, .hold = true,
	 .want = "held"},
	{.job = wide, .states = "rqq", .due = 5, .now = 9, .hold = true,
	 .cancelled = true, .want = "!a -b -c"},
	{.job = asking, .states = "sbsq", .due = 5, .now = 9, .hold = true,
	 .want = "%b ~z over"},
	/* other jobs: a place in the run, none of the machine */
	{.job = calling, .states = "qqqq", .want = "*a *b"},
	{.job = calling, .states = "rqqq", .want = "*b"},
	{.job = calling, .states = "rrqq", .room = 1, .want = ""},
	{.job = calling, .states = "srqq", .want = "*c"},
	{.job = calling, .states = "rrsq", .cancelled = true,
	 .want = "!a -z"},
	{.job = calling, .states = "rrsq", .timed_out = true,
	 .want = "!a !b -z"},
	{.job = calling, .states = "qqqq", .no_calls = true,
	 .want = "starved"},
	/* pipes: all or none */
	{.job = piped, .states = "qqqq", .want = "+w +x1 +x2"},
	{.job = piped, .states = "qqqq", .room = 3, .want = "+w +x1 +x2"},
	{.job = piped, .states = "qqqq", .room = 2, .want = "starved"},
	{.job = piped, .states = "rrrq", .want = ""},
	{.job = piped, .states = "sssq", .want = "+z"},
	{.job = piped, .states = "qqqq", .now = 5, .due = 9, .want = ""},
	{.job = piped, .states = "qqqq", .now = 9, .due = 9,
	 .want = "+w +x1 +x2"},
	{.job = narrow, .states = "qqq", .want = "#w #x1 #x2"},
	{.job = narrow, .states = "bbb", .want = ""},
	{.job = narrow, .states = "bbb", .cancelled = true,
	 .want = "-w -x1 -x2 over"},
	/* how many */
	{.job = wide, .states = "qqq", .want = "+a +b"},
	{.job = wide, .states = "rqq", .want = "+b"},
	{.job = wide, .states = "rrq", .want = ""},
	{.job = wide, .states = "qqq", .room = 1, .want = "+a starved"},
	{.job = matrix, .states = "qqqq", .want = "+t@p +t@q"},
	{.job = matrix, .states = "srqq", .want = "+t@r"},
	{.job = shared, .states = "qq", .want = "+a"},
	{.job = shared, .states = "rq", .want = ""},
	{.job = shared, .states = "sq", .want = "+b"},
	/* one of a matrix fails */
	{.job = matrix, .states = "frqq", .want = "!t@q -t@r"},
	{.job = slow, .states = "frqq", .want = "+t@r"},
	{.job = matrix, .states = "fccq", .want = "~u over"},
	/* cancel, deadline, finally */
	{.job = graph, .states = "rqqq", .cancelled = true,
	 .want = "!a -b -c -d"},
	{.job = graph, .states = "rccc", .cancelled = true, .want = "!a"},
	{.job = firm, .states = "rr", .cancelled = true, .want = "!b"},
	{.job = firm, .states = "rr", .timed_out = true, .want = "!a !b"},
	{.job = finals, .states = "qqqq", .want = "+a +b"},
	{.job = finals, .states = "srqq", .want = ""},
	{.job = finals, .states = "sfqq", .want = "over"},
	{.job = finals, .states = "sfqq", .in_finally = true, .want = "+f"},
	{.job = finals, .states = "ccqq", .in_finally = true,
	 .cancelled = true, .want = "+f"},
	{.job = finals, .states = "ccsr", .in_finally = true,
	 .cancelled = true, .want = ""},
	{.job = finals, .states = "ssrq", .in_finally = true,
	 .timed_out = true, .want = "!f -g"},
	{.job = finals, .states = "ssfq", .in_finally = true,
	 .want = "~g over"},
};
/* clang-format on */

static void say(const struct job_plan *p, const struct sched_answer *a,
		struct buf *b)
{
	for (size_t i = 0; i < a->n; i++)
		buf_printf(b, "%s%c" STR_FMT, b->len ? " " : "",
			   "+~-!?#@%*&"[a->steps[i].what],
			   STR_ARG(p->instances[a->steps[i].index].name));
	if (a->starved)
		buf_puts(b, b->len ? " starved" : "starved");
	if (a->held)
		buf_puts(b, b->len ? " held" : "held");
	if (a->phase_over)
		buf_puts(b, b->len ? " over" : "over");
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		const struct row *row = &rows[k];
		struct job_plan *p = plan_of(row->job);
		enum run_state states[16];
		struct sched_step steps[32];
		int64_t due[16];
		unsigned char away[16] = {0};
		struct sched_answer a = {.steps = steps};
		CLEANUP_BUF struct buf said = BUF_INIT(1000);
		struct sched_run run = {
			.plan = p,
			.states = states,
			.due_us = due,
			.away = row->away ? away : NULL,
			.stand = {.cancelled = row->cancelled},
			.in_finally = row->in_finally,
			.cancelled = row->cancelled,
			.timed_out = row->timed_out,
			.now_us = row->now,
			.room = row->room ? row->room : 100,
			.capacity = 100,
			.may_call = !row->no_calls,
			.hold = row->hold,
		};

		assert_int_equal(p->n, strlen(row->states));
		for (size_t i = 0; i < p->n; i++) {
			states[i] = state_of(row->states[i]);
			due[i] = row->due;
			away[i] = row->away &&
				  str_is(p->instances[i].name, row->away);
		}
		sched_next(&run, &a);
		say(p, &a, &said);
		if (strcmp(buf_cstr(&said), row->want) != 0)
			print_error("row %zu %s\n", k, row->states);
		assert_string_equal(buf_cstr(&said), row->want);
		assert_int_equal(a.due_us,
				 row->due > row->now ? row->due : INT64_MAX);
		job_plan_free(p);
	}
}

static void test_capacity(void **state)
{
	struct job_plan *p = plan_of(piped);
	enum run_state states[4] = {0};
	int64_t due[4] = {0};
	struct sched_step steps[8];
	struct sched_answer a = {.steps = steps};
	struct sched_run run = {.plan = p,
				.states = states,
				.due_us = due,
				.room = 2,
				.capacity = 2};

	(void)state;
	sched_next(&run, &a);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.steps[0].what, SCHED_BLOCK);
	assert_false(a.starved);
	job_plan_free(p);
}

static void test_retry(void **state)
{
	static const char text[] = HEAD
		"tasks:\n"
		"  a: {run: x, retry: {max: 2, backoff: 3s, when: [exit-75]}}\n"
		"  r: {stdin: a.stdout, run: x}\n"
		"  z: {run: x}\n";
	struct job_plan *p = plan_of(text);
	struct sched_end ends[3] = {0};
	size_t w = (size_t)job_plan_find(p, STR("a"));
	size_t r = (size_t)job_plan_find(p, STR("r"));
	size_t z = (size_t)job_plan_find(p, STR("z"));
	uint64_t delay = 0;

	(void)state;
	ends[w] = (struct sched_end){true, STATE_FAILED, KIND_EXIT, 75, 1};
	ends[r] = (struct sched_end){true, STATE_FAILED, KIND_UPSTREAM, -1, 1};
	assert_true(sched_retry(p, w, ends, &delay));
	assert_true(sched_retry(p, r, ends, &delay));
	assert_int_equal(delay, 3000000);
	ends[w].number = 2;
	assert_true(sched_retry(p, w, ends, &delay));
	assert_int_equal(delay, 6000000);
	ends[w].number = 3; /* the last one allowed was the third */
	assert_false(sched_retry(p, w, ends, &delay));
	ends[w].number = 1;
	ends[w].exit_code = 1;
	assert_false(sched_retry(p, w, ends, &delay));
	/* the reader failed by itself and has no rule */
	ends[w].exit_code = 75;
	ends[r].kind = KIND_EXIT;
	assert_false(sched_retry(p, w, ends, &delay));
	ends[z] = (struct sched_end){true, STATE_FAILED, KIND_LOST, -1, 1};
	assert_false(sched_retry(p, z, ends, &delay));
	job_plan_free(p);
}

static void test_judge(void **state)
{
	static const struct {
		const char *states;
		enum fail_kind kinds[3];
		bool cancelled, timed_out;
		enum run_state want;
		enum fail_kind kind;
		int32_t culprit;
	} t[] = {
		{"sss", {0, 0, 0},             0, 0, STATE_SUCCEEDED, 0,            -1},
		{"skk", {0, 0, 0},             0, 0, STATE_SUCCEEDED, 0,            -1},
		{"ssc", {0, 0, 0},             0, 0, STATE_CANCELLED, 0,            -1},
		{"sss", {0, 0, 0},             1, 0, STATE_CANCELLED, 0,            -1},
		{"cfs", {0, 1, 0},             1, 0, STATE_FAILED,    KIND_EXIT,    1 },
		{"fsf", {KIND_UPSTREAM, 0, 1}, 0, 0, STATE_FAILED,    1,            2 },
		{"fsf", {KIND_OOM, 0, 1},      0, 0, STATE_FAILED,    KIND_OOM,     0 },
		{"scc", {0, 0, 0},             0, 1, STATE_FAILED,    KIND_TIMEOUT, -1},
	};
	struct job_plan *p = plan_of(chain);

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(t); k++) {
		enum run_state states[3];
		struct sched_verdict v;

		for (size_t i = 0; i < 3; i++)
			states[i] = state_of(t[k].states[i]);
		v = sched_judge(p, states, t[k].kinds, t[k].cancelled,
				t[k].timed_out);
		assert_int_equal(v.state, t[k].want);
		assert_int_equal(v.kind, t[k].kind);
		assert_int_equal(v.culprit, t[k].culprit);
	}
	job_plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

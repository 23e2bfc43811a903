/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The engine as the monitor and the API see it. */
#include "engine/blob.h"
#include "engine_helper.h"

#include <sys/stat.h>

static void test_one_task(void **state)
{
	struct world *w = *state;
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct launch l;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, ONE);
	world_launch(w, &l);
	assert_true(str_is(l.job->task, "a"));
	assert_int_equal(l.g.group_size, 1);
	assert_int_equal(l.g.stdin_from, GRANT_NO_STDIN);
	assert_string_equal(l.g.attempt.s, l.g.group.s);
	assert_string_equal(l.g.attempt.s, l.g.workspace.s);
	assert_string_equal(l.g.project, "default");
	assert_string_equal(l.g.profile, "default");
	assert_true(l.g.limits.memory_bytes > 0); /* the policy's default */
	assert_int_equal(l.g.timeout_us, (uint64_t)3600 * 1000000);
	assert_tasks(w, &run, "r");
	world_started(w, &l);
	world_end(w, &l, STATE_SUCCEEDED, KIND_NONE, 0);
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
	assert_string_equal(w->ended.s, run.s);
	assert_tasks(w, &run, "s");
	ok_view(w, &run, &b);
	assert_non_null(strstr(b.data, "\"exit_code\":0"));
	assert_non_null(strstr(b.data, "\"finished_at\":\""));
	world_quiet(w);
	assert_int_equal(engine_stats(w->g).live_runs, 0);
	assert_int_equal(engine_stats(w->g).running_attempts, 0);
	assert_int_equal(engine_stats(w->g).runs_ended[0], 1);
}

static void test_two_commits(void **state)
{
	struct world *w = *state;
	uint64_t before;
	struct ulid run;

	world_start(w, true);
	world_quiet(w);
	before = engine_stats(w->g).commits;
	run = world_run(w, ONE);
	pass(w, "a");
	(void)world_ended(w, &run);
	/* one to make and start it, one to end it; and quiet's own */
	world_quiet(w);
	assert_int_equal(engine_stats(w->g).commits - before, 3);
}

static void test_graph(void **state)
{
	struct world *w = *state;
	struct launch a, b;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, HEAD "tasks:\n  a: {run: x}\n  b: {run: x}\n"
				"  c: {needs: [a, b], run: x}\n"
				"  d: {needs: [c], run: x}\n");
	world_launch(w, &a);
	world_launch(w, &b);
	assert_int_not_equal(a.g.uid_slot, b.g.uid_slot);
	world_quiet(w);
	world_end(w, &a, STATE_SUCCEEDED, KIND_NONE, 0);
	world_quiet(w);
	world_end(w, &b, STATE_FAILED, KIND_EXIT, 3);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_EXIT);
	assert_tasks(w, &run, "sfkk");
}

static void test_pipe_group(void **state)
{
	struct world *w = *state;
	struct launch r, wr;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, HEAD "tasks:\n  r: {stdin: w.stdout, run: x}\n"
				"  w: {run: x}\n  z: {needs: [w], run: x}\n");
	world_launch(w, &wr); /* a plan is in the order of needs */
	world_launch(w, &r);
	assert_int_equal(r.g.group_size, 2);
	assert_string_equal(r.g.group.s, wr.g.group.s);
	assert_int_equal(r.g.stdin_from, wr.g.group_index);
	assert_int_equal(wr.g.stdin_from, GRANT_NO_STDIN);
	/* what needs the writer waits for the whole group */
	world_end(w, &wr, STATE_SUCCEEDED, KIND_NONE, 0);
	world_quiet(w);
	assert_tasks(w, &run, "rrq");
	world_end(w, &r, STATE_SUCCEEDED, KIND_NONE, 0);
	pass(w, "z");
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
}

static void test_group_is_retried_as_one(void **state)
{
	struct world *w = *state;
	struct launch r, wr;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, HEAD "tasks:\n  r: {stdin: w.stdout, run: x}\n"
				"  w: {run: x, retry: {max: 1, backoff: 1s, "
				"when: [exit-7]}}\n");
	world_launch(w, &wr); /* a plan is in the order of needs */
	world_launch(w, &r);
	world_end(w, &r, STATE_FAILED, KIND_UPSTREAM, -1);
	world_end(w, &wr, STATE_FAILED, KIND_EXIT, 7);
	world_launch(w, &wr); /* a plan is in the order of needs */
	world_launch(w, &r);
	assert_int_equal(r.job->number, 2);
	assert_int_equal(wr.job->number, 2);
	world_end(w, &r, STATE_FAILED, KIND_UPSTREAM, -1);
	world_end(w, &wr, STATE_FAILED, KIND_EXIT, 7);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_EXIT); /* not upstream */
	assert_tasks(w, &run, "ff");
}

static void test_cancel_runs_finally(void **state)
{
	struct world *w = *state;
	struct attempt_id id;
	struct launch l;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, HEAD "tasks:\n  - {name: a, run: x}\n"
				"  - {name: b, run: x}\n"
				"finally: {f: {run: x}}\n");
	world_launch(w, &l);
	world_cancel(w, &run);
	assert_int_equal(w->reply.err.code, ERR_NONE);
	id = world_cancelled(w);
	assert_string_equal(id.attempt.s, l.g.attempt.s);
	world_cancel(w, &run); /* twice */
	assert_int_equal(w->reply.err.code, ERR_CONFLICT);
	world_end(w, &l, STATE_CANCELLED, KIND_NONE, -1);
	pass(w, "f");
	assert_int_equal(world_ended(w, &run), STATE_CANCELLED);
	assert_tasks(w, &run, "ccs");
	world_cancel(w, &run);
	assert_int_equal(w->reply.err.code, ERR_CONFLICT);
	run = ulid_new();
	world_cancel(w, &run);
	assert_int_equal(w->reply.err.code, ERR_NOT_FOUND);
}

static void test_job_timeout(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, HEAD "timeout: 1s\ntasks:\n  a: {run: x}\n"
				"  b: {needs: [a], run: x}\n");
	world_launch(w, &l);
	(void)world_cancelled(w);
	world_end(w, &l, STATE_CANCELLED, KIND_NONE, -1);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_TIMEOUT);
	assert_tasks(w, &run, "fc");
}

static void test_room(void **state)
{
	struct world *w = *state;
	struct launch a, b;
	struct ulid low, high;

	w->opts.parallel = 1;
	world_start(w, true);
	low = world_run(w, HEAD "tasks: {a: {run: x}, b: {run: x}}\n");
	high = world_run(w, HEAD "priority: 90\ntasks: {h: {run: x}}\n");
	world_launch(w, &a);
	world_quiet(w);
	world_end(w, &a, STATE_SUCCEEDED, KIND_NONE, 0);
	world_launch(w, &b); /* the more urgent one, though it came later */
	assert_true(str_is(b.job->task, "h"));
	world_end(w, &b, STATE_SUCCEEDED, KIND_NONE, 0);
	pass(w, "b");
	assert_int_equal(world_ended(w, &low), STATE_SUCCEEDED);
	assert_int_equal(world_ended(w, &high), STATE_SUCCEEDED);
}

/* A later try waits in the line like any other: for room, behind what is more
 * urgent, and within the run's own bounds. */
static void test_retry_in_line(void **state)
{
	struct world *w = *state;
	struct launch a, h;
	struct ulid low, high;

	w->opts.parallel = 1;
	world_start(w, true);
	low = world_run(w, HEAD "priority: 10\nmax_parallel: 1\ntasks:\n"
				"  a: {run: x, retry: {max: 1, backoff: 1s}}\n"
				"  b: {run: x, needs: [a]}\n");
	world_launch(w, &a);
	high = world_run(w, HEAD "priority: 90\ntasks: {h: {run: x}}\n");
	world_end(w, &a, STATE_FAILED, KIND_EXIT, 1);
	world_launch(w, &h);
	assert_true(str_is(h.job->task, "h"));
	(void)poll(NULL, 0, 1100); /* its time comes while there is no room */
	world_quiet(w);
	world_end(w, &h, STATE_SUCCEEDED, KIND_NONE, 0);
	world_launch(w, &a);
	assert_true(str_is(a.job->task, "a"));
	assert_int_equal(a.job->number, 2);
	world_end(w, &a, STATE_SUCCEEDED, KIND_NONE, 0);
	pass(w, "b");
	assert_int_equal(world_ended(w, &low), STATE_SUCCEEDED);
	assert_int_equal(world_ended(w, &high), STATE_SUCCEEDED);
}

static void test_never_fits(void **state)
{
	struct world *w = *state;
	struct ulid run;

	w->opts.parallel = 1;
	world_start(w, true);
	run = world_run(w, HEAD "tasks:\n  r: {stdin: w.stdout, run: x}\n"
				"  w: {run: x}\n");
	world_quiet(w);
	assert_tasks(w, &run, "bb");
	world_cancel(w, &run);
	assert_int_equal(world_ended(w, &run), STATE_CANCELLED);
}

static void test_shared_workspace(void **state)
{
	struct world *w = *state;
	unsigned char raw[WIRE_MAX + 2];
	struct chan_msg msg;
	struct launch a, b;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, HEAD "tasks:\n  - {name: a, run: x}\n"
				"  - {name: b, run: x}\n");
	world_launch(w, &a);
	assert_int_equal(a.g.workspace_kind, WORKSPACE_SHARED);
	assert_string_equal(a.g.workspace.s, run.s);
	world_end(w, &a, STATE_SUCCEEDED, KIND_NONE, 0);
	world_launch(w, &b);
	assert_int_equal(a.g.uid_slot, b.g.uid_slot);
	assert_string_equal(b.g.workspace.s, run.s);
	world_end(w, &b, STATE_SUCCEEDED, KIND_NONE, 0);
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
	assert_int_equal(chan_recv(w->monitor, raw, &msg, &w->e), 1);
	assert_int_equal(msg.type, MSG_RELEASE);
	assert_memory_equal(msg.body, run.s, ULID_LEN);
}

/* Only uids for shared workspaces are wanted, and the one there is comes free
 * when a run has ended. */
static void test_shared_room(void **state)
{
	struct world *w = *state;
	unsigned char raw[WIRE_MAX + 2];
	struct chan_msg msg;
	struct launch a, b;

	w->opts.parallel = 2;
	w->opts.uid_slots = 3;
	world_start(w, true);
	(void)world_run(w, HEAD "tasks: [{name: a, run: x}]\n");
	(void)world_run(w, HEAD "tasks: [{name: b, run: x}]\n");
	world_launch(w, &a);
	world_quiet(w);
	world_end(w, &a, STATE_SUCCEEDED, KIND_NONE, 0);
	receive(w, raw, &msg);
	assert_int_equal(msg.type, MSG_RELEASE);
	world_launch(w, &b);
	assert_true(str_is(b.job->task, "b"));
	world_end(w, &b, STATE_SUCCEEDED, KIND_NONE, 0);
}

/* --- what must not be believed or forgotten ----------------------------- */

static void test_success_needs_a_result(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, ONE);
	world_launch(w, &l);
	world_end_bare(w, &l, STATE_SUCCEEDED, KIND_NONE);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_INTERNAL);
}

static void test_stale_fence(void **state)
{
	struct world *w = *state;
	struct launch l, stale;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, ONE);
	world_launch(w, &l);
	stale = l;
	stale.g.fence--;
	for (size_t i = 0; i < N_LAUNCH_FDS; i++)
		stale.fds[i] = -1;
	stale.job = NULL;
	world_end_bare(w, &stale, STATE_FAILED, KIND_LOST);
	world_quiet(w);
	assert_tasks(w, &run, "r");
	world_end(w, &l, STATE_SUCCEEDED, KIND_NONE, 0);
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
}

static void test_idempotency(void **state)
{
	struct world *w = *state;
	struct ulid first;

	world_start(w, true);
	world_ask(w, ONE, "k1");
	assert_int_equal(w->reply.err.code, ERR_NONE);
	assert_false(w->reply.replayed);
	first = w->reply.run;
	world_ask(w, ONE, "k1");
	assert_int_equal(w->reply.err.code, ERR_NONE);
	assert_true(w->reply.replayed);
	assert_string_equal(w->reply.run.s, first.s);
	world_ask(w, HEAD "tasks: {b: {run: x}}\n", "k1");
	assert_int_equal(w->reply.err.code, ERR_CONFLICT);
	assert_int_equal(w->reply.err.sys, EEXIST);
	world_ask(w, ONE, "k2");
	assert_string_not_equal(w->reply.run.s, first.s);
}

static void test_policy_denies(void **state)
{
	struct world *w = *state;

	world_start(w, true);
	world_ask(
		w,
		HEAD
		"tasks: {a: {run: x, sandbox: {profile: net, network: host}}}\n",
		NULL);
	assert_int_equal(w->reply.err.code, ERR_DENIED);
}

static void test_limit_of_runs(void **state)
{
	struct world *w = *state;

	w->opts.live_runs = 2;
	world_start(w, true);
	(void)world_run(w, ONE);
	(void)world_run(w, ONE);
	world_ask(w, ONE, NULL);
	assert_int_equal(w->reply.err.code, ERR_LIMIT);
	assert_int_equal(w->reply.err.sys, 0);
}

static void test_delete(void **state)
{
	struct world *w = *state;
	char dir[300];
	struct ulid run;

	world_start(w, true);
	run = world_run(w, ONE);
	world_delete(w, &run);
	assert_int_equal(w->reply.err.code, ERR_CONFLICT);
	pass(w, "a");
	(void)world_ended(w, &run);
	world_delete(w, &run);
	assert_int_equal(w->reply.err.code, ERR_NONE);
	world_delete(w, &run);
	assert_int_equal(w->reply.err.code, ERR_NOT_FOUND);
	world_stop(w); /* the worker has been joined */
	(void)snprintf(dir, sizeof(dir), "%s/runs/%s", w->path, run.s);
	(void)dir;
}

static int count_events(void *ctx, const struct store_event *ev, struct err *e)
{
	(void)ev;
	(void)e;
	(*(int *)ctx)++;
	return 0;
}

static void test_events(void **state)
{
	struct world *w = *state;
	struct ulid run;
	int n = 0;

	world_start(w, true);
	run = world_run(w, ONE);
	pass(w, "a");
	(void)world_ended(w, &run);
	assert_int_equal(store_read_events(w->reader, &run, STR(""), 0, 0, 100,
					   count_events, &n, &w->e),
			 0);
	/* run: queued, running, succeeded; task: running, succeeded */
	assert_int_equal(n, 5);
	assert_true(w->n_news >= 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_task),
		TEST(test_two_commits),
		TEST(test_graph),
		TEST(test_pipe_group),
		TEST(test_group_is_retried_as_one),
		TEST(test_cancel_runs_finally),
		TEST(test_job_timeout),
		TEST(test_room),
		TEST(test_retry_in_line),
		TEST(test_never_fits),
		TEST(test_shared_workspace),
		TEST(test_shared_room),
		TEST(test_success_needs_a_result),
		TEST(test_stale_fence),
		TEST(test_idempotency),
		TEST(test_policy_denies),
		TEST(test_limit_of_runs),
		TEST(test_delete),
		TEST(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Providers of secrets that are away: tasks wait for them, say why, and go on;
 * an attempt that was told to wait is no retry. */
#include "engine/why.h"
#include "engine_helper.h"

#define VAULT                                                                  \
	"secrets: {k: {vault: secret/default/k, field: f}, s: {store: s}}\n"

static const char one[] =
	HEAD VAULT "tasks:\n  a: {run: x}\n  b: {run: x, secrets: [k]}\n";

static void provider(struct world *w, const char *name, enum provider_state s)
{
	engine_provider(w->g, str_from(name), s, STR("no route to it"));
}

static int see_blocked(void *ctx, const struct store_task *t, struct err *e)
{
	struct buf *b = ctx;

	(void)e;
	buf_printf(b, STR_FMT "/" STR_FMT ";", STR_ARG(t->blocked),
		   STR_ARG(t->error));
	return 0;
}

/* What each task waits for. */
static void assert_waits(struct world *w, const struct ulid *run,
			 const char *want)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);

	ok(store_read_tasks(w->reader, row(w, run).id, see_blocked, &b, &w->e),
	   &w->e);
	assert_string_equal(buf_cstr(&b), want);
}

static int see_why(void *ctx, const struct store_run *r, struct err *e)
{
	(void)e;
	return buf_str(ctx, r->blocked) ? 0 : -1;
}

static bool run_waits_for(struct world *w, const struct ulid *run,
			  const char *what)
{
	CLEANUP_BUF struct buf b = BUF_INIT(100);

	ok(store_read_run(w->reader, run, see_why, &b, &w->e), &w->e);
	return str_is(buf_view(&b), what);
}

static int count_event(void *ctx, const struct store_event *ev, struct err *e)
{
	(void)e;
	*(unsigned *)ctx += ev->type == STORE_EVENT_TASK;
	return 0;
}

static unsigned events(struct world *w, const struct ulid *run)
{
	unsigned n = 0;

	ok(store_read_events(w->reader, run, STR(""), 0, INT64_MAX, 1000,
			     count_event, &n, &w->e),
	   &w->e);
	return n;
}

struct wanted {
	uint32_t index;
	enum run_state state;
};

static int see_state(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct wanted *x = ctx;

	(void)e;
	if (a->index == x->index)
		x->state = a->state;
	return 0;
}

/* Of the last attempt of instance i. */
static enum run_state attempt_state(struct world *w, const struct ulid *run,
				    uint32_t i)
{
	struct wanted x = {.index = i};

	ok(store_read_attempts(w->reader, row(w, run).id, see_state, &x, &w->e),
	   &w->e);
	return x.state;
}

static void told_to_wait(struct world *w, struct launch *l)
{
	struct job_result x = {.state = STATE_FAILED,
			       .kind = KIND_SECRET,
			       .exit_code = -1,
			       .secrets_away = true,
			       .error = STR("secret \"k\": away"),
			       .hint = STR("")};

	world_end_with(w, l, &x);
}

/* It waits, says so once, and goes on when the provider is back. */
static void test_waits(void **state)
{
	struct world *w = *state;
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct engine_stats stats;
	struct ulid run, other;
	unsigned before;

	world_start(w, true);
	provider(w, "", PROVIDER_UP);
	provider(w, "default", PROVIDER_DOWN);
	run = world_run(w, one);
	pass(w, "a");
	while (row(w, &run).state != STATE_BLOCKED)
		hear(w, PATIENCE_MS);
	assert_tasks(w, &run, "sb");
	assert_true(run_waits_for(w, &run, "secrets"));
	assert_waits(w, &run,
		     "/;secrets/provider \"default\" of secrets is down: "
		     "no route to it;");
	stats = engine_stats(w->g);
	ok(why_run(w->reader, &run, &stats, &b, &w->e), &w->e);
	assert_non_null(strstr(buf_cstr(&b), "\"for\":\"secrets\",\"text\":"
					     "\"provider \\\"default\\\""));
	before = events(w, &run);
	provider(w, "default", PROVIDER_DOWN);
	provider(w, "other", PROVIDER_DOWN);
	provider(w, "other", PROVIDER_UP);
	provider(w, "default", PROVIDER_SEALED); /* of Vault: the same reason */
	world_quiet(w);
	assert_int_equal(events(w, &run), before);
	/* who needs no secret does not wait */
	other = world_run(w, ONE);
	pass(w, "a");
	assert_int_equal(world_ended(w, &other), STATE_SUCCEEDED);
	provider(w, "default", PROVIDER_UP);
	pass(w, "b");
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
	assert_waits(w, &run, "/;/;");
}

static void test_sealed(void **state)
{
	struct world *w = *state;
	const char *yaml = HEAD VAULT "tasks:\n  a: {run: x, secrets: [s]}\n"
				      "  b: {stdin: a.stdout, run: x}\n";
	struct launch l;
	struct ulid run;

	world_start(w, true);
	provider(w, "", PROVIDER_SEALED);
	run = world_run(w, yaml);
	world_quiet(w);
	assert_tasks(w, &run, "bb"); /* a pipe group starts as a whole */
	assert_true(run_waits_for(w, &run, "sealed"));
	assert_waits(w, &run,
		     "sealed/the secret store is sealed: no route to it;"
		     "sealed/the secret store is sealed: no route to it;");
	provider(w, "", PROVIDER_UP);
	world_launch(w, &l);
	launch_done(&l);
	world_launch(w, &l);
	launch_done(&l);
}

/* A restart changes nothing until there is word. */
static void test_restart(void **state)
{
	struct world *w = *state;
	struct ulid run;

	world_start(w, true);
	provider(w, "default", PROVIDER_DOWN);
	run = world_run(w, one);
	pass(w, "a");
	while (row(w, &run).state != STATE_BLOCKED)
		hear(w, PATIENCE_MS);
	world_stop(w);
	world_start(w, true);
	world_quiet(w);
	assert_tasks(w, &run, "sb");
	assert_true(run_waits_for(w, &run, "secrets"));
	provider(w, "default", PROVIDER_UP); /* there may be others */
	world_quiet(w);
	assert_tasks(w, &run, "sb");
	provider(w, "default", PROVIDER_DOWN);
	provider(w, "", PROVIDER_UP);
	world_quiet(w);
	assert_tasks(w, &run, "sb");
	provider(w, "default", PROVIDER_UP);
	pass(w, "b");
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
}

/* Launched, and told to wait: again when it is back, however often, and the
 * job's own retries are still there. */
static void test_told_to_wait(void **state)
{
	struct world *w = *state;
	const char *yaml =
		HEAD VAULT "tasks: {b: {run: x, secrets: [k], "
			   "retry: {max: 1, backoff: 1s, when: [exit-3]}}}\n";
	struct ulid run;
	struct launch l;

	world_start(w, true);
	run = world_run(w, yaml);
	for (uint32_t i = 1; i <= 3; i++) {
		world_launch(w, &l);
		assert_int_equal(l.job->number, i);
		provider(w, "default", PROVIDER_DOWN);
		told_to_wait(w, &l);
		while (row(w, &run).state != STATE_BLOCKED)
			hear(w, PATIENCE_MS);
		assert_tasks(w, &run, "b");
		if (i == 2) { /* what was no retry stays none */
			world_stop(w);
			world_start(w, true);
		}
		provider(w, "default", PROVIDER_UP);
		provider(w, "", PROVIDER_UP);
	}
	world_launch(w, &l);
	assert_int_equal(l.job->number, 4);
	world_end(w, &l, STATE_FAILED, KIND_EXIT, 3);
	world_launch(w, &l); /* the retry, a second later */
	assert_int_equal(l.job->number, 5);
	world_end(w, &l, STATE_FAILED, KIND_EXIT, 3);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_EXIT);
}

/* One of a pipe is told to wait, and the other finds nobody to write to: both
 * start again, and no retry of either is spent; a restart does not change it. */
static void test_pipe_told_to_wait(void **state)
{
	struct world *w = *state;
	const char *yaml =
		HEAD VAULT "tasks:\n  a: {run: x, "
			   "retry: {max: 1, backoff: 1s, when: [exit-3]}}\n"
			   "  b: {stdin: a.stdout, run: x, secrets: [k]}\n";
	struct launch a, b;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, yaml);
	for (uint32_t i = 1; i <= 2; i++) {
		world_launch(w, &a);
		world_launch(w, &b);
		assert_true(str_is(a.job->task, "a"));
		assert_int_equal(a.job->number, i);
		provider(w, "default", PROVIDER_DOWN);
		world_quiet(w);
		told_to_wait(w, &b);
		world_end(w, &a, STATE_FAILED, KIND_SIGNAL, -1);
		while (row(w, &run).state != STATE_BLOCKED)
			hear(w, PATIENCE_MS);
		assert_tasks(w, &run, "bb");
		world_stop(w);
		world_start(w, true);
		provider(w, "default", PROVIDER_UP);
		provider(w, "", PROVIDER_UP);
	}
	for (uint32_t i = 3; i <= 4; i++) { /* the retry is still there */
		world_launch(w, &a);
		world_launch(w, &b);
		assert_int_equal(a.job->number, i);
		world_end(w, &b, STATE_FAILED, KIND_UPSTREAM, -1);
		world_end(w, &a, STATE_FAILED, KIND_EXIT, 3);
	}
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_EXIT);
}

/* Half of a pipe had ended, told to wait, when the server died. */
static void test_pipe_restart(void **state)
{
	struct world *w = *state;
	const char *yaml =
		HEAD VAULT "tasks:\n  a: {run: x}\n"
			   "  b: {stdin: a.stdout, run: x, secrets: [k], "
			   "retry: {max: 1, backoff: 1s, when: [exit-3]}}\n";
	struct launch a, b;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, yaml);
	world_launch(w, &a);
	world_launch(w, &b);
	told_to_wait(w, &b);
	world_quiet(w);
	while (attempt_state(w, &run, 1) != STATE_FAILED)
		hear(w, PATIENCE_MS);
	world_stop(w);
	world_start(w, false);
	world_alive(w, &a.g);
	world_alive_end(w);
	world_end(w, &a, STATE_FAILED, KIND_SIGNAL, -1);
	for (uint32_t i = 2; i <= 3; i++) {
		world_launch(w, &a);
		world_launch(w, &b);
		assert_int_equal(b.job->number, i);
		world_end(w, &a, STATE_SUCCEEDED, KIND_NONE, 0);
		world_end(w, &b, STATE_FAILED, KIND_EXIT, 3);
	}
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
}

/* Told to wait by somebody who says they are there: asked again, later. */
static void test_told_without_word(void **state)
{
	struct world *w = *state;
	int64_t before;
	struct ulid run;
	struct launch l;

	world_start(w, true);
	provider(w, "default", PROVIDER_UP);
	run = world_run(w, one);
	pass(w, "a");
	world_launch(w, &l);
	before = clock_mono_us();
	told_to_wait(w, &l);
	world_launch(w, &l);
	assert_true(clock_mono_us() - before >= 900000);
	world_end(w, &l, STATE_SUCCEEDED, KIND_NONE, 0);
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
}

/* A secret that is not there is not waited for. */
static void test_not_away(void **state)
{
	struct world *w = *state;
	struct ulid run;
	struct launch l;

	world_start(w, true);
	run = world_run(w, one);
	pass(w, "a");
	world_launch(w, &l);
	world_end(w, &l, STATE_FAILED, KIND_SECRET, -1);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_SECRET);
}

/* The job's time counts while it waits; and who cancels it does not wait. */
static void test_bounds(void **state)
{
	struct world *w = *state;
	struct ulid late, gone;

	world_start(w, true);
	provider(w, "default", PROVIDER_DOWN);
	late = world_run(w, HEAD VAULT
			 "timeout: 1s\ntasks: {b: {run: x, secrets: [k]}}\n");
	gone = world_run(w, HEAD VAULT "tasks: {b: {run: x, secrets: [k]}}\n");
	world_quiet(w);
	assert_tasks(w, &gone, "b");
	world_cancel(w, &gone);
	assert_int_equal(world_ended(w, &gone), STATE_CANCELLED);
	assert_int_equal(world_ended(w, &late), STATE_FAILED);
	assert_int_equal(world_kind(w, &late), KIND_TIMEOUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_waits),
		TEST(test_sealed),
		TEST(test_restart),
		TEST(test_told_to_wait),
		TEST(test_pipe_told_to_wait),
		TEST(test_pipe_restart),
		TEST(test_told_without_word),
		TEST(test_not_away),
		TEST(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

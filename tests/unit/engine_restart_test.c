/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The engine after a restart: nothing acknowledged is lost, nothing is run
 * twice that may not be. */
#include "engine_helper.h"

#include <sys/inotify.h>
#include <sys/stat.h>

static void test_restart(void **state)
{
	struct world *w = *state;
	struct launch live, done, lost;
	struct ulid run, waits;
	const char *three =
		HEAD "tasks:\n  live: {run: x}\n  done: {run: x}\n"
		     "  lost: {run: x, retry: {max: 1, backoff: 1s}}\n"
		     "  after: {needs: [live, done, lost], run: x}\n";
	struct job_result x = {.state = STATE_SUCCEEDED};
	CLEANUP_BUF struct buf b = BUF_INIT(RESULT_JSON_MAX);

	world_start(w, true);
	run = world_run(w, three);
	world_launch(w, &live);
	world_launch(w, &done);
	world_launch(w, &lost);
	/* done has written its result, and nobody was there to hear it */
	x.id = (struct attempt_id){done.g.attempt, done.g.fence};
	assert_true(job_result_encode(&x, &b));
	assert_int_equal(fd_write_all(done.fds[LAUNCH_RESULT], b.data, b.len),
			 0);
	launch_done(&done);
	launch_done(&lost);
	world_stop(w);

	world_start(w, false);
	waits = world_run(w, ONE);
	world_quiet(w); /* nothing starts before it is known who lives */
	assert_tasks(w, &run, "rrrq");
	assert_tasks(w, &waits, "q");
	assert_false(engine_stats(w->g).ready);
	world_alive(w, &live.g);
	world_alive_end(w);
	pass(w, "a");
	assert_int_equal(world_ended(w, &waits), STATE_SUCCEEDED);
	assert_tasks(w, &run, "rsqq");
	world_end(w, &live, STATE_SUCCEEDED, KIND_NONE, 0);
	world_launch(w, &lost);
	assert_true(str_is(lost.job->task, "lost"));
	assert_int_equal(lost.job->number, 2);
	assert_true(lost.g.fence > live.g.fence);
	world_end(w, &lost, STATE_SUCCEEDED, KIND_NONE, 0);
	pass(w, "after");
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
}

static void test_lost_without_retry(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, ONE);
	world_launch(w, &l);
	launch_done(&l);
	world_stop(w);
	world_start(w, true);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_LOST);
}

/* Acknowledged, marked as started, and then the process died before LAUNCH. */
static void test_never_launched(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid run;
	char dir[64];

	world_start(w, true);
	run = world_run(w, ONE);
	world_launch(w, &l);
	launch_done(&l);
	world_stop(w);
	(void)snprintf(dir, sizeof(dir), "runs/%s", run.s);
	assert_int_equal(fd_remove_tree(w->state_fd, dir, &w->e), 0);
	world_start(w, true);
	world_launch(w, &l);
	assert_int_equal(l.job->number, 1);
	world_end(w, &l, STATE_SUCCEEDED, KIND_NONE, 0);
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
}

static void test_restart_in_finally(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, HEAD "tasks: {a: {run: x}}\nfinally:\n"
				"  f: {run: x}\n  g: {needs: [f], run: x}\n");
	world_launch(w, &l);
	world_end(w, &l, STATE_FAILED, KIND_EXIT, 1);
	world_launch(w, &l);
	assert_true(str_is(l.job->task, "f"));
	world_stop(w);
	world_start(w, false);
	world_alive(w, &l.g);
	world_alive_end(w);
	world_end(w, &l, STATE_SUCCEEDED, KIND_NONE, 0);
	pass(w, "g");
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_tasks(w, &run, "fss");
}

/* Its run is not known, or could not be planned again. */
static void test_alive_and_unknown(void **state)
{
	struct world *w = *state;
	struct grant g = {.attempt = ulid_new(), .fence = 7};
	struct attempt_id id;

	world_start(w, false);
	world_alive(w, &g);
	world_alive_end(w);
	id = world_cancelled(w);
	assert_string_equal(id.attempt.s, g.attempt.s);
	assert_int_equal(id.fence, 7);
}

/* A run that cannot be planned again ends, and all of it does. */
static void test_broken_run(void **state)
{
	struct world *w = *state;
	struct store_run r = {.ulid = ulid_new(),
			      .state = STATE_RUNNING,
			      .canonical = STR("{}"),
			      .cancelled = true};
	struct store_task t[] = {
		{.index = 0, .name = STR("a"), .state = STATE_SUCCEEDED},
		{.index = 1, .name = STR("b"), .state = STATE_RUNNING  },
		{.index = 2, .name = STR("c"), .state = STATE_QUEUED   },
		{.index = 3, .name = STR("d"), .state = STATE_BLOCKED  },
	};
	struct store *s;
	int64_t id;

	ok(store_open(w->path, &s, &w->e), &w->e);
	ok(store_begin(s, &w->e), &w->e);
	ok(store_run_add(s, &r, &id, &w->e), &w->e);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ok(store_task_put(s, id, &t[i], &w->e), &w->e);
	ok(store_commit(s, &w->e), &w->e);
	store_close(s);
	world_start(w, true);
	assert_int_equal(world_ended(w, &r.ulid), STATE_FAILED);
	assert_int_equal(world_kind(w, &r.ulid), KIND_INTERNAL);
	assert_true(row(w, &r.ulid).cancelled);
	assert_tasks(w, &r.ulid, "sfcc");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_drop)

/* A run was deleted, and the process died before its files were. */
static void test_forgotten_directory(void **state)
{
	struct world *w = *state;
	union {
		struct inotify_event event;
		char room[4096];
	} in;
	struct pollfd watch;
	struct stat st;
	struct ulid run, old = ulid_new();
	char dir[64], kept[64], file[80];

	world_start(w, true);
	run = world_run(w, ONE);
	pass(w, "a");
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
	world_stop(w);
	(void)snprintf(kept, sizeof(kept), "runs/%s", run.s);
	(void)snprintf(dir, sizeof(dir), "runs/%s", old.s);
	(void)snprintf(file, sizeof(file), "%s/log", dir);
	assert_int_equal(mkdirat(w->state_fd, dir, 0700), 0);
	assert_int_equal(mkdirat(w->state_fd, "runs/notes", 0700), 0);
	ok(fd_write_file(w->state_fd, file, STR("x"), 0600, &w->e), &w->e);
	watch = (struct pollfd){inotify_init1(IN_CLOEXEC), POLLIN, 0};
	(void)snprintf(file, sizeof(file), "/proc/self/fd/%d/runs",
		       w->state_fd);
	assert_true(inotify_add_watch(watch.fd, file, IN_DELETE) >= 0);
	world_start(w, true);
	assert_int_equal(poll(&watch, 1, PATIENCE_MS), 1);
	assert_true(read(watch.fd, &in, sizeof(in)) > 0);
	assert_string_equal(in.event.name, old.s);
	fd_close(&watch.fd);
	assert_int_equal(fstatat(w->state_fd, kept, &st, 0), 0);
	assert_int_equal(fstatat(w->state_fd, "runs/notes", &st, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_restart),
		TEST(test_lost_without_retry),
		TEST(test_never_launched),
		TEST(test_restart_in_finally),
		TEST(test_alive_and_unknown),
		TEST(test_broken_run),
		TEST(test_forgotten_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The engine on a full disk: new runs are turned away, what runs is recorded,
 * and when there is room again it goes on by itself. */
#include "engine_helper.h"
#include "store/jobs.h"

#include <sched.h>
#include <sys/mount.h>

enum {
	ASKS_MAX = 20000,
	RECOVER_MS = 10000
};

#define CALL HEAD "tasks: {c: {job: {name: child}}}\n"
#define GROUP                                                                  \
	HEAD "concurrency: {group: g, conflict: cancel-running}\n"             \
	     "tasks: {a: {run: x}}\n"

static bool in_namespace;

/* The program's own mount namespace: nothing outside sees the small disk. */
static void enter(void)
{
	in_namespace = !geteuid() && !unshare(CLONE_NEWNS) &&
		       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int small_make(void **state)
{
	struct world *w;

	(void)world_make(state);
	w = *state;
	if (!in_namespace)
		return 0;
	assert_int_equal(mount("tmpfs", w->path, "tmpfs", 0, "size=40m"), 0);
	fd_close(&w->state_fd);
	w->state_fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->state_fd >= 0);
	return 0;
}

static int small_drop(void **state)
{
	struct world *w = *state;

	world_stop(w);
	fd_close(&w->state_fd);
	if (in_namespace)
		assert_int_equal(umount2(w->path, 0), 0);
	return world_drop(state);
}

static void fill(const struct world *w, const char *name)
{
	static char block[1 << 16];
	int fd =
		openat(w->state_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (size_t n = sizeof(block); n; n /= 2)
		while (write(fd, block, n) > 0)
			;
	close(fd);
}

static void wait_for_room(struct world *w)
{
	assert_int_equal(unlinkat(w->state_fd, "filler", 0), 0);
	for (int ms = 0; engine_stats(w->g).disk_full; ms += 20) {
		assert_true(ms < RECOVER_MS);
		(void)poll(NULL, 0, 20);
	}
}

static int put_child(void *ctx, struct store *s, struct err *refusal,
		     struct err *e)
{
	const struct store_job j = {
		.project = STR("default"),
		.name = STR("child"),
		.digest = STR("0123456789012345678901234567890123456789"
			      "012345678901234567890123"),
		.syntax = STR("json"),
		.text = STR("{}"),
		.canonical = STR("{\"name\":\"child\",\"nfo\":1,\"tasks\":"
				 "{\"k\":{\"run\":\"x\"}}}"),
		.created_us = 1,
		.put_us = 1,
		.put_by = STR("uid:0"),
	};

	(void)ctx;
	(void)refusal;
	return store_job_put(s, &j, e);
}

static int count_run(void *ctx, const struct store_run *r, struct err *e)
{
	(void)r;
	(void)e;
	++*(int *)ctx;
	return 0;
}

/* parent "": all. */
static int runs(struct world *w, struct str parent)
{
	const struct store_filter f = {.parent = parent};
	int n = 0;

	ok(store_read_runs(w->reader, &f, count_run, &n, &w->e), &w->e);
	return n;
}

static int children(struct world *w, const struct ulid *run)
{
	return runs(w, str_from(run->s));
}

/* A call is no new run of somebody's: it is not turned away, it waits. */
static void test_call_waits(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid run;
	int n = 0;

	if (!in_namespace) {
		print_message("only root can mount a small file system\n");
		skip();
	}
	w->opts.parallel = 1;
	w->opts.live_runs = ASKS_MAX + 10;
	world_start(w, true);
	ok(engine_edit(w->g, STR("uid:0"), STR(""), STR(""), put_child,
		       on_reply, w, &w->e),
	   &w->e);
	world_wait(w);
	run = world_run(w, HEAD "priority: 100\ntasks:\n  a: {run: x}\n"
				"  c: {needs: [a], if: always(), "
				"job: {name: child}}\n");
	world_launch(w, &l);
	fill(w, "filler");
	for (world_ask(w, ONE, NULL); !w->reply.err.code;
	     world_ask(w, ONE, NULL))
		assert_true(++n < ASKS_MAX);
	world_end_bare(w, &l, STATE_FAILED, KIND_LIMIT);
	if (n) { /* those that were asked for in between have the room now */
		world_launch(w, &l);
		world_end_bare(w, &l, STATE_FAILED, KIND_LIMIT);
	}
	assert_int_equal(unlinkat(w->state_fd, "filler", 0), 0);
	for (;;) { /* the child is more urgent than what is left of them */
		world_launch(w, &l);
		if (str_is(l.job->task, "k"))
			break;
		assert_int_equal(row(w, &run).state, STATE_RUNNING);
		world_end_bare(w, &l, STATE_FAILED, KIND_LIMIT);
		assert_true(n-- > 0);
	}
	assert_int_equal(children(w, &run), 1);
	world_end(w, &l, STATE_SUCCEEDED, KIND_NONE, 0);
	assert_int_equal(world_ended(w, &run), STATE_FAILED); /* a */
	assert_tasks(w, &run, "fs");
	assert_int_equal(children(w, &run), 1);
}

static void test_full(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid first, last, run;
	int n = 0;

	if (!in_namespace) {
		print_message("only root can mount a small file system\n");
		skip();
	}
	w->opts.parallel = 1;
	w->opts.live_runs = ASKS_MAX + 10;
	world_start(w, true);
	first = world_run(w, ONE);
	last = first;
	world_launch(w, &l);
	fill(w, "filler");
	for (world_ask(w, ONE, NULL); !w->reply.err.code;
	     world_ask(w, ONE, NULL)) {
		last = w->reply.run;
		assert_true(++n < ASKS_MAX);
	}
	assert_int_equal(w->reply.err.code, ERR_LIMIT);
	assert_int_equal(w->reply.err.sys, ENOSPC);
	assert_true(engine_stats(w->g).disk_full);
	/* every one that was acknowledged is there, and can be ended */
	assert_tasks(w, &last, n ? "q" : "r");
	world_end_bare(w, &l, STATE_FAILED, KIND_LIMIT);
	assert_int_equal(world_ended(w, &first), STATE_FAILED);
	assert_int_equal(world_kind(w, &first), KIND_LIMIT);
	/* still full: said at once */
	world_ask(w, ONE, NULL);
	assert_int_equal(w->reply.err.sys, ENOSPC);

	wait_for_room(w);
	run = world_run(w, HEAD "priority: 100\ntasks: {b: {run: x}}\n");
	assert_tasks(w, &run, n ? "q" : "r");
}

/* What a run that is turned away has called is turned away with it. */
static void test_call_goes_too(void **state)
{
	struct world *w = *state;
	struct launch l;
	int n = 0;

	if (!in_namespace) {
		print_message("only root can mount a small file system\n");
		skip();
	}
	w->opts.parallel = 1;
	w->opts.live_runs = ASKS_MAX + 10;
	world_start(w, true);
	ok(engine_edit(w->g, STR("uid:0"), STR(""), STR(""), put_child,
		       on_reply, w, &w->e),
	   &w->e);
	world_wait(w);
	(void)world_run(w, ONE);
	world_launch(w, &l);
	fill(w, "filler");
	for (world_ask(w, CALL, NULL); !w->reply.err.code;
	     world_ask(w, CALL, NULL)) {
		assert_int_equal(children(w, &w->reply.run), 1);
		assert_true(++n < ASKS_MAX);
	}
	assert_int_equal(w->reply.err.sys, ENOSPC);
	wait_for_room(w);
	world_quiet(w);
	assert_int_equal(runs(w, STR("")), 1 + 2 * n);
	world_end_bare(w, &l, STATE_FAILED, KIND_LIMIT);
}

/* One that is turned away has ended no other. */
static void test_displaces_nobody(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid last;
	int n = 0;

	if (!in_namespace) {
		print_message("only root can mount a small file system\n");
		skip();
	}
	w->opts.parallel = 1;
	w->opts.live_runs = ASKS_MAX + 10;
	world_start(w, true);
	(void)world_run(w, ONE);
	world_launch(w, &l);
	last = world_run(w, GROUP);
	fill(w, "filler");
	for (world_ask(w, GROUP, NULL); !w->reply.err.code;
	     world_ask(w, GROUP, NULL)) {
		last = w->reply.run;
		assert_true(++n < ASKS_MAX);
	}
	assert_int_equal(w->reply.err.sys, ENOSPC);
	wait_for_room(w);
	world_quiet(w);
	assert_false(row(w, &last).cancelled);
	last = world_run(w, GROUP); /* it does */
	world_quiet(w);
	assert_tasks(w, &last, "q");
	world_end_bare(w, &l, STATE_FAILED, KIND_LIMIT);
}

/* Not even the end of an attempt finds room: who wants something is told so and
 * does not wait for it. */
static void test_told_at_once(void **state)
{
	struct world *w = *state;
	struct launch l;
	struct ulid run;
	int n = 0;

	if (!in_namespace) {
		print_message("only root can mount a small file system\n");
		skip();
	}
	w->opts.parallel = 1;
	w->opts.live_runs = ASKS_MAX + 10;
	world_start(w, true);
	run = world_run(w, ONE);
	world_launch(w, &l);
	fill(w, "filler");
	for (world_ask(w, ONE, NULL); !w->reply.err.code;
	     world_ask(w, ONE, NULL))
		assert_true(++n < ASKS_MAX);
	fill(w, "ballast's");
	world_end_bare(w, &l, STATE_FAILED, KIND_LIMIT);
	for (int i = 0; i < 3; i++) {
		memset(&w->reply, 0, sizeof(w->reply));
		ok(engine_edit(w->g, STR("uid:0"), STR(""), STR(""), put_child,
			       on_reply, w, &w->e),
		   &w->e);
		world_wait(w);
		assert_int_equal(w->reply.err.sys, ENOSPC);
	}
	assert_int_equal(unlinkat(w->state_fd, "ballast's", 0), 0);
	wait_for_room(w);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full, small_make,
						small_drop),
		cmocka_unit_test_setup_teardown(test_call_waits, small_make,
						small_drop),
		cmocka_unit_test_setup_teardown(test_call_goes_too, small_make,
						small_drop),
		cmocka_unit_test_setup_teardown(test_told_at_once, small_make,
						small_drop),
		cmocka_unit_test_setup_teardown(test_displaces_nobody,
						small_make, small_drop),
	};

	enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What tasks make: artifacts and outputs, good, bad and undeclared. */
#include "engine/blob.h"
#include "engine_helper.h"

#include <sys/stat.h>

#define MAKES                                                                  \
	HEAD "tasks:\n  a:\n    run: x\n"                                      \
	     "    outputs: {v: {type: string}, n: {type: int}}\n"              \
	     "    artifacts: {bin: {path: f, retain: 1h}}\n"                   \
	     "  b: {needs: [a], files: [a.bin], run: x, "                      \
	     "env: {V: \"${{ tasks.a.outputs.v }}\"}}\n"

static void stage(const struct launch *l, const char *name, const char *text)
{
	int fd = openat(l->fds[LAUNCH_STAGING], name,
			O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

/* Ends `a` having staged what the test put there as "s". */
static void end_with_artifact(struct world *w, struct launch *l,
			      const char *content)
{
	struct job_result_output out[] = {
		{STR("v"), REDACTED("1.2\"")},
                {STR("n"), REDACTED("42")   }
        };
	struct job_result_artifact art = {.name = STR("bin"),
					  .staged = STR("s"),
					  .file = REDACTED("app.tgz"),
					  .size = strlen(content)};
	struct hash h = hash_sha256(content, strlen(content));
	struct job_result x = {.outputs = out,
			       .n_outputs = 2,
			       .artifacts = &art,
			       .n_artifacts = 1,
			       .state = STATE_SUCCEEDED};

	hash_hex(&h, art.sha256);
	world_end_with(w, l, &x);
}

static void test_artifact_and_outputs(void **state)
{
	struct world *w = *state;
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20), got = BUF_INIT(100);
	struct launch l;
	struct ulid run;
	struct hash h = hash_sha256("hello", 5);
	char staged[300];
	int fd;

	world_start(w, true);
	run = world_run(w, MAKES);
	world_launch(w, &l);
	stage(&l, "s", "hello");
	end_with_artifact(w, &l, "hello");
	world_launch(w, &l);
	assert_int_equal(l.job->n_env, 1);
	assert_true(str_is(l.job->env[0].value, "1.2\""));
	assert_int_equal(l.job->n_files, 1);
	assert_true(str_is(l.job->files[0].file, "app.tgz"));
	(void)snprintf(staged, sizeof(staged), STR_FMT,
		       STR_ARG(l.job->files[0].staged));
	assert_int_equal(fd_read_file(l.fds[LAUNCH_FILES], staged, &got, &w->e),
			 0);
	assert_true(str_is(buf_view(&got), "hello"));
	world_end(w, &l, STATE_SUCCEEDED, KIND_NONE, 0);
	assert_int_equal(world_ended(w, &run), STATE_SUCCEEDED);
	assert_int_equal(blob_open(w->state_fd, &h, &fd, &w->e), 0);
	close(fd);
	ok_view(w, &run, &b);
	assert_non_null(strstr(b.data, "\"name\":\"a.bin\""));
	assert_non_null(
		strstr(b.data, "\"outputs\":{\"v\":\"1.2\\\"\",\"n\":42}"));
}

/* Whatever lies in staging, only a file of the content said is taken. */
static void bad_artifact(struct world *w, void (*put)(const struct launch *l))
{
	struct launch l;
	struct ulid run = world_run(w, MAKES);

	world_launch(w, &l);
	put(&l);
	end_with_artifact(w, &l, "hello");
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_ARTIFACT);
	assert_tasks(w, &run, "fk");
}

static void put_other(const struct launch *l)
{
	stage(l, "s", "other");
}

static void put_link(const struct launch *l)
{
	assert_int_equal(symlinkat("/etc/passwd", l->fds[LAUNCH_STAGING], "s"),
			 0);
}

static void put_fifo(const struct launch *l)
{
	assert_int_equal(mkfifoat(l->fds[LAUNCH_STAGING], "s", 0600), 0);
}

static void put_hard_link(const struct launch *l)
{
	stage(l, "t", "hello");
	assert_int_equal(linkat(l->fds[LAUNCH_STAGING], "t",
				l->fds[LAUNCH_STAGING], "s", 0),
			 0);
}

static void put_directory(const struct launch *l)
{
	assert_int_equal(mkdirat(l->fds[LAUNCH_STAGING], "s", 0700), 0);
}

static void put_nothing(const struct launch *l)
{
	(void)l;
}

static void test_bad_artifacts(void **state)
{
	struct world *w = *state;

	world_start(w, true);
	bad_artifact(w, put_other);
	bad_artifact(w, put_link);
	bad_artifact(w, put_fifo);
	bad_artifact(w, put_hard_link);
	bad_artifact(w, put_directory);
	bad_artifact(w, put_nothing);
}

/* Why a task failed is not hidden by a file that it left. */
static void test_bad_artifact_of_failed(void **state)
{
	struct world *w = *state;
	struct job_result_artifact art = {
		.name = STR("bin"), .staged = STR("s"), .file = REDACTED("f")};
	struct job_result x = {.artifacts = &art,
			       .n_artifacts = 1,
			       .state = STATE_FAILED,
			       .kind = KIND_EXIT,
			       .exit_code = 75};
	struct hash h = hash_sha256("hello", 5);
	struct launch l;
	struct ulid run;

	hash_hex(&h, art.sha256);
	world_start(w, true);
	run = world_run(w, MAKES);
	world_launch(w, &l);
	world_end_with(w, &l, &x);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_EXIT);

	run = world_run(w, MAKES);
	world_launch(w, &l);
	world_cancel(w, &run);
	(void)world_cancelled(w);
	x.state = STATE_CANCELLED;
	x.kind = KIND_NONE;
	world_end_with(w, &l, &x);
	assert_int_equal(world_ended(w, &run), STATE_CANCELLED);
	assert_tasks(w, &run, "cc");
}

static void test_undeclared(void **state)
{
	struct world *w = *state;
	struct job_result_output out = {STR("nope"), REDACTED("1")};
	struct job_result_output odd = {STR("n"), REDACTED("1]}")};
	struct job_result x = {
		.outputs = &out, .n_outputs = 1, .state = STATE_SUCCEEDED};
	struct launch l;
	struct ulid run;

	world_start(w, true);
	run = world_run(w, ONE);
	world_launch(w, &l);
	world_end_with(w, &l, &x);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_OUTPUT);
	run = world_run(w, MAKES);
	x.outputs = &odd;
	world_launch(w, &l);
	world_end_with(w, &l, &x);
	assert_int_equal(world_ended(w, &run), STATE_FAILED);
	assert_int_equal(world_kind(w, &run), KIND_OUTPUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_artifact_and_outputs),
		TEST(test_bad_artifacts),
		TEST(test_bad_artifact_of_failed),
		TEST(test_undeclared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What is remembered of logs that are gone, and an audit that has an end. */
#include "store/retention.h"
#include "store_helper.h"

#include <string.h>

static int begin(void **state)
{
	struct dir *d;

	if (dir_make(state))
		return -1;
	d = *state;
	ok(store_begin(d->store, &d->e), &d->e);
	return 0;
}

static int see_run(void *ctx, const struct store_run *x, struct err *e)
{
	struct store_run *to = ctx;

	(void)e;
	to->logs_gone = x->logs_gone;
	to->ulid = x->ulid;
	return 0;
}

static bool has_logs(struct dir *d, const struct ulid *run)
{
	bool has;

	ok(store_run_has_logs(d->store, run, &has, &d->e), &d->e);
	return has;
}

static void test_logs(void **state)
{
	struct dir *d = *state;
	struct store_run run = a_run("j"), got = {.id = 0};
	struct ulid other = ulid_new();

	ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	assert_true(has_logs(d, &run.ulid));
	assert_false(has_logs(d, &other));
	ok(store_run_logs_gone(d->store, run.id, &d->e), &d->e);
	assert_false(has_logs(d, &run.ulid));
	/* the walk is told, and what is saved later does not undo it */
	run.state = STATE_FAILED;
	ok(store_run_set(d->store, &run, &d->e), &d->e);
	ok(store_job_runs(d->store, run.project, run.job, 0, 10, see_run, &got,
			  &d->e),
	   &d->e);
	assert_true(got.logs_gone);
	assert_string_equal(got.ulid.s, run.ulid.s);
}

static void add(struct dir *d, int64_t ts_us)
{
	ok(store_audit_add(d->store, ts_us, STR("ann"), STR("a.b"), STR("c"),
			   &d->e),
	   &d->e);
}

static int expire(struct dir *d, int64_t before_us, uint32_t limit)
{
	int n = store_audit_expire(d->store, before_us, limit, &d->e);

	assert_true(n >= 0);
	return n;
}

static void test_audit(void **state)
{
	struct dir *d = *state;

	assert_int_equal(expire(d, 100, 4), 0);
	for (int i = 0; i < 10; i++)
		add(d, 10 + i);
	assert_int_equal(expire(d, 10, 4), 0);
	assert_int_equal(expire(d, 19, 4), 4);
	assert_int_equal(expire(d, 19, 4), 4);
	assert_int_equal(expire(d, 19, 4), 1);
	assert_int_equal(expire(d, 19, 4), 0);
	/* a clock that was ahead keeps nothing else */
	add(d, 5);
	add(d, 6);
	assert_int_equal(expire(d, 19, 4), 2);
	assert_int_equal(expire(d, 20, 4), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, dir_drop)
	const struct CMUnitTest tests[] = {
		TEST(test_logs),
		TEST(test_audit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

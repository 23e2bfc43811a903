/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Which ended runs may go, by a clock that is a number. */
#include "base/mem.h"
#include "engine/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY ((int64_t)24 * 3600 * 1000000)
#define NOW (20000 * DAY)

static void nothing_said_keeps_all(void **state)
{
	const struct retention r = {0};

	(void)state;
	assert_false(retention_any(&r));
	for (enum run_state s = 0; s < N_STATES; s++)
		assert_false(retention_over(&r, s, 1, true, NOW));
}

static void by_age(void **state)
{
	const struct retention r = {.keep_days = 10};

	(void)state;
	assert_false(retention_over(&r, STATE_SUCCEEDED, NOW - 10 * DAY + 1,
				    false, NOW));
	assert_true(retention_over(&r, STATE_SUCCEEDED, NOW - 10 * DAY, false,
				   NOW));
	assert_true(
		retention_over(&r, STATE_FAILED, NOW - 10 * DAY, false, NOW));
	/* a clock that jumps back, and an end that nobody noted */
	assert_false(
		retention_over(&r, STATE_FAILED, NOW + 5 * DAY, false, NOW));
	assert_false(retention_over(&r, STATE_FAILED, 0, false, NOW));
}

static void what_failed_is_kept_for_its_own_time(void **state)
{
	const struct retention longer = {.keep_days = 1,
					 .keep_failed_days = 30};
	const struct retention only = {.keep_failed_days = 2};
	int64_t end = NOW - 5 * DAY;

	(void)state;
	assert_true(retention_over(&longer, STATE_SUCCEEDED, end, false, NOW));
	assert_false(retention_over(&longer, STATE_FAILED, end, false, NOW));
	assert_false(retention_over(&longer, STATE_CANCELLED, end, false, NOW));
	assert_false(retention_over(&only, STATE_SUCCEEDED, end, false, NOW));
	assert_true(retention_over(&only, STATE_FAILED, end, false, NOW));
}

static void by_number(void **state)
{
	const struct retention r = {.keep_runs = 3};

	(void)state;
	assert_true(retention_over(&r, STATE_SUCCEEDED, NOW, true, NOW));
	assert_false(retention_over(&r, STATE_SUCCEEDED, 1, false, NOW));
}

static void never_one_that_is_alive(void **state)
{
	const struct retention r = {.keep_days = 1, .keep_runs = 1};

	(void)state;
	assert_false(retention_over(&r, STATE_QUEUED, 1, true, NOW));
	assert_false(retention_over(&r, STATE_BLOCKED, 1, true, NOW));
	assert_false(retention_over(&r, STATE_RUNNING, 1, true, NOW));
}

static void logs_alone(void **state)
{
	const struct retention none = {.keep_days = 1, .keep_failed_days = 1};
	const struct retention r = {.keep_log_days = 10};

	(void)state;
	assert_true(retention_any(&r));
	for (enum run_state s = 0; s < N_STATES; s++) {
		assert_false(retention_logs_over(&none, s, 1, NOW));
		assert_false(retention_over(&r, s, 1, true, NOW));
		assert_int_equal(
			retention_logs_over(&r, s, NOW - 10 * DAY, NOW),
			state_final(s));
		assert_false(
			retention_logs_over(&r, s, NOW - 10 * DAY + 1, NOW));
		assert_false(retention_logs_over(&r, s, NOW + DAY, NOW));
		assert_false(retention_logs_over(&r, s, 0, NOW));
	}
}

static struct retention read_over(const char *text, struct retention of)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d;

	assert_int_equal(doc_parse(str_from(text), DOC_JSON, &d, ps), 0);
	retention_read(d->root, &of);
	doc_free(d);
	mem_free(ps);
	return of;
}

static void a_project_has_the_last_word(void **state)
{
	const struct retention server = {.keep_days = 7, .artifact_days = 2};
	struct retention r;

	(void)state;
	r = read_over("{\"keep_days\":0,\"keep_runs\":5,\"keep_log_days\":4,"
		      "\"keep_last_success\":false}",
		      server);
	assert_int_equal(r.keep_days, 0);
	assert_int_equal(r.keep_runs, 5);
	assert_int_equal(r.keep_log_days, 4);
	assert_int_equal(r.artifact_days, 2);
	assert_true(r.drop_last);
	/* what is out of bounds is not said */
	r = read_over("{\"keep_days\":-1,\"artifact_days\":99999999}", server);
	assert_int_equal(r.keep_days, 7);
	assert_int_equal(r.artifact_days, 2);
	r = server;
	retention_read(NULL, &r);
	assert_int_equal(r.keep_days, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_keeps_all),
		cmocka_unit_test(by_age),
		cmocka_unit_test(what_failed_is_kept_for_its_own_time),
		cmocka_unit_test(by_number),
		cmocka_unit_test(never_one_that_is_alive),
		cmocka_unit_test(logs_alone),
		cmocka_unit_test(a_project_has_the_last_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

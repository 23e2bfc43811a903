/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The line that a terminal shows of a long transfer. */
#include "cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(uint64_t done, uint64_t total, int64_t took_us,
		  unsigned columns, const char *wanted)
{
	char line[512];

	progress_line("source", done, total, took_us, columns, line,
		      sizeof(line));
	assert_string_equal(line, wanted);
	assert_true(strlen(line) < columns);
}

static void test_lines(void **state)
{
	(void)state;
	check(512 << 10, 1 << 20, 1000000, 80,
	      "source: ###############--------------- "
	      " 50% of 1.0M, 512.0K/s, 1s");
	check(512 << 10, 1 << 20, 1000000, 60,
	      "source:  50% of 1.0M, 512.0K/s, 1s");
	check(1 << 20, 0, 2000000, 80, "source: 1.0M, 512.0K/s");
}

static void test_what_cannot_be(void **state)
{
	(void)state;
	/* more than was said, no time, everything */
	check(2 << 20, 1 << 20, 1000000, 80, "source: 2.0M, 2.0M/s");
	check(1, 2, 0, 60, "source:  50% of 2B, 0B/s, 0s");
	check(UINT64_MAX / 1000000, UINT64_MAX / 1000000, INT64_MAX, 60,
	      "source: 100% of 16.8T, 1B/s, 0s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Wrong tokens: what they cost who shows them, and nobody else. */
#include "access/guesses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	SECOND = 1000000
};

static void each_waits_longer(void **state)
{
	static const int64_t ms[] = {0,   0,    0,    100,  200,  400,
				     800, 1600, 3200, 4000, 4000, 4000};
	struct guesses *g = guesses_new();

	(void)state;
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		assert_int_equal(guesses_wrong(g, STR("a"), SECOND),
				 ms[i] * 1000);
	/* another is another */
	assert_int_equal(guesses_wrong(g, STR("b"), SECOND), 0);
	guesses_free(g);
}

static void it_is_forgotten(void **state)
{
	struct guesses *g = guesses_new();
	int64_t now = SECOND;

	(void)state;
	for (int i = 0; i < 1000; i++)
		(void)guesses_wrong(g, STR("a"), now);
	assert_int_equal(guesses_count(g, STR("a"), now), GUESSES_MOST);
	now += 60 * (int64_t)SECOND;
	assert_int_equal(guesses_count(g, STR("a"), now), GUESSES_MOST - 6);
	now += 60 * (int64_t)SECOND;
	assert_int_equal(guesses_count(g, STR("a"), now), 0);
	assert_int_equal(guesses_wrong(g, STR("a"), now), 0);
	/* slowly enough it is never noticed */
	for (int i = 0; i < 100; i++) {
		now += GUESSES_FORGET_US;
		assert_int_equal(guesses_wrong(g, STR("a"), now), 0);
	}
	guesses_free(g);
}

static void the_table_is_bounded_and_keeps_the_worst(void **state)
{
	struct guesses *g = guesses_new();
	char name[32];

	(void)state;
	for (int i = 0; i < GUESSES_MOST; i++)
		(void)guesses_wrong(g, STR("worst"), SECOND);
	for (int i = 0; i < 50000; i++) {
		int n = snprintf(name, sizeof(name), "%d", i);

		(void)guesses_wrong(g, str_n(name, (size_t)n), SECOND);
	}
	assert_int_equal(guesses_count(g, STR("worst"), SECOND), GUESSES_MOST);
	assert_int_equal(guesses_count(g, STR("0"), SECOND), 0);
	guesses_free(g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_waits_longer),
		cmocka_unit_test(it_is_forgotten),
		cmocka_unit_test(the_table_is_bounded_and_keeps_the_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Cron lines: what each field takes, and what it does not. */
#include "job/cron.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint64_t bits(unsigned from, unsigned to)
{
	uint64_t set = 0;

	for (unsigned i = from; i <= to; i++)
		set |= 1ULL << i;
	return set;
}

static void good(void **state)
{
	static const char lines[] = "*/15 0 1,15 jan-Mar 1-5";
	struct cron c;
	int field;

	(void)state;
	assert_int_equal(cron_parse(STR(lines), &c, &field), 0);
	assert_int_equal(c.minute, 1ULL | 1ULL << 15 | 1ULL << 30 | 1ULL << 45);
	assert_int_equal(c.hour, 1);
	assert_int_equal(c.day, 1ULL << 1 | 1ULL << 15);
	assert_int_equal(c.month, bits(1, 3));
	assert_int_equal(c.weekday, bits(1, 5));
	assert_false(c.any_day || c.any_weekday);
	assert_int_equal(cron_parse(STR("  0 2  * * 7 "), &c, &field), 0);
	assert_int_equal(c.weekday, 1); /* 7 is Sunday too */
	assert_true(c.any_day && !c.any_weekday);
	assert_int_equal(cron_parse(STR("5/20 * * * sun"), &c, &field), 0);
	assert_int_equal(c.minute, 1ULL << 5 | 1ULL << 25 | 1ULL << 45);
	assert_int_equal(cron_parse(STR("59 23 31 12 6"), &c, &field), 0);
}

static void bad(void **state)
{
	static const struct {
		const char *line;
		int field; /* 0: not five of them */
	} lines[] = {
		{"60 * * * *",    1},
                {"* 24 * * *",    2},
		{"* * 0 * *",     3},
                {"* * 32 * *",    3},
		{"* * * 13 *",    4},
                {"* * * foo *",   4},
		{"* * * * 8",     5},
                {"*/0 * * * *",   1},
		{"5-1 * * * *",   1},
                {"1- * * * *",    1},
		{"1,,2 * * * *",  1},
                {"-1 * * * *",    1},
		{"1/2/3 * * * *", 1},
                {"* * * *",       0},
		{"* * * * * *",   0},
                {"",              0},
		{"@daily",        1},
                {"+1 * * * *",    1},
	};
	struct cron c;
	int field;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		field = -1;
		if (!cron_parse(str_from(lines[i].line), &c, &field))
			fail_msg("taken: %s", lines[i].line);
		if (field != lines[i].field)
			fail_msg("%s: field %d", lines[i].line, field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

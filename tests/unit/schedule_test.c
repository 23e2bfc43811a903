/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Cron over a simulated year, with a clock that somebody plays with. */
#include "base/mem.h"
#include "sched/schedule.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND ((int64_t)1000000)
/* 2026-01-01 00:00 UTC */
#define YEAR ((int64_t)1767225600)
#define DAY  86400

static struct cron parse(const char *line)
{
	struct cron c;
	int field;

	assert_int_equal(cron_parse(str_from(line), &c, &field), 0);
	return c;
}

static struct tz *zone(const char *name)
{
	struct tz *z;
	struct err e;

	assert_int_equal(tz_load(str_from(name), &z, &e), 0);
	return z;
}

/* The next ones after an instant. */
static void comes(const char *line, const char *zone_name, int64_t after,
		  const int64_t *want, size_t n)
{
	struct cron c = parse(line);
	struct tz *z = zone(zone_name);

	for (size_t i = 0; i < n; i++) {
		int64_t t = -1;

		assert_int_equal(calendar_next(&c, z, after, &t), 0);
		if (t != want[i])
			fail_msg("%s: %lld, not %lld", line, (long long)t,
				 (long long)want[i]);
		after = t;
	}
	tz_free(z);
}

static void over_the_changes(void **state)
{
	/* Berlin: forward on 2026-03-29 at 01:00 UTC, back on 2026-10-25 */
	const int64_t spring = 1774746000, autumn = 1792890000;

	(void)state;
	comes("30 2 * * *", "Europe/Berlin", spring - 5400,
	      (int64_t[]){spring, spring + 84600}, 2);
	comes("0,15,30,45 2 * * *", "Europe/Berlin", spring - 3600,
	      (int64_t[]){spring, spring + 82800}, 2);
	comes("30 2 * * *", "Europe/Berlin", autumn - 7200,
	      (int64_t[]){autumn - 1800, autumn + DAY + 1800}, 2);
	comes("30 * * * *", "Europe/Berlin", autumn - 3600,
	      (int64_t[]){autumn - 1800, autumn + 1800, autumn + 5400}, 3);
	comes("30 * * * *", "Europe/Berlin", spring - 3600,
	      (int64_t[]){spring - 1800, spring + 1800}, 2);
}

static void days(void **state)
{
	(void)state;
	/* 29 February; the 13th or a Friday; Sundays in March */
	comes("0 0 29 2 *", "UTC", YEAR, (int64_t[]){1835395200}, 1);
	comes("0 0 13 * 5", "UTC", YEAR,
	      (int64_t[]){YEAR + DAY, YEAR + 8 * DAY, YEAR + 12 * DAY}, 3);
	comes("0 12 * 3 0", "UTC", YEAR, (int64_t[]){YEAR + 59 * DAY + 43200},
	      1);
}

static void never(void **state)
{
	struct cron c = parse("0 0 31 2 *");
	struct tz *z = zone("UTC");
	int64_t t;

	(void)state;
	assert_int_equal(calendar_next(&c, z, YEAR, &t), -1);
	tz_free(z);
}

static void missed(void **state)
{
	struct cron c = parse("0 * * * *");
	struct tz *z = zone("UTC");
	struct schedule s = {.cron = &c, .tz = z};
	struct schedule_answer a;
	int64_t now = (YEAR + 5 * 3600 + 1800) * SECOND;

	(void)state;
	s.missed = MISSED_LATEST;
	schedule_decide(&s, YEAR, now, &a);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.fire[0], YEAR + 5 * 3600);
	assert_int_equal(a.last, YEAR + 5 * 3600);
	assert_int_equal(a.next_us, (YEAR + 6 * 3600) * SECOND);
	s.missed = MISSED_SKIP;
	schedule_decide(&s, YEAR, now, &a);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.last, YEAR + 5 * 3600);
	s.missed = MISSED_ALL;
	schedule_decide(&s, YEAR, now, &a);
	assert_int_equal(a.n, 5);
	assert_int_equal(a.fire[0], YEAR + 3600);
	/* bounded, and the newest are kept */
	schedule_decide(&s, YEAR - 300 * DAY, now, &a);
	assert_int_equal(a.n, SCHEDULE_FIRE_MAX);
	assert_int_equal(a.fire[SCHEDULE_FIRE_MAX - 1], YEAR + 5 * 3600);
	/* in time is in time, whatever the rule */
	s.missed = MISSED_SKIP;
	schedule_decide(&s, YEAR, (YEAR + 3600 + 59) * SECOND, &a);
	assert_int_equal(a.n, 1);
	tz_free(z);
}

static void jitter(void **state)
{
	struct cron c = parse("0 * * * *");
	struct tz *z = zone("UTC");
	struct schedule s = {.cron = &c,
			     .tz = z,
			     .jitter_us = 600 * SECOND,
			     .seed = STR("a")};
	int64_t due = schedule_due_us(&s, YEAR + 3600);
	struct schedule_answer a;

	(void)state;
	assert_true(due >= (YEAR + 3600) * SECOND &&
		    due < (YEAR + 4200) * SECOND);
	assert_int_equal(schedule_due_us(&s, YEAR + 3600), due);
	schedule_decide(&s, YEAR, due - 1, &a);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.next_us, due);
	schedule_decide(&s, YEAR, due, &a);
	assert_int_equal(a.n, 1);
	s.seed = STR("b");
	assert_int_not_equal(schedule_due_us(&s, YEAR + 3600), due);
	tz_free(z);
}

/*
 * A year, a minute at a time, with a clock that jumps an hour forward or back
 * now and then.  Every time that the calendar has is fired at most once; with
 * `all` exactly once, with the others all that no jump went over.
 */
static void year(const char *line, const char *zone_name,
		 enum schedule_missed missed)
{
	enum {
		MINUTES = 366 * 24 * 60
	};
	struct cron c = parse(line);
	struct tz *z = zone(zone_name);
	struct schedule s = {.cron = &c, .tz = z, .missed = missed};
	int64_t last = YEAR, clock = YEAR * SECOND, jumped = 0, before = YEAR;
	uint64_t random = 42, fired = 0, in_calendar = 0;

	for (int i = 0; i < MINUTES; i++) {
		struct schedule_answer a;

		clock += 60 * SECOND;
		random = random * 6364136223846793005ULL +
			 1442695040888963407ULL;
		if (random >> 50 == 1) {
			int64_t by = random >> 40 & 1 ? 3600 : -3600;

			clock += by * SECOND;
			jumped += by > 0;
		}
		schedule_decide(&s, last, clock, &a);
		assert_true(a.last >= last);
		for (size_t k = 0; k < a.n; k++) {
			assert_true(a.fire[k] > before); /* never twice */
			before = a.fire[k];
			fired++;
		}
		last = a.last;
	}
	for (int64_t t = YEAR; !calendar_next(&c, z, t, &t) && t <= last;)
		in_calendar++;
	assert_true(jumped > 5);
	if (missed == MISSED_ALL)
		assert_int_equal(fired, in_calendar);
	else
		assert_true(fired <= in_calendar &&
			    fired + (uint64_t)jumped * 61 >= in_calendar);
	tz_free(z);
}

static void simulated_years(void **state)
{
	static const char *const lines[] = {"*/10 * * * *", "30 2 * * *",
					    "0 2 * * 1-5", "15 */6 1 * *"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		for (int m = MISSED_LATEST; m <= MISSED_ALL; m++) {
			year(lines[i], "Europe/Berlin",
			     (enum schedule_missed)m);
			if (i == 1)
				year(lines[i], "Australia/Lord_Howe",
				     (enum schedule_missed)m);
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_the_changes),
		cmocka_unit_test(days),
		cmocka_unit_test(never),
		cmocka_unit_test(missed),
		cmocka_unit_test(jitter),
		cmocka_unit_test(simulated_years),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

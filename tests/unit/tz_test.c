/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Time zones against the C library's, for as many instants as there is time
 * for; and what is no zone. */
#include "base/fd.h"
#include "base/mem.h"
#include "sched/tz.h"
#include "sched/tz_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const zones[] = {
	"UTC",
	"Europe/Berlin",
	"America/New_York",
	"Australia/Lord_Howe",
	"Asia/Kolkata",
	"Africa/Casablanca",
	"America/St_Johns",
	"Pacific/Chatham",
	"America/Nuuk",
	"Europe/Dublin",
	"Asia/Tehran",
};

static uint64_t seed = 88172645463325252ULL;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct tz *load(const char *name)
{
	struct tz *z;
	struct err e;

	if (tz_load(str_from(name), &z, &e))
		fail_msg("%s: %s", name, e.text);
	return z;
}

/* 1970 to 2100, and closely around every change of ten years. */
static void like_the_c_library(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		struct tz *z = load(zones[i]);

		assert_int_equal(setenv("TZ", zones[i], 1), 0);
		tzset();
		for (int k = 0; k < 40000; k++) {
			time_t t = (time_t)(next_random() % 4102444800U);
			struct tm tm;

			if (k >= 20000) /* hours of 2020..2030 */
				t = 1577836800 + (k - 20000) * (time_t)15780;
			assert_non_null(localtime_r(&t, &tm));
			if (tz_offset(z, t) != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, not %ld", zones[i],
					 (long long)t, tz_offset(z, t),
					 tm.tm_gmtoff);
		}
		tz_free(z);
	}
	(void)unsetenv("TZ");
	tzset();
}

static void local_times(void **state)
{
	struct tz *z = load("Europe/Berlin");

	(void)state;
	/* 2026-07-01 12:00 is 10:00 UTC */
	assert_int_equal(tz_from_local(z, 1782907200), 1782900000);
	/* 2026-03-29 02:30 does not exist: 01:00 UTC is the first after it */
	assert_int_equal(tz_from_local(z, 1774751400), 1774746000);
	assert_int_equal(tz_from_local(z, 1774749600), 1774746000);
	assert_int_equal(tz_from_local(z, 1774753200), 1774746000);
	/* 2026-10-25 02:30 comes twice: first at 00:30 UTC */
	assert_int_equal(tz_from_local(z, 1792895400), 1792888200);
	/* and 03:00 once, at 02:00 UTC */
	assert_int_equal(tz_from_local(z, 1792897200), 1792893600);
	tz_free(z);
}

static void dates(void **state)
{
	int64_t year;
	int month, day;

	(void)state;
	assert_int_equal(tz_days(1970, 1, 1), 0);
	assert_int_equal(tz_days(2000, 3, 1), 11017);
	assert_int_equal(tz_weekday(0), 4);
	for (int64_t d = -800000; d < 800000; d += 37) {
		tz_date(d, &year, &month, &day);
		assert_int_equal(tz_days(year, month, day), d);
	}
}

static void names(void **state)
{
	static const char *const bad[] = {
		"",        "/etc/passwd", "../x",         "a/../b", "Europe/",
		"Eur ope", "localtime",   "Nowhere/City", "Europe"};
	struct tz *z;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!tz_load(str_from(bad[i]), &z, &e))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void rules(void **state)
{
	static const char *const bad[] = {"",
					  "C",
					  "CET",
					  "CET-1X",
					  "CET-1CEST",
					  "CET-1CEST,M13.1.0,M1.1.0",
					  "CET-1CEST,M3.0.0,M10.5.0",
					  "CET-1CEST,M3.5.0",
					  "<+03",
					  "<>3",
					  "CET-25",
					  "CET-1CEST,J0,J5",
					  "CET-1CEST,M3.5.0,M10.5.0x"};
	struct tz_rule r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!tz_rule_parse(str_from(bad[i]), &r))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(tz_rule_parse(STR("<+0330>-3:30"), &r), 0);
	assert_int_equal(r.std, 12600);
	assert_int_equal(tz_rule_parse(STR("EST5EDT,J60,300/-1:30"), &r), 0);
	assert_int_equal(r.end.time, -5400);
}

/* Any prefix of a file is refused, and read within its bounds. */
static void cut_files(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(TZ_FILE_MAX);
	struct err e;
	struct tz *z;

	(void)state;
	assert_int_equal(
		fd_read_file(-100, "/usr/share/zoneinfo/Europe/Berlin", &b, &e),
		0);
	for (size_t i = 0; i < b.len; i++) {
		char *part = mem_alloc(i + 1);

		memcpy(part, b.data, i);
		if (!tz_parse(str_n(part, i), &z, &e))
			tz_free(z); /* without its rule it may be one */
		mem_free(part);
	}
	assert_int_equal(tz_parse(buf_view(&b), &z, &e), 0);
	tz_free(z);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_the_c_library),
		cmocka_unit_test(local_times),
		cmocka_unit_test(dates),
		cmocka_unit_test(names),
		cmocka_unit_test(rules),
		cmocka_unit_test(cut_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/headers.h"
#include "api/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void ranges(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		enum range want;
		uint64_t from, len;
	} rows[] = {
		{"bytes=0-0",                    10, RANGE_PART, 0, 1 },
		{"bytes=0-",                     10, RANGE_PART, 0, 10},
		{"bytes=3-5",                    10, RANGE_PART, 3, 3 },
		{"bytes=3-99",                   10, RANGE_PART, 3, 7 },
		{"bytes=9-18446744073709551615", 10, RANGE_PART, 9, 1 },
		{"bytes=-3",                     10, RANGE_PART, 7, 3 },
		{"bytes=-99",                    10, RANGE_PART, 0, 10},
		{"bytes=-0",                     10, RANGE_NONE, 0, 0 },
		{"bytes=-1",                     0,  RANGE_NONE, 0, 0 },
		{"bytes=0-",                     0,  RANGE_NONE, 0, 0 },
		{"bytes=10-",                    10, RANGE_NONE, 0, 0 },
		{"bytes=5-3",                    10, RANGE_ALL,  0, 0 },
		{"bytes=0-1,3-4",                10, RANGE_ALL,  0, 0 },
		{"bytes=",                       10, RANGE_ALL,  0, 0 },
		{"bytes=-",                      10, RANGE_ALL,  0, 0 },
		{"bytes=x-1",                    10, RANGE_ALL,  0, 0 },
		{"bytes=99999999999999999999-",  10, RANGE_ALL,  0, 0 },
		{"lines=0-1",                    10, RANGE_ALL,  0, 0 },
		{"",			     10, RANGE_ALL,  0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t from = 0, len = 0;
		enum range got = range_parse(str_from(rows[i].text),
					     rows[i].size, &from, &len);

		if (got != rows[i].want || from != rows[i].from ||
		    len != rows[i].len)
			fail_msg("%s of %lu: %d", rows[i].text, rows[i].size,
				 got);
	}
}

static void if_ranges(void **state)
{
	(void)state;
	assert_true(if_range_holds(str_from(NULL), NULL));
	assert_true(if_range_holds(STR("\"a\""), "\"a\""));
	assert_false(if_range_holds(STR("\"b\""), "\"a\""));
	assert_false(if_range_holds(STR("W/\"a\""), "\"a\""));
	assert_false(if_range_holds(STR("\"a\""), NULL));
	assert_false(
		if_range_holds(STR("Fri, 27 Nov 2026 17:00:00 GMT"), "\"a\""));
}

static void waits(void **state)
{
	(void)state;
	assert_int_equal(prefer_wait(str_from(NULL), 60000000), 0);
	assert_int_equal(prefer_wait(STR("wait=5"), 60000000), 5000000);
	assert_int_equal(prefer_wait(STR("respond-async, wait=5"), 60000000),
			 5000000);
	assert_int_equal(prefer_wait(STR("wait=4294967295"), 60000000),
			 60000000);
	assert_int_equal(prefer_wait(STR("wait=4294967296"), 60000000), 0);
	assert_int_equal(prefer_wait(STR("wait=-1"), 60000000), 0);
	assert_int_equal(prefer_wait(STR("wait="), 60000000), 0);
}

static void names(void **state)
{
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = 'a';
	assert_true(request_id_ok(STR("a-B_1.2:3")));
	assert_true(request_id_ok(str_n(longest, 64)));
	assert_false(request_id_ok(str_n(longest, 65)));
	assert_false(request_id_ok(STR("")));
	assert_false(request_id_ok(STR("a b")));
	assert_false(request_id_ok(STR("a\"b")));
	assert_true(idempotency_key_ok(STR("\"quoted,{too}\"")));
	assert_true(idempotency_key_ok(str_n(longest, 255)));
	assert_false(idempotency_key_ok(str_n(longest, 256)));
	assert_false(idempotency_key_ok(STR("")));
	assert_false(idempotency_key_ok(STR("a b")));
	assert_false(idempotency_key_ok(STR("\xc3\xa4")));
}

static void weak_tags(void **state)
{
	(void)state;
	assert_true(etag_weakly_in(STR("W/\"a\""), STR("\"a\"")));
	assert_true(etag_weakly_in(STR("\"b\", W/\"a\""), STR("W/\"a\"")));
	assert_true(etag_weakly_in(STR("*"), STR("W/\"a\"")));
	assert_false(etag_weakly_in(STR("W/\"b\""), STR("W/\"a\"")));
	assert_false(etag_in(STR("W/\"a\""), STR("\"a\"")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),    cmocka_unit_test(if_ranges),
		cmocka_unit_test(waits),     cmocka_unit_test(names),
		cmocka_unit_test(weak_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The pure parts of logs: places, words, ends. */
#include "api/grep.h"
#include "api/logpos.h"
#include "api/logtail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void places(void **state)
{
	static const char *const good[] = {"0", "7", "7-3.17",
					   "7-3.0-7.9223372036854775807"};
	static const char *const bad[] = {
		"",          "x",          "-1.1",
		"7-",        "7-3",        "7-8.1",
		"7-0.1",     "7-3.-1",     "7-3.1-",
		"7-3.1-3.1", "7-3.1-2.1",  "07x",
		"7 -3.17",   "4294967295", "7-3.9223372036854775808"};
	static struct logpos p;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(LOGPOS_TEXT_MAX);

		assert_int_equal(logpos_parse(str_from(good[i]), &p), 0);
		logpos_write(&p, &b);
		assert_string_equal(buf_cstr(&b), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!logpos_parse(str_from(bad[i]), &p))
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(logpos_parse(STR("7-3.17-5.0"), &p), 0);
	assert_int_equal(logpos_of(&p, 1), UINT64_MAX);
	assert_int_equal(logpos_of(&p, 3), 17);
	assert_int_equal(logpos_of(&p, 5), 0);
	assert_int_equal(logpos_of(&p, 8), 0);
}

static void most_places(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(LOGPOS_TEXT_MAX);
	static struct logpos p, q;

	(void)state;
	p.last = UINT32_MAX - 1;
	for (p.n = 0; p.n < LOGPOS_OPEN_MAX; p.n++)
		p.open[p.n] = (struct logpos_open){
			UINT32_MAX - 1 - LOGPOS_OPEN_MAX + (uint32_t)p.n,
			INT64_MAX};
	logpos_write(&p, &b);
	assert_false(b.failed);
	assert_int_equal(logpos_parse(buf_view(&b), &q), 0);
	assert_int_equal(q.n, LOGPOS_OPEN_MAX);
	buf_puts(&b, "-1.1");
	assert_int_not_equal(logpos_parse(buf_view(&b), &q), 0);
}

static bool match(const char *word, const char *line, bool any_case)
{
	const struct grep g = {str_from(word), any_case};

	return grep_match(&g, str_from(line));
}

static void words(void **state)
{
	(void)state;
	assert_true(match("", "", false));
	assert_true(match("b", "abc", false));
	assert_false(match("B", "abc", false));
	assert_true(match("B", "abc", true));
	assert_true(match("bC", "aBc", true));
	assert_false(match("abcd", "abc", false));
	assert_false(match("abcd", "abc", true));
	assert_false(match(".*", "abc", false));
	assert_true(match(".*", "a.*c", true));
	assert_true(match("@a", "@A", true));
	assert_false(match("@a", "`A", true));
}

static void ends(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct logtail t;

	(void)state;
	logtail_init(&t, 3);
	for (char c = 'a'; c <= 'g'; c++)
		logtail_put(&t, str_n(&c, 1));
	assert_false(logtail_take(&t, &b, 1));
	assert_true(logtail_take(&t, &b, 100));
	assert_string_equal(buf_cstr(&b), "efg");
	logtail_done(&t);
}

static void ends_are_bounded(void **state)
{
	static char big[LOGTAIL_BYTES / 4];
	struct logtail t;

	(void)state;
	memset(big, 'x', sizeof(big));
	logtail_init(&t, 1000000);
	assert_int_equal(t.max, LOGTAIL_MAX);
	for (int i = 0; i < 10; i++)
		logtail_put(&t, str_n(big, sizeof(big)));
	assert_int_equal(t.n, 4);
	assert_true(t.bytes <= LOGTAIL_BYTES);
	logtail_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(most_places),
		cmocka_unit_test(words),
		cmocka_unit_test(ends),
		cmocka_unit_test(ends_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

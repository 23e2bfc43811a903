/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Errors, borrowed strings, bounded buffers, hex and base64. */
#include "base/err.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_an_error_says_what_and_why(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(err_set(&e, ERR_LIMIT, "%d of %s", 3, "x"), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.text, "3 of x");
	assert_int_equal(err_sys(&e, ENOENT, "open %s", "f"), -1);
	assert_int_equal(e.sys, ENOENT);
	assert_non_null(strstr(e.text, "open f"));
	assert_non_null(strstr(e.text, strerror(ENOENT)));
	err_sys(&e, ENOSPC, "write"); /* a bound, not a fault of ours */
	assert_int_equal(e.code, ERR_LIMIT);
	err_sys(&e, ENOENT, "open f");
	assert_int_equal(err_wrap(&e, "job %d", 7), -1);
	assert_int_equal(e.sys, ENOENT);
	assert_ptr_equal(strstr(e.text, "job 7"), e.text);
	assert_non_null(strstr(e.text, "open f"));
}

static void test_a_long_error_is_cut(void **state)
{
	char text[4 * ERR_TEXT_MAX];
	struct err e = {0};

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_INVALID, "%s", text);
	assert_in_range(strlen(e.text), 1, ERR_TEXT_MAX - 1);
	err_wrap(&e, "%s", text);
	assert_in_range(strlen(e.text), 1, ERR_TEXT_MAX - 1);
	for (int c = ERR_NONE; c <= ERR_INTERNAL; c++)
		assert_true(strlen(err_code_name((enum err_code)c)) > 0);
}

static void test_a_buffer_keeps_its_bound(void **state)
{
	struct buf b = BUF_INIT(8);

	(void)state;
	assert_string_equal(buf_cstr(&b), "");
	assert_true(buf_puts(&b, "12345678"));
	assert_false(b.failed);
	assert_false(buf_putc(&b, '9'));
	assert_true(b.failed);
	assert_int_equal(b.len, 8);
	/* what does not fit stays out as a whole, from then on */
	assert_false(buf_puts(&b, ""));
	buf_reset(&b);
	assert_false(b.failed);
	assert_false(buf_printf(&b, "%s", "123456789"));
	assert_true(b.failed);
	buf_done(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 8);
}

static void test_a_buffer_in_parts(void **state)
{
	struct buf b = BUF_INIT(64);
	char *room = buf_room(&b, 4), *text;

	(void)state;
	assert_non_null(room);
	memcpy(room, "abcd", 4);
	buf_commit(&b, 3);
	assert_true(str_is(buf_view(&b), "abc"));
	buf_printf(&b, "-%05.1f", 2.5);
	buf_drop_front(&b, 2);
	assert_string_equal(buf_cstr(&b), "c-002.5");
	assert_null(buf_room(&b, 65));
	buf_reset(&b);
	buf_puts(&b, "mine");
	text = buf_take(&b);
	assert_string_equal(text, "mine");
	assert_int_equal(b.len, 0);
	mem_free(text);
	buf_done(&b);
}

static void test_json_strings_are_escaped(void **state)
{
	struct buf b = BUF_INIT(256);

	(void)state;
	assert_true(buf_json(&b, str_n("a\"\\\n\x01\0z", 7)));
	assert_string_equal(buf_cstr(&b), "a\\\"\\\\\\n\\u0001\\u0000z");
	buf_done(&b);
}

static void test_strings_are_cut_and_compared(void **state)
{
	struct str s = STR("a/bc//d"), part;

	(void)state;
	part = str_cut(&s, '/');
	assert_true(str_is(part, "a"));
	part = str_cut(&s, '/');
	assert_true(str_is(part, "bc"));
	part = str_cut(&s, '/');
	assert_int_equal(part.len, 0);
	part = str_cut(&s, '/');
	assert_true(str_is(part, "d"));
	assert_int_equal(s.len, 0);
	assert_true(str_is(str_trim(STR(" \t x y \r\n")), "x y"));
	assert_true(str_starts(STR("abc"), STR("ab")));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_ends(STR("a.yaml"), STR(".yaml")));
	assert_true(str_cmp(STR("ab"), STR("abc")) < 0);
	assert_true(str_cmp(STR("b"), STR("abc")) > 0);
	assert_int_equal(str_from_at(STR("abc"), 9).len, 0);
	assert_int_equal(str_from(NULL).len, 0);
	assert_false(str_eq(str_n("a\0b", 3), str_n("a\0c", 3)));
}

static void test_numbers_have_bounds(void **state)
{
	int64_t i = 7;
	uint64_t u = 7;

	(void)state;
	assert_int_equal(str_to_i64(STR("-12"), -12, 5, &i), 0);
	assert_int_equal(i, -12);
	assert_int_equal(str_to_i64(STR("-13"), -12, 5, &i), -1);
	assert_int_equal(str_to_i64(STR("6"), -12, 5, &i), -1);
	assert_int_equal(
		str_to_u64(STR("18446744073709551615"), UINT64_MAX, &u), 0);
	assert_true(u == UINT64_MAX);
	for (size_t k = 0; k < 7; k++) {
		static const char *const bad[] = {"",
						  "-",
						  "+",
						  "1x",
						  " 1",
						  "18446744073709551616",
						  "99999999999999999999999"};

		assert_int_equal(str_to_u64(str_from(bad[k]), UINT64_MAX, &u),
				 -1);
	}
	assert_true(u == UINT64_MAX);
}

static void test_utf8(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{"",                 true },
		{"\xc3\xa4",         true },
		{"\xf0\x9f\x98\x80", true },
		{"\xf4\x8f\xbf\xbf", true },
		{"\x80",             false},
		{"\xc0\xaf",         false}, /* longer than it need be */
		{"\xe0\x80\xaf",     false},
		{"\xed\xa0\x80",     false}, /* half of a pair */
		{"\xf4\x90\x80\x80", false}, /* behind the last */
		{"\xe2\x82",         false}, /* cut */
		{"\xff",             false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(str_utf8_valid(str_from(rows[i].text)),
				 rows[i].valid);
}

static void test_globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool path, is;
	} rows[] = {
		{"*",      "a/b",   false, true },
		{"*",      "a/b",   true,  false},
		{"a*c",    "abbc",  false, true },
		{"a*c",    "abcd",  false, false},
		{"a?c",    "abc",   false, true },
		{"a/*/c",  "a/b/c", true,  true },
		{"",       "",      false, true },
		{"",       "a",     false, false},
		{"*a*a*a", "aaab",  false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(str_glob(str_from(rows[i].pattern),
					  str_from(rows[i].text), rows[i].path),
				 rows[i].is);
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(str_distance(STR("timeout"), STR("timeout"), 3), 0);
	assert_int_equal(str_distance(STR("timeuot"), STR("timeout"), 3), 2);
	assert_int_equal(str_distance(STR("tmeout"), STR("timeout"), 3), 1);
	assert_true(str_distance(STR("abc"), STR("wxyz"), 2) > 2);
}

static void test_hex_and_base64(void **state)
{
	static const struct {
		const char *plain, *b64, *url;
	} rows[] = {
		{"",             "",     ""    },
		{"f",            "Zg==", "Zg"  },
		{"fo",           "Zm8=", "Zm8" },
		{"foo",          "Zm9v", "Zm9v"},
		{"\xfb\xff\xfe", "+//+", "-__-"},
	};
	unsigned char out[4];
	char hex[9];

	(void)state;
	hex_encode("\x00\xff\x10z", 4, hex);
	assert_string_equal(hex, "00ff107a");
	assert_int_equal(hex_decode(STR("00FF107a"), out, 4), 0);
	assert_memory_equal(out, "\x00\xff\x10z", 4);
	assert_int_equal(hex_decode(STR("00ff1"), out, 4), -1);
	assert_int_equal(hex_decode(STR("00ff107g"), out, 4), -1);
	assert_int_equal(hex_decode(STR("00ff107a00"), out, 4), -1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT(64);
		size_t n = strlen(rows[i].plain);

		assert_true(b64_encode(&b, rows[i].plain, n));
		assert_string_equal(buf_cstr(&b), rows[i].b64);
		buf_reset(&b);
		assert_int_equal(b64_decode(str_from(rows[i].b64), &b), 0);
		assert_int_equal(b.len, n);
		assert_true(!n || !memcmp(b.data, rows[i].plain, n));
		buf_reset(&b);
		assert_true(b64url_encode(&b, rows[i].plain, n));
		assert_string_equal(buf_cstr(&b), rows[i].url);
		buf_done(&b);
	}
}

static void test_base64_that_is_none(void **state)
{
	static const char *const bad[] = {
		"Z", "Zg=", "Z===", "Zg==Zg==", "Zm9*", "Zm-v"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf b = BUF_INIT(64);

		assert_int_equal(b64_decode(str_from(bad[i]), &b), -1);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_error_says_what_and_why),
		cmocka_unit_test(test_a_long_error_is_cut),
		cmocka_unit_test(test_a_buffer_keeps_its_bound),
		cmocka_unit_test(test_a_buffer_in_parts),
		cmocka_unit_test(test_json_strings_are_escaped),
		cmocka_unit_test(test_strings_are_cut_and_compared),
		cmocka_unit_test(test_numbers_have_bounds),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_hex_and_base64),
		cmocka_unit_test(test_base64_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

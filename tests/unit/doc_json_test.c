/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* JSON in: strict, with places. */
#include "tests/unit/doc_helper.h"

#define JSON(text) verdict(STR(text), DOC_JSON)

static void places(void **state)
{
	struct doc *d = parse(STR("{\"nfo\": 1,\r\n"
				  " \"\xc3\xa4\\u00e4\" : [true,\n"
				  "  null, -1.5e+3, \"\xe2\x82\xac\", {}]}\n"),
			      DOC_JSON);

	(void)state;
	assert_string_equal(at(d, ""), "map  @1:1 key @0:0");
	assert_string_equal(at(d, "/nfo"), "int 1 @1:9 key @1:2");
	assert_string_equal(at(d, "/\xc3\xa4\xc3\xa4"), "list  @2:14 key @2:2");
	assert_string_equal(at(d, "/\xc3\xa4\xc3\xa4/0"),
			    "bool true @2:15 key @0:0");
	assert_string_equal(at(d, "/\xc3\xa4\xc3\xa4/1"),
			    "null null @3:3 key @0:0");
	assert_string_equal(at(d, "/\xc3\xa4\xc3\xa4/2"),
			    "float -1.5e+3 @3:9 key @0:0");
	/* one character of three bytes is before the last */
	assert_string_equal(at(d, "/\xc3\xa4\xc3\xa4/4"),
			    "map  @3:23 key @0:0");
	doc_free(d);
}

static void escapes(void **state)
{
	struct doc *d = parse(STR("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20AC\\u20ac"
				  "\\ud83d\\uDE00\\u007f\"]"),
			      DOC_JSON);

	(void)state;
	assert_string_equal(d->root->first->text.p,
			    "\"\\/\b\f\n\r\t\xe2\x82\xac\xe2\x82\xac"
			    "\xf0\x9f\x98\x80\x7f");
	doc_free(d);
	assert_string_equal(JSON("[\"\\ud83d\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"\\ud83dx\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"\\ud83d\\n\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"\\ud83d\\u0041\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"\\ud83d\\ud83d\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"x\\ude00\"]"), "1:4 json-syntax");
	assert_string_equal(JSON("[\"\\u12\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"\\u 123\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"\\u0000\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"\\x41\"]"), "1:3 json-syntax");
	assert_string_equal(JSON("[\"\\"), "1:3 json-syntax");
}

static void strict(void **state)
{
	static const char *const bad[] = {"",
					  " ",
					  "{",
					  "[",
					  "\"",
					  "[1,]",
					  "{\"a\":1,}",
					  "[1 2]",
					  "{a:1}",
					  "{'a':1}",
					  "{\"a\" 1}",
					  "{\"a\":}",
					  "[,1]",
					  "{,}",
					  "]",
					  "1 2",
					  "{} {}",
					  "tru",
					  "nul",
					  "True",
					  "NaN",
					  "Infinity",
					  "-",
					  "+1",
					  ".5",
					  "1.",
					  "1.e1",
					  "1e",
					  "1e+",
					  "01",
					  "-01",
					  "0x1",
					  "1_0",
					  "[\"a\tb\"]",
					  "[\"a\nb\"]",
					  "// x\n1",
					  "/* x */ 1",
					  "[1]#",
					  "\"a",
					  "truefalse",
					  "[1\v]",
					  "\xef\xbb\xbf\xef\xbb\xbf"
					  "1",
					  "[1}",
					  "{\"a\":1]",
					  "\xc2\xa0"
					  "1"};
	static const char *const good[] = {
		"0",       "-0",       "1e400",          "0.0",
		"1E-5",    "null",     "\"\"",           " [ ] ",
		"{ }",     "\r\n\t1 ", "\xef\xbb\xbf{}", "[\"\x7f\"]",
		"{\"\":0}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!strstr(verdict(str_from(bad[i]), DOC_JSON), "json-syntax"))
			fail_msg("taken: %s", bad[i]);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (strcmp(verdict(str_from(good[i]), DOC_JSON), "ok") != 0)
			fail_msg("refused: %s", good[i]);
	assert_string_equal(JSON("{\n \"a\": tru }"), "2:7 json-syntax");
	assert_string_equal(JSON("[1] x"), "1:5 json-syntax");
	assert_string_equal(JSON("{\"a\":\n \"x"), "2:2 json-syntax");
}

static void duplicate_keys(void **state)
{
	(void)state;
	assert_string_equal(JSON("{\"a\":1,\"a\":2}"), "1:8 duplicate-key");
	assert_string_equal(JSON("{\"a\":1,\"\\u0061\":2}"),
			    "1:8 duplicate-key");
	assert_string_equal(JSON("[[{\"x\":{\"a\":1,\n\"a\":2}}]]"),
			    "2:1 duplicate-key");
	assert_string_equal(JSON("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}"),
			    "ok");
}

/* A wide map: the index finds what the list would, and in time. */
static void wide_maps(void **state)
{
	struct buf b = BUF_INIT(DOC_TEXT_MAX);

	(void)state;
	buf_puts(&b, "{");
	for (int i = 0; i < 80000; i++)
		buf_printf(&b, "\"%d\":0,", i);
	buf_puts(&b, "\"\":1}");
	assert_string_equal(verdict(buf_view(&b), DOC_JSON), "ok");
	b.len -= 4;
	buf_puts(&b, "7\":1}");
	assert_true(strstr(verdict(buf_view(&b), DOC_JSON), "duplicate-key"));
	for (int last = 0; last < 20; last++) {
		buf_reset(&b);
		buf_puts(&b, "[{\"a\":0,\"3\":0},{");
		for (int i = 0; i < 20; i++)
			buf_printf(&b, "\"%d\":{\"3\":0},", i);
		buf_printf(&b, "\"%d\":1}]", last);
		assert_true(
			strstr(verdict(buf_view(&b), DOC_JSON), "duplicate"));
	}
	buf_done(&b);
}

static void big_numbers(void **state)
{
	struct str text = many("[", "9", 100000, "]");
	struct doc *d = parse(text, DOC_JSON);
	int64_t v;

	(void)state;
	assert_int_equal(d->root->first->kind, DOC_INT);
	assert_int_equal(d->root->first->text.len, 100000);
	assert_int_equal(doc_as_i64(d->root->first, &v), -1);
	doc_free(d);
	mem_free((void *)(uintptr_t)text.p);
	d = parse(STR("[9223372036854775807,-9223372036854775808,"
		      "9223372036854775808]"),
		  DOC_JSON);
	assert_int_equal(doc_as_i64(d->root->first, &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(doc_as_i64(d->root->first->next, &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(doc_as_i64(d->root->last, &v), -1);
	doc_free(d);
}

static void bounds(void **state)
{
	(void)state;
	assert_string_equal(verdict_many("", "[", 32,
					 "]]]]]]]]]]]]]]]]"
					 "]]]]]]]]]]]]]]]]",
					 DOC_JSON),
			    "ok");
	assert_string_equal(verdict_many("", "[", 500000, "", DOC_JSON),
			    "1:33 too-deep");
	assert_string_equal(verdict_many("", "{\"a\":", 200000, "", DOC_JSON),
			    "1:161 too-deep");
	assert_string_equal(
		verdict_many("\"", "x", DOC_TEXT_MAX - 2, "\"", DOC_JSON),
		"ok");
	assert_string_equal(
		verdict_many("\"", "x", DOC_TEXT_MAX - 1, "\"", DOC_JSON),
		"1:1 too-large");
	assert_string_equal(verdict_many("[", "0,", 99998, "0]", DOC_JSON),
			    "ok");
	assert_string_equal(verdict_many("[", "0,", 99999, "0]", DOC_JSON),
			    "1:200000 too-many-values");
	assert_string_equal(verdict_many("[", "\"", 1, "", DOC_JSON),
			    "1:2 json-syntax");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),    cmocka_unit_test(escapes),
		cmocka_unit_test(strict),    cmocka_unit_test(duplicate_keys),
		cmocka_unit_test(wide_maps), cmocka_unit_test(big_numbers),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

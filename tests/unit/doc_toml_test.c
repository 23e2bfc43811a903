/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* TOML in: places, order, source text of numbers, and bounds. */
#include "tests/unit/doc_helper.h"

#define TOML(text) verdict(STR(text), DOC_TOML)

static void places(void **state)
{
	struct doc *d = parse(STR("nfo = 1\r\n"
				  "\"\xc3\xa4\" = '\xe2\x82\xac' # x\n"
				  "b.c = [true,\n  { x = 1.5 }]\n"
				  "[tasks.\"\xc3\xa4\"]\nrun = \"\"\"\na\\tb\n"
				  "\"\"\"\n[[list]]\na = 1\n[[list]]\n"),
			      DOC_TOML);

	(void)state;
	assert_string_equal(at(d, ""), "map  @1:1 key @0:0");
	assert_string_equal(at(d, "/nfo"), "int 1 @1:7 key @1:1");
	assert_string_equal(at(d, "/\xc3\xa4"),
			    "string \xe2\x82\xac @2:7 key @2:1");
	assert_string_equal(at(d, "/b/c"), "list  @3:7 key @3:3");
	assert_string_equal(at(d, "/b/c/0"), "bool true @3:8 key @0:0");
	assert_string_equal(at(d, "/b/c/1/x"), "float 1.5 @4:9 key @4:5");
	assert_string_equal(at(d, "/tasks/\xc3\xa4"), "map  @5:1 key @5:8");
	assert_string_equal(at(d, "/tasks/\xc3\xa4/run"),
			    "string a\tb\n @6:7 key @6:1");
	assert_string_equal(at(d, "/list/0/a"), "int 1 @10:5 key @10:1");
	assert_int_equal(doc_get(d->root, "list")->n, 2);
	doc_free(d);
}

static void order_of_the_file(void **state)
{
	struct doc *d = parse(STR("z = 1\nb = 2\nm = { y = 1, a = 2 }\n"
				  "a = 3\n[k]\n[c]\n"),
			      DOC_TOML);
	static const char *const want[] = {"z", "b", "m", "a", "k", "c"};
	struct doc_node *n = d->root->first;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++, n = n->next)
		assert_true(str_is(n->key, want[i]));
	assert_null(n);
	assert_true(str_is(doc_get(d->root, "m")->first->key, "y"));
	doc_free(d);
}

static void numbers(void **state)
{
	struct doc *d = parse(STR("a = [+1_000, 0xFf, 0o17, 0b11, -0,\n"
				  "9223372036854775807, +1_0.5_0e+0_6, -1e5,\n"
				  "'\xe2\x82\xac', 6.10 ]\n"
				  "b = [1979-05-27T07:32:00Z, 1979-05-27 "
				  "07:32:00.50, 1979-05-27, 07:32:00 ]\n"),
			      DOC_TOML);
	static const char *const want[] = {
		"1000",      "255",  "15",
		"3",         "-0",   "9223372036854775807",
		"10.50e+06", "-1e5", "\xe2\x82\xac",
		"6.10"};
	static const char *const times[] = {"1979-05-27T07:32:00Z",
					    "1979-05-27 07:32:00.50",
					    "1979-05-27", "07:32:00"};
	struct doc_node *n = doc_get(d->root, "a")->first;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++, n = n->next)
		assert_string_equal(n->text.p, want[i]);
	n = doc_get(d->root, "b")->first;
	for (size_t i = 0; i < ARRAY_LEN(times); i++, n = n->next) {
		assert_int_equal(n->kind, DOC_TIME);
		assert_string_equal(n->text.p, times[i]);
	}
	doc_free(d);
	assert_string_equal(TOML("a = inf\n"), "1:5 toml-number");
	assert_string_equal(TOML("a = 1e-310\n"), "1:5 toml-number");
	assert_string_equal(TOML("a = [1, nan]\n"), "1:9 toml-number");
	assert_string_equal(TOML("a = 9223372036854775808\n"),
			    "1:24 toml-syntax");
}

static void refused(void **state)
{
	static const char *const bad[] = {"a",
					  "a =",
					  "a = 1 b = 2",
					  "a = 'x",
					  "a = \"\"\"x",
					  "a = [1",
					  "a = {b = 1",
					  "[a",
					  "[[a]",
					  "a = 1\na = 2",
					  "[a]\n[a]",
					  "a.b = 1\na = 2",
					  "a = { b = 1 }\n[a.c]",
					  "a = 010",
					  "a = 1__0",
					  "a = tru",
					  "a = \"\\x\"",
					  "a = \"\\ud800\"",
					  "= 1",
					  "a = \"x\ny\"",
					  "a = 1\rb = 2",
					  "[a]\nb=1\n[[a]]",
					  "a = {b=1,\nc=2}",
					  "\xef\xbb\xbf\xef\xbb\xbf"
					  "a = 1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!strstr(verdict(str_from(bad[i]), DOC_TOML), "toml-syntax"))
			fail_msg("taken: %s", bad[i]);
	assert_string_equal(TOML("\n\xc3\xa4\xc3\xa4 = 1\n"),
			    "2:1 toml-syntax");
	assert_string_equal(TOML("a = \"\\u0000\"\n"), "1:5 nul");
	assert_string_equal(TOML("\"\\u0000\" = 1\n"), "1:12 nul");
	/* assertions of toml++ 3.3 */
	assert_string_equal(TOML("\n [ +\n"), "2:2 toml-syntax");
	assert_string_equal(TOML("a =\xc2\xa0 1\n"), "1:4 toml-syntax");
	assert_string_equal(TOML("a.\xef\xb4\xbf = 1"), "1:3 toml-syntax");
	assert_string_equal(
		TOML("a = \"\"\"\\\n \xef\xb4\xbf\"\"\" # \xef\xb4\xbf"), "ok");
	assert_string_equal(TOML("[[[1]]]\n"), "1:1 toml-syntax");
	assert_string_equal(TOML("[[=\n"), "1:1 toml-syntax");
	assert_string_equal(TOML("a = [\n[ +1 ],\n[[[1]]] ]\n"), "ok");
	assert_string_equal(TOML("a = 1\n\nb = 'x\n"), "3:7 toml-syntax");
	assert_string_equal(TOML("\xef\xbb\xbf"
				 "a = 1\n"),
			    "ok");
	assert_string_equal(TOML(""), "ok");
}

static void bounds(void **state)
{
	(void)state;
	assert_string_equal(verdict_many("a = ", "[", 31,
					 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
					 DOC_TOML),
			    "ok");
	assert_string_equal(verdict_many("a = ", "[", 32,
					 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
					 DOC_TOML),
			    "1:36 too-deep");
	assert_string_equal(verdict_many("a = ", "[", 500000, "", DOC_TOML),
			    "1:39 too-deep");
	assert_string_equal(verdict_many("a = ", "{a=", 300000, "", DOC_TOML),
			    "1:107 too-deep");
	assert_string_equal(verdict_many("[a", ".a", 500000, "]", DOC_TOML),
			    "1:67 too-deep");
	assert_string_equal(verdict_many("a", ".a", 500000, "=1", DOC_TOML),
			    "1:66 too-deep");
	assert_string_equal(verdict_many("a", ".a", 31, " = 1", DOC_TOML),
			    "ok");
	/* brackets in strings and comments neither nest nor close */
	assert_string_equal(verdict_many("a = '", "[", 1000, "'\n", DOC_TOML),
			    "ok");
	assert_string_equal(verdict_many("a = \"\"\"", "[[{\"\\\"\n", 1000,
					 "\"\"\"\n", DOC_TOML),
			    "ok");
	assert_string_equal(
		verdict_many("a = 1 # '", "[", 1000, "\n[b]\n", DOC_TOML),
		"ok");
	assert_string_equal(
		verdict_many("a = ", "['''\n]\n''', ", 40, "", DOC_TOML),
		"69:6 too-deep");
	assert_string_equal(verdict_many("a = ", "[ # ]\n", 40, "", DOC_TOML),
			    "35:1 too-deep");
	assert_string_equal(
		verdict_many("a = '", "x", DOC_TEXT_MAX - 6, "'", DOC_TOML),
		"ok");
	assert_string_equal(
		verdict_many("a = '", "x", DOC_TEXT_MAX - 5, "'", DOC_TOML),
		"1:1 too-large");
	assert_string_equal(
		verdict_many("a = [", "0,", 99997, "0]\n", DOC_TOML), "ok");
	assert_string_equal(
		verdict_many("a = [", "0,", 99999, "0]\n", DOC_TOML),
		"1:200002 too-many-values");
	assert_string_equal(
		verdict_many("a = [", "0,", 500000, "0]\n", DOC_TOML),
		"1:400003 too-many-values");
	assert_string_equal(verdict_many("", "[[a]]\n", 99998, "", DOC_TOML),
			    "ok");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),  cmocka_unit_test(order_of_the_file),
		cmocka_unit_test(numbers), cmocka_unit_test(refused),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

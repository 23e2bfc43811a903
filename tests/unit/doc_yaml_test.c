/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* YAML in: places, what stays text, and all that is refused. */
#include "tests/unit/doc_helper.h"

#define YAML(text) verdict(STR(text), DOC_YAML)

static void places(void **state)
{
	struct doc *d = parse(STR("nfo: 1\n"
				  "tasks:\n"
				  "  - name: \"a\\tb\"\n"
				  "    \xc3\xa4\xe2\x82\xac: { x: [1,\n"
				  "      y] }\n"),
			      DOC_YAML);

	(void)state;
	assert_string_equal(at(d, ""), "map  @1:1 key @0:0");
	assert_string_equal(at(d, "/nfo"), "plain 1 @1:6 key @1:1");
	assert_string_equal(at(d, "/tasks"), "list  @3:3 key @2:1");
	assert_string_equal(at(d, "/tasks/0/name"),
			    "string a\tb @3:11 key @3:5");
	/* two characters of five bytes */
	assert_string_equal(at(d, "/tasks/0/\xc3\xa4\xe2\x82\xac"),
			    "map  @4:9 key @4:5");
	assert_string_equal(at(d, "/tasks/0/\xc3\xa4\xe2\x82\xac/x/1"),
			    "plain y @5:7 key @0:0");
	doc_free(d);
}

static void text_stays_text(void **state)
{
	static const char *const words[] = {"yes",   "on",        "010", "0x1f",
					    "1_000", "12:30",     "+1",  "1.5",
					    ".inf",  "2001-01-01"};
	struct doc *d = parse(STR("on: [yes, on, 010, 0x1f, 1_000, '12:30', "
				  "+1, 1.5, .inf, 2001-01-01]\n"),
			      DOC_YAML);
	struct doc_node *n = doc_get(d->root, "on")->first;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++, n = n->next) {
		struct str s;
		int64_t v;
		bool b;

		assert_int_equal(doc_as_string(n, &s), 0);
		assert_true(str_is(s, words[i]));
		assert_int_equal(doc_as_i64(n, &v), -1);
		assert_int_equal(doc_as_bool(n, &b), -1);
	}
	assert_null(n);
	doc_free(d);
}

static void blocks_are_exact(void **state)
{
	struct doc *d = parse(STR("a: |\n  x\n    y\n\n  \tz\n"
				  "b: |-\n  x\n\n"
				  "c: |+\n  x\n\n"
				  "d: >\n  x\n  y\n"),
			      DOC_YAML);
	struct doc *crlf =
		parse(STR("a: |\r\n  x\r\n  y\r\nb: 1\r\n"), DOC_YAML);

	(void)state;
	assert_string_equal(doc_get(d->root, "a")->text.p, "x\n  y\n\n\tz\n");
	assert_string_equal(doc_get(d->root, "b")->text.p, "x");
	assert_string_equal(doc_get(d->root, "c")->text.p, "x\n\n");
	assert_string_equal(doc_get(d->root, "d")->text.p, "x y\n");
	assert_string_equal(doc_get(crlf->root, "a")->text.p, "x\ny\n");
	assert_string_equal(at(crlf, "/b"), "plain 1 @4:4 key @4:1");
	doc_free(d);
	doc_free(crlf);
}

static void nulls(void **state)
{
	struct doc *d =
		parse(STR("a:\nb: ~\nc: null\nd: ''\ne: Null\n"), DOC_YAML);

	(void)state;
	assert_true(doc_is_null(doc_get(d->root, "a")));
	assert_true(doc_is_null(doc_get(d->root, "b")));
	assert_true(doc_is_null(doc_get(d->root, "c")));
	assert_false(doc_is_null(doc_get(d->root, "d")));
	assert_false(doc_is_null(doc_get(d->root, "e")));
	assert_true(doc_is_null(doc_get(d->root, "f")));
	doc_free(d);
}

static void refused(void **state)
{
	(void)state;
	assert_string_equal(YAML("a: &x 1\n"), "1:4 yaml-anchor");
	assert_string_equal(YAML("a: &x [1]\n"), "1:4 yaml-anchor");
	assert_string_equal(YAML("a: &x {b: 1}\n"), "1:4 yaml-anchor");
	assert_string_equal(YAML("a: *x\n"), "1:4 yaml-alias");
	assert_string_equal(YAML("*x : 1\n"), "1:1 yaml-alias");
	assert_string_equal(YAML("a:\n  <<: 1\n"), "2:3 yaml-merge");
	assert_string_equal(YAML("a:\n  '<<': 1\n"), "ok");
	assert_string_equal(YAML("a: !x 1\n"), "1:4 yaml-tag");
	assert_string_equal(YAML("a: !!str 1\n"), "1:4 yaml-tag");
	assert_string_equal(YAML("a: ! 1\n"), "1:4 yaml-tag");
	assert_string_equal(YAML("a: !!map {b: 1}\n"), "1:4 yaml-tag");
	assert_string_equal(YAML("a: !<x> [1]\n"), "1:4 yaml-tag");
	assert_string_equal(YAML("%TAG ! tag:x,1:\n---\na: 1\n"),
			    "1:1 yaml-tag");
	assert_string_equal(YAML("a: 1\n---\nb: 1\n"), "2:1 yaml-documents");
	assert_string_equal(YAML("a: 1\n---\n"), "2:1 yaml-documents");
	assert_string_equal(YAML("---\na: 1\n...\n"), "ok");
	assert_string_equal(YAML("[a]: 1\n"), "1:1 yaml-key");
	assert_string_equal(YAML("? {a: 1}\n: 1\n"), "1:3 yaml-key");
	assert_string_equal(YAML(""), "1:1 empty");
	assert_string_equal(YAML("# nothing\n"), "1:1 empty");
}

static void duplicate_keys(void **state)
{
	(void)state;
	assert_string_equal(YAML("a: 1\nb: 2\na: 3\n"), "3:1 duplicate-key");
	assert_string_equal(YAML("a: 1\n\"\\x61\": 3\n"), "2:1 duplicate-key");
	assert_string_equal(YAML("x:\n  - y: {a: 1, a: 2}\n"),
			    "2:15 duplicate-key");
	assert_string_equal(YAML("a: {b: 1}\nc: {b: 1}\n"), "ok");
}

static void tabs(void **state)
{
	(void)state;
	assert_string_equal(YAML("a:\n\tb: 1\n"), "2:1 yaml-tab");
	assert_string_equal(YAML("a:\n  \tb: 1\n"), "2:3 yaml-tab");
	assert_string_equal(YAML("a:\n  -\tb: 1\n"), "2:4 yaml-tab");
	assert_string_equal(YAML("a: {\n  \tb: 1}\n"), "2:4 yaml-tab");
	assert_string_equal(YAML("a: {\n\tb: 1}\n"), "2:1 yaml-tab");
	assert_string_equal(YAML("a: |\n\tb\n"), "2:1 yaml-tab");
	/* libyaml is stricter here than YAML: the first line sets the depth */
	assert_string_equal(YAML("a: |\n  \tb\n"), "2:3 yaml-tab");
	assert_string_equal(YAML("a: |\n  x\n  \tb\n"), "ok");
	assert_string_equal(YAML("a:\tb # c\td\n"), "ok");
}

static void what_people_trip_over(void **state)
{
	(void)state;
	assert_string_equal(reason("if: !inputs.x\n", DOC_YAML),
			    "a tag (!) (quote it: a bare ! starts a YAML tag)");
	assert_string_equal(YAML("if: !x && y\n"), "1:9 yaml-anchor");
	assert_string_equal(YAML("path: *.txt\n"), "1:8 yaml-alias");
	assert_string_equal(YAML("a: @x\n"), "1:4 yaml-syntax");
	assert_non_null(strstr(reason("a: @x\n", DOC_YAML), "quote what"));
	assert_string_equal(YAML("a: b: c\n"), "1:5 yaml-syntax");
	assert_string_equal(YAML("a: 'x\n"), "2:1 yaml-syntax");
	assert_string_equal(YAML("a: [1, 2\n"), "2:1 yaml-syntax");
	assert_string_equal(YAML("a: 1\n b: 2\n"), "2:3 yaml-syntax");
	assert_string_equal(YAML("a: !<x\n"), "1:7 yaml-tag");
}

static void characters(void **state)
{
	(void)state;
	assert_string_equal(YAML("\xef\xbb\xbf"
				 "a: 1\n"),
			    "ok");
	assert_string_equal(YAML("a: \xef\xbb\xbf\n"), "1:4 yaml-character");
	assert_string_equal(YAML("a: b\rc: d\n"), "1:5 yaml-character");
	assert_string_equal(YAML("\xc3\xa4: b\xc2\x85"
				 "c\n"),
			    "1:5 yaml-character");
	assert_string_equal(YAML("a: b\xe2\x80\xa8"
				 "c\n"),
			    "1:5 yaml-character");
	assert_string_equal(YAML("a: \x1b[0m\n"), "1:4 yaml-character");
	assert_string_equal(YAML("a: \x7f\n"), "1:4 yaml-character");
	assert_string_equal(YAML("a: \"\\r\\e\\N\\L\"\n"), "ok");
	assert_string_equal(YAML("a: \"\\0\"\n"), "1:4 nul");
	assert_string_equal(YAML("a: \"\\ud800\"\n"), "1:7 yaml-syntax");
	assert_string_equal(YAML("a: b\0c\n"), "1:5 nul");
	assert_string_equal(YAML("a: \xf0\x9f\x98\x80\n"), "ok");
}

static void bounds(void **state)
{
	(void)state;
	assert_string_equal(verdict_many("", "[", 32,
					 "]]]]]]]]]]]]]]]]"
					 "]]]]]]]]]]]]]]]]\n",
					 DOC_YAML),
			    "ok");
	assert_string_equal(verdict_many("", "[", 33, "", DOC_YAML),
			    "1:33 too-deep");
	assert_string_equal(verdict_many("", "{a: ", 100000, "", DOC_YAML),
			    "1:129 too-deep");
	assert_string_equal(verdict_many("", "- ", 500000, "", DOC_YAML),
			    "1:65 too-deep");
	assert_string_equal(
		verdict_many("a: ", "x", DOC_TEXT_MAX - 3, "", DOC_YAML), "ok");
	assert_string_equal(
		verdict_many("a: ", "x", DOC_TEXT_MAX - 2, "", DOC_YAML),
		"1:1 too-large");
	assert_string_equal(verdict_many("", "- a\n", 99999, "", DOC_YAML),
			    "ok");
	assert_string_equal(verdict_many("", "- a\n", 100000, "", DOC_YAML),
			    "100000:3 too-many-values");
	assert_string_equal(
		verdict_many("", "%TAG !a! b\n", 90000, "", DOC_YAML),
		"1:1 yaml-tag");
	/* a key that becomes longer than the text */
	assert_string_equal(
		verdict_many("? \"", "\\L", 300000, "\"\n: 1\n", DOC_YAML),
		"ok");
}

/* Each level ten times the one before: refused at the first anchor. */
static void billion_laughs(void **state)
{
	(void)state;
	assert_string_equal(YAML("a: &a [x,x,x,x,x,x,x,x,x,x]\n"
				 "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
				 "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"),
			    "1:4 yaml-anchor");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(text_stays_text),
		cmocka_unit_test(blocks_are_exact),
		cmocka_unit_test(nulls),
		cmocka_unit_test(refused),
		cmocka_unit_test(duplicate_keys),
		cmocka_unit_test(tabs),
		cmocka_unit_test(what_people_trip_over),
		cmocka_unit_test(characters),
		cmocka_unit_test(bounds),
		cmocka_unit_test(billion_laughs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

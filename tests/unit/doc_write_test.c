/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Trees out, and in again: what was written reads back as the same tree. */
#include "tests/unit/doc_helper.h"

static const enum doc_syntax all[] = {DOC_YAML, DOC_JSON, DOC_TOML};

static const char *written(struct str text, enum doc_syntax from,
			   enum doc_syntax to)
{
	static char out[2000];
	struct doc *d = parse(text, from);
	struct buf b = BUF_INIT(sizeof(out) - 1);
	struct err e;

	if (doc_write(d->root, to, &b, &e))
		(void)snprintf(out, sizeof(out), "error %s", e.text);
	else
		(void)snprintf(out, sizeof(out), "%s", buf_cstr(&b));
	buf_done(&b);
	doc_free(d);
	return out;
}

static void round_trip(const struct doc_node *root)
{
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct buf b = BUF_INIT(16 << 20);
		struct doc *again;
		struct err e;

		if (doc_write(root, all[i], &b, &e))
			fail_msg("%s: %s", doc_syntax_name(all[i]), e.text);
		again = parse(buf_view(&b), all[i]);
		if (!doc_equal(root, again->root))
			fail_msg("not the same: %s", buf_cstr(&b));
		doc_free(again);
		buf_done(&b);
	}
}

static void how_it_looks(void **state)
{
	const struct str job =
		STR("nfo: 1\nname: hello\non: yes\nversion: 1.10\nempty: {}\n"
		    "tasks:\n  - name: a b\n    run: \"x\\n  y\\n\"\n"
		    "    argv: [-l, 'true', \"a\\tb\", [], [1, {k: v}]]\n"
		    "  - x\nenv: {A: true, 'b c': 010}\n");

	(void)state;
	assert_string_equal(written(job, DOC_YAML, DOC_YAML),
			    "nfo: 1\n"
			    "name: hello\n"
			    "\"on\": \"yes\"\n"
			    "version: 1.10\n"
			    "empty: {}\n"
			    "tasks:\n"
			    "  - name: \"a b\"\n"
			    "    run: |\n"
			    "      x\n"
			    "        y\n"
			    "    argv:\n"
			    "      - \"-l\"\n"
			    "      - \"true\"\n"
			    "      - \"a\\tb\"\n"
			    "      - []\n"
			    "      - - 1\n"
			    "        - k: v\n"
			    "  - x\n"
			    "env:\n"
			    "  A: true\n"
			    "  \"b c\": \"010\"\n");
	assert_string_equal(written(job, DOC_YAML, DOC_TOML),
			    "nfo = 1\n"
			    "name = \"hello\"\n"
			    "on = \"yes\"\n"
			    "version = 1.10\n"
			    "tasks = [{ name = \"a b\", run = '''\n"
			    "x\n"
			    "  y\n"
			    "''', argv = [\"-l\", \"true\", \"a\\tb\", [], "
			    "[1, { k = \"v\" }]] }, \"x\"]\n"
			    "\n"
			    "[empty]\n"
			    "\n"
			    "[env]\n"
			    "A = true\n"
			    "\"b c\" = \"010\"\n");
}

static void blocks(void **state)
{
	(void)state;
#define YAML_OF(json) written(STR(json), DOC_JSON, DOC_YAML)
	assert_string_equal(YAML_OF("{\"a\":\"x\\n\\ny\"}"),
			    "a: |-\n  x\n\n  y\n");
	assert_string_equal(YAML_OF("{\"a\":\"x\\n\\n\\n\"}"),
			    "a: |+\n  x\n\n\n");
	assert_string_equal(YAML_OF("{\"a\":\" x\\n\"}"), "a: \" x\\n\"\n");
	assert_string_equal(YAML_OF("{\"a\":\"x\\r\\n\"}"), "a: \"x\\r\\n\"\n");
	assert_string_equal(YAML_OF("{\"a\":\"x\\n\\u2028\"}"),
			    "a: \"x\\n\\L\"\n");
	assert_string_equal(YAML_OF("\"a\\n---\\nb\""),
			    "--- |-\n  a\n  ---\n  b\n");
	assert_string_equal(YAML_OF("null"), "--- null\n");
	assert_string_equal(YAML_OF("[]"), "--- []\n");
#undef YAML_OF
}

/* Texts that a careless writer gets wrong, as value, as key and in a list. */
static void hard_texts(void **state)
{
	static const char *const texts[] = {"",
					    " ",
					    "\n",
					    "\n\n",
					    "a\n",
					    "a\n\n",
					    "\na",
					    " a\nb",
					    "a\n b",
					    "a \nb ",
					    "a\n\t",
					    "\ta\nb",
					    "a\n ",
					    "a\n   \nb\n",
					    "~",
					    "null",
					    "true",
					    "yes",
					    "1",
					    "1.5",
					    "-0",
					    "1e5",
					    "010",
					    ".inf",
					    "nan",
					    "- a",
					    "? a",
					    ": a",
					    "a: b",
					    "a #b",
					    "#a",
					    "&a",
					    "*a",
					    "!a",
					    "%a",
					    "@a",
					    "`a",
					    "|",
					    ">",
					    "{",
					    "}",
					    "[",
					    "]",
					    ",",
					    "<<",
					    "---",
					    "...",
					    "=",
					    "'",
					    "''",
					    "'''",
					    "a\n'''",
					    "a\n''",
					    "a\n'''\nb",
					    "\"",
					    "\"\"\"\na",
					    "\\",
					    "a\\\nb",
					    "\r",
					    "a\r\nb",
					    "\x01",
					    "\x7f",
					    "a\n\x7f",
					    "\xc2\x80",
					    "\xc2\x85",
					    "a\n\xc2\x85",
					    "\xc2\xa0",
					    "\xe2\x80\xa8",
					    "a\xe2\x80\xa9\n",
					    "\xef\xbb\xbf",
					    "\xef\xbb\xbf"
					    "a\n",
					    "\xef\xbf\xbe",
					    "\xef\xbf\xbf",
					    "\xef\xbf\xbd",
					    "\xf0\x9f\x98\x80",
					    "\xf4\x8f\xbf\xbf",
					    "1979-05-27",
					    "07:32:00",
					    "a/b~c",
					    "a.b",
					    "\"a\".b",
					    "x\n---\ny",
					    "x\n...\n",
					    "x\n#y\n",
					    "\xed\x9f\xbf\xee\x80\x80",
					    "x\n\xf3\xa0\x80\x81"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct doc *d = doc_new();
		struct str s = str_from(texts[i]);
		struct doc_node *list, *inner;

		doc_add(d, d->root, s, DOC_STRING, s);
		list = doc_add_list(d, d->root, "the list");
		doc_add(d, list, STR(""), DOC_STRING, s);
		inner = doc_add_list(d, list, NULL);
		doc_add(d, inner, STR(""), DOC_STRING, s);
		inner = doc_add_map(d, list, NULL);
		inner = doc_add(d, inner, s, DOC_MAP, STR(""));
		doc_add(d, inner, s, DOC_STRING, s);
		doc_add(d, inner, STR("zz"), DOC_STRING, s);
		inner = doc_add_map(d, d->root, "the map");
		inner = doc_add(d, inner, s, DOC_MAP, STR(""));
		inner = doc_add(d, inner, s, DOC_LIST, STR(""));
		doc_add(d, inner, STR(""), DOC_STRING, s);
		round_trip(d->root);
		doc_free(d);
	}
}

static void deep_and_wide(void **state)
{
	struct doc *d = doc_new();
	struct doc_node *n = d->root;
	struct str key = many("", "\xe2\x82\xac\n", 700, "");
	struct buf b = BUF_INIT(1 << 20);
	struct err e;

	(void)state;
	for (int i = 1; i < DOC_DEPTH_MAX; i++)
		n = i % 3 ? doc_add(d, n, key, DOC_MAP, STR("")) :
			    doc_add_list(d, n, "list");
	doc_add_int(d, n, "leaf", 1);
	round_trip(d->root);
	n = doc_add_list(d, n, "more");
	doc_add_int(d, n, NULL, 1);
	assert_int_equal(doc_write(d->root, DOC_JSON, &b, &e), -1);
	buf_done(&b);
	doc_free(d);
	mem_free((void *)(uintptr_t)key.p);
	d = doc_new();
	for (int i = 0; i < 300; i++) {
		char name[20];

		(void)snprintf(name, sizeof(name), "k%d", i % 7 ? i : -i);
		n = i % 2 ? doc_add_map(d, d->root, name) :
			    doc_add_list(d, d->root, name);
		for (int k = 0; k < i % 5; k++)
			doc_add_int(d, n,
				    i % 2 ? (char[]){(char)('a' + k), 0} : NULL,
				    k);
	}
	round_trip(d->root);
	doc_free(d);
}

static void what_toml_cannot_hold(void **state)
{
	(void)state;
#define TOML_OF(json) written(STR(json), DOC_JSON, DOC_TOML)
	assert_string_equal(TOML_OF("{\"a\":{\"b\":[1,\n null]}}"),
			    "error 2:2: /a/b/1: TOML has no null; leave the "
			    "key out");
	assert_string_equal(TOML_OF("[1]"),
			    "error a TOML document is a table, not a list");
	assert_string_equal(TOML_OF("{\"a\":9223372036854775808}"),
			    "error 1:6: /a: TOML's numbers have 64 bits; quote "
			    "it");
	assert_true(!strncmp(TOML_OF("{\"a\":1e400}"), "error 1:6: /a: a", 16));
	assert_true(!strncmp(TOML_OF("{\"a\":1e-400}"), "error", 5));
	assert_string_equal(TOML_OF("{\"a\":1E-30}"), "a = 1E-30\n");
	assert_string_equal(TOML_OF("{\"a\":{}}"), "[a]\n");
#undef TOML_OF
}

static void refused_texts(void **state)
{
	struct doc *d = doc_new();
	struct buf b = BUF_INIT(100), full = BUF_INIT(5);
	struct err e;

	(void)state;
	doc_add_str(d, d->root, "a", STR("\xff"));
	assert_int_equal(doc_write(d->root, DOC_YAML, &b, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_non_null(strstr(e.text, "/a: "));
	assert_int_equal(doc_write(d->root, DOC_TOML, &b, &e), -1);
	assert_int_equal(doc_write_canonical(d->root, &b, &e), -1);
	assert_int_equal(doc_write(d->root, DOC_JSON, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), "{\n  \"a\": \"\xef\xbf\xbd\"\n}\n");
	doc_free(d);
	d = doc_new();
	doc_add(d, d->root, STR("a"), DOC_FLOAT, STR("nan"));
	assert_int_equal(doc_write(d->root, DOC_JSON, &b, &e), -1);
	assert_int_equal(doc_write(d->root, DOC_SYNTAX_UNKNOWN, &b, &e), -1);
	doc_free(d);
	d = parse(STR("{\"a\": 100000}"), DOC_JSON);
	assert_int_equal(doc_write(d->root, DOC_JSON, &full, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	doc_free(d);
	buf_done(&b);
	buf_done(&full);
}

/* --- RFC 8785 ----------------------------------------------------------- */

static const char *canonical(struct str text)
{
	static char out[1000];
	struct doc *d = parse(text, DOC_JSON);
	struct buf b = BUF_INIT(sizeof(out) - 1);
	struct err e;

	if (doc_write_canonical(d->root, &b, &e))
		(void)snprintf(out, sizeof(out), "error %s", e.text);
	else
		(void)snprintf(out, sizeof(out), "%s", buf_cstr(&b));
	buf_done(&b);
	doc_free(d);
	return out;
}

/* The examples of RFC 8785, sections 3.2.2 and 3.2.3. */
static void canonical_examples(void **state)
{
	(void)state;
	assert_string_equal(
		canonical(STR("{\"numbers\": [333333333.33333329, 1E30, 4.50, "
			      "2e-3, 0.000000000000000000000000001],\n"
			      "\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042"
			      "\\u0022\\u005c\\\\\\\"\\/\",\n"
			      "\"literals\": [null, true, false]}")),
		"{\"literals\":[null,true,false],\"numbers\":"
		"[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":"
		"\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
	assert_string_equal(
		canonical(STR("{\"\\u20ac\":\"Euro Sign\","
			      "\"\\r\":\"Carriage Return\","
			      "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\","
			      "\"1\":\"One\",\"\\ud83d\\ude00\":\"Smiley\","
			      "\"\\u0080\":\"Control\\u007f\","
			      "\"\\u00f6\":\"Latin Small Letter O\"}")),
		"{\"\\r\":\"Carriage Return\",\"1\":\"One\","
		"\"\xc2\x80\":\"Control\x7f\","
		"\"\xc3\xb6\":\"Latin Small Letter O\","
		"\"\xe2\x82\xac\":\"Euro Sign\","
		"\"\xf0\x9f\x98\x80\":\"Smiley\","
		"\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

/* RFC 8785, appendix B, and the edges of ECMAScript's forms. */
static void canonical_numbers(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"-0",			"0"                        },
		{"-0.0",                      "0"                        },
		{"1.0",                       "1"                        },
		{"5e-324",                    "5e-324"                   },
		{"-5e-324",                   "-5e-324"                  },
		{"1.7976931348623157e308",    "1.7976931348623157e+308"  },
		{"9007199254740992",          "9007199254740992"         },
		{"-9007199254740992",         "-9007199254740992"        },
		{"9007199254740992.0",        "9007199254740992"         },
		{"295147905179352830000.0",   "295147905179352830000"    },
		{"9.999999999999997e22",      "9.999999999999997e+22"    },
		{"1e23",                      "1e+23"                    },
		{"1.0000000000000001e23",     "1.0000000000000001e+23"   },
		{"999999999999999700000.0",   "999999999999999700000"    },
		{"999999999999999900000.0",   "999999999999999900000"    },
		{"1e20",                      "100000000000000000000"    },
		{"1e21",                      "1e+21"                    },
		{"9.999999999999997e-7",      "9.999999999999997e-7"     },
		{"0.000001",                  "0.000001"                 },
		{"1e-6",                      "0.000001"                 },
		{"1e-7",                      "1e-7"                     },
		{"0.00001234",                "0.00001234"               },
		{"333333333.3333332",         "333333333.3333332"        },
		{"333333333.33333343",        "333333333.33333343"       },
		{"-0.0000033333333333333333", "-0.0000033333333333333333"},
		{"1424953923781206.25",       "1424953923781206.2"       },
		{"123.456e1",                 "1234.56"                  },
		{"1e-400",                    "0"                        },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(canonical(str_from(rows[i].in)),
				    rows[i].out);
	assert_true(!strncmp(canonical(STR("[9007199254740993]")),
			     "error 1:2: /0: ", 15));
	assert_true(!strncmp(canonical(STR("[1e400]")), "error 1:2: /0: ", 15));
}

/* One job in three syntaxes has one digest. */
static void canonical_is_one(void **state)
{
	static const char *const texts[] = {
		"b: [true, x]\na: {n: 1}\n",
		"{\"a\":{\"n\":1},\"b\":[true,\"x\"]}",
		"b = [true, 'x']\n[a]\nn = 1\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct doc *d = parse(str_from(texts[i]), all[i]);
		struct buf b = BUF_INIT(100);
		struct err e;

		assert_int_equal(doc_write_canonical(d->root, &b, &e), 0);
		assert_string_equal(buf_cstr(&b),
				    "{\"a\":{\"n\":1},\"b\":[true,\"x\"]}");
		buf_done(&b);
		doc_free(d);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_it_looks),
		cmocka_unit_test(blocks),
		cmocka_unit_test(hard_texts),
		cmocka_unit_test(deep_and_wide),
		cmocka_unit_test(what_toml_cannot_hold),
		cmocka_unit_test(refused_texts),
		cmocka_unit_test(canonical_examples),
		cmocka_unit_test(canonical_numbers),
		cmocka_unit_test(canonical_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

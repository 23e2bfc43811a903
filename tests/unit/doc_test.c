/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Trees: names of syntaxes, lookup, pointers, scalars, builders, problems. */
#include "tests/unit/doc_helper.h"

static void syntaxes(void **state)
{
	(void)state;
	assert_int_equal(doc_syntax_of_name(STR("a/b.yaml")), DOC_YAML);
	assert_int_equal(doc_syntax_of_name(STR("b.yml")), DOC_YAML);
	assert_int_equal(doc_syntax_of_name(STR("b.json")), DOC_JSON);
	assert_int_equal(doc_syntax_of_name(STR("b.toml")), DOC_TOML);
	assert_int_equal(doc_syntax_of_name(STR("b.hcl")), DOC_SYNTAX_UNKNOWN);
	assert_int_equal(doc_syntax_of_name(STR("b.ini")), DOC_SYNTAX_UNKNOWN);
	assert_int_equal(doc_syntax_of_name(STR(".env")), DOC_SYNTAX_UNKNOWN);
	assert_int_equal(doc_syntax_of_name(STR("")), DOC_SYNTAX_UNKNOWN);
	assert_int_equal(doc_syntax_of_type(STR("application/yaml")), DOC_YAML);
	assert_int_equal(
		doc_syntax_of_type(STR(" Application/JSON ; charset=utf-8")),
		DOC_JSON);
	assert_int_equal(doc_syntax_of_type(STR("toml")), DOC_TOML);
	assert_int_equal(doc_syntax_of_type(STR("")), DOC_SYNTAX_UNKNOWN);
	assert_int_equal(doc_syntax_of_type(STR("text/plain")),
			 DOC_SYNTAX_UNKNOWN);
	assert_string_equal(doc_syntax_name(DOC_TOML), "toml");
	assert_string_equal(doc_syntax_name(DOC_SYNTAX_UNKNOWN), "unknown");
	for (int i = 0; i < DOC_SYNTAX_UNKNOWN; i++) /* no text at all */
		assert_string_not_equal(verdict(str_n(NULL, 0), i), "");
	assert_string_equal(verdict(STR("{}"), DOC_SYNTAX_UNKNOWN),
			    "1:1 unknown-syntax");
}

static void pointers(void **state)
{
	static const char *const found[] = {"",     "/a~1b", "/m~0n", "/l/0",
					    "/l/1", "/",     "/l/1/x"};
	static const char *const absent[] = {"a",
					     "/a",
					     "/l/2",
					     "/l/01",
					     "/l/-1",
					     "/l/",
					     "/m~2n",
					     "/m~",
					     "/a~1b/c",
					     "//",
					     "/l/18446744073709551616"};
	struct doc *d = parse(STR("{\"a/b\":1,\"m~n\":2,\"\":3,"
				  "\"l\":[4,{\"x\":5}]}"),
			      DOC_JSON);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(found); i++) {
		struct doc_node *n = doc_pointer(d->root, str_from(found[i]));
		struct buf b = BUF_INIT(100);

		assert_non_null(n);
		assert_true(doc_pointer_of(n, &b));
		assert_string_equal(buf_cstr(&b), found[i]);
		buf_done(&b);
	}
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		assert_null(doc_pointer(d->root, str_from(absent[i])));
	assert_null(doc_get(NULL, "a"));
	assert_null(doc_get(doc_get(d->root, "l"), "a"));
	doc_free(d);
}

static void whole_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t v;
	} good[] = {
		{"0",                    0        },
		{"-0",                   0        },
		{"7",                    7        },
		{"-12",                  -12      },
		{"9223372036854775807",  INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
	};
	static const char *const bad[] = {"",        "-",
					  "+1",      "010",
					  "00",      "-01",
					  "0x1",     "1_0",
					  " 1",      "1 ",
					  "1.0",     "1e3",
					  "--1",     "9223372036854775808",
					  "\xd9\xa1"};
	int64_t v = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct doc_node n = {.kind = DOC_PLAIN,
				     .text = str_from(good[i].text)};

		assert_int_equal(doc_as_i64(&n, &v), 0);
		assert_true(v == good[i].v);
		n.kind = DOC_INT;
		assert_int_equal(doc_as_i64(&n, &v), 0);
		n.kind = DOC_STRING;
		assert_int_equal(doc_as_i64(&n, &v), -1);
	}
	v = 42;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct doc_node n = {.kind = DOC_PLAIN,
				     .text = str_from(bad[i])};

		assert_int_equal(doc_as_i64(&n, &v), -1);
	}
	assert_int_equal(v, 42);
	assert_int_equal(doc_as_i64(NULL, &v), -1);
}

static void booleans_and_texts(void **state)
{
	static const char *const no[] = {"True", "TRUE", "yes", "on", "1", ""};
	struct doc_node n = {.kind = DOC_PLAIN, .text = STR("false")};
	struct str s;
	bool b = true;

	(void)state;
	assert_int_equal(doc_as_bool(&n, &b), 0);
	assert_false(b);
	n.kind = DOC_STRING;
	assert_int_equal(doc_as_bool(&n, &b), -1);
	assert_int_equal(doc_as_string(&n, &s), 0);
	n.kind = DOC_BOOL;
	assert_int_equal(doc_as_string(&n, &s), -1);
	assert_int_equal(doc_as_string(NULL, &s), -1);
	n.kind = DOC_PLAIN;
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		n.text = str_from(no[i]);
		assert_int_equal(doc_as_bool(&n, &b), -1);
	}
}

static void builders(void **state)
{
	struct doc *d = doc_new();
	struct doc_node *list, *map;
	struct buf b = BUF_INIT(1000);
	struct err e;

	(void)state;
	assert_non_null(doc_add_str(d, d->root, "s", STR("x\"y")));
	assert_non_null(doc_add_int(d, d->root, "i", INT64_MIN));
	assert_non_null(doc_add_bool(d, d->root, "b", true));
	assert_null(doc_add_bool(d, d->root, "b", false));
	list = doc_add_list(d, d->root, "l");
	map = doc_add_map(d, list, NULL);
	assert_non_null(doc_add_str(d, map, "", STR("")));
	assert_non_null(doc_add(d, list, STR(""), DOC_NULL, STR("")));
	assert_int_equal(doc_write(d->root, DOC_JSON, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), "{\n"
					  "  \"s\": \"x\\\"y\",\n"
					  "  \"i\": -9223372036854775808,\n"
					  "  \"b\": true,\n"
					  "  \"l\": [\n"
					  "    {\n"
					  "      \"\": \"\"\n"
					  "    },\n"
					  "    null\n"
					  "  ]\n"
					  "}\n");
	assert_int_equal(list->last->index, 1);
	assert_int_equal(list->n, 2);
	buf_done(&b);
	doc_free(d);
	doc_free(NULL);
}

static void equality(void **state)
{
	static const struct {
		const char *a, *b; /* YAML, JSON */
		bool same;
	} rows[] = {
		{"a: 1\nb: x\n", "{\"b\":\"x\",\"a\":1}", true },
		{"a: 1\n",       "{\"a\":\"1\"}",         false},
		{"a: '1'\n",     "{\"a\":\"1\"}",         true },
		{"a: 1.5\n",     "{\"a\":1.5}",           true },
		{"a: 010\n",     "{\"a\":\"010\"}",       true },
		{"a: true\n",    "{\"a\":true}",          true },
		{"a: 'true'\n",  "{\"a\":true}",          false},
		{"a:\n",         "{\"a\":null}",          true },
		{"a: ''\n",      "{\"a\":null}",          false},
		{"a: [1, 2]\n",  "{\"a\":[2,1]}",         false},
		{"a: [1, 2]\n",  "{\"a\":[1,2,3]}",       false},
		{"a: [1, 2]\n",  "{\"a\":[1]}",           false},
		{"a: []\n",      "{\"a\":{}}",            false},
		{"a: 1\nb: 2\n", "{\"a\":1}",             false},
		{"a: 1\n",       "{\"a\":1,\"b\":2}",     false},
		{"a: 1\nb: 2\n", "{\"a\":1,\"c\":2}",     false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *a = parse(str_from(rows[i].a), DOC_YAML);
		struct doc *b = parse(str_from(rows[i].b), DOC_JSON);

		assert_int_equal(doc_equal(a->root, b->root), rows[i].same);
		assert_int_equal(doc_equal(b->root, a->root), rows[i].same);
		doc_free(a);
		doc_free(b);
	}
}

static void problems(void **state)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d = parse(STR("a:\n  b: [1, 2]\n"), DOC_YAML);
	struct buf b = BUF_INIT(4000);

	(void)state;
	problem_at(ps, doc_pointer(d->root, STR("/a/b/1")), "two", "hint",
		   "not \x1b\xc2\x9b%s", "good");
	problem_at_key(ps, doc_pointer(d->root, STR("/a/b")), "one", NULL,
		       "key");
	problem_at_key(ps, doc_pointer(d->root, STR("/a/b/0")), "three", NULL,
		       "no key");
	problem_add(ps, (struct doc_place){0, 0}, "zero", NULL, "anywhere");
	problems_sort(ps);
	assert_true(problems_print(ps, "f.yaml", &b));
	assert_string_equal(
		buf_cstr(&b),
		"f.yaml: error: anywhere [zero]\n"
		"f.yaml:2:3: error: key [one]\n"
		"f.yaml:2:7: error: no key [three]\n"
		"f.yaml:2:10: error: not \\x1b\\u009bgood (hint) [two]\n");
	buf_reset(&b);
	ps->n = 2;
	assert_true(problems_json(ps, &b));
	assert_string_equal(
		buf_cstr(&b),
		"[{\"code\":\"zero\",\"pointer\":\"\",\"line\":0,\"column\":0,"
		"\"message\":\"anywhere\",\"hint\":\"\"},"
		"{\"code\":\"one\",\"pointer\":\"/a/b\",\"line\":2,"
		"\"column\":3,\"message\":\"key\",\"hint\":\"\"}]");
	buf_done(&b);
	doc_free(d);
	mem_free(ps);
}

static void problems_are_bounded(void **state)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct buf b = BUF_INIT(64 << 10);
	struct str text = many("? \"", "\xe2\x82\xac", 300, "\"\n: {a: 1}\n");
	struct doc *d = parse(text, DOC_YAML);
	const struct doc_node *n = d->root->first;

	(void)state;
	for (int i = 0; i < PROBLEMS_MAX + 7; i++)
		problem_at(ps, n->first, "x", NULL, "=" STR_FMT,
			   STR_ARG(n->key));
	assert_int_equal(ps->n, PROBLEMS_MAX);
	assert_int_equal(ps->n_dropped, 7);
	/* cut, but not within a character; no pointer to some other place */
	assert_true(str_utf8_valid(str_from(ps->items[0].message)));
	assert_int_equal(strlen(ps->items[0].message), 1 + 79 * 3);
	assert_string_equal(ps->items[0].pointer, "");
	assert_true(problems_print(ps, "-", &b));
	assert_non_null(strstr(buf_cstr(&b), "-: and 7 more\n"));
	buf_done(&b);
	doc_free(d);
	mem_free((void *)(uintptr_t)text.p);
	mem_free(ps);
}

/* A bad byte anywhere is told at its place, in all three. */
static void bad_bytes_everywhere(void **state)
{
	static const struct {
		enum doc_syntax syntax;
		const char *text;
	} rows[] = {
		{DOC_YAML, "a: [\xc3\xa4, 'b']\nc: |\n  d\n"            },
		{DOC_JSON, "{\"a\": [\"\xc3\xa4\", 1],\n \"c\": null}"  },
		{DOC_TOML, "a = [\"\xc3\xa4\", 1]\n[c]\nd = '''\nx'''\n"},
	};
	static const char *const bytes[] = {"\xff",         "\xc0\x80",
					    "\xed\xa0\x80", "\xf4\x90\x80\x80",
					    "\x80",         "\xe2"};

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		struct str text = str_from(rows[r].text);

		for (size_t i = 0; i <= text.len; i++)
			for (size_t k = 0; k < ARRAY_LEN(bytes) + 1; k++) {
				bool nul = k == ARRAY_LEN(bytes);
				struct str x =
					nul ? str_n("", 1) : str_from(bytes[k]);
				struct buf b = BUF_INIT(100);

				if (i && (unsigned char)text.p[i - 1] == 0xc3)
					continue;
				buf_put(&b, text.p, i);
				buf_str(&b, x);
				buf_str(&b, str_from_at(text, i));
				assert_non_null(strstr(
					verdict(buf_view(&b), rows[r].syntax),
					nul ? " nul" : " not-utf8"));
				buf_done(&b);
			}
	}
	assert_string_equal(verdict(STR("a: \xc3\xa4\n\xc3\xa4\xff"), DOC_YAML),
			    "2:2 not-utf8");
}

/* Every prefix of a document ends in a verdict, and never outside of it. */
static void every_prefix(void **state)
{
	static const char *const files[] = {"release.yaml", "hello.toml"};

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(files); f++) {
		char path[400], *text = mem_alloc(16 << 10);
		FILE *in;
		size_t len;

		(void)snprintf(path, sizeof(path), "%s/examples/%s",
			       NFO_SOURCE_DIR, files[f]);
		in = fopen(path, "re");
		assert_non_null(in);
		len = fread(text, 1, 16 << 10, in);
		assert_int_equal(fclose(in), 0);
		for (size_t i = 0; i <= len; i++) {
			/* its own block, so that a sanitizer sees its end */
			char *part = mem_alloc(i);

			memcpy(part, text, i);
			(void)verdict(str_n(part, i),
				      doc_syntax_of_name(str_from(path)));
			mem_free(part);
		}
		assert_string_equal(verdict(str_n(text, len),
					    doc_syntax_of_name(str_from(path))),
				    "ok");
		mem_free(text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntaxes),
		cmocka_unit_test(pointers),
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(booleans_and_texts),
		cmocka_unit_test(builders),
		cmocka_unit_test(equality),
		cmocka_unit_test(problems),
		cmocka_unit_test(problems_are_bounded),
		cmocka_unit_test(bad_bytes_everywhere),
		cmocka_unit_test(every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

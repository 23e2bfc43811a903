/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Templates: what is a put, and that no value leaves its place. */
#include "base/attr.h"
#include "job/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* "T<text>", "E<expr>", "S<name>/<field>", with the number of its quote. */
static void parts_of(const char *text, struct buf *b)
{
	struct str rest = str_from(text);
	struct template_part p;
	struct err e;

	while (rest.len) {
		if (template_next(&rest, &p, &e)) {
			buf_printf(b, "!%s", e.text);
			return;
		}
		buf_printf(b, "%c", "TES"[p.kind]);
		if (p.kind == PART_SECRET)
			buf_printf(b, STR_FMT "/" STR_FMT, STR_ARG(p.secret),
				   STR_ARG(p.field));
		else
			buf_str(b, p.text);
		buf_printf(b, "%u;", p.quote);
	}
}

static void test_parts(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"",					 ""			 },
		{"plain }} text",                            "Tplain }} text0;"         },
		{"${{ secrets.a.value }}",                   "Sa/0;"                    },
		{"x${{secrets.a-b.value}}y",                 "Tx0;Sa-b/0;Ty0;"          },
		{"${{ json(secrets.a.value) }}",             "Sa/1;"                    },
		{"${{ yaml( secrets.a.fields.cert.pub ) }}", "Sa/cert.pub2;"            },
		{"${{ shell(inputs.x) }}${{ inputs.y }}",
		 "Einputs.x3;Einputs.y0;"					       },
		{"${{ url(secrets.a.path) }}",               "Esecrets.a.path4;"        },
		{"${{ base64(secrets.a.value) }}",           "Sa/5;"                    },
		{"${{ line(secrets.a.value) }}",             "Sa/6;"                    },
		{"${{ hash(inputs.x) }}",                    "Ehash(inputs.x)0;"        },
		{"${{ secrets.a.value == 'x' }}",            "Esecrets.a.value == 'x'0;"},
		{"${{ json(json(secrets.a.value)) }}",
		 "Ejson(secrets.a.value)1;"					     },
		{"${{ secrets.A.value }}",                   "Esecrets.A.value0;"       },
		{"a${{ x",				   "Ta0;!${{ without its }}"  },
		{"${{ }}",				   "!an empty ${{ }}"         },
		{"${{ json() }}",                            "!an empty ${{ }}"         },
		{"${{ secrets.a.fields. }}",
		 "!secrets.a.fields.NAME: letters, digits, ., _ and -"                  },
		{"${{ secrets.a.fields.x y }}",
		 "!secrets.a.fields.NAME: letters, digits, ., _ and -"                  },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(4096);

		parts_of(rows[i].text, &b);
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
}

static void test_quotes(void **state)
{
	static const struct {
		enum template_quote q;
		const char *value, *want; /* NULL: refused */
	} rows[] = {
		{QUOTE_NONE,   "a\"b\n",					   "a\"b\n"                   },
		{QUOTE_JSON,   "a\"b\\\n",					 "\"a\\\"b\\\\\\n\""        },
		{QUOTE_JSON,   "\xff",					     NULL                       },
		{QUOTE_YAML,   "a: \"b\" # c\n",                                   "\"a: \\\"b\\\" # c\\x0a\""},
		{QUOTE_YAML,   "\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\x7f",
		 "\"\\x85\\u2028\\u2029\\ufeff\\x7f\""							},
		{QUOTE_YAML,   "\xef\xbf\xbe\xef\xbf\xbf\xc3\xa9",
		 "\"\\ufffe\\uffff\xc3\xa9\""								 },
		{QUOTE_YAML,   "\xc2",					     NULL                       },
		{QUOTE_SHELL,  "it's $(x)\n",                                      "'it'\\''s $(x)\n'"        },
		{QUOTE_SHELL,  "",						 "''"                       },
		{QUOTE_URL,    "a b/~&\xff",                                       "a%20b%2F~%26%FF"          },
		{QUOTE_BASE64, "abcd",					     "YWJjZA=="                 },
		{QUOTE_LINE,   "a:b",					      "a:b"                      },
		{QUOTE_LINE,   "a\nb",					     NULL                       },
		{QUOTE_LINE,   "a\r",					      NULL                       },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(4096);
		struct err e;
		int r = template_quote(rows[i].q, str_from(rows[i].value), &b,
				       &e);

		assert_int_equal(r, rows[i].want ? 0 : -1);
		if (rows[i].want)
			assert_string_equal(buf_cstr(&b), rows[i].want);
	}
}

static void test_zero_bytes(void **state)
{
	static const bool ok[N_QUOTES] = {
		[QUOTE_NONE] = true, [QUOTE_URL] = true, [QUOTE_BASE64] = true};

	(void)state;
	for (unsigned q = 0; q < N_QUOTES; q++) {
		CLEANUP_BUF struct buf b = BUF_INIT(100), small = BUF_INIT(2);
		struct err e;

		assert_int_equal(template_quote(q, str_n("a\0b", 3), &b, &e),
				 ok[q] ? 0 : -1);
		assert_int_equal(template_quote(q, STR("abc"), &small, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
	}
}

static void test_files(void **state)
{
	static const char *const good[] = {"a", "A.b-c_9", "pgpass"};
	static const char *const bad[] = {"",    ".a", "a/b",
					  "a b", "..", "\xc3\xa9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(template_file_ok(str_from(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(template_file_ok(str_from(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_zero_bytes),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

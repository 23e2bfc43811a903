/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Expressions: what they are worth, and how they are wrong. */
#include "job/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int lookup(void *ctx, struct str name, struct expr_value *ret,
		  struct err *e)
{
	struct expr_context *c = ctx;

	if (str_is(name, "inputs.n"))
		*ret = expr_int(c->arena, 10);
	else if (str_is(name, "inputs.dry"))
		*ret = expr_bool(false);
	else if (str_is(name, "inputs.ref"))
		*ret = expr_string(STR("refs/heads/main"));
	else if (str_is(name, "inputs.none"))
		*ret = expr_string(str_n(NULL, 0));
	else if (str_is(name, "tasks.t@gcc,3.10.outputs.v"))
		*ret = expr_string(STR("7"));
	else if (str_is(name, "tasks.t@a b.state"))
		*ret = expr_string(STR("failed"));
	else
		return err_set(e, ERR_INVALID, "no value \"" STR_FMT "\"",
			       STR_ARG(name));
	return 0;
}

static bool failed(void *ctx, struct str task)
{
	(void)ctx;
	return !task.len || str_is(task, "deploy");
}

static const struct {
	const char *text, *want;
} good[] = {
	{"'a'",				      "a"		   },
	{"\"it's\"",				 "it's"                },
	{"42",				       "42"                  },
	{"-7",				       "-7"                  },
	{"true",				     "true"                },
	{"!true",				    "false"               },
	{"!!'x'",				    "true"                },
	{"!''",				      "true"                },
	{"1 == 1",				   "true"                },
	{"'1' == '01'",			      "false"               },
	{"1 == '01'",				"true"                },
	{"'1.0' == '1'",			     "false"               },
	{"'10' > '9'",			       "true"                },
	{"'b' > 'a'",				"true"                },
	{"2 < 10",				   "true"                },
	{"inputs.n >= 10",			   "true"                },
	{"inputs.n == '10'",                         "true"                },
	{"inputs.n != 10",			   "false"               },
	{"!inputs.dry && inputs.n > 5",              "true"                },
	{"inputs.dry == false",                      "true"                },
	{"inputs.dry || inputs.none",                "false"               },
	{"inputs.none == ''",                        "true"                },
	{"1 == 2 || 2 == 2 && 3 == 4",               "false"               },
	{"(1 == 2 || 2 == 2) && !(3 == 4)",          "true"                },
	{"contains(inputs.ref, 'heads')",            "true"                },
	{"contains('', '')",                         "true"                },
	{"contains('', 'x')",                        "false"               },
	{"startsWith(inputs.ref,'refs/')",           "true"                },
	{"endsWith(inputs.ref, 'x')",                "false"               },
	{"failed()",				 "true"                },
	{"failed('deploy')",                         "true"                },
	{"failed('other')",                          "false"               },
	{"always()",				 "true"                },
	{"tasks.t@gcc,3.10.outputs.v",               "7"                   },
	{"contains(tasks.t@gcc,3.10.outputs.v,'7')", "true"                },
	{"tasks.t@a b.state == 'failed'",            "true"                },
	{"hash('')",
	 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
};

static void values(void **state)
{
	struct expr_context c = {lookup, failed, &c, arena_new(1 << 20)};
	struct expr_value v;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (expr_eval(str_from(good[i].text), &c, &v, &e))
			fail_msg("%s: %s", good[i].text, e.text);
		if (!str_is(v.text, good[i].want))
			fail_msg("%s: " STR_FMT, good[i].text, STR_ARG(v.text));
	}
	arena_free(c.arena);
}

static const struct {
	const char *text, *want;
} bad[] = {
	{"",						  "a value is missing"         },
	{"1 +",					       "something is too much"      },
	{"1 == ",					     "a value is missing"         },
	{"1 == 2 == 3",				       "something is too much"      },
	{"'a",						"does not end"               },
	{"(1",						"a ) is missing"             },
	{"main",					      "\"main\" is no value"       },
	{"inputs.x",					  "no value \"inputs.x\""      },
	{"system('ls')",				      "no function system()"       },
	{"contains('a')",				     "another number of arguments"},
	{"contains('a','b','c')",                             "too many arguments"         },
	{"always(1)",					 "another number of arguments"},
	{"99999999999999999999",                              "a number that is none"      },
	{"1x",						"a number that is none"      },
	{"a & b",					     "no value"                   },
	{"`id`",					      "a value is wanted"          },
	{"tasks.t@gcc.x",				     "no value"                   },
	{"!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!1", "too deep"                   },
	{"((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))"
	 "))))))))",				 "too deep"		   },
};

static void refusals(void **state)
{
	struct expr_context c = {lookup, failed, &c, arena_new(1 << 20)};
	struct expr_value v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};

		if (!expr_eval(str_from(bad[i].text), &c, &v, &e))
			fail_msg("taken: %s", bad[i].text);
		if (!strstr(e.text, bad[i].want))
			fail_msg("%s: %s", bad[i].text, e.text);
	}
	arena_free(c.arena);
}

static void templates(void **state)
{
	struct expr_context c = {lookup, failed, &c, arena_new(1 << 20)};
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct err e;

	(void)state;
	assert_int_equal(
		expr_fill(STR("n=${{ inputs.n }}, ${{'x'}}$}}"), &c, &b, &e),
		0);
	assert_string_equal(buf_cstr(&b), "n=10, x$}}");
	buf_reset(&b);
	/* A value is never read again as an expression. */
	assert_int_equal(expr_fill(STR("${{ '${{' }} 1 }}"), &c, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), "${{ 1 }}");
	assert_int_equal(expr_fill(STR("${{ inputs.n"), &c, &b, &e), -1);
	assert_int_equal(expr_fill(STR("${{}}"), &c, &b, &e), -1);
	arena_free(c.arena);
}

static void conditions(void **state)
{
	(void)state;
	assert_true(expr_asks_failure(STR("failed()")));
	assert_true(expr_asks_failure(STR("inputs.x == 'a' && always()")));
	assert_false(expr_asks_failure(STR("'failed()' == 'x'")));
	assert_true(str_is(expr_bare(STR(" ${{ a.b }} ")), " a.b "));
	assert_true(str_is(expr_bare(STR("${{}")), "${{}"));
	assert_true(str_is(expr_bare(STR("a.b")), "a.b"));
}

static int count(void *ctx, struct str name, struct err *e)
{
	(void)e;
	buf_str(ctx, name);
	buf_putc(ctx, ' ');
	return 0;
}

static void names(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct err e;

	(void)state;
	assert_int_equal(expr_names(STR("failed('t') || a.b == c.d"), false,
				    count, &b, &e),
			 0);
	assert_string_equal(buf_cstr(&b), "tasks.t.state a.b c.d ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),    cmocka_unit_test(refusals),
		cmocka_unit_test(templates), cmocka_unit_test(conditions),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

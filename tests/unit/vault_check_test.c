/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a check says of what it was answered. */
#include "vault/check_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct vault_answer *answer_of(const char *json)
{
	struct vault_answer *a;
	struct err e;

	if (answer_read(200, str_from(json), NULL, &a, &e))
		fail_msg("%s: %s", json, e.text);
	return a;
}

static void says(struct check_report *r, const char *text, bool failed)
{
	check_end(r);
	if (!strstr(buf_cstr(&r->b), text))
		fail_msg("%s: %s", text, buf_cstr(&r->b));
	assert_int_equal(r->failed, failed);
	buf_done(&r->b);
}

static void health(void **state)
{
	static const struct {
		const char *json, *text;
		bool good;
	} rows[] = {
		{"{\"initialized\":true,\"sealed\":false,\"standby\":false,"
		 "\"version\":\"2.4.0\"}",		  "unsealed, active, version 2.4.0", true },
		{"{\"initialized\":true,\"sealed\":false,\"standby\":true}",
		 "unsealed, standby, version unknown",							  true },
		{"{\"initialized\":true,\"sealed\":true}",                   "unseal",                          false},
		{"{\"initialized\":false,\"sealed\":true}",                  "init",                            false},
		{"{\"initialized\":\"true\",\"sealed\":false}",              "init",                            false},
		{"{\"status\":\"ok\"}",                                      "not that of a Vault",             false},
		{"{}",						       "not that of a Vault",             false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vault_answer *a = answer_of(rows[i].json);
		struct check_report r;

		check_begin(&r, "v");
		assert_int_equal(check_health(&r, a), rows[i].good);
		says(&r, rows[i].text, !rows[i].good);
		answer_free(a);
	}
}

static void what_a_server_says_stays_in_its_quotes(void **state)
{
	struct vault_answer *a =
		answer_of("{\"initialized\":true,\"sealed\":false,\"version\":"
			  "\"1\\\"},{\\u0007\\u001b[31m\"}");
	struct check_report r;

	(void)state;
	check_begin(&r, "v");
	assert_true(check_health(&r, a));
	check_end(&r);
	assert_null(strchr(buf_cstr(&r.b), '\033'));
	assert_null(strchr(buf_cstr(&r.b), '\a'));
	assert_non_null(strstr(buf_cstr(&r.b), "version 1\\\"},{"));
	buf_done(&r.b);
	answer_free(a);
}

static void tokens(void **state)
{
	static const struct {
		const char *json, *text;
		bool bad;
	} rows[] = {
		{"{\"data\":{\"policies\":[\"default\",\"jobs\"],\"ttl\":60,"
		 "\"renewable\":true}}",           "policies default, jobs; 60 s left, renewable", false},
		{"{\"data\":{\"policies\":[\"jobs\"],\"ttl\":60}}",
		 "not renewable",										   false},
		{"{\"data\":{\"policies\":[\"jobs\"],\"ttl\":0}}",
		 "does not end by itself",									  false},
		{"{\"data\":{\"policies\":[\"root\"],\"ttl\":0}}",  "root token",
		 true												    },
		{"{\"data\":{\"policies\":5,\"ttl\":\"x\"}}",       "policies ",
		 false												   },
		{"{\"data\":{\"policies\":[7,null]}}",              "?, ?",                                         false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vault_answer *a = answer_of(rows[i].json);
		struct check_report r;

		check_begin(&r, "v");
		check_token(&r, a);
		says(&r, rows[i].text, rows[i].bad);
		answer_free(a);
	}
}

static void a_path_is_the_one_of_policies(void **state)
{
	static const struct {
		const char *line, *mount;
		uint8_t kv;
		const char *policy;
	} rows[] = {
		{"kv secret/ci/app",              "secret", 2, "secret/data/ci/app"},
		{"kv a/b/ci/app",                 "a/b",    2, "a/b/data/ci/app"   },
		{"kv old/ci/app",                 "old",    1, "old/ci/app"        },
		{"kv gone/ci/app",                "",       0, "gone/ci/app"       },
		{"read database/creds/x",         "",       0, "database/creds/x"  },
		{"ssh-cert ssh/sign/x",           "",       0, "ssh/sign/x"        },
		{"kv secret/${{ inputs.x }}/app", "secret", 2, ""                  },
	};
	struct check_path p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(check_path_read(str_from(rows[i].line), &p),
				 0);
		check_path_policy(&p, str_from(rows[i].mount), rows[i].kv);
		assert_string_equal(p.policy, rows[i].policy);
		assert_int_equal(p.update,
				 !strncmp(rows[i].line, "ssh-cert", 8));
	}
	assert_int_equal(check_path_read(STR("kv"), &p), -1);
	assert_int_equal(check_path_read(STR("kv "), &p), -1);
	assert_int_equal(check_path_read(STR(" x"), &p), -1);
	/* a server that was taken over would have us read for it */
	assert_int_equal(
		check_path_read(STR("kv ../../../database/creds/a"), &p), -1);
	assert_int_equal(check_path_read(STR("kv a/./b"), &p), -1);
	assert_int_equal(check_path_read(STR("kv a//b"), &p), -1);
	assert_int_equal(check_path_read(STR("kv a/"), &p), -1);
	assert_int_equal(check_path_read(STR(""), &p), -1);
}

static void capabilities(void **state)
{
	struct vault_answer *a =
		answer_of("{\"data\":{\"s/data/a\":[\"read\",\"list\"],"
			  "\"s/data/b\":[\"deny\"],\"ssh/sign/x\":[\"update\"],"
			  "\"s/data/r\":[\"root\"]}}");
	struct check_path p[5];
	struct check_report r;
	struct buf b = BUF_INIT(4096);
	static const char *const lines[] = {"kv s/a", "kv s/b",
					    "ssh-cert ssh/sign/x", "kv s/r",
					    "kv s/\"none"};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(check_path_read(str_from(lines[i]), &p[i]), 0);
		check_path_policy(&p[i], STR("s"), i == 2 ? 0 : 2);
	}
	assert_true(check_capabilities_body(&b, p, 5));
	assert_string_equal(
		buf_cstr(&b),
		"{\"paths\":[\"s/data/a\",\"s/data/b\","
		"\"ssh/sign/x\",\"s/data/r\",\"s/data/\\\"none\"]}");
	for (size_t i = 0; i < 5; i++) {
		check_begin(&r, "v");
		check_capabilities(&r, a, &p[i], 1);
		says(&r,
		     i == 1 || i == 4 ? "may not read" :
		     i == 2           ? "may update ssh/sign/x" :
					"may read",
		     i == 1 || i == 4);
	}
	buf_done(&b);
	answer_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health),
		cmocka_unit_test(what_a_server_says_stays_in_its_quotes),
		cmocka_unit_test(tokens),
		cmocka_unit_test(a_path_is_the_one_of_policies),
		cmocka_unit_test(capabilities),
	};

	answer_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

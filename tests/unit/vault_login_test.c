/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What each method sends, and what its answers are taken for. */
#include "vault/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct secret *secret_of(const char *text)
{
	struct secret *s;
	struct err e;

	assert_int_equal(secret_new(text, strlen(text), 0, &s, &e), 0);
	return s;
}

static struct provider provider_of(enum provider_auth auth)
{
	return (struct provider){.name = "v",
				 .vault_namespace = "",
				 .auth = auth,
				 .auth_mount = "ci/m",
				 .auth_role = "build",
				 .role_id = "role-\"1\"",
				 .audience = ""};
}

/* --- requests ------------------------------------------------------------ */

struct row {
	enum provider_auth auth;
	enum credential file;
	const char *value; /* NULL: no such file */
	const char *body;  /* NULL: refused */
};

static const struct row rows[] = {
	{AUTH_APPROLE,    CREDENTIAL_SECRET_ID, "s3cret-id",
	 "{\"role_id\":\"role-\\\"1\\\"\",\"secret_id\":\"s3cret-id\"}"                },
	{AUTH_APPROLE,    CREDENTIAL_SECRET_ID, NULL,
	 "{\"role_id\":\"role-\\\"1\\\"\"}"					    },
	{AUTH_APPROLE,    CREDENTIAL_SECRET_ID, "a\"\\b",
	 "{\"role_id\":\"role-\\\"1\\\"\",\"secret_id\":\"a\\\"\\\\b\"}"               },
	{AUTH_APPROLE,    CREDENTIAL_SECRET_ID, "two words",     NULL                  },
	{AUTH_APPROLE,    CREDENTIAL_SECRET_ID, "s3cr\xc3\xa9t", NULL                  },
	{AUTH_APPROLE,    CREDENTIAL_SECRET_ID, "",              NULL                  },
	{AUTH_JWT,        CREDENTIAL_JWT,       "aa.bb.c-_9",
	 "{\"role\":\"build\",\"jwt\":\"aa.bb.c-_9\"}"                                 },
	{AUTH_JWT,        CREDENTIAL_JWT,       "aa.bb",         NULL                  },
	{AUTH_JWT,        CREDENTIAL_JWT,       "aa.bb.cc.dd",   NULL                  },
	{AUTH_JWT,        CREDENTIAL_JWT,       "aa.b\nb.cc",    NULL                  },
	{AUTH_JWT,        CREDENTIAL_JWT,       ".bb.cc",        NULL                  },
	{AUTH_JWT,        CREDENTIAL_JWT,       "",              NULL                  },
	{AUTH_JWT,        CREDENTIAL_JWT,       NULL,            NULL                  },
	{AUTH_KUBERNETES, CREDENTIAL_JWT,       "aa.bb.cc",
	 "{\"role\":\"build\",\"jwt\":\"aa.bb.cc\"}"                                   },
	{AUTH_CERT,       CREDENTIAL_JWT,       NULL,            "{\"name\":\"build\"}"},
};

static void each_method_sends_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct provider p = provider_of(rows[i].auth);
		struct login_material m = {0};
		struct login_request r;
		struct secret *s = NULL;
		struct err e;
		int bad;

		if (rows[i].value)
			s = secret_of(rows[i].value);
		m.files[rows[i].file] = s;
		bad = login_methods[p.auth].make(&p, &m, &r, &e);
		assert_int_equal(bad, rows[i].body ? 0 : -1);
		if (bad) {
			assert_int_equal(e.code, ERR_INVALID);
			if (rows[i].value && *rows[i].value)
				assert_null(strstr(e.text, rows[i].value));
		} else {
			assert_string_equal(buf_cstr(&r.path),
					    "v1/auth/ci/m/login");
			assert_string_equal(buf_cstr(&r.body), rows[i].body);
			/* what is sent twice may be a login twice */
			assert_int_equal(r.kind, RETRY_MAKES);
			login_request_done(&r);
		}
		secret_free(s);
	}
}

static void an_identity_is_the_attempts_own(void **state)
{
	struct provider p = provider_of(AUTH_IDENTITY);
	struct secret *jwt = secret_of("aa.bb.cc"), *other = secret_of("x.y.z");
	struct login_material m = {.identity = jwt};
	struct login_request r;
	struct err e;

	(void)state;
	m.files[CREDENTIAL_JWT] = other; /* of the settings: not for this */
	assert_true(login_methods[AUTH_IDENTITY].identity);
	assert_int_equal(login_methods[AUTH_IDENTITY].make(&p, &m, &r, &e), 0);
	assert_string_equal(buf_cstr(&r.body),
			    "{\"role\":\"build\",\"jwt\":\"aa.bb.cc\"}");
	login_request_done(&r);
	m.identity = NULL;
	assert_int_equal(login_methods[AUTH_IDENTITY].make(&p, &m, &r, &e), -1);
	p.auth_role = "";
	m.identity = jwt;
	assert_int_equal(login_methods[AUTH_IDENTITY].make(&p, &m, &r, &e), 0);
	assert_string_equal(buf_cstr(&r.body), "{\"jwt\":\"aa.bb.cc\"}");
	login_request_done(&r);
	secret_free(jwt);
	secret_free(other);
}

static void every_method_says_which_files_it_needs(void **state)
{
	(void)state;
	for (int i = 0; i < N_AUTHS; i++) {
		const struct login_method *m = &login_methods[i];

		assert_true(m->make || m->needs == 1u << CREDENTIAL_TOKEN);
		assert_int_equal(m->needs & m->may, 0);
		assert_true((m->needs | m->may) < 1u << N_CREDENTIALS);
	}
	assert_null(login_methods[AUTH_TOKEN].make);
}

static void a_huge_credential_is_refused(void **state)
{
	struct provider p = provider_of(AUTH_APPROLE);
	struct login_material m = {0};
	struct login_request r;
	struct secret *s;
	struct err e;

	(void)state;
	assert_int_equal(secret_new(NULL, 100000, 0, &s, &e), 0);
	memset(secret_room(s), 'a', 100000);
	m.files[CREDENTIAL_SECRET_ID] = s;
	assert_int_equal(login_methods[AUTH_APPROLE].make(&p, &m, &r, &e), -1);
	m.files[CREDENTIAL_JWT] = s;
	memset(secret_room(s) + 5, '.', 2);
	assert_int_equal(login_methods[AUTH_JWT].make(&p, &m, &r, &e), -1);
	secret_free(s);
}

/* --- answers ------------------------------------------------------------- */

static struct vault_answer *answer_of(const char *json)
{
	struct vault_answer *a;
	struct err e;

	if (answer_read(200, str_from(json), NULL, &a, &e))
		fail_msg("%s: %s", json, e.text);
	return a;
}

#define AUTH(fields)                                                           \
	"{\"request_id\":\"\",\"lease_id\":\"\",\"renewable\":false,"          \
	"\"lease_duration\":0,\"data\":null,\"wrap_info\":null,"               \
	"\"warnings\":null,\"auth\":{" fields "}}"

static void a_login_brings_a_token(void **state)
{
	struct vault_answer *a = answer_of(
		AUTH("\"client_token\":\"hvs.tok\",\"accessor\":\"acc\","
		     "\"lease_duration\":3600,\"renewable\":true,"
		     "\"token_type\":\"service\",\"num_uses\":7"));
	struct secret *token, *want = secret_of("hvs.tok");
	struct life_news n = {.asked_us = 5};
	struct err e;

	(void)state;
	assert_int_equal(login_read(a, &n, &token, &e), 0);
	assert_true(secret_eq(token, want));
	assert_true(n.ttl_s == 3600 && n.uses == 7 && n.renewable && n.ours);
	assert_int_equal(n.asked_us, 5);
	secret_free(token);
	secret_free(want);
	answer_free(a);
}

static void a_batch_token_is_not_renewed(void **state)
{
	struct vault_answer *a = answer_of(AUTH(
		"\"client_token\":\"hvb.tok\",\"lease_duration\":60,"
		"\"renewable\":true,\"token_type\":\"batch\",\"num_uses\":0"));
	struct life_news n = {0};
	struct secret *token;
	struct err e;

	(void)state;
	assert_int_equal(login_read(a, &n, &token, &e), 0);
	assert_false(n.renewable || n.ours);
	secret_free(token);
	answer_free(a);
}

static void a_login_that_is_none(void **state)
{
	static const struct {
		const char *json;
		enum err_code code;
		const char *says;
	} bad[] = {
		{AUTH("\"client_token\":\"\",\"mfa_requirement\":{"
		      "\"mfa_request_id\":\"d0c9eec7\",\"mfa_constraints\":{}}"),
		 ERR_DENIED,											"MFA"     },
		{AUTH("\"client_token\":\"\""),						    ERR_UNAVAILABLE, "no token"},
		{AUTH("\"lease_duration\":5"),						     ERR_UNAVAILABLE, "no token"},
		{AUTH("\"client_token\":\"a b\""),                                                 ERR_UNAVAILABLE, "can be"  },
		{AUTH("\"client_token\":\"a\\r\\nX-Evil: 1\""),                                    ERR_UNAVAILABLE,
		 "can be"												     },
		{"{\"data\":{\"client_token\":\"x\"}}",                                            ERR_UNAVAILABLE,
		 "no token"												   },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct vault_answer *a = answer_of(bad[i].json);
		struct life_news n = {0};
		struct secret *token = NULL;
		struct err e;

		assert_int_equal(login_read(a, &n, &token, &e), -1);
		assert_int_equal(e.code, bad[i].code);
		if (!strstr(e.text, bad[i].says))
			fail_msg("%s: %s", bad[i].json, e.text);
		assert_null(token);
		answer_free(a);
	}
}

static void a_renewal_brings_a_life_and_no_token(void **state)
{
	struct vault_answer *a = answer_of(
		AUTH("\"client_token\":\"hvs.tok\",\"lease_duration\":120,"
		     "\"renewable\":true"));
	struct vault_answer *none = answer_of("{\"data\":{}}");
	struct life_news n = {0};
	struct err e;

	(void)state;
	assert_int_equal(login_read_renewal(a, &n, &e), 0);
	assert_true(n.ttl_s == 120 && n.renewable);
	assert_int_equal(login_read_renewal(none, &n, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	answer_free(a);
	answer_free(none);
}

static void a_token_that_was_given_is_looked_up(void **state)
{
	struct vault_answer *a = answer_of(
		"{\"data\":{\"id\":\"hvs.x\",\"ttl\":77,\"num_uses\":3,"
		"\"renewable\":true,\"expire_time\":\"2026-01-01\"}}");
	struct vault_answer *root = answer_of(
		"{\"data\":{\"id\":\"root\",\"ttl\":0,\"expire_time\":null}}");
	struct vault_answer *odd = answer_of("{\"data\":{\"ttl\":\"many\"}}");
	struct life_news n = {.ours = true};
	struct err e;

	(void)state;
	assert_int_equal(login_read_lookup(a, &n, &e), 0);
	assert_true(n.ttl_s == 77 && n.uses == 3 && n.renewable && !n.ours);
	assert_int_equal(login_read_lookup(root, &n, &e), 0);
	assert_true(n.ttl_s == 0 && n.uses == 0 && !n.renewable);
	assert_int_equal(login_read_lookup(odd, &n, &e), -1);
	answer_free(a);
	answer_free(root);
	answer_free(odd);
}

/* --- wrapped secret ids -------------------------------------------------- */

static void it_has_to_come_from_where_secret_ids_come(void **state)
{
	static const struct {
		const char *ns, *path;
		bool good;
	} paths[] = {
		{"",        "auth/ci/m/role/build/secret-id",        true },
		{"",        "auth/ci/m/role/other/secret-id",        false},
		{"",        "auth/ci/m/role/build/secret-id/",       false},
		{"",        "auth/approle/role/build/secret-id",     false},
		{"",        "x/auth/ci/m/role/build/secret-id",      false},
		{"",        "secret/data/build",                     false},
		{"",        "",				      false},
		{"team/a/", "auth/ci/m/role/build/secret-id",        true },
		{"team/a/", "team/a/auth/ci/m/role/build/secret-id", true },
		{"team/a",  "team/b/auth/ci/m/role/build/secret-id", false},
		{"team/a",  "team/aauth/ci/m/role/build/secret-id",  false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct provider p = provider_of(AUTH_APPROLE);
		char json[300];
		struct vault_answer *a;
		struct err e;

		p.vault_namespace = paths[i].ns;
		(void)snprintf(json, sizeof(json),
			       "{\"data\":{\"creation_path\":\"%s\","
			       "\"creation_ttl\":60}}",
			       paths[i].path);
		a = answer_of(json);
		assert_int_equal(login_wrap_check(&p, a, &e),
				 paths[i].good ? 0 : -1);
		if (!paths[i].good)
			assert_int_equal(e.code, ERR_DENIED);
		answer_free(a);
	}
}

static void the_wrapping_token_is_in_the_body(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct secret *w = secret_of("hvs.w\"rap"), *bad = secret_of("a b");
	struct err e;

	(void)state;
	assert_int_equal(login_wrap_lookup(w, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), "{\"token\":\"hvs.w\\\"rap\"}");
	buf_reset(&b);
	assert_int_equal(login_wrap_lookup(bad, &b, &e), -1);
	assert_null(strstr(e.text, "a b"));
	secret_free(w);
	secret_free(bad);
}

static void what_was_unwrapped_is_a_secret_id(void **state)
{
	static const char *const bad[] = {
		"{\"data\":{\"secret_id\":5}}", "{\"data\":{}}",
		"{\"data\":{\"secret_id\":\"\"}}",
		"{\"data\":{\"secret_id\":\"a b\"}}", "{\"data\":null}"};
	struct vault_answer *a = answer_of(
		"{\"data\":{\"secret_id\":\"sid\",\"secret_id_ttl\":0}}");
	struct secret *id = NULL, *want = secret_of("sid");
	struct err e;

	(void)state;
	assert_int_equal(login_unwrap_read(a, &id, &e), 0);
	assert_true(secret_eq(id, want));
	secret_free(id);
	secret_free(want);
	answer_free(a);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		a = answer_of(bad[i]);
		assert_int_equal(login_unwrap_read(a, &id, &e), -1);
		answer_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_method_sends_its_own),
		cmocka_unit_test(an_identity_is_the_attempts_own),
		cmocka_unit_test(every_method_says_which_files_it_needs),
		cmocka_unit_test(a_huge_credential_is_refused),
		cmocka_unit_test(a_login_brings_a_token),
		cmocka_unit_test(a_batch_token_is_not_renewed),
		cmocka_unit_test(a_login_that_is_none),
		cmocka_unit_test(a_renewal_brings_a_life_and_no_token),
		cmocka_unit_test(a_token_that_was_given_is_looked_up),
		cmocka_unit_test(it_has_to_come_from_where_secret_ids_come),
		cmocka_unit_test(the_wrapping_token_is_in_the_body),
		cmocka_unit_test(what_was_unwrapped_is_a_secret_id),
	};

	answer_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

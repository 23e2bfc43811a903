/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "access/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct access *world(void)
{
	struct access *a = access_new();
	struct err e;

	access_add_admin(a, STR("uid:0"));
	assert_int_equal(access_add_user(a, STR("ann"), STR("{\"uid\":7}"), &e),
			 0);
	assert_int_equal(access_add_user(a, STR("bob"), STR("{}"), &e), 0);
	assert_int_equal(access_add_user(a, STR("eve"),
					 STR("{\"disabled\":true,\"uid\":9}"),
					 &e),
			 0);
	assert_int_equal(
		access_add_group(a, STR("devs"),
				 STR("{\"members\":[\"bob\",\"eve\"]}"), &e),
		0);
	assert_int_equal(
		access_add_role(a, STR("r1"),
				STR("{\"role\":\"viewer\",\"projects\":[\"*\"],"
				    "\"members\":[\"user/ann\"]}"),
				&e),
		0);
	assert_int_equal(
		access_add_role(
			a, STR("r2"),
			STR("{\"role\":\"admin\",\"projects\":[\"web\"],"
			    "\"members\":[\"user/ann\",\"group/devs\"]}"),
			&e),
		0);
	return a;
}

static void certificates(void **state)
{
	struct access *a = access_new();
	struct err e;

	(void)state;
	assert_int_equal(access_add_user(a, STR("ann"),
					 STR("{\"certificates\":[\"cn:a\","
					     "\"cn:both\",\"cn:a\"]}"),
					 &e),
			 0);
	assert_int_equal(
		access_add_user(a, STR("bob"),
				STR("{\"certificates\":[\"cn:both\"]}"), &e),
		0);
	assert_int_equal(access_add_user(a, STR("eve"),
					 STR("{\"disabled\":true,"
					     "\"certificates\":[\"cn:e\"]}"),
					 &e),
			 0);
	assert_int_equal(access_add_user(a, STR("odd"),
					 STR("{\"certificates\":[1]}"), &e),
			 -1);
	assert_true(
		str_is(access_user_of_certificate(a, STR("cn:a")), "user:ann"));
	assert_int_equal(access_user_of_certificate(a, STR("cn:both")).len, 0);
	assert_int_equal(access_user_of_certificate(a, STR("cn:e")).len, 0);
	assert_int_equal(access_user_of_certificate(a, STR("cn:A")).len, 0);
	assert_int_equal(access_user_of_certificate(a, STR("")).len, 0);
	access_free(a);
}

static void roles(void **state)
{
	static const struct {
		const char *who, *project;
		enum access_level level;
	} rows[] = {
		{"uid:0",       "",      ACCESS_ADMIN },
		{"uid:0",       "web",   ACCESS_ADMIN },
		{"user:ann",    "",      ACCESS_VIEWER},
		{"user:ann",    "web",   ACCESS_ADMIN },
		{"user:ann",    "other", ACCESS_VIEWER},
		{"user:bob",    "",      ACCESS_NONE  },
		{"user:bob",    "web",   ACCESS_ADMIN },
		{"user:bob",    "we",    ACCESS_NONE  },
		{"user:bob",    "*",     ACCESS_NONE  },
		{"user:eve",    "web",   ACCESS_NONE  },
		{"user:nobody", "web",   ACCESS_NONE  },
		{"uid:7",       "web",   ACCESS_NONE  },
		{"",            "",      ACCESS_NONE  },
	};
	struct access *a = world();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (access_role(a, str_from(rows[i].who), STR(""),
				str_from(rows[i].project)) != rows[i].level)
			fail_msg("%s in \"%s\"", rows[i].who, rows[i].project);
	assert_true(str_is(access_user_of_uid(a, 7), "user:ann"));
	assert_false(access_user_of_uid(a, 9).len);
	assert_false(access_user_of_uid(a, 8).len);
	access_free(a);
}

static void names(void **state)
{
	static const struct {
		const char *who, *name;
		bool meant;
	} rows[] = {
		{"user:ann", "user/ann",      true },
		{"user:ann", "user/an",       false},
		{"user:ann", "group/devs",    false},
		{"user:bob", "group/devs",    true },
		{"user:bob", "group/dev",     false},
		{"user:eve", "group/devs",    false}, /* disabled */
		{"user:eve", "user/eve",      false},
		{"uid:7",    "user/ann",      true }, /* the same human being */
		{"uid:0",    "user/ann",      false},
		{"uid:0",    "role/admin",    true },
		{"user:bob", "role/operator", true },
		{"user:eve", "role/viewer",   false},
		{"user:bob", "role/king",     false},
		{"user:bob", "bob",           false},
		{"",         "user/",         false},
	};
	struct access *a = world();
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (access_named(a, str_from(rows[i].who), STR(""), STR("web"),
				 str_from(rows[i].name)) != rows[i].meant)
			fail_msg("%s as %s", rows[i].who, rows[i].name);
	assert_false(access_named(a, STR("user:bob"), STR(""), STR("other"),
				  STR("role/viewer")));
	access_add_admin(a, STR("token:local"));
	assert_int_equal(
		access_add_user(a, STR("root"), STR("{\"uid\":0}"), &e), 0);
	assert_true(str_is(access_person(a, STR("uid:0")), "owner"));
	assert_true(str_is(access_person(a, STR("token:local")), "owner"));
	assert_true(str_is(access_person(a, STR("user:root")), "owner"));
	assert_true(str_is(access_person(a, STR("user:ann")), "user:ann"));
	assert_true(str_is(access_person(a, STR("uid:7")), "user:ann"));
	assert_true(str_is(access_person(a, STR("schedule:x")), "schedule:x"));
	access_free(a);
}

static void tokens_narrow(void **state)
{
	struct access_token t = {.id = STR("T"),
				 .subject = STR("user:ann"),
				 .hash = hash_sha256("x", 1),
				 .most = ACCESS_DEVELOPER,
				 .projects = STR("[\"web\"]")};
	struct hash other = hash_sha256("y", 1);
	struct access *a = world();
	struct err e;

	(void)state;
	assert_int_equal(access_add_token(a, &t, &e), 0);
	assert_non_null(access_token_find(a, &t.hash));
	assert_null(access_token_find(a, &other));
	assert_int_equal(access_role(a, t.subject, t.id, STR("web")),
			 ACCESS_DEVELOPER);
	assert_int_equal(access_role(a, t.subject, t.id, STR("other")),
			 ACCESS_NONE);
	assert_int_equal(access_role(a, t.subject, t.id, STR("")), ACCESS_NONE);
	assert_int_equal(access_best(a, t.subject, t.id), ACCESS_DEVELOPER);
	/* of another, or gone */
	assert_int_equal(access_role(a, STR("uid:0"), t.id, STR("web")),
			 ACCESS_NONE);
	assert_int_equal(access_role(a, t.subject, STR("U"), STR("web")),
			 ACCESS_NONE);
	access_free(a);
}

static void sees(const struct access *a, const char *who, const char *want)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1000);

	assert_true(
		access_projects(a, str_from(who), STR(""), ACCESS_VIEWER, &b));
	assert_string_equal(buf_cstr(&b), want);
}

static void projects(void **state)
{
	struct access *a = world();

	(void)state;
	sees(a, "uid:0", "");
	sees(a, "user:ann", "");
	sees(a, "user:bob", "[\"web\"]");
	sees(a, "user:eve", "[]");
	sees(a, "nobody", "[]");
	access_free(a);
}

/* What cannot be read gives nobody anything. */
static void broken(void **state)
{
	static const char *const bodies[] = {
		"",
		"[]",
		"{\"role\":\"king\",\"projects\":[\"*\"],"
		"\"members\":[\"user/bob\"]}",
		"{\"role\":\"admin\",\"projects\":\"*\",\"members\":"
		"[\"user/bob\"]}",
		"{\"role\":\"admin\",\"projects\":[1],\"members\":"
		"[\"user/bob\"]}",
		"{\"projects\":[\"*\"],\"members\":[\"user/bob\"]}",
	};
	struct access *a = world();
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		if (!access_add_role(a, STR("x"), str_from(bodies[i]), &e))
			fail_msg("%s", bodies[i]);
	assert_int_equal(access_role(a, STR("user:bob"), STR(""), STR("x")),
			 ACCESS_NONE);
	access_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles),         cmocka_unit_test(names),
		cmocka_unit_test(tokens_narrow), cmocka_unit_test(projects),
		cmocka_unit_test(broken),        cmocka_unit_test(certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Logins that bring groups and roles: what they are, and for how long. */
#include "access/logins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct hash hash_of(int i)
{
	return hash_sha256(&i, sizeof(i));
}

static const struct login *add(struct logins *l, int i, const char *provider,
			       int64_t expires_us)
{
	static const struct str groups[] = {
		{"oidc:corp:devs", 14},
                {"oidc:corp:x",    11}
        };
	static const struct str web = {"web", 3};
	static const struct login_given given = {ACCESS_OPERATOR, &web, 1};
	struct login x = {.hash = hash_of(i),
			  .provider = str_from(provider),
			  .subject = STR("oidc:corp:ann"),
			  .groups = groups,
			  .n_groups = 2,
			  .given = &given,
			  .n_given = 1,
			  .expires_us = expires_us};

	return logins_add(l, &x, 0);
}

static void they_are_found(void **state)
{
	struct logins *l = logins_new();
	struct hash h = hash_of(1), none = hash_of(2);
	const struct login *x = add(l, 1, "corp", 100);
	struct ulid id = x->id;

	(void)state;
	assert_ptr_equal(logins_find(l, &h), x);
	assert_ptr_equal(logins_id(l, str_from(id.s)), x);
	assert_null(logins_find(l, &none));
	assert_null(logins_id(l, STR("")));
	/* the same token again: the one before goes */
	x = add(l, 1, "corp", 200);
	assert_int_equal(logins_len(l), 1);
	assert_null(logins_id(l, str_from(id.s)));
	assert_true(str_is(x->groups[1], "oidc:corp:x"));
	assert_true(str_is(x->given[0].projects[0], "web"));
	add(l, 2, "other", 50);
	assert_int_equal(logins_next_end(l, 0), 50);
	assert_int_equal(logins_next_end(l, 50), 200);
	assert_int_equal(logins_next_end(l, 200), 0);
	logins_drop(l, STR("corp"));
	assert_int_equal(logins_len(l), 1);
	logins_free(l);
	logins_free(NULL);
}

static void they_are_bounded(void **state)
{
	struct logins *l = logins_new();
	struct hash first = hash_of(0), second = hash_of(1);

	(void)state;
	for (int i = 0; i < LOGINS_MAX; i++)
		add(l, i, "corp", 1000);
	assert_non_null(logins_find(l, &first)); /* it was used just now */
	add(l, LOGINS_MAX, "corp", 1000);
	assert_int_equal(logins_len(l), LOGINS_MAX);
	assert_non_null(logins_find(l, &first));
	assert_null(logins_find(l, &second));
	/* what has run out goes first */
	add(l, LOGINS_MAX + 1, "corp", -5);
	add(l, LOGINS_MAX + 2, "corp", 1000);
	assert_int_equal(logins_len(l), LOGINS_MAX);
	logins_free(l);
}

static void role(struct access *a, const char *name, const char *json)
{
	struct err e;

	assert_int_equal(access_add_role(a, str_from(name), str_from(json), &e),
			 0);
}

static void they_decide(void **state)
{
	struct access *a = access_new();
	struct logins *l = logins_new();
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct str who = STR("oidc:corp:ann"), id, web = STR("web");
	struct ulid login;
	struct err e;

	(void)state;
	access_use(a, l);
	login = add(l, 1, "corp", 100)->id; /* which goes before the test */
	id = str_from(login.s);
	assert_true(access_is_known(a, who, id));
	assert_false(access_is_known(a, who, STR("")));
	assert_false(access_is_known(a, STR("oidc:corp:bob"), id));
	assert_false(access_is_known(a, STR("user:ann"), id));
	/* what it brought */
	assert_int_equal(access_role(a, who, id, web), ACCESS_OPERATOR);
	assert_int_equal(access_role(a, who, id, STR("api")), ACCESS_NONE);
	assert_int_equal(access_role(a, who, id, STR("")), ACCESS_NONE);
	assert_int_equal(access_best(a, who, id), ACCESS_OPERATOR);
	assert_int_equal(access_role(a, who, STR(""), web), ACCESS_NONE);
	/* what its group, its name, and a group of ours give */
	role(a, "r1",
	     "{\"role\":\"viewer\",\"projects\":[\"api\"],"
	     "\"members\":[\"group/oidc:corp:devs\"]}");
	assert_int_equal(access_role(a, who, id, STR("api")), ACCESS_VIEWER);
	role(a, "r2",
	     "{\"role\":\"developer\",\"projects\":[\"api\"],"
	     "\"members\":[\"oidc:corp:ann\"]}");
	assert_int_equal(access_role(a, who, id, STR("api")), ACCESS_DEVELOPER);
	/* also when it has gone, for what it has left running */
	assert_int_equal(access_role(a, who, STR(""), STR("api")),
			 ACCESS_DEVELOPER);
	assert_int_equal(access_role(a, who, STR(""), web), ACCESS_NONE);
	assert_int_equal(
		access_add_group(a, STR("ours"),
				 STR("{\"members\":[\"oidc:corp:ann\"]}"), &e),
		0);
	role(a, "r3",
	     "{\"role\":\"admin\",\"projects\":[\"db\"],"
	     "\"members\":[\"group/ours\"]}");
	assert_int_equal(access_role(a, who, id, STR("db")), ACCESS_ADMIN);
	assert_false(!access_projects(a, who, id, ACCESS_VIEWER, &b));
	assert_string_equal(buf_cstr(&b), "[\"web\",\"api\",\"db\"]");
	/* a group of a provider is never one of ours */
	role(a, "r4",
	     "{\"role\":\"admin\",\"projects\":[\"*\"],"
	     "\"members\":[\"group/devs\",\"user/ann\"]}");
	assert_int_equal(access_role(a, who, id, web), ACCESS_OPERATOR);
	logins_drop(l, STR("corp"));
	assert_int_equal(access_role(a, who, id, web), ACCESS_NONE);
	access_free(a);
	logins_free(l);
}

static void as_a_user_of_ours(void **state)
{
	struct access *a = access_new();
	struct logins *l = logins_new();
	struct login x = {.hash = hash_of(1),
			  .provider = STR("corp"),
			  .subject = STR("user:ann"),
			  .expires_us = 100};
	struct err e;
	struct str id;

	(void)state;
	access_use(a, l);
	id = str_from(logins_add(l, &x, 0)->id.s);
	assert_false(access_is_known(a, x.subject, id)); /* not there */
	assert_int_equal(access_add_user(a, STR("ann"), STR("{}"), &e), 0);
	assert_true(access_is_known(a, x.subject, id));
	role(a, "r",
	     "{\"role\":\"viewer\",\"projects\":[\"*\"],"
	     "\"members\":[\"user/ann\"]}");
	assert_int_equal(access_role(a, x.subject, id, STR("")), ACCESS_VIEWER);
	access_free(a);
	logins_free(l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_found),
		cmocka_unit_test(they_are_bounded),
		cmocka_unit_test(they_decide),
		cmocka_unit_test(as_a_user_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

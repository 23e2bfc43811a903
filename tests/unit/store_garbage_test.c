/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Which content may go: of deleted runs, and past its time. */
#include "store_helper.h"

#include <string.h>

static char sha_a[HASH_HEX_LEN + 1], sha_b[HASH_HEX_LEN + 1];

static void put_artifact(struct dir *d, int64_t run, const char *name,
			 const char *sha256, int64_t expires_us)
{
	struct store_artifact a = {.name = str_from(name),
				   .attempt = 1,
				   .file = STR("f"),
				   .expires_us = expires_us};

	memcpy(a.sha256, sha256, sizeof(a.sha256));
	ok(store_artifact_put(d->store, run, &a, &d->e), &d->e);
}

static int64_t add_run(struct dir *d, enum run_state state, const char *source)
{
	struct store_run run = a_run("j");

	run.state = state;
	run.source = str_from(source);
	ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	return run.id;
}

static int begin(void **state)
{
	struct dir *d;
	struct hash h;

	if (dir_make(state))
		return -1;
	d = *state;
	h = hash_sha256("a", 1);
	hash_hex(&h, sha_a);
	h = hash_sha256("b", 1);
	hash_hex(&h, sha_b);
	ok(store_begin(d->store, &d->e), &d->e);
	return 0;
}

static bool due(struct dir *d, int64_t now_us)
{
	bool is;

	ok(store_garbage_due(d->store, now_us, &is, &d->e), &d->e);
	return is;
}

/* The next one is this, and it is used or not. */
static void assert_next(struct dir *d, const char *sha256, bool used)
{
	char got[HASH_HEX_LEN + 1];
	bool is;

	assert_int_equal(store_garbage_next(d->store, 10, got, &is, &d->e), 1);
	assert_string_equal(got, sha256);
	assert_int_equal(is, used);
}

static void assert_none(struct dir *d)
{
	char got[HASH_HEX_LEN + 1];
	bool is;

	assert_int_equal(store_garbage_next(d->store, 10, got, &is, &d->e), 0);
}

static void test_what_a_deleted_run_leaves(void **state)
{
	struct dir *d = *state;
	int64_t run = add_run(d, STATE_SUCCEEDED, sha_b);

	put_artifact(d, run, "t.a", sha_a, 0);
	assert_false(due(d, 10));
	ok(store_run_delete(d->store, run, &d->e), &d->e);
	assert_true(due(d, 10));
	for (int i = 0; i < 2; i++) {
		char got[HASH_HEX_LEN + 1];
		bool used;

		assert_int_equal(
			store_garbage_next(d->store, 10, got, &used, &d->e), 1);
		assert_true(!strcmp(got, sha_a) || !strcmp(got, sha_b));
		assert_false(used);
		ok(store_garbage_done(d->store, got, &d->e), &d->e);
	}
	assert_none(d);
	assert_false(due(d, 10));
}

static void test_what_another_run_uses_stays(void **state)
{
	struct dir *d = *state;
	int64_t run = add_run(d, STATE_SUCCEEDED, "");

	put_artifact(d, run, "t.a", sha_a, 0);
	put_artifact(d, add_run(d, STATE_SUCCEEDED, ""), "t.a", sha_a, 0);
	ok(store_run_delete(d->store, run, &d->e), &d->e);
	assert_next(d, sha_a, true);
	ok(store_garbage_done(d->store, sha_a, &d->e), &d->e);
	assert_none(d);
}

static void test_an_artifact_past_its_time(void **state)
{
	struct dir *d = *state;
	int64_t run = add_run(d, STATE_SUCCEEDED, "");

	put_artifact(d, run, "t.a", sha_a, 10);
	put_artifact(d, run, "t.b", sha_b, 11);
	assert_false(due(d, 9));
	assert_true(due(d, 10));
	ok(store_expire(d->store, 10, &d->e), &d->e);
	assert_next(d, sha_a, false);
	ok(store_garbage_done(d->store, sha_a, &d->e), &d->e);
	assert_none(d);
	assert_false(due(d, 10));
}

static void test_not_while_its_run_lives(void **state)
{
	struct dir *d = *state;

	put_artifact(d, add_run(d, STATE_RUNNING, ""), "t.a", sha_a, 5);
	assert_false(due(d, 10));
	ok(store_expire(d->store, 10, &d->e), &d->e);
	assert_none(d);
}

static void test_later(void **state)
{
	struct dir *d = *state;
	int64_t run = add_run(d, STATE_SUCCEEDED, "");

	put_artifact(d, run, "t.a", sha_a, 0);
	ok(store_run_delete(d->store, run, &d->e), &d->e);
	ok(store_garbage_later(d->store, sha_a, 20, &d->e), &d->e);
	assert_false(due(d, 19));
	assert_none(d);
	assert_true(due(d, 20));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, dir_drop)
	const struct CMUnitTest tests[] = {
		TEST(test_what_a_deleted_run_leaves),
		TEST(test_what_another_run_uses_stays),
		TEST(test_an_artifact_past_its_time),
		TEST(test_not_while_its_run_lives),
		TEST(test_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

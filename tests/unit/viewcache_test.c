/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What was told is told again, until anything was committed. */
#include "api/viewcache.h"
#include "base/mem.h"
#include "store_helper.h"

#include <string.h>

static bool has(struct viewcache *c, const struct ulid *run, const char *want)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);

	return viewcache_get(c, run, &b) && str_is(buf_view(&b), want);
}

static void commit_something(struct dir *d)
{
	struct store_run run = a_run("job");

	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	ok(store_commit(d->store, &d->e), &d->e);
}

static void test_until_a_commit(void **state)
{
	struct ulid one = ulid_new(), two = ulid_new();
	struct dir *d = *state;
	struct store_reader *r;
	struct viewcache *c;

	ok(store_reader_open(store_path(d->store), &r, &d->e), &d->e);
	c = viewcache_new(r);
	assert_false(has(c, &one, "a"));
	viewcache_put(c, &one, STR("a"));
	viewcache_put(c, &two, STR("b"));
	assert_true(has(c, &one, "a"));
	assert_true(has(c, &two, "b"));
	viewcache_put(c, &one, STR("later"));
	assert_true(has(c, &one, "later"));
	commit_something(d);
	assert_false(has(c, &one, "later"));
	assert_false(has(c, &two, "b"));
	/* read between two commits: gone with the second */
	viewcache_put(c, &one, STR("c"));
	commit_something(d);
	assert_false(has(c, &one, "c"));
	viewcache_free(c);
	store_reader_close(r);
}

static void test_it_has_an_end(void **state)
{
	CLEANUP_MEM char *big = mem_alloc(100000);
	struct dir *d = *state;
	struct store_reader *r;
	struct viewcache *c;
	struct ulid first;
	size_t kept = 0;

	memset(big, 'x', 100000);
	ok(store_reader_open(store_path(d->store), &r, &d->e), &d->e);
	c = viewcache_new(r);
	first = ulid_new();
	assert_false(has(c, &first, ""));
	viewcache_put(c, &first, str_n(big, 100000)); /* too large for one */
	assert_false(has(c, &first, ""));
	for (int i = 0; i < 1000; i++) { /* 60 MB */
		struct ulid id = ulid_new();
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);

		viewcache_put(c, &id, str_n(big, 60000));
		kept += viewcache_get(c, &id, &b);
	}
	assert_int_equal(kept, 1000); /* each for a while */
	viewcache_free(c);
	store_reader_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_until_a_commit, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_it_has_an_end, dir_make,
						dir_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

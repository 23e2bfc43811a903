/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What was told is told again, until anything was committed. */
#include "api/viewcache.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool has(struct viewcache *c, uint64_t version, const struct ulid *run,
		const char *want)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);

	char tag[VIEWCACHE_TAG_MAX];

	return viewcache_get(c, version, run, &b, tag) &&
	       str_is(buf_view(&b), want) && !strcmp(tag, "W/\"1\"");
}

static void test_until_a_commit(void **state)
{
	struct ulid one = ulid_new(), two = ulid_new();
	struct viewcache *c = viewcache_new();

	(void)state;
	assert_false(has(c, 7, &one, "a"));
	viewcache_put(c, &one, STR("a"), "W/\"1\"");
	viewcache_put(c, &two, STR("b"), "W/\"1\"");
	assert_true(has(c, 7, &one, "a"));
	assert_true(has(c, 7, &two, "b"));
	viewcache_put(c, &one, STR("later"), "W/\"1\"");
	assert_true(has(c, 7, &one, "later"));
	assert_false(has(c, 8, &one, "later"));
	assert_false(has(c, 8, &two, "b"));
	assert_false(has(c, 7, &one, "later")); /* and does not come back */
	viewcache_free(c);
}

static void test_it_has_an_end(void **state)
{
	CLEANUP_MEM char *big = mem_alloc(100000);
	struct viewcache *c = viewcache_new();
	struct ulid first = ulid_new();
	char tag[VIEWCACHE_TAG_MAX];
	size_t now = 0, later = 0;

	(void)state;
	memset(big, 'x', 100000);
	viewcache_put(c, &first, str_n(big, 100000),
		      "W/\"1\""); /* too large for one */
	assert_false(has(c, 0, &first, ""));
	for (int i = 0; i < 1000; i++) { /* 60 MB */
		struct ulid id = ulid_new();
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);

		viewcache_put(c, &id, str_n(big, 60000), "W/\"1\"");
		now += viewcache_get(c, 0, &id, &b, tag);
		if (!i)
			first = id;
		later += viewcache_get(c, 0, &first, &b, tag);
	}
	assert_int_equal(now, 1000); /* each for a while */
	assert_in_range(later, 1, 100);
	viewcache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_until_a_commit),
		cmocka_unit_test(test_it_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

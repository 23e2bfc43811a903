/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Caches of tasks: the first writer wins, what was used longest ago goes. */
#include "store/caches.h"
#include "store_helper.h"

#include <string.h>

enum {
	ROOM = 100
};

static char *sha_of(const char *text)
{
	static char hex[HASH_HEX_LEN + 1];
	struct hash h = hash_sha256(text, strlen(text));

	hash_hex(&h, hex);
	return hex;
}

/* Its content is named by its key. */
static bool put(struct dir *d, const char *project, const char *key,
		uint64_t bytes, int64_t now_us, const char *content)
{
	struct store_cache c = {.ulid = ulid_new(),
				.project = str_from(project),
				.scope = STR("s"),
				.key = str_from(key),
				.bytes = bytes,
				.run = ulid_new(),
				.created_us = now_us,
				.used_us = now_us};
	bool kept;

	memcpy(c.sha256, sha_of(content), sizeof(c.sha256));
	ok(store_cache_put(d->store, &c, ROOM, &kept, &d->e), &d->e);
	return kept;
}

struct seen {
	int64_t id;
	struct ulid ulid;
	char key[64], sha256[HASH_HEX_LEN + 1];
};

static int see(void *ctx, const struct store_cache *c, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->id = c->id;
	s->ulid = c->ulid;
	(void)snprintf(s->key, sizeof(s->key), STR_FMT, STR_ARG(c->key));
	memcpy(s->sha256, c->sha256, sizeof(s->sha256));
	return 0;
}

static bool find(struct dir *d, const char *project, const char *scope,
		 const char *key, bool prefix, struct seen *s)
{
	int r = store_cache_find(d->store, str_from(project), str_from(scope),
				 str_from(key), prefix, see, s, &d->e);

	assert_true(r >= 0);
	return r > 0;
}

static bool is_garbage(struct dir *d, const char *content)
{
	char got[HASH_HEX_LEN + 1];
	bool used, found = false;

	for (;;) {
		int r = store_garbage_next(d->store, 10, got, &used, &d->e);

		assert_true(r >= 0);
		if (!r)
			return found;
		found |= !used && !strcmp(got, sha_of(content));
		ok(store_garbage_done(d->store, got, &d->e), &d->e);
	}
}

static int begin(void **state)
{
	struct dir *d;

	if (dir_make(state))
		return -1;
	d = *state;
	ok(store_begin(d->store, &d->e), &d->e);
	return 0;
}

static void first_wins(void **state)
{
	struct dir *d = *state;
	struct seen s;

	assert_true(put(d, "web", "k", 10, 1, "one"));
	assert_false(put(d, "web", "k", 10, 2, "two"));
	assert_true(is_garbage(d, "two"));
	assert_true(find(d, "web", "s", "k", false, &s));
	assert_string_equal(s.sha256, sha_of("one"));
	/* the same content of two keys is nobody's garbage while one is left */
	assert_true(put(d, "web", "l", 10, 3, "one"));
	ok(store_cache_delete(d->store, &s.ulid, &d->e), &d->e);
	assert_false(is_garbage(d, "one"));
	assert_false(find(d, "web", "s", "k", false, &s));
	assert_int_equal(store_cache_delete(d->store, &s.ulid, &d->e), -1);
	assert_int_equal(d->e.code, ERR_NOT_FOUND);
}

static void by_project_scope_and_prefix(void **state)
{
	struct dir *d = *state;
	struct seen s;

	put(d, "web", "deps-1", 10, 1, "1");
	put(d, "web", "deps-2", 10, 2, "2");
	put(d, "web", "deps_3", 10, 3, "3");
	assert_true(find(d, "web", "s", "deps-", true, &s));
	assert_string_equal(s.key, "deps-2");
	assert_false(find(d, "web", "s", "deps-", false, &s));
	assert_false(find(d, "web", "s", "%", true, &s));
	assert_false(find(d, "web", "other", "deps-", true, &s));
	assert_false(find(d, "app", "s", "deps-1", false, &s));
}

static void least_used_goes(void **state)
{
	struct dir *d = *state;
	struct seen s;

	put(d, "web", "a", 40, 1, "a");
	put(d, "web", "b", 40, 2, "b");
	put(d, "app", "c", 90, 1, "c"); /* another's room */
	assert_true(find(d, "web", "s", "a", false, &s));
	ok(store_cache_used(d->store, s.id, 3, &d->e), &d->e);
	assert_true(put(d, "web", "d", 40, 4, "d"));
	assert_false(find(d, "web", "s", "b", false, &s));
	assert_true(find(d, "web", "s", "a", false, &s));
	assert_true(is_garbage(d, "b"));
	assert_false(put(d, "web", "e", ROOM + 1, 5, "e")); /* never */
	assert_true(is_garbage(d, "e"));
	assert_true(find(d, "web", "s", "d", false, &s));
	assert_true(put(d, "web", "f", ROOM, 6, "f"));
	assert_false(find(d, "web", "s", "d", false, &s));
	assert_true(find(d, "app", "s", "c", false, &s));
	ok(store_cache_clear(d->store, STR("web"), &d->e), &d->e);
	assert_true(is_garbage(d, "f"));
	assert_true(find(d, "app", "s", "c", false, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_wins, begin, dir_drop),
		cmocka_unit_test_setup_teardown(by_project_scope_and_prefix,
						begin, dir_drop),
		cmocka_unit_test_setup_teardown(least_used_goes, begin,
						dir_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A change between two scans is seen at once, and without one the store is not
 * read again: what was put behind the scanner's back is not found.
 */
#include "secretstore.h"

#include "secrets/scanner.h"

static struct secret_store *store;
static struct scanner *scanner;

static int begin(void **state)
{
	if (setup(state))
		return -1;
	store = open_store();
	scanner = scanner_new(store);
	return 0;
}

static int end(void **state)
{
	scanner_free(scanner);
	secret_store_close(store);
	return teardown(state);
}

static bool hit_in(const char *project, const char *text)
{
	struct err e = {0};
	bool hit = false;

	if (scanner_hit(scanner, str_from(project), str_from(text), &hit, &e))
		fail_msg("%s", e.text);
	return hit;
}

static bool hit(const char *text)
{
	return hit_in("default", text);
}

static void put_in(const char *project, const char *name, const char *text)
{
	struct secret *value = NULL;
	struct err e = {0};
	uint64_t v;

	assert_int_equal(secret_new(text, strlen(text), 0, &value, &e), 0);
	if (secret_store_put(store, str_from(project), str_from(name), value,
			     SECRET_VALUE_BYTES, SECRET_STORE_ANY, &v, &e))
		fail_msg("put %s: %s", name, e.text);
	secret_free(value);
}

static void test_changes_are_seen_at_once(void **state)
{
	struct err e;

	(void)state;
	assert_false(hit("a hunter2-xyzzy b"));
	scanner_changed(scanner, P);
	put(store, "a", "hunter2-xyzzy");
	assert_true(hit("a hunter2-xyzzy b"));
	assert_true(hit("aHVudGVyMi14eXp6eQ")); /* in base64 */
	scanner_changed(scanner, P);
	put(store, "a", "correct-horse-9");
	assert_false(hit("a hunter2-xyzzy b"));
	assert_true(hit("correct-horse-9"));
	scanner_changed(scanner, P);
	put(store, "user", "release-bot"); /* may stand there by right */
	assert_false(hit("runs as release-bot"));
	assert_true(hit("correct-horse-9"));
	scanner_changed(scanner, P);
	assert_int_equal(secret_store_remove(store, P, STR("a"), 0, &e), 0);
	assert_false(hit("correct-horse-9"));
}

static void test_unchanged_is_not_read_again(void **state)
{
	(void)state;
	put_in("other", "a", "hunter2-xyzzy");
	assert_false(hit("correct-horse-9"));
	assert_true(hit_in("other", "hunter2-xyzzy"));
	assert_int_equal(scanner_kept(scanner), 2);
	put(store, "b", "correct-horse-9"); /* unknown to the scanner */
	scanner_changed(scanner, STR("other"));
	assert_int_equal(scanner_kept(scanner), 1);
	assert_false(hit("correct-horse-9"));
	scanner_changed(scanner, P);
	assert_true(hit("correct-horse-9"));
	assert_false(hit("hunter2-xyzzy")); /* another project's */
}

static void test_the_least_used_goes_first(void **state)
{
	char name[8];

	(void)state;
	for (int i = 0; i < SCANNER_PROJECTS; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		assert_false(hit_in(name, "hunter2-xyzzy"));
	}
	assert_false(hit_in("p0", "hunter2-xyzzy"));
	assert_false(hit_in("one-more", "hunter2-xyzzy"));
	assert_int_equal(scanner_kept(scanner), SCANNER_PROJECTS);
	put_in("p0", "a", "hunter2-xyzzy");
	put_in("p1", "a", "hunter2-xyzzy");
	assert_false(hit_in("p0", "hunter2-xyzzy")); /* kept */
	assert_true(hit_in("p1", "hunter2-xyzzy"));  /* read anew */
}

static void test_what_cannot_be_read_is_an_error(void **state)
{
	struct err e = {0};
	bool found;

	(void)state;
	put(store, "a", "hunter2-xyzzy");
	put(store, "b", "correct-horse-9");
	assert_int_equal(secret_store_delete(store, P, STR("b"), 0, true, &e),
			 0);
	assert_true(hit("hunter2-xyzzy"));
	assert_false(hit("correct-horse-9"));
	assert_int_equal(
		scanner_hit(scanner, STR("NOT A NAME"), STR("x"), &found, &e),
		-1);
	assert_int_equal(e.code, ERR_INVALID);
	scanner_free(scanner);
	secret_store_close(store);
	sql("UPDATE versions SET value = zeroblob(length(value))");
	store = open_store();
	scanner = scanner_new(store);
	assert_int_equal(scanner_hit(scanner, P, STR("x"), &found, &e), -1);
	assert_int_equal(e.code, ERR_INTERNAL);
	assert_int_equal(scanner_kept(scanner), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_are_seen_at_once,
						begin, end),
		cmocka_unit_test_setup_teardown(
			test_unchanged_is_not_read_again, begin, end),
		cmocka_unit_test_setup_teardown(test_the_least_used_goes_first,
						begin, end),
		cmocka_unit_test_setup_teardown(
			test_what_cannot_be_read_is_an_error, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

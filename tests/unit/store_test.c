/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The store: what was committed is there, what was not is not, and what is
 * damaged, locked or too new is refused. */
#include "store_helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int see_run(void *ctx, const struct store_run *r, struct err *e)
{
	struct store_run *to = ctx;

	(void)e;
	*to = *r;
	/* what is borrowed ends with the call: check it here */
	assert_true(str_is(r->project, "web"));
	assert_true(str_is(r->inputs, "{\"a\":\"\\u00e4\"}"));
	assert_int_equal(strlen(r->ulid.s), ULID_LEN);
	return 0;
}

static int count_run(void *ctx, const struct store_run *r, struct err *e)
{
	(void)r;
	(void)e;
	(*(int *)ctx)++;
	return 0;
}

static int count_event(void *ctx, const struct store_event *ev, struct err *e)
{
	struct store_event *last = ctx;

	(void)e;
	assert_true(ev->id > last->id);
	*last = *ev;
	return 0;
}

static struct store_reader *reader(struct dir *d)
{
	struct store_reader *r;

	ok(store_reader_open(store_path(d->store), &r, &d->e), &d->e);
	return r;
}

static void test_round_trip(void **state)
{
	struct dir *d = *state;
	struct store_run run = a_run("job"), got = {0};
	struct store_reader *r = reader(d);
	struct store_attempt a = {.index = 3,
				  .number = 2,
				  .ulid = ulid_new(),
				  .fence = 77,
				  .state = STATE_RUNNING,
				  .exit_code = -1,
				  .outputs = STR("{}")};
	uint64_t fence;

	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	ok(store_attempt_put(d->store, run.id, &a, &d->e), &d->e);
	assert_int_equal(store_read_run(r, &run.ulid, see_run, &got, &d->e),
			 -1);
	assert_int_equal(d->e.code, ERR_NOT_FOUND); /* not committed */
	ok(store_commit(d->store, &d->e), &d->e);
	ok(store_read_run(r, &run.ulid, see_run, &got, &d->e), &d->e);
	assert_int_equal(got.id, run.id);
	assert_int_equal(got.priority, 50);
	assert_int_equal(got.state, STATE_QUEUED);

	run.state = STATE_FAILED;
	run.kind = KIND_OOM;
	run.finished_us = 99;
	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_run_set(d->store, &run, &d->e), &d->e);
	ok(store_commit(d->store, &d->e), &d->e);
	ok(store_read_run(r, &run.ulid, see_run, &got, &d->e), &d->e);
	assert_int_equal(got.state, STATE_FAILED);
	assert_int_equal(got.kind, KIND_OOM);
	assert_int_equal(got.finished_us, 99);
	ok(store_max_fence(d->store, &fence, &d->e), &d->e);
	assert_int_equal(fence, 77);
	store_reader_close(r);
}

static void test_rollback(void **state)
{
	struct dir *d = *state;
	struct store_run run = a_run("job");
	int n = 0;

	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	store_rollback(d->store);
	store_rollback(d->store); /* without one: fine */
	ok(store_live_runs(d->store, count_run, &n, &d->e), &d->e);
	assert_int_equal(n, 0);
}

static int listed(struct store_reader *r, struct dir *d,
		  const struct store_filter *f)
{
	int n = 0;

	ok(store_read_runs(r, f, count_run, &n, &d->e), &d->e);
	return n;
}

static void test_filters(void **state)
{
	struct dir *d = *state;
	struct store_reader *r = reader(d);

	ok(store_begin(d->store, &d->e), &d->e);
	for (int i = 0; i < 20; i++) {
		struct store_run run = a_run(i % 2 ? "odd" : "even");

		run.state = i < 5 ? STATE_FAILED : STATE_QUEUED;
		run.created_us = 1000 + i;
		run.labels = i == 7 ? STR("{\"a\":\"x' OR 1\",\"b\":\"2\"}") :
				      STR("{\"a\":\"1\"}");
		ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	}
	ok(store_commit(d->store, &d->e), &d->e);

#define LISTED(...) listed(r, d, &(struct store_filter){__VA_ARGS__})
	assert_int_equal(LISTED(.limit = 0), 20);
	assert_int_equal(LISTED(.limit = 7), 7);
	assert_int_equal(LISTED(.job = STR("odd")), 10);
	assert_int_equal(LISTED(.job = STR("none")), 0);
	assert_int_equal(LISTED(.states = 1u << STATE_FAILED), 5);
	assert_int_equal(
		LISTED(.states = 1u << STATE_FAILED | 1u << STATE_QUEUED), 20);
	assert_int_equal(LISTED(.since_us = 1005, .until_us = 1008), 3);
	assert_int_equal(LISTED(.before = 4), 3);
	assert_int_equal(LISTED(.labels =
					{
						{STR("a"), STR("x' OR 1")}
        },
				.n_labels = 1),
			 1);
	assert_int_equal(LISTED(.labels =
					{
						{STR("a"), STR("x' OR 1")},
						{STR("b"), STR("3")      }
        },
				.n_labels = 2),
			 0);
#undef LISTED
	store_reader_close(r);
}

static int64_t add_event(struct dir *d, const struct store_run *run)
{
	struct store_event ev = {.type = STORE_EVENT_RUN, .ts_us = 5};
	int64_t id;

	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_event_add(d->store, run->id, &ev, &id, &d->e), &d->e);
	ok(store_commit(d->store, &d->e), &d->e);
	return id;
}

static void test_events_never_repeat(void **state)
{
	struct dir *d = *state;
	struct store_run run = a_run("one"), two = a_run("two");
	struct store_event last = {0};
	struct store_reader *r;
	int64_t first, second, id;

	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	ok(store_run_add(d->store, &two, &two.id, &d->e), &d->e);
	ok(store_commit(d->store, &d->e), &d->e);
	first = add_event(d, &run);
	second = add_event(d, &two);
	assert_true(second > first);

	r = reader(d);
	ok(store_read_events(r, &run.ulid, STR(""), 0, 0, 10, count_event,
			     &last, &d->e),
	   &d->e);
	assert_int_equal(last.id, first);
	assert_string_equal(last.run.s, run.ulid.s);
	ok(store_read_events(r, NULL, STR(""), first, first, 10, count_event,
			     &last, &d->e),
	   &d->e);
	assert_int_equal(last.id, first); /* there is no more up to there */
	ok(store_read_events(r, NULL, STR(""), first, second, 10, count_event,
			     &last, &d->e),
	   &d->e);
	assert_int_equal(last.id, second);
	store_reader_close(r);

	/* all rows gone and a restart between: the next is still above */
	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_run_delete(d->store, run.id, &d->e), &d->e);
	ok(store_run_delete(d->store, two.id, &d->e), &d->e);
	ok(store_commit(d->store, &d->e), &d->e);
	store_close(d->store);
	ok(store_open(d->path, &d->store, &d->e), &d->e);
	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	ok(store_commit(d->store, &d->e), &d->e);
	assert_true(add_event(d, &run) > second);
	r = reader(d);
	ok(store_read_last_event(r, &id, &d->e), &d->e);
	assert_true(id > second);
	store_reader_close(r);
}

static void test_keys(void **state)
{
	struct dir *d = *state;
	struct hash body = hash_sha256("a", 1), got;
	struct ulid run = ulid_new(), got_run;

	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_key_put(d->store, STR("me"), STR("k"), &body, &run, 100,
			 &d->e),
	   &d->e);
	assert_int_equal(store_key_get(d->store, STR("me"), STR("k"), &got,
				       &got_run, &d->e),
			 1);
	assert_true(hash_eq(&got, &body));
	assert_string_equal(got_run.s, run.s);
	/* of another submitter it is another key */
	assert_int_equal(store_key_get(d->store, STR("you"), STR("k"), &got,
				       &got_run, &d->e),
			 0);
	ok(store_keys_expire(d->store, 100, &d->e), &d->e);
	assert_int_equal(store_key_get(d->store, STR("me"), STR("k"), &got,
				       &got_run, &d->e),
			 1);
	ok(store_keys_expire(d->store, 101, &d->e), &d->e);
	assert_int_equal(store_key_get(d->store, STR("me"), STR("k"), &got,
				       &got_run, &d->e),
			 0);
	ok(store_commit(d->store, &d->e), &d->e);
}

static int see_answer(void *ctx, const struct store_answer *a, struct err *e)
{
	struct store_answer *got = ctx;

	(void)e;
	*got = *a;
	assert_true(str_is(a->location, "/v1/x"));
	assert_true(str_is(a->etag, "\"7\""));
	assert_true(str_is(a->body, "{}"));
	return 0;
}

/* An answer and a run share the names that keys give. */
static void test_answers(void **state)
{
	struct dir *d = *state;
	struct store_answer got, a = {.request = hash_sha256("a", 1),
				      .status = 201,
				      .location = STR("/v1/x"),
				      .etag = STR("\"7\""),
				      .body = STR("{}")};
	struct ulid run;
	struct hash h;

	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_answer_put(d->store, STR("me"), STR("k"), &a, 100, &d->e),
	   &d->e);
	assert_int_equal(store_answer_get(d->store, STR("me"), STR("k"),
					  see_answer, &got, &d->e),
			 1);
	assert_true(hash_eq(&got.request, &a.request));
	assert_int_equal(got.status, 201);
	assert_int_equal(
		store_key_get(d->store, STR("me"), STR("k"), &h, &run, &d->e),
		1);
	assert_string_equal(run.s, ""); /* it made no run */
	assert_int_equal(store_answer_get(d->store, STR("you"), STR("k"),
					  see_answer, &got, &d->e),
			 0);
	ok(store_keys_expire(d->store, 101, &d->e), &d->e);
	assert_int_equal(store_answer_get(d->store, STR("me"), STR("k"),
					  see_answer, &got, &d->e),
			 0);
	ok(store_commit(d->store, &d->e), &d->e);
}

static void test_second_server(void **state)
{
	struct dir *d = *state;
	struct store *second = NULL;

	assert_int_equal(store_open(d->path, &second, &d->e), -1);
	assert_int_equal(d->e.code, ERR_CONFLICT);
	assert_null(second);
}

static void overwrite(struct dir *d, off_t at, const void *p, size_t len)
{
	char name[600];
	int fd;

	store_close(d->store);
	d->store = NULL;
	(void)snprintf(name, sizeof(name), "%s/nfo.db", d->path);
	fd = open(name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, len, at), len);
	close(fd);
}

static void test_corrupt(void **state)
{
	static const struct {
		off_t at;
		size_t len;
	} wounds[] = {
		{0,    16 }, /* the header */
		{4096, 512}, /* a page of a table */
		{100,  400}, /* the schema's page */
	};
	unsigned char junk[512];

	memset(junk, 0xa5, sizeof(junk));
	for (size_t i = 0; i < ARRAY_LEN(wounds); i++) {
		struct dir *d = *state;

		overwrite(d, wounds[i].at, junk, wounds[i].len);
		assert_int_equal(store_open(d->path, &d->store, &d->e), -1);
		assert_int_equal(d->e.code, ERR_INVALID);
		assert_non_null(strstr(d->e.text, "nfo.db"));
		assert_non_null(strstr(d->e.text, "damaged"));
		dir_drop(state);
		dir_make(state);
	}
}

static void test_newer_version(void **state)
{
	struct dir *d = *state;
	/* user_version, big-endian at 60 of the header */
	const unsigned char v[4] = {0, 0, 3, 232};

	overwrite(d, 60, v, sizeof(v));
	assert_int_equal(store_open(d->path, &d->store, &d->e), -1);
	assert_int_equal(d->e.code, ERR_INVALID);
	assert_non_null(strstr(d->e.text, "1000"));
}

static void test_files_are_private(void **state)
{
	static const char *const names[] = {"nfo.db", "nfo.db-wal", "ballast",
					    "nfo.lock"};
	struct dir *d = *state;
	struct store_run run = a_run("job");

	ok(store_begin(d->store, &d->e), &d->e);
	ok(store_run_add(d->store, &run, &run.id, &d->e), &d->e);
	ok(store_commit(d->store, &d->e), &d->e);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[600];
		struct stat st;

		(void)snprintf(name, sizeof(name), "%s/%s", d->path, names[i]);
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(st.st_mode & 0077, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_rollback, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_filters, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_events_never_repeat,
						dir_make, dir_drop),
		cmocka_unit_test_setup_teardown(test_keys, dir_make, dir_drop),
		cmocka_unit_test_setup_teardown(test_answers, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_second_server, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_corrupt, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_newer_version, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_files_are_private,
						dir_make, dir_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

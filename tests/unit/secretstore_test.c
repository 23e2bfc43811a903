/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What the secret store keeps, through terms, other processes and kills, and
 * what can be read from its files.
 */
#include "secretstore.h"

/* --- what it keeps -------------------------------------------------------- */

static void test_versions(void **state)
{
	struct secret_version list[SECRET_STORE_VERSIONS_MAX];
	struct secret_meta meta;
	struct secret_store *s;
	uint64_t v = 0;
	struct err e;
	size_t n;

	(void)state;
	opts.max_versions = 3;
	s = open_store();
	is_not(s, "a", 0, ERR_NOT_FOUND, "no such");
	assert_int_equal(put_len(s, "a", "one", 3, 0, &v, &e), 0);
	assert_int_equal(v, 1);
	assert_int_equal(put_len(s, "a", "two", 3, 0, &v, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_int_equal(put_len(s, "a", "two", 3, 1, &v, &e), 0);
	is(s, "a", 0, "two");
	is(s, "a", 1, "one");
	put(s, "a", "three");
	put(s, "a", "four");
	is_not(s, "a", 1, ERR_NOT_FOUND,
	       "version 1 of this secret is destroyed");
	is(s, "a", 2, "two");
	is_not(s, "a", 5, ERR_NOT_FOUND, "no version 5");
	assert_int_equal(secret_store_stat(s, P, STR("a"), &meta, &e), 0);
	assert_int_equal(meta.current, 4);
	assert_int_equal(meta.versions, 3);
	assert_string_equal(meta.project, "default");
	assert_string_equal(meta.name, "a");
	assert_int_equal(secret_store_versions(s, P, STR("a"), list, &n, &e),
			 0);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].version, 2);
	assert_int_equal(list[2].version, 4);
	secret_store_close(s);
	s = open_store();
	is(s, "a", 0, "four");
	assert_int_equal(secret_store_verify(s, &e), 0);
	secret_store_close(s);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {1,    59,   60,   61,   251,   252,  253,
				       1019, 1020, 1021, 4092, 65535, 65536};
	static unsigned char bytes[SECRET_STORE_VALUE_MAX + 1];
	struct secret_store *s = open_store();
	struct err e;
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 % 251);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct secret *got = NULL;

		assert_int_equal(put_len(s, "x", bytes, sizes[i],
					 SECRET_STORE_ANY, &v, &e),
				 0);
		assert_int_equal(get(s, "x", v, &got, &e), 0);
		assert_int_equal(secret_bytes(got).n_bytes, sizes[i]);
		assert_memory_equal(secret_bytes(got).bytes, bytes, sizes[i]);
		secret_free(got);
	}
	assert_int_equal(
		put_len(s, "x", bytes, sizeof(bytes), SECRET_STORE_ANY, &v, &e),
		-1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(put_len(s, "x", "", 0, SECRET_STORE_ANY, &v, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(put_len(s, "X", "v", 1, SECRET_STORE_ANY, &v, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	secret_store_close(s);
}

static void test_delete_and_remove(void **state)
{
	struct secret_store *s = open_store();
	struct secret_meta meta;
	uint64_t v;
	struct err e;

	(void)state;
	put(s, "a", "one");
	put(s, "a", "two");
	assert_int_equal(secret_store_delete(s, P, STR("a"), 0, true, &e), 0);
	is_not(s, "a", 0, ERR_NOT_FOUND, "deleted");
	is(s, "a", 1, "one");
	assert_int_equal(secret_store_stat(s, P, STR("a"), &meta, &e), 0);
	assert_true(meta.deleted);
	assert_int_equal(secret_store_delete(s, P, STR("a"), 2, false, &e), 0);
	is(s, "a", 0, "two");
	assert_int_equal(secret_store_remove(s, P, STR("a"), 1, &e), 0);
	is_not(s, "a", 1, ERR_NOT_FOUND,
	       "version 1 of this secret is destroyed");
	is(s, "a", 0, "two");
	assert_int_equal(secret_store_remove(s, P, STR("a"), 0, &e), 0);
	is_not(s, "a", 0, ERR_NOT_FOUND, "destroyed");
	assert_int_equal(secret_store_stat(s, P, STR("a"), &meta, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(secret_store_remove(s, P, STR("a"), 0, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	/* Numbers are not used again. */
	assert_int_equal(put_len(s, "a", "three", 5, 0, &v, &e), 0);
	assert_int_equal(v, 3);
	assert_int_equal(secret_store_verify(s, &e), 0);
	secret_store_close(s);
}

static void test_list(void **state)
{
	struct secret_store *s = open_store();
	struct secret *other = NULL;
	struct secret_meta m[4];
	struct err e;
	uint64_t v;
	size_t n = 0;

	(void)state;
	assert_int_equal(secret_new("v", 1, 0, &other, &e), 0);
	assert_int_equal(secret_store_put(s, STR("other"), STR("bb"), other,
					  SECRET_VALUE_JSON, 0, &v, &e),
			 0);
	secret_free(other);
	put(s, "c", "v");
	put(s, "a", "v");
	put(s, "d", "v");
	put(s, "b", "v");
	assert_int_equal(secret_store_remove(s, P, STR("c"), 0, &e), 0);
	assert_int_equal(secret_store_list(s, P, STR(""), m, 2, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_string_equal(m[0].name, "a");
	assert_string_equal(m[1].name, "b");
	assert_int_equal(secret_store_list(s, P, STR("b"), m, 4, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(m[0].name, "d");
	assert_int_equal(
		secret_store_list(s, STR("none"), STR(""), m, 4, &n, &e), 0);
	assert_int_equal(n, 0);
	/* A project's secret is not another's. */
	is_not(s, "bb", 0, ERR_NOT_FOUND, "no such");
	secret_store_close(s);
}

static void put_own(struct secret_store *s, struct str name, uint64_t *v)
{
	struct secret *value = NULL;
	struct err e;

	assert_int_equal(secret_new("v", 1, 0, &value, &e), 0);
	assert_int_equal(secret_store_put(s, STR(SECRET_STORE_OWN), name, value,
					  SECRET_VALUE_BYTES, SECRET_STORE_ANY,
					  v, &e),
			 0);
	secret_free(value);
}

/* What the store's owner keeps in it is listed and forgotten like the rest. */
static void test_forget(void **state)
{
	struct secret_store *s = open_store();
	struct secret_store_status is;
	struct secret_meta m[4];
	struct err e;
	uint64_t v;
	size_t n;

	(void)state;
	put(s, "a", "v");
	put_own(s, STR("k1"), &v);
	put_own(s, STR("k1"), &v);
	put_own(s, STR("k2"), &v);
	assert_int_equal(secret_store_list(s, STR(SECRET_STORE_OWN), STR(""), m,
					   4, &n, &e),
			 0);
	assert_int_equal(n, 2);
	assert_int_equal(
		secret_store_forget(s, STR(SECRET_STORE_OWN), STR("k1"), &e),
		0);
	assert_int_equal(
		secret_store_forget(s, STR(SECRET_STORE_OWN), STR("k1"), &e),
		-1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	secret_store_status(s, &is);
	assert_int_equal(is.secrets, 2);
	put_own(s, STR("k1"), &v);
	assert_int_equal(v, 1);
	assert_int_equal(secret_store_remove(s, P, STR("a"), 0, &e), 0);
	assert_int_equal(secret_store_forget(s, P, STR("a"), &e), 0);
	secret_store_close(s);
	s = open_store();
	assert_int_equal(secret_store_verify(s, &e), 0);
	secret_store_status(s, &is);
	assert_int_equal(is.secrets, 2);
	secret_store_close(s);
}

/* The removed ones make room, the oldest first; what is there never does. */
static void test_room(void **state)
{
	struct secret_store *s;
	struct secret_meta m;
	struct err e;
	uint64_t v;

	(void)state;
	opts.max_secrets = 3;
	s = open_store();
	put(s, "a", "v");
	put(s, "b", "v");
	put(s, "c", "v");
	assert_int_equal(put_len(s, "d", "v", 1, SECRET_STORE_ANY, &v, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(secret_store_remove(s, P, STR("b"), 0, &e), 0);
	assert_int_equal(secret_store_remove(s, P, STR("a"), 0, &e), 0);
	put(s, "d", "v");
	assert_int_equal(put_len(s, "a", "v", 1, 0, &v, &e), 0);
	assert_int_equal(v, 2);
	assert_int_equal(put_len(s, "b", "v", 1, SECRET_STORE_ANY, &v, &e), -1);
	assert_int_equal(secret_store_stat(s, P, STR("c"), &m, &e), 0);
	assert_int_equal(secret_store_verify(s, &e), 0);
	secret_store_close(s);
}

static void test_rotate(void **state)
{
	struct secret_store_status st;
	struct secret_store *s = open_store();
	char name[16];
	struct err e;
	uint64_t term = 0, left = 99;

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		put(s, name, name);
		put(s, name, name);
	}
	assert_int_equal(secret_store_rotate(s, &term, &e), 0);
	assert_int_equal(term, 2);
	put(s, "n3", "new");
	assert_int_equal(secret_store_rewrap(s, 4, &left, &e), 0);
	assert_int_equal(left, 5);
	secret_store_close(s);
	s = open_store(); /* as after a crash: it goes on */
	assert_int_equal(secret_store_rotate(s, &term, &e), 0);
	assert_int_equal(term, 3);
	is(s, "n9", 1, "n9");
	for (left = 1; left;)
		assert_int_equal(secret_store_rewrap(s, 4, &left, &e), 0);
	secret_store_status(s, &st);
	assert_int_equal(secret_store_rewrap(s, 4, &left, &e), 0);
	assert_int_equal(left, 0);
	assert_int_equal(st.term, 3);
	assert_int_equal(st.secrets, 10);
	is(s, "n3", 0, "new");
	is(s, "n9", 1, "n9");
	assert_int_equal(secret_store_verify(s, &e), 0);
	secret_store_close(s);
}

static void test_keys(void **state)
{
	static const unsigned char other[SECRET_STORE_KEY_LEN] = "another";
	struct secret *wrong = NULL, *tiny = NULL;
	struct err e;

	(void)state;
	assert_int_equal(secret_new(other, sizeof(other), 0, &wrong, &e), 0);
	assert_int_equal(secret_new(other, 31, 0, &tiny, &e), 0);
	opener.key = wrong;
	open_refused(ERR_DENIED, "does not open");
	opener.key = tiny;
	open_refused(ERR_INVALID, "31 bytes");
	opener.key = key;
	secret_store_close(open_store());
	secret_free(wrong);
	secret_free(tiny);
}

static void test_create_twice(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(secret_store_create(&opts, &opener, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	/* Never opened: it may be made again when it is gone. */
	assert_int_equal(unlink(db), 0);
	open_refused(ERR_NOT_FOUND, "no secret store");
	assert_int_equal(secret_store_create(&opts, &opener, &e), 0);
	secret_store_close(open_store());
	/* Opened once: a missing database is no reason to begin anew. */
	assert_int_equal(unlink(db), 0);
	assert_int_equal(secret_store_create(&opts, &opener, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "epoch file"));
}

/* --- other processes ------------------------------------------------------ */

static void test_second_process(void **state)
{
	struct secret_store *s = open_store();
	char holder[32];
	int status;
	pid_t pid;

	(void)state;
	snprintf(holder, sizeof(holder), "pid %d", (int)getpid());
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct err e;
		struct secret_store *mine = try_open(&e);

		_exit(mine                    ? 1 :
		      e.code != ERR_CONFLICT  ? 2 :
		      !strstr(e.text, holder) ? 3 :
						0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	open_refused(ERR_CONFLICT, holder); /* in the same one too */
	secret_store_close(s);
	secret_store_close(open_store());
}

/* Puts for ever; tells the version of each before it is known to be kept and
 * after. */
static void writer(int out)
{
	struct secret_store *s = NULL;
	struct err e = {0};
	char text[32];
	uint64_t n = 0, v, left;

	if (secret_store_open(&opts, &opener, 1, &s, &e))
		_exit(9);
	for (;; n++) {
		struct secret *value = NULL;

		snprintf(text, sizeof(text), "value %llu",
			 (unsigned long long)n);
		if (secret_new(text, strlen(text), 0, &value, &e) ||
		    secret_store_put(s, P, n % 2 ? STR("odd") : STR("even"),
				     value, SECRET_VALUE_BYTES,
				     SECRET_STORE_ANY, &v, &e))
			_exit(10);
		secret_free(value);
		if (n % 2 == 0 && write(out, &v, sizeof(v)) != sizeof(v))
			_exit(11);
		if (n % 5 == 4 && secret_store_rotate(s, &v, &e))
			_exit(12);
		if (n % 5 == 4 && secret_store_rewrap(s, 1, &left, &e))
			_exit(13);
		/* Refused as long as the one before is not done. */
		if (n % 7 == 6 && secret_store_rekey(s, &opener, 1, &v, &e) &&
		    e.code != ERR_CONFLICT)
			_exit(14);
	}
}

/* The last version that the child said was durable; it is dead afterwards. */
static uint64_t kill_a_writer(unsigned after_us)
{
	const struct timespec t = {0, (long)after_us * 1000};
	uint64_t v, last = 0;
	int out[2], status;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		writer(out[1]);
	close(out[1]);
	/* The first put is done; then at some point of some later one. */
	assert_int_equal(read(out[0], &v, sizeof(v)), sizeof(v));
	last = v;
	nanosleep(&t, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status)); /* it did not give up before */
	while (read(out[0], &v, sizeof(v)) == sizeof(v))
		last = v;
	close(out[0]);
	return last;
}

static void test_kill(void **state)
{
	unsigned seed = 20261123;

	(void)state;
	for (int round = 0; round < 25; round++) {
		struct secret_store *s;
		struct secret_meta meta;
		uint64_t last;
		struct err e = {0};

		seed = seed * 1103515245 + 12345;
		last = kill_a_writer(seed / 65536 % 12000);
		s = open_store();
		if (secret_store_verify(s, &e))
			fail_msg("round %d: %s", round, e.text);
		assert_int_equal(
			secret_store_stat(s, P, STR("even"), &meta, &e), 0);
		/* What was acknowledged is there, and at most one more. */
		assert_true(meta.current == last || meta.current == last + 1);
		secret_store_close(s);
	}
}

static void test_heap(void **state)
{
	struct err e;

	(void)state;
	/* The group's setup did it; SQLite is in use now. */
	assert_int_equal(secret_store_heap_init(&e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_versions),
		TEST(test_sizes),
		TEST(test_delete_and_remove),
		TEST(test_list),
		TEST(test_forget),
		TEST(test_room),
		TEST(test_rotate),
		TEST(test_keys),
		TEST(test_create_twice),
		TEST(test_second_process),
		TEST(test_kill),
		TEST(test_heap),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The secret store's files: the epoch outside, damage to the file itself, and
 * that nothing of a value can be read from any of them.
 */
#include "secretstore.h"

static void test_epoch_file(void **state)
{
	struct secret_store *s;
	char saved[128], other[128];
	struct err e;

	(void)state;
	fill();
	snprintf(saved, sizeof(saved), "%s/saved", top);
	copy(epoch_file, saved);
	assert_int_equal(unlink(epoch_file), 0);
	open_refused(ERR_CONFLICT, "epoch file is missing");
	for (size_t at = 0; at < 110; at++) {
		CLEANUP_FD int fd = -1;
		char c;

		/* A digit stays a digit, so that only the MAC can tell. */
		copy(saved, epoch_file);
		fd = open(epoch_file, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
		c = c == '1' ? '2' : '1';
		assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
		open_refused(ERR_CONFLICT, "rollback suspected");
	}
	assert_int_equal(truncate(epoch_file, 40), 0);
	open_refused(ERR_CONFLICT, "epoch file is damaged");
	/* An older file: the database is merely ahead of it. */
	copy(saved, epoch_file);
	s = open_store();
	put(s, "a", "x");
	secret_store_close(s);
	copy(saved, epoch_file);
	secret_store_close(open_store());
	/* Of another store. */
	snprintf(other, sizeof(other), "%s/other.db", top);
	opts.path = other;
	assert_int_equal(unlink(epoch_file), 0);
	assert_int_equal(secret_store_create(&opts, &opener, &e), 0);
	opts.path = db;
	open_refused(ERR_CONFLICT, "of another store");
}

/* The second directory is gone: one change passes, the next does not. */
static void test_epoch_unwritable(void **state)
{
	struct secret_store *s = open_store();
	struct secret_store_status st;
	char away[160];
	struct err e = {0};
	uint64_t v;

	(void)state;
	snprintf(away, sizeof(away), "%s.tmp", epoch_file);
	assert_int_equal(mkdir(away, 0700), 0); /* where it is written first */
	put(s, "a", "one");
	secret_store_status(s, &st);
	assert_true(st.epoch_stale);
	is(s, "a", 0, "one");
	assert_int_equal(put_len(s, "a", "two", 3, SECRET_STORE_ANY, &v, &e),
			 -1);
	assert_non_null(strstr(e.text, "epoch"));
	assert_int_equal(rmdir(away), 0);
	put(s, "a", "two");
	secret_store_status(s, &st);
	assert_false(st.epoch_stale);
	secret_store_close(s);
}

static void test_corrupt_file(void **state)
{
	static const char zeros[4096];
	char good[128];
	struct stat st;

	(void)state;
	fill();
	keep_good();
	snprintf(good, sizeof(good), "%s/good.db", top);
	assert_int_equal(stat(db, &st), 0);
	/* Cut off at every half page, and every page overwritten. */
	for (off_t at = 0; at < st.st_size; at += 2048) {
		copy(good, db);
		assert_int_equal(truncate(db, at), 0);
		assert_true(noticed());
	}
	for (off_t at = 0; at < st.st_size; at += 4096) {
		CLEANUP_FD int fd = -1;

		copy(good, db);
		fd = open(db, O_WRONLY);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, zeros, 4096, at), 4096);
		if (!noticed())
			fail_msg("page %lld was not noticed",
				 (long long)at / 4096 + 1);
	}
	copy(epoch_file, db);
	open_refused(ERR_INTERNAL, "damaged");
	assert_int_equal(unlink(db), 0);
	assert_int_equal(symlink(good, db), 0);
	open_refused(ERR_INVALID, "no regular file");
}
/* --- what can be read from the files -------------------------------------- */

static void no_trace(const char *path, const char *text)
{
	CLEANUP_BUF struct buf b = BUF_INIT(16 << 20);
	struct err e = {0};

	if (fd_read_file(AT_FDCWD, path, &b, &e)) {
		assert_int_equal(e.code, ERR_NOT_FOUND);
		return;
	}
	assert_null(memmem(b.data, b.len, text, strlen(text)));
}

static void look_for(const char *text)
{
	char path[128];

	no_trace(db, text);
	no_trace(epoch_file, text);
	snprintf(path, sizeof(path), "%s-wal", db);
	no_trace(path, text);
	snprintf(path, sizeof(path), "%s-journal", db);
	no_trace(path, text);
}

/* What a destroyed version left: its 48 bytes of wrapped key. */
static void read_wrap(char out[48])
{
	sqlite3_stmt *q = NULL;
	sqlite3 *lite = NULL;

	assert_int_equal(sqlite3_open_v2(db, &lite, SQLITE_OPEN_READONLY, NULL),
			 SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(lite, "SELECT wrap FROM versions WHERE " VA1,
				   -1, &q, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	assert_int_equal(sqlite3_column_bytes(q, 0), 48);
	memcpy(out, sqlite3_column_blob(q, 0), 48);
	sqlite3_finalize(q);
	assert_int_equal(sqlite3_close(lite), SQLITE_OK);
}

static void test_no_trace(void **state)
{
	static const char value[] = "Zg7-plain-text-nobody-should-find-8Qx";
	struct secret_store *s = open_store();
	char wrap[48];
	struct err e;

	(void)state;
	put(s, "a", value);
	look_for(value);
	look_for("plain-text");
	secret_store_close(s);
	look_for("plain-text");
	read_wrap(wrap);
	s = open_store();
	assert_int_equal(secret_store_remove(s, P, STR("a"), 0, &e), 0);
	for (int closed = 0; closed < 2; closed++) {
		CLEANUP_BUF struct buf b = BUF_INIT(16 << 20);
		char path[128];

		snprintf(path, sizeof(path), "%s%s", db, closed ? "" : "-wal");
		assert_int_equal(fd_read_file(AT_FDCWD, path, &b, &e), 0);
		assert_null(memmem(b.len ? b.data : "", b.len, wrap, 48));
		if (!closed)
			secret_store_close(s);
	}
}

static void test_modes(void **state)
{
	struct secret_store *s = open_store();
	char path[128];
	struct stat st;

	(void)state;
	put(s, "a", "v");
	assert_int_equal(stat(db, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(epoch_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s-wal", db);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	secret_store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_epoch_file),   TEST(test_epoch_unwritable),
		TEST(test_corrupt_file), TEST(test_no_trace),
		TEST(test_modes),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A fresh store in a directory of its own, for the tests of secrets/store. */
#pragma once

#include "base/fd.h"
#include "base/hash.h"
#include "secrets/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define P STR("default")

static char top[64], db[96], epoch_dir[96], epoch_file[128];
static struct secret_store_opts opts;
static struct secret *key;
static struct secret_opener opener;

static MAYBE_UNUSED int setup(void **state)
{
	static const unsigned char bytes[SECRET_STORE_KEY_LEN] = "the key";
	struct err e = {0};

	(void)state;
	snprintf(top, sizeof(top), "/tmp/nfo-secretstore-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(db, sizeof(db), "%s/secrets.db", top);
	snprintf(epoch_dir, sizeof(epoch_dir), "%s/elsewhere", top);
	snprintf(epoch_file, sizeof(epoch_file), "%s/secrets.epoch", epoch_dir);
	opts = (struct secret_store_opts){.path = db, .epoch_dir = epoch_dir};
	if (mkdir(epoch_dir, 0700) ||
	    secret_new(bytes, sizeof(bytes), 0, &key, &e))
		return -1;
	opener = (struct secret_opener){.key = key};
	return secret_store_create(&opts, &opener, &e);
}

static MAYBE_UNUSED int teardown(void **state)
{
	struct err e;

	(void)state;
	secret_free(key);
	key = NULL;
	return fd_remove_tree(AT_FDCWD, top, &e);
}

static MAYBE_UNUSED struct secret_store *open_store(void)
{
	struct secret_store *s = NULL;
	struct err e = {0};

	if (secret_store_open(&opts, &opener, 1, &s, &e))
		fail_msg("open: %s", e.text);
	return s;
}

/* How an open ends: the store, or NULL and *e. */
static MAYBE_UNUSED struct secret_store *try_open(struct err *e)
{
	struct secret_store *s = NULL;

	*e = (struct err){0};
	if (secret_store_open(&opts, &opener, 1, &s, e))
		assert_null(s);
	return s;
}

static MAYBE_UNUSED void open_refused(enum err_code code, const char *why)
{
	struct err e;
	struct secret_store *s = try_open(&e);

	if (s)
		fail_msg("it opened");
	if (e.code != code || !strstr(e.text, why))
		fail_msg("%s: \"%s\", not \"%s\"", err_code_name(e.code),
			 e.text, why);
}

static MAYBE_UNUSED int put_len(struct secret_store *s, const char *name,
				const void *p, size_t len, uint64_t expect,
				uint64_t *ret, struct err *e)
{
	struct secret *value = NULL;
	int rc;

	assert_int_equal(secret_new(p, len, 0, &value, e), 0);
	rc = secret_store_put(s, P, str_from(name), value, SECRET_VALUE_BYTES,
			      expect, ret, e);
	secret_free(value);
	return rc;
}

static MAYBE_UNUSED void put(struct secret_store *s, const char *name,
			     const char *text)
{
	struct err e = {0};
	uint64_t v;

	if (put_len(s, name, text, strlen(text), SECRET_STORE_ANY, &v, &e))
		fail_msg("put %s: %s", name, e.text);
}

static MAYBE_UNUSED int get(struct secret_store *s, const char *name,
			    uint64_t version, struct secret **ret,
			    struct err *e)
{
	*e = (struct err){0};
	return secret_store_get(s, P, str_from(name), version, ret, NULL, e);
}

static MAYBE_UNUSED void is(struct secret_store *s, const char *name,
			    uint64_t version, const char *text)
{
	struct secret *v = NULL;
	struct err e;

	if (get(s, name, version, &v, &e))
		fail_msg("get %s: %s", name, e.text);
	assert_int_equal(secret_bytes(v).n_bytes, strlen(text));
	assert_memory_equal(secret_bytes(v).bytes, text, strlen(text));
	secret_free(v);
}

static MAYBE_UNUSED void is_not(struct secret_store *s, const char *name,
				uint64_t version, enum err_code code,
				const char *why)
{
	struct secret *v = NULL;
	struct err e;

	assert_int_equal(get(s, name, version, &v, &e), -1);
	assert_null(v);
	if (e.code != code || !strstr(e.text, why))
		fail_msg("%s: \"%s\", not \"%s\"", err_code_name(e.code),
			 e.text, why);
}

/* --- tampering ------------------------------------------------------------ */

static MAYBE_UNUSED void sql(const char *text)
{
	sqlite3 *lite = NULL;
	char *why = NULL;

	assert_int_equal(
		sqlite3_open_v2(db, &lite, SQLITE_OPEN_READWRITE, NULL),
		SQLITE_OK);
	if (sqlite3_exec(lite, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	assert_true(sqlite3_total_changes(lite) > 0);
	assert_int_equal(sqlite3_close(lite), SQLITE_OK);
}

static MAYBE_UNUSED void copy(const char *from, const char *to)
{
	CLEANUP_BUF struct buf b = BUF_INIT(16 << 20);
	CLEANUP_FD int fd = -1;
	struct err e = {0};

	assert_int_equal(fd_read_file(AT_FDCWD, from, &b, &e), 0);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, b.data, b.len), 0);
}

static MAYBE_UNUSED void fill(void)
{
	struct secret_store *s = open_store();
	uint64_t term;
	struct err e;

	put(s, "a", "alpha one");
	put(s, "a", "alpha two");
	put(s, "b", "beta one");
	assert_int_equal(secret_store_rotate(s, &term, &e), 0);
	put(s, "b", "beta two");
	put(s, "c", "gamma");
	secret_store_close(s);
}

/* Noticed at open or, at the latest, when everything is looked at. */
static MAYBE_UNUSED bool noticed(void)
{
	struct err e;
	struct secret_store *s = try_open(&e);
	bool bad;

	if (!s) {
		assert_true(e.code == ERR_INTERNAL || e.code == ERR_DENIED ||
			    e.code == ERR_CONFLICT);
		return true;
	}
	bad = secret_store_verify(s, &e) != 0;
	if (bad) {
		assert_int_equal(e.code, ERR_INTERNAL);
		assert_non_null(strstr(e.text, "damaged"));
	}
	secret_store_close(s);
	return bad;
}

static MAYBE_UNUSED void keep_good(void)
{
	char good[128];

	snprintf(good, sizeof(good), "%s/good.db", top);
	copy(db, good);
}

#define VA1 "rowid = 1" /* version 1 of a, and so on in the order of fill() */
#define VA2 "rowid = 2"
#define VB1 "rowid = 3"

static MAYBE_UNUSED int group_setup(void **state)
{
	struct err e;

	(void)state;
	return secret_store_heap_init(&e);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

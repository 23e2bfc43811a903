/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Key files: made, read back, and every reason to refuse one. */
#include "base/fd.h"
#include "secrets/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64], dir[96], file[128];

static int setup(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/nfo-keyfile-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/d", top);
	snprintf(file, sizeof(file), "%s/key", dir);
	return mkdir(dir, 0700);
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	return fd_remove_tree(AT_FDCWD, top, &e);
}

static void write_file(const char *text, size_t len, mode_t mode)
{
	CLEANUP_FD int fd = -1;

	(void)unlink(file);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, len), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void refused(const char *path, enum err_code code, const char *why)
{
	struct secret *key = NULL;
	struct err e = {0};

	assert_int_equal(keyfile_read(path, &key, &e), -1);
	assert_null(key);
	assert_int_equal(e.code, code);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void accepted(const char *bytes)
{
	struct secret *key = NULL;
	struct err e = {0};

	if (keyfile_read(file, &key, &e))
		fail_msg("%s", e.text);
	assert_int_equal(secret_bytes(key).n_bytes, KEYFILE_KEY_LEN);
	assert_memory_equal(secret_bytes(key).bytes, bytes, KEYFILE_KEY_LEN);
	secret_free(key);
}

#define RAW "0123456789abcdef\n\0\xff fghijklmnopq"
#define HEX                                                                    \
	"30313233343536373839616263646566"                                     \
	"30313233343536373839616263646566"
#define HEX_RAW "0123456789abcdef0123456789abcdef"

static void test_content(void **state)
{
	(void)state;
	_Static_assert(sizeof(RAW) == 33, "32 bytes");
	write_file(RAW, 32, 0600);
	accepted(RAW);
	write_file(HEX, 64, 0400);
	accepted(HEX_RAW);
	write_file(HEX "\n", 65, 0600);
	accepted(HEX_RAW);
	for (size_t len = 0; len <= 66; len++) {
		if (len == 32 || len == 64 || len == 65)
			continue;
		write_file(HEX "\n\n", len, 0600);
		refused(file, ERR_INVALID, "32 bytes or 64");
	}
	write_file(HEX "0", 65, 0600);
	refused(file, ERR_INVALID, "32 bytes or 64");
	write_file("g" HEX, 64, 0600);
	refused(file, ERR_INVALID, "32 bytes or 64");
}

static void test_create(void **state)
{
	struct secret *a = NULL, *b = NULL;
	struct stat st;
	struct err e;
	mode_t old;

	(void)state;
	old = umask(0);
	assert_int_equal(keyfile_create(file, &e), 0);
	umask(old);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	assert_int_equal(keyfile_read(file, &a, &e), 0);
	assert_int_equal(keyfile_create(file, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_int_equal(keyfile_read(file, &b, &e), 0);
	assert_true(secret_eq(a, b));
	secret_free(b);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(keyfile_create(file, &e), 0);
	assert_int_equal(keyfile_read(file, &b, &e), 0);
	assert_false(secret_eq(a, b));
	secret_free(a);
	secret_free(b);
	/* A link that leads nowhere is something of that name. */
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("elsewhere", file), 0);
	assert_int_equal(keyfile_create(file, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
}

static void test_modes(void **state)
{
	char why[32];

	(void)state;
	for (mode_t bit = 1; bit < 0100; bit <<= 1) {
		write_file(RAW, 32, 0600 | bit);
		snprintf(why, sizeof(why), "mode %03o", 0600 | bit);
		refused(file, ERR_DENIED, why);
	}
}

static void test_kinds(void **state)
{
	char other[160], path[200];

	(void)state;
	refused(file, ERR_NOT_FOUND, "is not there");
	refused("key", ERR_INVALID, "absolute");
	refused("", ERR_INVALID, "absolute");
	snprintf(other, sizeof(other), "%s/other", dir);
	write_file(RAW, 32, 0600);
	assert_int_equal(link(file, other), 0);
	refused(file, ERR_DENIED, "2 links");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("other", file), 0);
	refused(file, ERR_DENIED, "symbolic link");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkdir(file, 0700), 0);
	refused(file, ERR_DENIED, "no regular file");
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	refused(file, ERR_DENIED, "no regular file");
	assert_int_equal(unlink(file), 0);
	/* A linked directory on the way. */
	snprintf(path, sizeof(path), "%s/link", top);
	assert_int_equal(symlink("d", path), 0);
	snprintf(path, sizeof(path), "%s/link/other", top);
	refused(path, ERR_DENIED, "symbolic link");
	snprintf(path, sizeof(path), "%s/none/other", top);
	refused(path, ERR_NOT_FOUND, "directory");
	snprintf(path, sizeof(path), "%s/other/x", dir);
	refused(path, ERR_INTERNAL, "directory");
}

static void test_directories(void **state)
{
	struct err e;

	(void)state;
	write_file(RAW, 32, 0600);
	assert_int_equal(chmod(dir, 0770), 0);
	refused(file, ERR_DENIED, "mode 770");
	assert_int_equal(keyfile_create(file, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(chmod(dir, 0702), 0);
	refused(file, ERR_DENIED, "writable by group or others");
	assert_int_equal(chmod(dir, 01777), 0);
	accepted(RAW);
	assert_int_equal(chmod(dir, 0755), 0);
	accepted(RAW);
	/* One further up counts as well. */
	assert_int_equal(chmod(top, 0722), 0);
	refused(file, ERR_DENIED, "mode 722");
	assert_int_equal(chmod(top, 0700), 0);
	accepted(RAW);
}

/* Only root can give files away; another user reads a system file instead. */
static void test_owners(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	write_file(RAW, 32, 0600);
	assert_int_equal(chown(file, 12345, 0), 0);
	refused(file, ERR_DENIED, "uid 12345");
	assert_int_equal(chown(file, 0, 12345), 0);
	accepted(RAW);
	assert_int_equal(chown(dir, 12345, 0), 0);
	refused(file, ERR_DENIED, "uid 12345");
	assert_int_equal(chown(dir, 0, 0), 0);
	assert_int_equal(chown(top, 12345, 0), 0);
	refused(file, ERR_DENIED, "uid 12345");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_content), TEST(test_create),      TEST(test_modes),
		TEST(test_kinds),   TEST(test_directories), TEST(test_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

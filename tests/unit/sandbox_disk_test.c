/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What disk_used() counts, and what ends it. */
#include "base/fd.h"
#include "sandbox/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_LEN = 64 << 10
};

static char dir_path[64];
static int dir = -1;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir_path, sizeof(dir_path), "/tmp/nfo-disk-XXXXXX");
	if (!mkdtemp(dir_path))
		return -1;
	dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	fd_close(&dir);
	return fd_remove_tree(AT_FDCWD, dir_path, &e);
}

static void make_file(int at, const char *name)
{
	static const char block[FILE_LEN] = {1};
	int fd =
		openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, block, sizeof(block)), 0);
	assert_int_equal(fsync(fd), 0); /* delayed allocation has no blocks */
	fd_close(&fd);
}

static void test_files_in_directories_are_counted(void **state)
{
	int sub;

	(void)state;
	assert_int_equal(mkdirat(dir, "sub", 0700), 0);
	sub = openat(dir, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_file(dir, "a");
	make_file(sub, "b");
	fd_close(&sub);
	assert_in_range(disk_used(dir, UINT64_MAX), 2 * FILE_LEN,
			2 * FILE_LEN + 16384);
}

static void test_a_file_with_two_names_is_one(void **state)
{
	(void)state;
	make_file(dir, "a");
	assert_int_equal(linkat(dir, "a", dir, "b", 0), 0);
	assert_in_range(disk_used(dir, UINT64_MAX), FILE_LEN, FILE_LEN + 8192);
}

static void test_no_link_is_followed(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("/usr", dir, "usr"), 0);
	assert_int_equal(symlinkat(".", dir, "self"), 0);
	assert_in_range(disk_used(dir, UINT64_MAX), 0, 8192);
}

static void test_a_hole_is_nothing(void **state)
{
	int fd = openat(dir, "hole", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	fd_close(&fd);
	assert_in_range(disk_used(dir, UINT64_MAX), 0, 8192);
}

static void test_counting_ends_where_it_is_too_much(void **state)
{
	uint64_t used;

	(void)state;
	for (int i = 0; i < 8; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%d", i);
		make_file(dir, name);
	}
	used = disk_used(dir, FILE_LEN);
	assert_in_range(used, FILE_LEN + 1, 3 * FILE_LEN);
}

static void test_a_closed_directory_is_nothing(void **state)
{
	(void)state;
	assert_int_equal(disk_used(-1, 1), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_files_in_directories_are_counted),
		TEST(test_a_file_with_two_names_is_one),
		TEST(test_no_link_is_followed),
		TEST(test_a_hole_is_nothing),
		TEST(test_counting_ends_where_it_is_too_much),
		TEST(test_a_closed_directory_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

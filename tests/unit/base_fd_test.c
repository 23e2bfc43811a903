/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Descriptors, and the fields of a message. */
#include "base/fd.h"
#include "base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void ok(int r, const struct err *e)
{
	if (r)
		print_error("%s\n", e->text);
	assert_int_equal(r, 0);
}

static void test_files_are_whole_or_not_there(void **state)
{
	char path[] = "/tmp/nfo-base-XXXXXX";
	struct buf b = BUF_INIT(5);
	struct stat st;
	struct err e;
	int dir, fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fd_write_file(dir, "f", STR("12345"), 0640, &e), &e);
	assert_int_equal(fstatat(dir, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(faccessat(dir, "f.tmp", F_OK, 0), -1);
	ok(fd_read_file(dir, "f", &b, &e), &e);
	assert_true(str_is(buf_view(&b), "12345"));
	buf_reset(&b);
	ok(fd_write_file(dir, "f", STR("123456"), 0640, &e), &e);
	assert_int_equal(fd_read_file(dir, "f", &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(fd_read_file(dir, "none", &b, &e), -1);
	assert_int_equal(e.sys, ENOENT);

	/* no way out: by a link, by "..", by the root */
	assert_int_equal(symlinkat("/etc", dir, "link"), 0);
	assert_int_equal(fd_open_beneath(dir, "link/passwd", O_RDONLY, 0), -1);
	assert_int_equal(fd_open_beneath(dir, "../x", O_RDONLY, 0), -1);
	assert_int_equal(fd_open_beneath(dir, "/etc/passwd", O_RDONLY, 0), -1);
	fd = fd_open_beneath(dir, "f", O_RDONLY, 0);
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd_close(&fd);
	assert_int_equal(fd, -1);
	fd_close(&dir);
	ok(fd_remove_tree(AT_FDCWD, path, &e), &e);
	ok(fd_remove_tree(AT_FDCWD, path, &e), &e);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	buf_done(&b);
}

static void test_a_sealed_memory_file_never_changes(void **state)
{
	struct buf b = BUF_INIT(64);
	struct err e;
	size_t len;
	int fd = fd_memfd_sealed("x", STR("hello"), &e), open_one;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "j", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	ok(fd_memfd_check(fd, 5, &len, &e), &e);
	assert_int_equal(len, 5);
	assert_int_equal(fd_memfd_check(fd, 4, &len, &e), -1);
	ok(fd_memfd_read(fd, &b, &e), &e);
	assert_true(str_is(buf_view(&b), "hello"));
	fd_close(&fd);
	/* one that somebody else could still write to is not taken */
	open_one = memfd_create("y", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(open_one, "a", 1), 1);
	assert_int_equal(fd_memfd_check(open_one, 5, &len, &e), -1);
	fd_close(&open_one);
	buf_done(&b);
}

/* --- the wire ----------------------------------------------------------- */

static void test_fields_come_back(void **state)
{
	struct wire_writer w = {.len = 0};
	struct wire_reader r;
	char raw[3];

	(void)state;
	wire_u8(&w, 200);
	wire_u16(&w, 0xabcd);
	wire_u32(&w, 0xdeadbeef);
	wire_u64(&w, UINT64_MAX - 1);
	wire_i64(&w, INT64_MIN);
	wire_str(&w, STR("text"));
	wire_bytes(&w, "raw", 3);
	r = wire_reader(w.data, w.len);
	assert_int_equal(wire_get_u8(&r), 200);
	assert_int_equal(wire_get_u16(&r), 0xabcd);
	assert_int_equal(wire_get_u32(&r), 0xdeadbeef);
	assert_true(wire_get_u64(&r) == UINT64_MAX - 1);
	assert_true(wire_get_i64(&r) == INT64_MIN);
	assert_true(str_is(wire_get_str(&r, 4), "text"));
	assert_false(wire_end(&r)); /* something is left */
	wire_get_bytes(&r, raw, 3);
	assert_memory_equal(raw, "raw", 3);
	assert_true(wire_end(&r));
	assert_int_equal(wire_get_u8(&r), 0); /* behind the end */
	assert_false(wire_end(&r));
}

static void test_the_wire_keeps_its_bounds(void **state)
{
	struct wire_writer w = {.len = 0};
	struct wire_reader r;
	static char big[WIRE_MAX];

	(void)state;
	wire_str(&w, STR("12345"));
	r = wire_reader(w.data, w.len);
	assert_int_equal(wire_get_str(&r, 4).len, 0); /* longer than allowed */
	assert_false(wire_end(&r));
	r = wire_reader(w.data, w.len - 1); /* cut */
	assert_int_equal(wire_get_str(&r, 9).len, 0);
	assert_int_equal(wire_get_u8(&r), 0); /* a failure sticks */
	assert_false(wire_end(&r));
	wire_bytes(&w, big, sizeof(big));
	assert_true(w.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_are_whole_or_not_there),
		cmocka_unit_test(test_a_sealed_memory_file_never_changes),
		cmocka_unit_test(test_fields_come_back),
		cmocka_unit_test(test_the_wire_keeps_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

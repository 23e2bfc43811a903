/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The log of an attempt: what is gathered, when it shows, and where it ends. */
#include "base/fd.h"
#include "base/mem.h"
#include "runner/logfile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	RECS_MAX = 2000
};

static struct logidx_rec recs[RECS_MAX];

static int scratch(void)
{
	int fd = (int)memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t size(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_size;
}

/* As a reader sees it; checks that frames lie one behind another. */
static size_t read_back(const struct logfile *l)
{
	uint64_t at = 0;
	struct err e;
	size_t n;

	assert_int_equal(logidx_read(l->idx_fd, 1, size(l->data_fd), recs,
				     RECS_MAX, &n, &e),
			 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(recs[i].offset, at);
		at += recs[i].len;
	}
	assert_int_equal(at, size(l->data_fd));
	return n;
}

static void pieces_become_one_frame(void **state)
{
	struct logfile l;
	char text[6];

	(void)state;
	logfile_init(&l, scratch(), scratch(), 0);
	logfile_write(&l, LOGIDX_STDOUT, REDACTED("ab"));
	logfile_write(&l, LOGIDX_STDOUT, REDACTED("c"));
	logfile_write(&l, LOGIDX_STDERR, REDACTED("d"));
	logfile_write(&l, LOGIDX_STDOUT, REDACTED("ef"));
	assert_int_equal(size(l.data_fd), 0);
	assert_int_equal(size(l.idx_fd), 0);
	logfile_flush(&l);
	assert_int_equal(read_back(&l), 3);
	assert_int_equal(recs[0].len, 3);
	assert_int_equal(recs[1].stream, LOGIDX_STDERR);
	assert_int_equal(pread(l.data_fd, text, 6, 0), 6);
	assert_memory_equal(text, "abcdef", 6);
	/* A frame that a reader has seen does not grow. */
	logfile_write(&l, LOGIDX_STDOUT, REDACTED("g"));
	logfile_flush(&l);
	assert_int_equal(read_back(&l), 4);
	close(l.data_fd);
	close(l.idx_fd);
	logfile_done(&l);
}

static void small_and_large_keep_their_order(void **state)
{
	size_t len = 300000, at = 0, piece = 1;
	char *text = mem_alloc(len), *back = mem_alloc(len);
	struct logfile l;

	(void)state;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(i * 7 + i / 251);
	logfile_init(&l, scratch(), scratch(), 0);
	for (unsigned i = 0; at < len; i++, piece = piece * 5 % 70001) {
		size_t n = piece < len - at ? piece : len - at;

		logfile_write(&l, i % 3 ? LOGIDX_STDOUT : LOGIDX_STDERR,
			      redacted_vouch(str_n(text + at, n)));
		at += n;
	}
	for (unsigned i = 0; i < 1000; i++) /* more than are gathered */
		logfile_write(&l, i % 2 ? LOGIDX_STDOUT : LOGIDX_STDERR,
			      REDACTED("x"));
	logfile_flush(&l);
	assert_true(read_back(&l) > 1000);
	assert_int_equal(size(l.data_fd), len + 1000);
	assert_int_equal(pread(l.data_fd, back, len, 0), len);
	assert_memory_equal(back, text, len);
	close(l.data_fd);
	close(l.idx_fd);
	logfile_done(&l);
	mem_free(text);
	mem_free(back);
}

static void the_limit_cuts_once(void **state)
{
	struct logfile l;
	struct err e;

	(void)state;
	logfile_init(&l, scratch(), scratch(), 5);
	logfile_write(&l, LOGIDX_STDOUT, REDACTED("abc"));
	logfile_write(&l, LOGIDX_STDOUT, REDACTED("defg"));
	logfile_write(&l, LOGIDX_STDOUT, REDACTED("h"));
	logfile_say(&l, REDACTED("nfo: said"));
	assert_int_equal(logfile_sync(&l, &e), 0);
	assert_true(l.cut);
	assert_int_equal(read_back(&l), 3);
	assert_int_equal(recs[0].len, 5);
	assert_int_equal(recs[1].flags, LOGIDX_CUT);
	assert_int_equal(recs[2].len, 10);
	close(l.data_fd);
	close(l.idx_fd);
	logfile_done(&l);
}

static void a_full_disk_is_said(void **state)
{
	struct logfile l;
	struct err e;

	(void)state;
	logfile_init(&l, scratch(), open("/dev/full", O_WRONLY | O_CLOEXEC), 0);
	logfile_write(&l, LOGIDX_STDOUT, REDACTED("abc"));
	assert_int_equal(l.bytes, 3);
	logfile_flush(&l);
	assert_true(l.failed);
	assert_int_equal(l.bytes, 0); /* no reader sees them */
	assert_int_equal(logfile_sync(&l, &e), -1);
	close(l.data_fd);
	close(l.idx_fd);
	logfile_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_become_one_frame),
		cmocka_unit_test(small_and_large_keep_their_order),
		cmocka_unit_test(the_limit_cuts_once),
		cmocka_unit_test(a_full_disk_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The index of a log: what was written comes back, what a crash left does
 * not. */
#include "base/fd.h"
#include "proto/logidx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	N = 600
}; /* more than one read's worth */

static int make_index(size_t n)
{
	int fd = memfd_create("idx", MFD_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t i = 0; i < n; i++) {
		unsigned char raw[LOGIDX_LEN];
		struct logidx_rec r = {.time_us = 1000 + (int64_t)i,
				       .offset = 10 * i,
				       .len = 10,
				       .stream = (uint8_t)(1 + i % 3)};

		logidx_encode(&r, raw);
		assert_int_equal(fd_write_all(fd, raw, sizeof(raw)), 0);
	}
	return fd;
}

static size_t count(int fd, uint64_t seq, uint64_t data_len)
{
	static struct logidx_rec recs[N + 10];
	size_t n = 12345;

	assert_int_equal(logidx_read(fd, seq, data_len, recs, N + 10, &n, NULL),
			 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(recs[i].offset, 10 * (seq - 1 + i));
		assert_int_equal(recs[i].time_us, 1000 + seq - 1 + i);
		assert_int_equal(recs[i].stream, 1 + (seq - 1 + i) % 3);
	}
	return n;
}

static void test_round_trip(void **state)
{
	int fd = make_index(N);

	(void)state;
	assert_int_equal(count(fd, 1, 10 * N), N);
	assert_int_equal(count(fd, 301, 10 * N), N - 300);
	assert_int_equal(count(fd, N + 1, 10 * N), 0);
	assert_int_equal(count(fd, N + 1000, 10 * N), 0);
	close(fd);
}

static void test_torn_tail(void **state)
{
	int fd = make_index(N);

	(void)state;
	assert_int_equal(ftruncate(fd, N * LOGIDX_LEN - 1), 0);
	assert_int_equal(count(fd, 1, 10 * N), N - 1);
	/* zeros, as a file system may leave them, are no record */
	assert_int_equal(ftruncate(fd, (N + 5) * LOGIDX_LEN), 0);
	assert_int_equal(count(fd, 1, 10 * N), N - 1);
	close(fd);
}

static void test_flipped_bit(void **state)
{
	unsigned char raw[LOGIDX_LEN];
	struct logidx_rec r = {.time_us = 1, .len = 5, .stream = LOGIDX_STDOUT};
	struct logidx_rec out;

	(void)state;
	logidx_encode(&r, raw);
	assert_int_equal(logidx_decode(raw, &out), 0);
	for (size_t bit = 0; bit < 8 * LOGIDX_LEN; bit++) {
		raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(logidx_decode(raw, &out), -1);
		raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

static void test_frame_beyond_data(void **state)
{
	int fd = make_index(10);

	(void)state;
	assert_int_equal(count(fd, 1, 100), 10);
	assert_int_equal(count(fd, 1, 99), 9);
	assert_int_equal(count(fd, 1, 0), 0);
	close(fd);
}

static void test_bad_fields(void **state)
{
	struct logidx_rec bad[] = {
		{.len = 5,                    .stream = 0, .flags = 0   },
		{.len = 5,                    .stream = 4, .flags = 0   },
		{.len = 0,                    .stream = 1, .flags = 0   },
		{.len = LOGIDX_FRAME_MAX + 1, .stream = 1, .flags = 0   },
		{.len = 5,                    .stream = 1, .flags = 0x80},
	};
	struct logidx_rec cut = {.stream = 1, .flags = LOGIDX_CUT}, out;
	unsigned char raw[LOGIDX_LEN];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		logidx_encode(&bad[i], raw);
		assert_int_equal(logidx_decode(raw, &out), -1);
	}
	logidx_encode(&cut, raw);
	assert_int_equal(logidx_decode(raw, &out), 0);
	assert_int_equal(logidx_read(0, 0, 0, &out, 1, &n, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_torn_tail),
		cmocka_unit_test(test_flipped_bit),
		cmocka_unit_test(test_frame_beyond_data),
		cmocka_unit_test(test_bad_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

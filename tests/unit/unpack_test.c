/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Archives as they come: what is handed on, and what bounds it.  (Archives of
 * the real tools are in tests/system/test_redaction.py.) */
#include "base/mem.h"
#include "unpack/unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

enum {
	ROOM = 1 << 20
};

struct seen {
	char text[UNPACK_DEPTH][64];
	size_t n[UNPACK_DEPTH];
	uint64_t bytes;
	unsigned fresh;
	bool stop;
};

static int on_bytes(void *ctx, unsigned level, bool fresh, const void *p,
		    size_t len)
{
	struct seen *s = ctx;
	size_t room = sizeof(s->text[0]) - s->n[level - 1];

	s->bytes += len;
	s->fresh += fresh;
	if (len < room) {
		memcpy(s->text[level - 1] + s->n[level - 1], p, len);
		s->n[level - 1] += len;
	}
	return s->stop;
}

static size_t gzip(const void *p, size_t len, uint8_t *out)
{
	z_stream z = {0};
	size_t n;

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8,
				      Z_DEFAULT_STRATEGY),
			 Z_OK);
	z.next_in = (uint8_t *)p;
	z.avail_in = (unsigned)len;
	z.next_out = out;
	z.avail_out = ROOM;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = ROOM - z.avail_out;
	deflateEnd(&z);
	return n;
}

static int through(const void *p, size_t len, struct unpack_limits limits,
		   struct seen *s, struct err *e)
{
	struct unpack *u = unpack_new(&limits, on_bytes, s);
	int r = unpack_feed(u, p, len, e);

	unpack_free(u);
	return r;
}

static const struct unpack_limits wide = {1 << 30, 2000};

static void test_levels(void **state)
{
	CLEANUP_MEM uint8_t *a = mem_alloc(ROOM), *b = mem_alloc(ROOM);
	struct seen s = {0};
	struct err e;
	size_t n = gzip("the text", 8, a);

	(void)state;
	for (unsigned depth = 1; depth <= UNPACK_DEPTH; depth++) {
		s = (struct seen){0};
		assert_int_equal(through(a, n, wide, &s, &e), 0);
		assert_string_equal(s.text[depth - 1], "the text");
		assert_int_equal(s.fresh, depth);
		n = gzip(a, n, b);
		memcpy(a, b, n);
	}
	/* One more than is looked into: not an error, but not seen. */
	s = (struct seen){0};
	assert_int_equal(through(a, n, wide, &s, &e), 0);
	assert_int_not_equal(memcmp(s.text[2], "the text", 8), 0);
}

static void test_stop(void **state)
{
	CLEANUP_MEM uint8_t *a = mem_alloc(ROOM);
	struct seen s = {.stop = true};
	struct err e;
	size_t n = gzip("the text", 8, a);

	(void)state;
	assert_int_equal(through(a, n, wide, &s, &e), 1);
}

static void test_broken(void **state)
{
	CLEANUP_MEM uint8_t *a = mem_alloc(ROOM);
	struct err e;
	size_t n = gzip("the text", 8, a);

	(void)state;
	for (size_t i = 3; i < n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct seen s = {0};

			a[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(through(a, n, wide, &s, &e), 0);
			a[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t len = 0; len < n; len++) {
		struct seen s = {0};

		assert_int_equal(through(a, len, wide, &s, &e), 0);
	}
}

static void test_limits(void **state)
{
	CLEANUP_MEM uint8_t *zeros = mem_alloc(64 << 20);
	CLEANUP_MEM uint8_t *a = mem_alloc(ROOM), *b = mem_alloc(ROOM);
	struct seen s = {0};
	size_t n, m;
	struct err e;

	(void)state;
	memset(zeros, 0, 64 << 20);
	n = gzip(zeros, 64 << 20, a);
	/* One level is what it is. */
	assert_int_equal(
		through(a, n, (struct unpack_limits){1 << 30, 1100}, &s, &e),
		0);
	assert_int_equal(s.bytes, 64 << 20);
	s = (struct seen){0};
	assert_int_equal(
		through(a, n, (struct unpack_limits){1 << 24, 1100}, &s, &e),
		-1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_in_range(s.bytes, 1, 1 << 24);
	/* In another it is much more than could be of one. */
	m = gzip(a, n, b);
	assert_in_range(m, 1, n / 10);
	s = (struct seen){0};
	assert_int_equal(
		through(b, m, (struct unpack_limits){1 << 30, 1100}, &s, &e),
		-1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_in_range(s.bytes, 1 << 20, m * 1100 + (1 << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

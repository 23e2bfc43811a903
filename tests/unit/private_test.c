/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Private files: what was sealed comes back, whatever else is refused. */
#include "base/buf.h"
#include "base/mem.h"
#include "secrets/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	TAG = 16,
	MAX = 4 * PRIVATE_SEGMENT
};

static struct secret *key, *other;
static unsigned char plain[MAX];

static int to_buf(void *ctx, const void *p, size_t len, struct err *e)
{
	return buf_put(ctx, p, len) ? 0 : err_set(e, ERR_LIMIT, "no more room");
}

static void seal_all(struct buf *out, size_t len, size_t step)
{
	struct private_seal *s = private_seal_new(key, STR("run"), to_buf, out);
	struct err e;

	for (size_t at = 0; at < len; at += step)
		assert_int_equal(
			private_seal_put(s, plain + at,
					 len - at < step ? len - at : step, &e),
			0);
	assert_int_equal(private_seal_end(s, &e), 0);
	private_seal_free(s);
}

static int open_all(const void *p, size_t len, const struct secret *k,
		    struct str what, struct buf *out)
{
	int fd = (int)memfd_create("sealed", MFD_CLOEXEC);
	struct err e;
	int bad;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, len), (ssize_t)len);
	buf_reset(out);
	bad = private_open(fd, k, what, to_buf, out, &e);
	close(fd);
	return bad;
}

static void test_round_trip(void **state)
{
	static const size_t lens[] = {0,
				      1,
				      1000,
				      PRIVATE_SEGMENT - 1,
				      PRIVATE_SEGMENT,
				      PRIVATE_SEGMENT + 1,
				      2 * PRIVATE_SEGMENT,
				      3 * PRIVATE_SEGMENT + 77};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(2 * MAX);
		CLEANUP_BUF struct buf got = BUF_INIT(MAX);
		uint64_t len;
		struct err e;

		seal_all(&b, lens[i], 4093);
		assert_int_equal(private_length(b.len, &len, &e), 0);
		assert_int_equal(len, lens[i]);
		assert_int_equal(open_all(b.data, b.len, key, STR("run"), &got),
				 0);
		assert_true(
			str_eq(buf_view(&got), str_n((char *)plain, lens[i])));
		if (lens[i] >= 16)
			assert_null(memmem(b.data, b.len, plain, 16));
		assert_int_equal(
			open_all(b.data, b.len, other, STR("run"), &got), -1);
		assert_int_equal(
			open_all(b.data, b.len, key, STR("another"), &got), -1);
	}
}

/* A flipped bit, a segment less, twice, or in another's place. */
static void test_changed(void **state)
{
	const size_t whole = PRIVATE_SEGMENT + TAG;
	CLEANUP_BUF struct buf b = BUF_INIT(2 * MAX), got = BUF_INIT(MAX);
	CLEANUP_MEM char *two = NULL;
	size_t at;

	(void)state;
	seal_all(&b, 3 * PRIVATE_SEGMENT + 5, MAX);
	for (size_t i = 0; i < b.len; i += i < 200 ? 1 : 9973) {
		b.data[i] ^= 1;
		assert_int_equal(open_all(b.data, b.len, key, STR("run"), &got),
				 -1);
		b.data[i] ^= 1;
	}
	for (size_t cut = 1; cut < b.len; cut += cut < 100 ? 1 : 9973)
		assert_int_equal(
			open_all(b.data, b.len - cut, key, STR("run"), &got),
			-1);
	/* without the last segment, without the first, the first two swapped */
	at = PRIVATE_HEAD;
	assert_int_equal(
		open_all(b.data, at + 3 * whole, key, STR("run"), &got), -1);
	two = mem_alloc(b.len);
	memcpy(two, b.data, at);
	memcpy(two + at, b.data + at + whole, b.len - at - whole);
	assert_int_equal(open_all(two, b.len - whole, key, STR("run"), &got),
			 -1);
	memcpy(two, b.data, b.len);
	memcpy(two + at, b.data + at + whole, whole);
	memcpy(two + at + whole, b.data + at, whole);
	assert_int_equal(open_all(two, b.len, key, STR("run"), &got), -1);
	assert_int_equal(open_all(b.data, b.len, key, STR("run"), &got), 0);
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	for (size_t i = 0; i < MAX; i++)
		plain[i] = (unsigned char)(i * 31 + i / 256);
	return secret_new("0123456789abcdef0123456789abcdef", 32, 0, &key,
			  &e) ||
	       secret_new("1123456789abcdef0123456789abcdef", 32, 0, &other,
			  &e);
}

static int teardown(void **state)
{
	(void)state;
	secret_free(key);
	secret_free(other);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_changed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

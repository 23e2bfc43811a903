/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Compressing piece by piece; that it comes out again is tested with the
 * programs of others (tests/system/test_coding.py). */
#include "api/squeeze.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	LEN = 300000,
	PIECE = 7001
};

static char *text(void)
{
	char *p = mem_alloc(LEN);
	uint32_t x = 1;

	for (size_t i = 0; i < LEN; i++) {
		x = x * 1103515245 + 12345;
		p[i] = (char)('a' + (x >> 28));
	}
	return p;
}

/* How it begins (RFC 1952, RFC 8878). */
static void is_coded(enum coding c, const struct buf *b)
{
	struct str magic =
		c == CODING_GZIP ? STR("\x1f\x8b") : STR("\x28\xb5\x2f\xfd");

	assert_true(str_starts(buf_view(b), magic));
}

static void pieces(void **state)
{
	CLEANUP_MEM char *in = text();

	(void)state;
	for (enum coding c = CODING_GZIP; c <= CODING_ZSTD; c++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
		struct squeeze *s = squeeze_new(c);

		assert_non_null(s);
		for (size_t at = 0; at < LEN; at += PIECE) {
			size_t n = LEN - at < PIECE ? LEN - at : PIECE;

			assert_int_equal(squeeze_put(s, str_n(in + at, n),
						     SQUEEZE_MORE, &b),
					 0);
		}
		assert_int_equal(squeeze_put(s, STR(""), SQUEEZE_END, &b), 0);
		assert_in_range(b.len, LEN / 3, LEN * 3 / 4); /* of 4 bits */
		is_coded(c, &b);
		squeeze_free(s);
	}
}

/* A flush gives something each time, more gives nothing yet. */
static void flushed(void **state)
{
	(void)state;
	for (enum coding c = CODING_GZIP; c <= CODING_ZSTD; c++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
		struct squeeze *s = squeeze_new(c);

		for (int i = 0; i < 3; i++) {
			size_t before = b.len;

			assert_int_equal(squeeze_put(s, STR("a line\n"),
						     SQUEEZE_FLUSH, &b),
					 0);
			assert_true(b.len > before);
		}
		is_coded(c, &b);
		squeeze_free(s);
	}
}

/* Where there is no room it says so. */
static void full(void **state)
{
	CLEANUP_MEM char *in = text();

	(void)state;
	for (enum coding c = CODING_GZIP; c <= CODING_ZSTD; c++) {
		CLEANUP_BUF struct buf b = BUF_INIT(40000);
		struct squeeze *s = squeeze_new(c);

		assert_int_equal(
			squeeze_put(s, str_n(in, LEN), SQUEEZE_END, &b), -1);
		squeeze_free(s);
	}
}

static void codings(void **state)
{
	static const struct {
		const char *accept;
		enum coding want;
	} rows[] = {
		{NULL,                     CODING_NONE},
		{"",		       CODING_NONE},
		{"gzip",                   CODING_GZIP},
		{"GZip",                   CODING_GZIP},
		{"zstd, gzip",             CODING_ZSTD},
		{"zstd;q=0.1, gzip;q=0.2", CODING_GZIP},
		{"zstd;q=0, gzip;q=0",     CODING_NONE},
		{"*",		      CODING_ZSTD},
		{"*;q=0, gzip",            CODING_GZIP},
		{"gzip, *;q=0",            CODING_GZIP},
		{"zstd;q=0, *",            CODING_GZIP},
		{"br, deflate",            CODING_NONE},
		{"identity, gzip;q=0.5",   CODING_NONE},
		{"identity;q=0.5, gzip",   CODING_GZIP},
		{"gzip;q=x",               CODING_NONE},
		{",;,=;gzip",              CODING_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (coding_pick(str_from(rows[i].accept)) != rows[i].want)
			fail_msg("%s", rows[i].accept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(flushed),
		cmocka_unit_test(full),
		cmocka_unit_test(codings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

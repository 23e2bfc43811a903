/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What is compressed comes out again, piece by piece. */
#include "api/squeeze.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

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

static size_t gunzip(struct str in, char *out, size_t max)
{
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)in.p,
		      .avail_in = (unsigned)in.len,
		      .next_out = (unsigned char *)out,
		      .avail_out = (unsigned)max};

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	(void)inflate(&z, Z_SYNC_FLUSH);
	(void)inflateEnd(&z);
	return z.total_out;
}

static size_t unzstd(struct str in, char *out, size_t max)
{
	ZSTD_DStream *d = ZSTD_createDStream();
	ZSTD_inBuffer from = {in.p, in.len, 0};
	ZSTD_outBuffer to = {out, max, 0};

	while (from.pos < from.size)
		if (ZSTD_isError(ZSTD_decompressStream(d, &to, &from)))
			break;
	ZSTD_freeDStream(d);
	return to.pos;
}

static size_t undo(enum coding c, const struct buf *b, char *out)
{
	return c == CODING_GZIP ? gunzip(buf_view(b), out, LEN + 1) :
				  unzstd(buf_view(b), out, LEN + 1);
}

static void pieces(void **state)
{
	CLEANUP_MEM char *in = text();
	CLEANUP_MEM char *out = mem_alloc(LEN + 1);

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
		assert_true(b.len < LEN * 3 / 4);
		assert_int_equal(undo(c, &b, out), LEN);
		assert_memory_equal(in, out, LEN);
		squeeze_free(s);
	}
}

/* What was flushed can be read before the end is there. */
static void flushed(void **state)
{
	CLEANUP_MEM char *out = mem_alloc(LEN + 1);

	(void)state;
	for (enum coding c = CODING_GZIP; c <= CODING_ZSTD; c++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
		struct squeeze *s = squeeze_new(c);

		assert_int_equal(
			squeeze_put(s, STR("a line\n"), SQUEEZE_FLUSH, &b), 0);
		assert_int_equal(undo(c, &b, out), 7);
		assert_memory_equal(out, "a line\n", 7);
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

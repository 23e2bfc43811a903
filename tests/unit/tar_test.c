/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The tar reader against good, hostile and real archives. */
#include "base/mem.h"
#include "base/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	struct buf text;
};

static int on_entry(void *ctx, const struct tar_entry *t, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	buf_printf(&s->text, "%c %03o " STR_FMT "%s" STR_FMT "\n",
		   "fdl"[t->type], t -> mode, STR_ARG(t->path),
		   t -> link.len ? " -> " : "", STR_ARG(t->link));
	return 0;
}

static int on_data(void *ctx, const void *p, size_t len, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	buf_put(&s->text, p, len);
	return 0;
}

static int on_end(void *ctx, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	buf_puts(&s->text, "$\n");
	return 0;
}

static const struct tar_ops ops = {on_entry, on_data, on_end};

/* Feed in pieces of the given length; the result is what was seen. */
static int feed(struct str tar, size_t step, struct seen *s, struct err *e)
{
	const struct tar_limits limits = {.max_entries = 10, .max_bytes = 5000};
	struct tar_reader *r = tar_reader_new(&limits, &ops, s);
	int bad = 0;

	s->text = BUF_INIT(1 << 20);
	for (size_t at = 0; !bad && at < tar.len; at += step)
		bad = tar_feed(r, tar.p + at,
			       tar.len - at < step ? tar.len - at : step, e);
	if (!bad)
		bad = tar_finish(r, e);
	tar_reader_free(r);
	return bad;
}

static void add(struct buf *b, enum tar_type type, const char *path,
		const char *link, const char *content)
{
	struct tar_entry t = {
		.type = type,
		.path = str_from(path),
		.link = str_from(link),
		.mode = 0644,
		.size = strlen(content),
	};

	tar_header(b, &t);
	buf_puts(b, content);
	tar_pad(b, t.size);
}

static void round_trip(void **state)
{
	char longpath[300] = "a/";
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);

	(void)state;
	memset(longpath + 2, 'x', 250);
	add(&b, TAR_DIR, "a", "", "");
	add(&b, TAR_FILE, "a/empty", "", "");
	add(&b, TAR_FILE, longpath, "", "hello");
	add(&b, TAR_SYMLINK, "a/l", "../a/empty", "");
	tar_end(&b);
	buf_printf(&want,
		   "d 644 a\nf 644 a/empty\n$\nf 644 %s\nhello$\n"
		   "l 644 a/l -> ../a/empty\n",
		   longpath);
	for (size_t step = 1; step < 2000; step += step < 20 ? 1 : 487) {
		struct seen s;
		struct err e = {0};

		assert_int_equal(feed(buf_view(&b), step, &s, &e), 0);
		assert_string_equal(buf_cstr(&s.text), buf_cstr(&want));
		buf_done(&s.text);
	}
}

static void hostile(void **state)
{
	static const struct {
		enum tar_type type;
		const char *path, *link, *why;
	} rows[] = {
		{TAR_FILE,    "/etc/passwd", "",        "absolute"         },
		{TAR_FILE,    "a/../../x",   "",        "\"..\""           },
		{TAR_FILE,    "..",          "",        "\"..\""           },
		{TAR_SYMLINK, "l",           "/etc",    "leads out"        },
		{TAR_SYMLINK, "d/l",         "../../x", "leads out"        },
		{TAR_SYMLINK, "l",           "",        "leads out"        },
		{TAR_FILE,    "new\nline",   "",        "control character"},
		{TAR_FILE,    "bad\xff",     "",        "UTF-8"            },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
		struct err e = {0};
		struct seen s;

		add(&b, rows[i].type, rows[i].path, rows[i].link, "");
		tar_end(&b);
		assert_int_equal(feed(buf_view(&b), 512, &s, &e), -1);
		assert_non_null(strstr(e.text, rows[i].why));
		buf_done(&s.text);
	}
}

static void expect_error(struct buf *b, enum err_code code, const char *why)
{
	struct err e = {0};
	struct seen s;

	assert_int_equal(feed(buf_view(b), 700, &s, &e), -1);
	assert_int_equal(e.code, code);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	buf_done(&s.text);
}

static void retype(struct buf *b, char type)
{
	unsigned sum = 0;

	b->data[156] = type;
	memset(b->data + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)b->data[i];
	(void)snprintf(b->data + 148, 8, "%06o", sum);
}

/* A header whose size field is these 12 bytes. */
static void resize(struct buf *b, const char size[12])
{
	memcpy(b->data + 124, size, 12);
	retype(b, b->data[156]);
}

static void sizes(void **state)
{
	static const struct {
		const char *bytes;
		enum err_code code;
		const char *why;
	} rows[] = {
		{"77777777777",				      ERR_LIMIT,   "\"x\""                },
		{"777777777777",				     ERR_LIMIT,   "\"x\""                },
		{"-0000000001",				      ERR_INVALID, "not a tar, or damaged"},
		{"0000000000x",				      ERR_INVALID, "not a tar, or damaged"},
 /* base 256: two to the 62nd, the 63rd, one more byte, minus one */
		{"\x80\0\0\0\x40\0\0\0\0\0\0\0",                     ERR_LIMIT,   "\"x\""                },
		{"\x80\0\0\0\x80\0\0\0\0\0\0\0",                     ERR_INVALID, "damaged"              },
		{"\x80\0\0\1\0\0\0\0\0\0\0\0",                       ERR_INVALID, "damaged"              },
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		 ERR_INVALID,						     "damaged"              },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
		char field[12] = {0};

		memcpy(field, rows[i].bytes, sizeof(field));
		add(&b, TAR_FILE, "x", "", "");
		resize(&b, field);
		expect_error(&b, rows[i].code, rows[i].why);
	}
}

/* A pax record in front of a file x. */
static void pax_of(struct buf *b, const char *record)
{
	add(b, TAR_FILE, "pax", "", record);
	retype(b, 'x');
	add(b, TAR_FILE, "x", "", "");
}

static void pax_records(void **state)
{
	static const struct {
		const char *record;
		enum err_code code;
		const char *why;
	} rows[] = {
		{"19 size=9999999999\n",          ERR_LIMIT,   "\"x\""      },
		{"28 size=9223372036854775807\n", ERR_LIMIT,   "\"x\""      },
		{"28 size=9223372036854775808\n", ERR_INVALID, "pax size"   },
		{"11 size=-1\n",                  ERR_INVALID, "pax size"   },
		{"22 GNU.sparse.major=1\n",       ERR_INVALID, "sparse"     },
		{"26 GNU.sparse.name=evil/x\n",   ERR_INVALID, "sparse"     },
		{"14 path=../ab\n",               ERR_INVALID, "../ab"      },
		{"9999999 path=a\n",              ERR_INVALID, "damaged pax"},
		{"18446744073709551617 path=a\n", ERR_INVALID, "damaged pax"},
		{"0 path=a\n",                    ERR_INVALID, "damaged pax"},
		{"3 \n",			  ERR_INVALID, "damaged pax"},
		{"noise",                         ERR_INVALID, "damaged pax"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);

		pax_of(&b, rows[i].record);
		expect_error(&b, rows[i].code, rows[i].why);
	}
}

/* What would cost memory or disk for nothing. */
static void bounds(void **state)
{
	const struct tar_limits limits = {.max_entries = 100000};
	CLEANUP_BUF struct buf huge = BUF_INIT(1 << 20),
			       end = BUF_INIT(4 << 20);
	static const struct tar_ops quiet;
	struct tar_reader *r = tar_reader_new(&limits, &quiet, NULL);
	static char zero[2 << 20];
	struct err e = {0};
	int bad = 0, n;

	(void)state;
	add(&huge, TAR_FILE, "pax", "", "");
	resize(&huge, "00000040001");
	retype(&huge, 'x');
	expect_error(&huge, ERR_LIMIT, "record of over 16384 bytes");
	add(&end, TAR_FILE, "x", "", "");
	tar_end(&end);
	buf_put(&end, zero, sizeof(zero));
	expect_error(&end, ERR_INVALID, "behind the end");
	for (n = 0; !bad && n < 100000; n++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
		char name[801];

		(void)snprintf(name, sizeof(name), "%0800d", n);
		add(&b, TAR_SYMLINK, name, "x", "");
		bad = tar_feed(r, b.data, b.len, &e);
	}
	assert_true(bad);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_non_null(strstr(e.text, "symbolic links"));
	assert_in_range(n, 10000, 11000);
	tar_reader_free(r);
}

static void types_and_limits(void **state)
{
	static const char refused[] = "1346ZS";
	CLEANUP_BUF struct buf below = BUF_INIT(1 << 20),
			       many = BUF_INIT(1 << 20),
			       cut = BUF_INIT(1 << 20),
			       junk = BUF_INIT(1 << 20);
	static char big[6000];

	(void)state;
	for (size_t i = 0; i < sizeof(refused) - 1; i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);

		add(&b, TAR_FILE, "x", "", "");
		retype(&b, refused[i]);
		expect_error(&b, ERR_INVALID, "tar entry \"x\"");
	}
	add(&below, TAR_SYMLINK, "l", "d", "");
	add(&below, TAR_FILE, "l/x", "", "");
	expect_error(&below, ERR_INVALID, "behind a symbolic link");
	for (int i = 0; i < 11; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "f%d", i);
		add(&many, TAR_FILE, name, "", "");
	}
	expect_error(&many, ERR_LIMIT, "more than 10 files");
	memset(big, 'x', sizeof(big) - 1);
	add(&cut, TAR_FILE, "x", "", big);
	expect_error(&cut, ERR_LIMIT, "more than 5000 bytes");
	buf_reset(&cut);
	add(&cut, TAR_FILE, "x", "", "hello");
	cut.len -= 10;
	expect_error(&cut, ERR_INVALID, "cut off");
	buf_put(&junk, big, 2000);
	expect_error(&junk, ERR_INVALID, "not a tar");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),       cmocka_unit_test(hostile),
		cmocka_unit_test(types_and_limits), cmocka_unit_test(sizes),
		cmocka_unit_test(pax_records),      cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

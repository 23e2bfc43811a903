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
		cmocka_unit_test(round_trip),
		cmocka_unit_test(hostile),
		cmocka_unit_test(types_and_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

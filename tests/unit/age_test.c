/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Files of age: to ourselves, cut and changed, and with the age of Debian both
 * ways. */
#include "base/fd.h"
#include "base/hash.h"
#include "base/mem.h"
#include "secrets/age.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	TEXT_MAX = 300000,
	FILE_MAX = 400000
};

static unsigned char priv[CURVE_PRIVATE_LEN], pub[X25519_PUBLIC_LEN];

static int setup(void **state)
{
	struct err e;

	(void)state;
	return x25519_new(priv, pub, &e);
}

static void seal(const unsigned char *to, const char *text, size_t len,
		 size_t piece, struct buf *out)
{
	struct age_writer *w = NULL;
	struct err e = {0};

	assert_int_equal(age_writer_new(to, out, &w, &e), 0);
	for (size_t at = 0; at < len; at += piece)
		assert_int_equal(age_write(w, text + at,
					   len - at < piece ? len - at : piece,
					   &e),
				 0);
	if (age_writer_end(w, &e))
		fail_msg("%s", e.text);
	age_writer_free(w);
}

static int collect(void *ctx, struct str text, struct err *e)
{
	(void)e;
	assert_true(buf_str(ctx, text));
	return 0;
}

static int opens(struct str file, struct buf *out, struct err *e)
{
	buf_reset(out);
	return age_open(priv, file, collect, out, e);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {0,     1,      65535, 65536,
				       65537, 131072, 200000};
	CLEANUP_MEM char *text = mem_alloc(TEXT_MAX);

	(void)state;
	random_bytes(text, TEXT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CLEANUP_BUF struct buf file = BUF_INIT(FILE_MAX);
		CLEANUP_BUF struct buf back = BUF_INIT(TEXT_MAX);
		struct err e = {0};

		seal(pub, text, sizes[i], 1000, &file);
		if (opens(buf_view(&file), &back, &e))
			fail_msg("%zu: %s", sizes[i], e.text);
		assert_int_equal(back.len, sizes[i]);
		assert_memory_equal(back.len ? back.data : "", text, sizes[i]);
	}
}

/* Every byte of a small file changed, and every length but its own. */
static void test_changed(void **state)
{
	CLEANUP_BUF struct buf file = BUF_INIT(FILE_MAX);
	CLEANUP_BUF struct buf back = BUF_INIT(TEXT_MAX);
	struct err e;

	(void)state;
	seal(pub, "some text", 9, 9, &file);
	for (size_t i = 0; i < file.len; i++) {
		file.data[i] ^= 1;
		assert_int_equal(opens(buf_view(&file), &back, &e), -1);
		assert_true(e.code == ERR_INVALID || e.code == ERR_DENIED);
		file.data[i] ^= 1;
		assert_int_equal(opens(str_n(file.data, i), &back, &e), -1);
	}
	buf_putc(&file, 0);
	assert_int_equal(opens(buf_view(&file), &back, &e), -1);
}

/* Cut between two chunks, and chunks in another order. */
static void test_chunks(void **state)
{
	CLEANUP_BUF struct buf file = BUF_INIT(FILE_MAX);
	CLEANUP_BUF struct buf back = BUF_INIT(TEXT_MAX);
	CLEANUP_MEM char *text = mem_alloc(TEXT_MAX);
	const size_t chunk = 65536 + 16;
	CLEANUP_MEM char *swap = mem_alloc(chunk);
	size_t at;
	struct err e;

	(void)state;
	seal(pub, text, 131072 + 5, 4096, &file);
	at = file.len - (5 + 16) - 2 * chunk;
	assert_int_equal(opens(str_n(file.data, at + 2 * chunk), &back, &e),
			 -1);
	assert_int_equal(opens(str_n(file.data, at + chunk), &back, &e), -1);
	memcpy(swap, file.data + at, chunk);
	memcpy(file.data + at, file.data + at + chunk, chunk);
	memcpy(file.data + at + chunk, swap, chunk);
	assert_int_equal(opens(buf_view(&file), &back, &e), -1);
}

static void test_others(void **state)
{
	CLEANUP_BUF struct buf file = BUF_INIT(FILE_MAX);
	CLEANUP_BUF struct buf small = BUF_INIT(300);
	CLEANUP_BUF struct buf back = BUF_INIT(TEXT_MAX);
	unsigned char other[32], their[32], low[32] = {1};
	struct age_writer *w = NULL;
	char text[400] = "";
	struct err e;

	(void)state;
	assert_int_equal(x25519_new(other, their, &e), 0);
	seal(their, "not for us", 10, 10, &file);
	assert_int_equal(opens(buf_view(&file), &back, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(age_writer_new(low, &file, &w, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(age_writer_new(pub, &small, &w, &e), 0);
	assert_int_equal(age_write(w, text, sizeof(text), &e), 0);
	assert_int_equal(age_writer_end(w, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	age_writer_free(w);
}

static void test_recipient(void **state)
{
	/* C2SP's example, and the same with a wrong letter. */
	static const char good[] = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye"
				   "869xeexvn73equnujwj";
	unsigned char key[32];
	char text[AGE_RECIPIENT_TEXT_MAX], bad[sizeof(good)];
	struct err e;

	(void)state;
	assert_int_equal(age_recipient_parse(STR(good), key, &e), 0);
	age_recipient_format(key, text);
	assert_string_equal(text, good);
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		memcpy(bad, good, sizeof(good));
		bad[i] = bad[i] == 'q' ? 'p' : 'q';
		assert_int_equal(age_recipient_parse(str_from(bad), key, &e),
				 -1);
		assert_int_equal(age_recipient_parse(str_n(good, i), key, &e),
				 -1);
	}
}

/* --- the age of Debian ---------------------------------------------------- */

static void shell(const char *command)
{
	if (system(command)) /* NOLINT: fixed texts, in a directory of ours */
		fail_msg("%s", command);
}

static void save(const char *dir, const char *name, struct str s)
{
	char path[128];
	CLEANUP_FD int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(fd_write_all(fd, s.p, s.len), 0);
}

static void load(const char *dir, const char *name, struct buf *b)
{
	char path[128];
	struct err e = {0};

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(fd_read_file(AT_FDCWD, path, b, &e), 0);
}

static void test_debian(void **state)
{
	CLEANUP_BUF struct buf file = BUF_INIT(FILE_MAX);
	CLEANUP_BUF struct buf back = BUF_INIT(TEXT_MAX);
	CLEANUP_BUF struct buf made = BUF_INIT(FILE_MAX);
	CLEANUP_BUF struct buf theirs = BUF_INIT(200);
	CLEANUP_MEM char *text = mem_alloc(TEXT_MAX);
	char dir[] = "/tmp/nfo-age-XXXXXX", line[512], to[64];
	unsigned char key[32];
	struct err e = {0};

	(void)state;
	if (access("/usr/bin/age", X_OK))
		skip();
	random_bytes(text, TEXT_MAX);
	assert_non_null(mkdtemp(dir));
	snprintf(
		line, sizeof(line),
		"cd %s && age-keygen -o id 2>/dev/null && age-keygen -y id >to",
		dir);
	shell(line);
	load(dir, "to", &theirs);
	assert_int_equal(
		age_recipient_parse(str_trim(buf_view(&theirs)), key, &e), 0);
	seal(key, text, 200000, 7777, &file);
	save(dir, "ours.age", buf_view(&file));
	save(dir, "text", str_n(text, 200000));
	snprintf(line, sizeof(line),
		 "cd %s && age -d -i id -o back ours.age && cmp back text",
		 dir);
	shell(line);
	/* To several, of whom we are the second. */
	age_recipient_format(pub, to);
	snprintf(line, sizeof(line),
		 "cd %s && age -r $(cat to) -r %s -o theirs.age text", dir, to);
	shell(line);
	load(dir, "theirs.age", &made);
	if (opens(buf_view(&made), &back, &e))
		fail_msg("%s", e.text);
	assert_int_equal(back.len, 200000);
	assert_memory_equal(back.data, text, 200000);
	snprintf(line, sizeof(line), "rm -r %s", dir);
	shell(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_recipient),
		cmocka_unit_test(test_debian),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

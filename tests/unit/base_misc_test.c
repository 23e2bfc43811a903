/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Identifiers, hashes, time, maps, lists, and what a log line may hold. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/id.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_ids_grow(void **state)
{
	struct ulid before = ulid_new();

	(void)state;
	for (int i = 0; i < 5000; i++) { /* many in one millisecond */
		struct ulid id = ulid_new();

		assert_true(strcmp(id.s, before.s) > 0);
		assert_true(ulid_valid(str_from(id.s)));
		before = id;
	}
}

static void test_ids_that_are_none(void **state)
{
	static const char *const bad[] = {
		"",
		"01ARZ3NDEKTSV4RRFFQ69G5FA",   /* short */
		"01ARZ3NDEKTSV4RRFFQ69G5FAVX", /* long */
		"01ARZ3NDEKTSV4RRFFQ69G5FAU",  /* no such letter */
		"01arz3ndektsv4rrffq69g5fav",  /* lower case */
		"81ARZ3NDEKTSV4RRFFQ69G5FAV",  /* more than 128 bits */
		"01ARZ3NDEKTSV4RRFFQ69G5F/V",
	};

	(void)state;
	assert_true(ulid_valid(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV")));
	assert_true(ulid_valid(STR("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(ulid_valid(str_from(bad[i])));
}

/* FIPS 180-4's example, and RFC 4231's second. */
static void test_known_hashes(void **state)
{
	char hex[HASH_HEX_LEN + 1];
	struct hash_ctx *c = hash_begin();
	struct hash h = hash_sha256("abc", 3), parts;

	(void)state;
	hash_hex(&h, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177"
				 "a9cb410ff61f20015ad");
	hash_update(c, "a", 1);
	hash_update(c, "", 0);
	hash_update(c, "bc", 2);
	parts = hash_end(c);
	assert_true(hash_eq(&h, &parts));
	h = hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28);
	assert_false(hash_eq(&h, &parts));
	hash_hex(&h, hex);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d273"
				 "9839dec58b964ec3843");
	assert_true(mem_eq_ct("abc", "abd", 2));
	assert_false(mem_eq_ct("abc", "abd", 3));
}

static void test_a_file_is_hashed_from_where_it_stands(void **state)
{
	struct hash want = hash_sha256("bc", 2), got;
	struct err e;
	uint64_t len;
	int fd = fd_memfd_sealed("x", STR("abc"), &e);

	(void)state;
	assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	assert_int_equal(hash_fd(fd, &got, &len), 0);
	assert_int_equal(len, 2);
	assert_true(hash_eq(&want, &got));
	fd_close(&fd);
	assert_int_equal(hash_fd(-1, &got, &len), -1);
}

static void test_random_bytes_differ(void **state)
{
	unsigned char a[32] = {0}, b[32] = {0};

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void test_times_are_written_and_read(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {
		{"1970-01-01T00:00:00.000000Z",      0               },
		{"2000-02-29T12:00:00Z",             951825600000000 },
		{"2026-11-23T15:04:05.123456+01:00", 1795442645123456},
	};
	static const char *const bad[] = {"",
					  "2026-11-23",
					  "2026-11-23T15:04:05",
					  "2025-02-29T00:00:00Z",
					  "1969-12-31T23:59:59Z",
					  "2026-13-01T00:00:00Z",
					  "2026-11-23T24:00:00Z",
					  "2026-11-23T15:04:05Zx",
					  "2026-11-23T15:04:05+25:00"};
	char text[CLOCK_TEXT_LEN + 1];
	int64_t us;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(clock_parse(str_from(good[i].text), &us), 0);
		assert_true(us == good[i].us);
	}
	clock_format(951825600000001, text);
	assert_string_equal(text, "2000-02-29T12:00:00.000001Z");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(clock_parse(str_from(bad[i]), &us), -1);
	us = clock_mono_us();
	assert_true(clock_mono_us() >= us);
}

static void test_a_map(void **state)
{
	struct map *m = map_new();
	char name[16];
	int values[1000];
	struct str key;
	size_t at = 0, n = 0;
	void *v;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i);
		assert_null(map_put(m, str_from(name), &values[i]));
	}
	assert_ptr_equal(map_put(m, STR("k7"), &values[0]), &values[7]);
	assert_ptr_equal(map_get(m, STR("k7")), &values[0]);
	assert_null(map_get(m, STR("k1000")));
	assert_null(map_get(m, str_n("k1\0", 3))); /* another key */
	assert_int_equal(map_len(m), 1000);
	while (map_next(m, &at, &key, &v)) {
		n++;
		if (n % 2)
			assert_ptr_equal(map_del(m, key), v);
	}
	assert_int_equal(n, 1000);
	assert_int_equal(map_len(m), 500);
	assert_null(map_del(m, STR("none")));
	map_free(m, NULL);
}

struct item {
	int n;
	struct link link;
};

static void test_a_list(void **state)
{
	struct item items[3] = {{.n = 1}, {.n = 2}, {.n = 3}};
	struct link all = LIST_INIT(all);
	int sum = 0;

	(void)state;
	assert_true(list_empty(&all));
	for (size_t i = 0; i < 3; i++)
		list_push(&all, &items[i].link);
	LIST_FOR(l, &all)
	{
		const struct item *it = LIST_ENTRY(l, struct item, link);

		sum = sum * 10 + it->n;
		list_del(l); /* while it is walked */
	}
	assert_int_equal(sum, 123);
	assert_true(list_empty(&all));
	list_del(&items[0].link); /* twice is fine */
}

/* What log_warn writes to standard error. */
static void catch (char *out, size_t len, const char *text)
{
	int p[2], old = dup(2);
	ssize_t n;

	assert_int_equal(pipe(p), 0);
	assert_int_equal(dup2(p[1], 2), 2);
	log_warn("%s", text);
	assert_int_equal(dup2(old, 2), 2);
	fd_close(&p[1]);
	n = read(p[0], out, len - 1);
	out[n > 0 ? n : 0] = '\0';
	fd_close(&p[0]);
	fd_close(&old);
}

static void test_a_log_line_is_one_line(void **state)
{
	char out[8192], longer[6000];

	(void)state;
	log_init("tester", LOG_LEVEL_WARN);
	catch (out, sizeof(out), "a\nb\x1b[31m\x7f");
	assert_string_equal(out, "warn tester: a\\x0ab\\x1b[31m\\x7f\n");
	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	catch (out, sizeof(out), longer);
	assert_int_equal(out[strlen(out) - 1], '\n');
	assert_int_equal(strcspn(out, "\n"), strlen(out) - 1);
}

static void test_what_is_below_the_level_is_not_said(void **state)
{
	char out[64];

	(void)state;
	log_init("tester", LOG_LEVEL_ERROR);
	catch (out, sizeof(out), "quiet");
	assert_string_equal(out, "");
}

static void begin_catch(int *p, int *old)
{
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	*old = dup(2);
	assert_int_equal(dup2(p[1], 2), 2);
}

static void end_catch(int *p, int *old, char *out, size_t len)
{
	ssize_t n;

	assert_int_equal(dup2(*old, 2), 2);
	fd_close(&p[1]);
	n = read(p[0], out, len - 1);
	out[n > 0 ? n : 0] = '\0';
	fd_close(&p[0]);
	fd_close(old);
}

static void one_line(char *out, size_t len, struct str value)
{
	struct log_line l;
	int p[2], old;

	begin_catch(p, &old);
	log_begin(&l, LOG_LEVEL_WARN, "said");
	log_text(&l, "a", STR("x.y/z:1"));
	log_text(&l, "b", value);
	log_number(&l, "n", 7);
	log_end(&l);
	end_catch(p, &old, out, len);
}

static void test_fields_of_a_line(void **state)
{
	char out[8192], longer[6000];

	(void)state;
	log_init("tester", LOG_LEVEL_INFO);
	log_configure(LOG_KV, LOG_LEVEL_INFO, true);
	one_line(out, sizeof(out), STR("q\"\\ \n\xff\xc2\x9b\xc3\xa9"));
	assert_string_equal(
		out, "<4>level=warn role=tester msg=said a=x.y/z:1 "
		     "b=\"q\\\"\\\\ \\x0a\\xff\\xc2\\x9b\xc3\xa9\" n=7\n");
	one_line(out, sizeof(out), STR(""));
	assert_non_null(strstr(out, " b=\"\" n=7\n"));
	log_configure(LOG_JSON, LOG_LEVEL_INFO, true);
	one_line(out, sizeof(out), STR("q\"\n\xff"));
	assert_string_equal(out, "<4>{\"level\":\"warn\",\"role\":\"tester\","
				 "\"msg\":\"said\",\"a\":\"x.y/z:1\","
				 "\"b\":\"q\\\"\\u000a\\u00ff\",\"n\":7}\n");
	log_configure(LOG_JSON, LOG_LEVEL_INFO, false);
	memset(longer, '\n', sizeof(longer));
	one_line(out, sizeof(out), str_n(longer, sizeof(longer)));
	assert_true(strlen(out) <= LOG_LINE_MAX);
	assert_string_equal(out + strlen(out) - 3, "\"}\n");
	assert_true(!strncmp(out, "{\"time\":\"2", 10));
	log_configure(LOG_PLAIN, LOG_LEVEL_WARN, false);
}

/* Two numbers, of what standard error is. */
static void test_the_journal(void **state)
{
	char text[64];
	struct stat st;

	(void)state;
	assert_int_equal(fstat(2, &st), 0);
	(void)snprintf(text, sizeof(text), "%llu:%llu",
		       (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	assert_true(log_is_journal());
	setenv("JOURNAL_STREAM", "1:2", 1);
	assert_false(log_is_journal());
	setenv("JOURNAL_STREAM", "x", 1);
	assert_false(log_is_journal());
	unsetenv("JOURNAL_STREAM");
	assert_false(log_is_journal());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_grow),
		cmocka_unit_test(test_ids_that_are_none),
		cmocka_unit_test(test_known_hashes),
		cmocka_unit_test(test_a_file_is_hashed_from_where_it_stands),
		cmocka_unit_test(test_random_bytes_differ),
		cmocka_unit_test(test_times_are_written_and_read),
		cmocka_unit_test(test_a_map),
		cmocka_unit_test(test_a_list),
		cmocka_unit_test(test_a_log_line_is_one_line),
		cmocka_unit_test(test_what_is_below_the_level_is_not_said),
		cmocka_unit_test(test_fields_of_a_line),
		cmocka_unit_test(test_the_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

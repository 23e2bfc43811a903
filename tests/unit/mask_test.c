/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What is masked in an attempt: both streams as one, and values that come
 * while it runs. */
#include "redact_test.h"
#include "runner/mask.h"

/* Short enough to have no lines in a dump, which count by themselves. */
#define KEY   "q7Zk-R3_xW9v"
#define OTHER "Jw4.h8Vn~Q1pXe"

static struct mask mask;
static int64_t now_us = 1;
static struct buf out[MASK_STREAMS];

static void add(size_t use, const char *value)
{
	CLEANUP_SECRET struct secret *s = NULL;
	struct mask_value v = {use, "key", NULL};
	struct err e;

	assert_int_equal(secret_new(value, strlen(value), 0, &s, &e), 0);
	v.value = s;
	assert_int_equal(mask_add(&mask, &v, 1, NULL, 0, now_us, &e), 0);
}

static int setup(void **state)
{
	(void)state;
	mask = (struct mask){.set = NULL};
	add(0, KEY);
	for (size_t i = 0; i < MASK_STREAMS; i++) {
		out[i] = BUF_INIT(8 << 20);
		mask_open(&mask, i, sink, &out[i]);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mask_done(&mask);
	for (size_t i = 0; i < MASK_STREAMS; i++)
		buf_done(&out[i]);
	return 0;
}

static bool put_in(size_t i, const char *text, size_t len)
{
	return mask_write(&mask, i, text, len);
}

static void ends(size_t i, const char *want)
{
	redact_stream_end(mask.streams[i]);
	assert_string_equal(buf_cstr(&out[i]), want);
}

/* Half on one and half on the other: nothing to mask in either, but a reader
 * of both has it. */
static void test_halves(void **state)
{
	size_t n = strlen(KEY);

	(void)state;
	for (size_t cut = 1; cut < n; cut++) {
		assert_false(put_in(0, KEY, cut));
		assert_true(put_in(1, KEY + cut, n - cut));
		assert_int_equal(mask_joined(&mask, 0), cut);
		assert_int_equal(mask_seen(&mask, 0), cut);
		put_in(0, "\n..", 3);
		put_in(1, "\n..", 3);
	}
}

static void test_byte_by_byte(void **state)
{
	bool seen = false;

	(void)state;
	for (size_t i = 0; i < strlen(KEY); i++)
		seen = put_in(i % 2, KEY + i, 1);
	assert_true(seen);
	assert_int_equal(mask_joined(&mask, 0), 1);
}

/* What one stream shows by itself is not counted twice. */
static void test_whole_ones_count_once(void **state)
{
	(void)state;
	put_in(0, "a\n", 2);
	put_in(1, "b\n", 2);
	for (size_t i = 0; i < 6; i++)
		assert_true(put_in(i % 2, KEY "\n", strlen(KEY) + 1));
	assert_int_equal(mask_seen(&mask, 0), 6);
	assert_int_equal(mask_joined(&mask, 0), 0);
	mask_close(&mask, 0);
	mask_close(&mask, 1);
	assert_int_equal(mask_seen(&mask, 0), 6);
	assert_int_equal(mask.marks, 6);
}

/* Of a large block only the ends are looked at with the other stream. */
static void test_large_blocks(void **state)
{
	size_t n = strlen(KEY), half = n / 2, len = 5 * MASK_REACH;
	CLEANUP_MEM char *block = mem_alloc(len);

	(void)state;
	memset(block, '.', len);
	memcpy(block, KEY + half, n - half);
	memcpy(block + len / 2, KEY, n);
	memcpy(block + len - half, KEY, half);
	put_in(0, KEY, half);
	assert_true(put_in(1, block, len));
	assert_true(put_in(0, KEY + half, n - half));
	/* Both halves of stream 0 are also one: that is not counted here. */
	assert_int_equal(mask_joined(&mask, 0), 1);
	assert_int_equal(mask_seen(&mask, 0), 3);
}

static void test_added_while_open(void **state)
{
	struct redact_watch *w = mask_watch(&mask);

	(void)state;
	put_in(0, "before " OTHER "\n", 7 + strlen(OTHER) + 1);
	put_in(1, "x\n", 2);
	add(0, OTHER);
	assert_true(
		put_in(0, OTHER " " KEY "\n", strlen(OTHER) + strlen(KEY) + 2));
	assert_int_equal(redact_watch_write(w, OTHER, strlen(OTHER)), 1);
	assert_int_equal(mask_caught(&mask, w), 0);
	assert_int_equal(mask_seen(&mask, 0), 2);
	/* In both streams together as well. */
	put_in(0, OTHER, 5);
	assert_true(put_in(1, OTHER + 5, strlen(OTHER) - 5));
	assert_int_equal(mask_joined(&mask, 0), 1);
	mask_unwatch(&mask, w);
	assert_int_equal(mask_seen(&mask, 0), 4);
	ends(0, "before " OTHER "\n[REDACTED] [REDACTED]\n[REDACTED:partial]");
}

/* Its beginning is held back already, for a secret that begins alike. */
static void test_added_while_held(void **state)
{
	(void)state;
	put_in(0, "q7Zk-R3_", 8);
	assert_int_equal(out[0].len, 0);
	add(1, "q7Zk-R3_other");
	put_in(0, "other\n", 6);
	ends(0, "[REDACTED]\n");
	assert_int_equal(mask_seen(&mask, 0), 0);
	assert_int_equal(mask_seen(&mask, 1), 1);
}

/* What went out before it was known cannot be called back; the rest alone is
 * no secret, and the next time it is masked. */
static void test_added_too_late(void **state)
{
	(void)state;
	put_in(0, OTHER, 9);
	add(1, OTHER);
	put_in(0, OTHER + 9, strlen(OTHER) - 9);
	put_in(0, " " OTHER, 1 + strlen(OTHER));
	ends(0, OTHER " [REDACTED]");
}

static void test_watches_are_given_back(void **state)
{
	struct redact_watch *w[MASK_WATCHES];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < MASK_WATCHES; i++)
			w[i] = mask_watch(&mask);
		for (size_t i = 0; i < MASK_WATCHES; i++)
			mask_unwatch(&mask, w[i]);
	}
	mask_unwatch(&mask, NULL);
	assert_null(mask.watches[0]);
}

static void on_say(void *ctx, const char *name, const char *status)
{
	assert_string_equal(name, "key");
	assert_non_null(strstr(status, "under 4 bytes"));
	(*(int *)ctx)++;
}

static void test_explains(void **state)
{
	int n = 0;

	(void)state;
	add(1, "abc");
	mask_explain(&mask, on_say, &n);
	assert_int_equal(n, 1);
	add(1, OTHER);
	mask_explain(&mask, on_say, &n);
	assert_int_equal(n, 1);
}

static void renew(char *to, size_t size, int i)
{
	(void)snprintf(to, size, "tok_%dHs5T-m2KpLwZ%d", i, 7 * i);
	now_us += (int64_t)20 * 1000000;
	add(0, to);
}

static void shows(int i, bool masked)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "tok_%dHs5T-m2KpLwZ%d\n", i,
			 7 * i);

	buf_reset(&out[0]);
	assert_int_equal(mask_write(&mask, 0, text, (size_t)n), masked);
	redact_stream_tick(mask.streams[0]);
	if (masked)
		assert_string_equal(buf_cstr(&out[0]), "[REDACTED]\n");
	else
		assert_string_equal(buf_cstr(&out[0]), text);
}

/* A token that is renewed all day: those of the last minutes are masked, and
 * the set has an end. */
static void test_renewed_all_day(void **state)
{
	char text[64];
	size_t most;

	(void)state;
	add(1, OTHER);
	now_us = 1;
	for (int i = 0; i < 60; i++)
		renew(text, sizeof(text), i);
	most = redact_set_size(mask.set);
	assert_true(most < 40);
	for (int i = 60; i < 200; i++)
		renew(text, sizeof(text), i);
	assert_int_equal(redact_set_size(mask.set), most);
	for (int i = 172; i < 200; i++)
		shows(i, true);
	shows(20, false);
	assert_int_equal(mask_seen(&mask, 0), 28);
	assert_true(put_in(0, OTHER "\n", strlen(OTHER) + 1));
	assert_int_equal(mask_seen(&mask, 0), 28);
	assert_int_equal(mask_seen(&mask, 1), 1);
}

/* However old: the last ones stay, for who renews every hour. */
static void test_renewed_seldom(void **state)
{
	char text[64];

	(void)state;
	for (int i = 0; i < 40; i++) {
		now_us += (int64_t)MASK_OLD_S * 1000000;
		renew(text, sizeof(text), i);
	}
	for (int i = 40 - MASK_OLD_N; i < 40; i++)
		shows(i, true);
	assert_true(redact_set_size(mask.set) <= MASK_OLD_N + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		WITH(test_halves),
		WITH(test_byte_by_byte),
		WITH(test_whole_ones_count_once),
		WITH(test_large_blocks),
		WITH(test_added_while_open),
		WITH(test_added_while_held),
		WITH(test_added_too_late),
		WITH(test_watches_are_given_back),
		WITH(test_explains),
		WITH(test_renewed_all_day),
		WITH(test_renewed_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

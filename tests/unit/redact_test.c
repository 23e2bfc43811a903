/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The redactor's stream: cuts, ticks, ends, overlaps, sizes, more secrets. */
#include "redact_test.h"

#define M REDACT_MARK
#define P REDACT_MARK_PARTIAL

static void test_every_cut(void **state)
{
	struct redact_set *set = set_of1(TOKEN);

	(void)state;
	check(set, "a " TOKEN " b\n", "a " M " b\n");
	check(set, TOKEN, M);
	check(set, "no secret here, only words\n",
	      "no secret here, only words\n");
	check(set, "", "");
	redact_set_free(set);
}

static void test_every_two_cuts(void **state)
{
	static const char text[] = "=" TOKEN "=";
	struct redact_set *set = set_of1(TOKEN);
	size_t n = sizeof(text) - 1;
	struct fixture f;

	(void)state;
	for (size_t a = 1; a < n; a++)
		for (size_t b = a + 1; b < n; b++) {
			begin(&f, set);
			put(&f, str_n(text, a));
			put(&f, str_n(text + a, b - a));
			put(&f, str_n(text + b, n - b));
			finish(&f, STR("=" M "="));
		}
	redact_set_free(set);
}

/* A slow writer: what a tick lets out is less than four bytes of it. */
static void test_ticks(void **state)
{
	struct redact_set *set = set_of1(TOKEN);
	struct fixture f;

	(void)state;
	begin(&f, set);
	for (size_t i = 0; i < sizeof(TOKEN) - 1; i++) {
		put(&f, str_n(&TOKEN[i], 1));
		assert_int_equal(redact_stream_waits(f.s), i < 3);
		redact_stream_tick(f.s);
		assert_false(redact_stream_waits(f.s));
	}
	put(&f, STR("\n"));
	finish(&f, STR("q7Z" M "\n"));
	redact_set_free(set);
}

/* The tick's bytes are not lost, and not printed twice. */
static void test_tick_of_text(void **state)
{
	struct redact_set *set = set_of1(TOKEN);
	struct fixture f;

	(void)state;
	begin(&f, set);
	put(&f, STR("password: q"));
	assert_true(str_eq(buf_view(&f.out), STR("password: ")));
	redact_stream_tick(f.s);
	redact_stream_tick(f.s);
	assert_true(str_eq(buf_view(&f.out), STR("password: q")));
	put(&f, STR("uit"));
	assert_true(str_eq(buf_view(&f.out), STR("password: quit")));
	put(&f, STR(" q7\n"));
	redact_stream_tick(f.s);
	put(&f, STR("Zk-R3_xW9vTb5+Lm2/Yd8H!"));
	finish(&f, STR("password: quit q7\n" M "!"));
	redact_set_free(set);
}

static void test_cut_off(void **state)
{
	struct redact_set *set = set_of1(TOKEN);
	struct fixture f;

	(void)state;
	for (size_t k = 0; k < sizeof(TOKEN) - 1; k++) {
		char want[64];

		begin(&f, set);
		put(&f, STR("x="));
		put(&f, str_n(TOKEN, k));
		assert_int_equal(redact_stream_counts(f.s)->marks, k >= 16);
		/* 16 bytes are a line of a hex dump, and found as such. */
		snprintf(want, sizeof(want), "x=%.*s%s%s", k < 4 ? (int)k : 0,
			 TOKEN, k < 16 ? "" : M, k < 4 || k == 16 ? "" : P);
		finish(&f, str_from(want));
	}
	check(set, "q7Zk-R3\n\n", P "\n\n");
	redact_set_free(set);
}

static void test_self_overlap(void **state)
{
	(void)state;
	check1("abcabcabd-secret-token", "abcabcabcabd-secret-token", "abc" M);
	check1("aabaabaac", "aabaabaabaac", "aab" M);
	check1("abababab", "xababababababay", "x" M "y"); /* reversed */
	check1("aaaaaaaaaaaab", "aaaaaaaaaaaaaaaaab.", "aaaaa" M ".");
}

static void test_several(void **state)
{
	static const struct str v[] = {
		{"abcdefgh",     8 },
                {"efghijkl",     8 },
                {"Xabcdefgh1Y",  11},
		{"prefix-one-A", 12},
                {"prefix-one-B", 12},
	};
	struct redact_set *set = set_of(NULL, v, ARRAY_LEN(v));

	(void)state;
	check(set, "-abcdefghijkl-", "-" M "-");
	check(set, "-Xabcdefgh1Y-", "-" M "-");
	check(set, "-Xabcdefgh1Z-", "-X" M "1Z-");
	check(set, "abcdefghabcdefgh!", M "!");
	check(set, "abcdefgh efghijkl", M " " M);
	check(set, "prefix-one-Aprefix-one-B prefix-one-C", M " prefix-one-C");
	redact_set_free(set);
}

/* The marker is never looked into, and never grows. */
static void test_marker(void **state)
{
	static const char *const secrets[] = {
		M, P, "REDACTED", "[REDACTE", "DACT", "EDACTED]", "partial]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		struct redact_set *set = set_of1(secrets[i]);

		assert_int_equal(redact_set_status(set, 0), REDACT_IN_MARK);
		check(set, "x" M "y" P "z", "x" M "y" P "z");
		redact_set_free(set);
	}
	check1("[REDACTED][REDACTED]", M M, M);
	check1("x[REDACTED]y", "x[REDACTED]y x[REDACTED]", M " " P);
}

static void test_sizes(void **state)
{
	static const enum redact_status want[] = {
		REDACT_TOO_SHORT, REDACT_TOO_SHORT, REDACT_TOO_SHORT,
		REDACT_TOO_SHORT, REDACT_SHORT,     REDACT_SHORT,
		REDACT_SHORT,     REDACT_SHORT,     REDACT_FULL,
		REDACT_FULL,
	};

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(want); n++) {
		struct str s = str_n(TOKEN, n);
		struct redact_set *set = set_of(NULL, &s, 1);
		char text[64], masked[64];

		assert_int_equal(redact_set_status(set, 0), want[n]);
		assert_true(strlen(redact_status_text(want[n])) > 5);
		snprintf(text, sizeof(text), "<%.*s>", (int)n, TOKEN);
		snprintf(masked, sizeof(masked), "<%s>", M);
		check(set, text, n < 4 ? text : masked);
		redact_set_free(set);
	}
}

static void test_long(void **state)
{
	static const size_t sizes[] = {127,  128,   129,   255,    257,
				       4096, 65536, 65537, 1 << 20};
	uint64_t r = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *v = mem_alloc(sizes[i]);
		struct str s = str_n(v, sizes[i]);
		struct redact_set *set;
		struct fixture f;

		for (size_t k = 0; k < sizes[i]; k++) {
			r = r * 6364136223846793005u + 1442695040888963407u;
			v[k] = (char)('!' + (r >> 40) % 90);
		}
		set = set_of(NULL, &s, 1);
		assert_int_equal(redact_set_status(set, 0),
				 sizes[i] > 65536 ? REDACT_REDUCED :
						    REDACT_FULL);
		begin(&f, set);
		put(&f, STR("<"));
		put(&f, s);
		put(&f, STR(">"));
		finish(&f, STR("<" M ">"));
		/* head -c N: at most a tile's end is not masked. */
		begin(&f, set);
		put(&f, str_n(v, sizes[i] - 5));
		redact_stream_end(f.s);
		assert_null(memmem(f.out.data, f.out.len, v, 4));
		assert_true(f.out.len <= 2 * sizeof(P));
		redact_stream_free(f.s);
		buf_done(&f.out);
		redact_set_free(set);
		mem_free(v);
	}
}

static void test_common(void **state)
{
	static const char *const words[] = {
		"true",     "password",   "INFO",    "0000000000",
		"12345678", "Connection", "        "};
	static const struct str job = {"nightly-build", 13};
	struct secret *s;
	struct redact_set *set;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		set = set_of1(words[i]);
		assert_int_equal(redact_set_status(set, 0), REDACT_COMMON);
		check(set, words[i], words[i]);
		redact_set_free(set);
	}
	assert_int_equal(secret_new("nightly-build", 13, 0, &s, &e), 0);
	assert_int_equal(redact_set_new(&(struct redact_secret){"s", s}, 1,
					&job, 1, &set, &e),
			 0);
	assert_int_equal(redact_set_status(set, 0), REDACT_COMMON);
	redact_set_free(set);
	secret_free(s);
}

/* More secrets in the middle of the text: the old ones keep their numbers,
 * and the held tail is seen anew. */
static void test_added(void **state)
{
	struct str two = STR("second-Secret-77");
	struct redact_set *one = set_of1(TOKEN);
	struct redact_set *both = set_of(one, &two, 1);
	struct fixture f;

	(void)state;
	assert_int_equal(redact_set_size(both), 2);
	assert_string_equal(redact_set_name(both, 0), "S0");
	begin(&f, one);
	put(&f, STR("second-Secret-77 q7Zk-R3_xW9v"));
	redact_stream_swap(f.s, both);
	put(&f, STR("Tb5+Lm2/Yd8H second-Secret-77 second-"));
	finish(&f, STR("second-Secret-77 " M " " M " " P));
	/* The first half is out already: what follows is not the secret. */
	begin(&f, one);
	put(&f, STR("second-S"));
	redact_stream_swap(f.s, both);
	put(&f, STR("ecret-77."));
	finish(&f, STR("second-Secret-77."));
	/* It is in the held tail, behind a beginning of the old one. */
	redact_set_free(one);
	redact_set_free(both);
	one = set_of1("#second-Sec-78");
	two = STR("second-Sec-77");
	both = set_of(one, &two, 1);
	begin(&f, one);
	put(&f, STR("#second-S"));
	redact_stream_swap(f.s, both);
	put(&f, STR("ec-77."));
	finish(&f, STR("#" M "."));
	redact_set_free(one);
	redact_set_free(both);
}

static void test_counts(void **state)
{
	static const struct str v[] = {
		{TOKEN,              24},
                {"second-Secret-77", 16}
        };
	struct redact_set *set = set_of(NULL, v, 2);
	struct fixture f;

	(void)state;
	begin(&f, set);
	for (size_t i = 0; i < 3; i++) {
		put(&f, STR("a " TOKEN " b q7Zk-R3"));
		put(&f, STR("_xW9vTb5+Lm2/Yd8H second-"));
		redact_stream_tick(f.s);
	}
	put(&f, STR("Secret-77\n"));
	assert_int_equal(redact_stream_seen(f.s, 0), 6);
	assert_int_equal(redact_stream_seen(f.s, 1), 1);
	assert_int_equal(redact_stream_counts(f.s)->marks, 7);
	assert_int_equal(redact_stream_counts(f.s)->partial, 0);
	redact_stream_free(f.s);
	buf_done(&f.out);
	redact_set_free(set);
}

static void test_buf(void **state)
{
	CLEANUP_BUF struct buf out = BUF_INIT(64);
	struct redact_set *set = set_of1(TOKEN);

	(void)state;
	buf_puts(&out, "error: ");
	assert_int_equal(
		redact_buf(set, "no such file: " TOKEN, 38, false, &out), 1);
	assert_string_equal(buf_cstr(&out), "error: no such file: " M);
	buf_reset(&out);
	assert_int_equal(redact_buf(set, "q7Zk-R3", 7, false, &out), 0);
	assert_string_equal(buf_cstr(&out), "q7Zk-R3");
	buf_reset(&out);
	assert_int_equal(redact_buf(set, "q7Zk-R3", 7, true, &out), 1);
	assert_string_equal(buf_cstr(&out), P);
	buf_reset(&out);
	assert_int_equal(redact_buf(set, "", 0, true, &out), 0);
	for (int i = 0; i < 6; i++)
		(void)!redact_buf(set, "0123456789abc", 13, false, &out);
	assert_int_equal(redact_buf(set, "x", 1, false, &out), -1);
	redact_set_free(set);
}

/* Alternating bytes on two descriptors are one secret to who looks at both. */
static void test_watch(void **state)
{
	static const struct str two = {"second-Secret-77", 16};
	struct redact_set *set = set_of1(TOKEN), *both;
	struct redact_watch *w = redact_watch_new(set);
	uint64_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(TOKEN) - 1; i++) {
		assert_int_equal(n, i >= 16); /* a line of a dump */
		n += redact_watch_write(w, &TOKEN[i], 1);
	}
	assert_int_equal(n, 1);
	assert_int_equal(redact_watch_seen(w, 0), 1);
	assert_int_equal(redact_watch_write(w, "nothing", 7), 0);
	both = set_of(set, &two, 1);
	redact_watch_swap(w, both);
	assert_int_equal(redact_watch_write(w, "second-Secret-77", 16), 1);
	assert_int_equal(redact_watch_seen(w, 0), 1);
	assert_int_equal(redact_watch_seen(w, 1), 1);
	redact_watch_free(w);
	redact_set_free(set);
	redact_set_free(both);
}

/* Over the edges of pipes, pages and our own buffer. */
static void test_edges(void **state)
{
	static const size_t edges[] = {4096, 65536, 98304, 98368, 131072};
	struct redact_set *set = set_of1(TOKEN);
	char *text = mem_alloc(200000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		for (size_t back = 0; back <= 25; back++) {
			size_t at = edges[i] - back;
			struct fixture f;

			memset(text, '.', 200000);
			memcpy(text + at, TOKEN, 24);
			begin(&f, set);
			put(&f, str_n(text, edges[i]));
			put(&f, str_n(text + edges[i], 200000 - edges[i]));
			memcpy(text + at, M, sizeof(M) - 1);
			memmove(text + at + 10, text + at + 24,
				200000 - at - 24);
			finish(&f, str_n(text, 200000 - 14));
		}
	mem_free(text);
	redact_set_free(set);
}

static void test_empty_set(void **state)
{
	struct redact_set *set = set_of(NULL, NULL, 0);

	(void)state;
	check(set, "anything goes\n", "anything goes\n");
	assert_int_equal(redact_set_patterns(set), 0);
	redact_set_free(set);
	redact_set_free(NULL);
	redact_stream_free(NULL);
	redact_watch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_every_two_cuts),
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_tick_of_text),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_self_overlap),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_marker),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_common),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_empty_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

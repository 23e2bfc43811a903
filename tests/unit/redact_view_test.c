/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Views and values: terminal tricks, binary, lines, JSON, URLs, squeezing. */
#include "redact_test.h"
#include "secrets/redact_gram.h"

#define M REDACT_MARK
#define P REDACT_MARK_PARTIAL
#define E "\033"

/* So short that there are no other patterns in it. */
#define A "q7Zk-R3_"
#define B "xW9vTb5+"

static void test_terminal(void **state)
{
	static const char *const between[] = {
		E "[31m",
		E "[K",
		E "[0m" E "[1;32m",
		E "[38:2:255:0:0m",
		E "]8;;http://x.y/z" E "\\",
		E "]0;title\007",
		E "(B" E "[m",
		E "c",
		E "P1$r" E "\\",
		"\r\n",
		"\t",
		"\b",
		"\n    | \n",
		" ",
		E "[31m\n" E "[32m",
		"\177",
		E "[\n",
		E "[3" E "[3m",
	};
	struct redact_set *set = set_of1(A B);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(between); i++) {
		char text[128];
		bool bar = strchr(between[i], '|');

		snprintf(text, sizeof(text), "<" A "%s" B ">", between[i]);
		check(set, text, bar ? text : "<" M ">");
	}
	check(set, E "[31m" A B E "[0m\n", E "[31m" M E "[0m\n");
	check(set, E "]0;" A B "\007", E "]0;" M "\007");
	check_n(set, STR("<" A "\0\0" B ">"), STR("<" M ">"));
	redact_set_free(set);
}

/* The largest gap that a match bridges, and one more. */
static void test_gap(void **state)
{
	struct redact_set *set = set_of1(A B);

	(void)state;
	for (size_t gap = 250; gap <= 262; gap++)
		for (size_t shift = 0; shift < 64; shift += 7) {
			CLEANUP_BUF struct buf in = BUF_INIT(1000);
			CLEANUP_BUF struct buf want = BUF_INIT(1000);
			struct fixture f;

			buf_printf(&in, "%*s" A "%*s" B, (int)shift, "",
				   (int)gap, "");
			if (gap <= REDACT_GAP_MAX)
				buf_printf(&want, "%*s%s", (int)shift, "", M);
			else
				buf_str(&want, buf_view(&in));
			begin(&f, set);
			put(&f, buf_view(&in));
			finish(&f, buf_view(&want));
		}
	redact_set_free(set);
}

/* What is at every place is masked as one, and not compared at each. */
static void test_everywhere(void **state)
{
	struct redact_set *set = set_of1("xyzxyzxyzxyzxyzxyzxyzxyz");
	CLEANUP_BUF struct buf in = BUF_INIT(30000);
	struct fixture f;

	(void)state;
	while (in.len < 30000)
		buf_puts(&in, "xyz");
	begin(&f, set);
	put(&f, buf_view(&in));
	redact_stream_tick(f.s);
	assert_true(redact_stream_counts(f.s)->verifies < in.len / 4);
	finish(&f, STR(M));
	redact_set_free(set);
	/* The one over the blank is within the others together. */
	check1("abcabcabc", "abcabcabc abcabcabc", M);
}

static void test_long_gap_in_pieces(void **state)
{
	struct redact_set *set = set_of1(A B);
	struct fixture f;

	(void)state;
	begin(&f, set);
	put(&f, STR(A));
	for (int i = 0; i < 300; i++)
		put(&f, STR(" "));
	assert_int_equal(f.out.len, 8 + 300);
	put(&f, STR(B));
	redact_stream_end(f.s);
	assert_int_equal(f.out.len, 8 + 300 + 8);
	redact_stream_free(f.s);
	buf_done(&f.out);
	redact_set_free(set);
}

/* All bytes of a secret spread over as many blocks as can be. */
static void test_widest(void **state)
{
	CLEANUP_BUF struct buf in = BUF_INIT(1 << 20);
	struct redact_set *set;
	char v[128];
	struct str s = {v, sizeof(v)};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(v); i++) {
		v[i] = (char)('!' + (i * i * 31 + i * 7) % 90);
		buf_printf(&in, "%c%*s", v[i], i + 1 < sizeof(v) ? 256 : 0, "");
	}
	set = set_of(NULL, &s, 1);
	begin(&f, set);
	for (size_t i = 0; i < in.len; i += 1000)
		put(&f,
		    str_n(in.data + i, in.len - i < 1000 ? in.len - i : 1000));
	finish(&f, STR(M));
	redact_set_free(set);
}

static void test_binary(void **state)
{
	static const struct str v[] = {
		{"\0\xff\n\x80key\x01\0\xfe\xfdzz", 14},
		{"\0\0\0\0\1\2\3\4\0\0\0\0",        12}, /* nothing kept */
		{"a b c d e f",                     11}, /* too few kept */
		{E "[1mA" E "[2mB" E "[3mC",        15},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct redact_set *set = set_of(NULL, &v[i], 1);
		CLEANUP_BUF struct buf in = BUF_INIT(99);
		CLEANUP_BUF struct buf out = BUF_INIT(99);

		buf_puts(&in, "<");
		buf_str(&in, v[i]);
		buf_puts(&in, ">");
		assert_int_equal(redact_buf(set, in.data, in.len, false, &out),
				 1);
		assert_null(memmem(out.data, out.len, v[i].p, v[i].len));
		assert_true(out.len <= 2 + sizeof(M) - 1 + 4);
		redact_set_free(set);
	}
}

#define L1      "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7Xh2kQv9ZpT3w"
#define L2      "r8Kf1LzYt0GmNq5uVb7XsJ4hEaRdWcPoI6yUnDxHg3kOiSvTjMlBeZfAqCw2Q9tK"
#define L3      "p0Vn4xLs8Jd7Tq=="
#define HEAD    "-----BEGIN PRIVATE KEY-----"
#define TAIL    "-----END PRIVATE KEY-----"
#define PEM(nl) HEAD nl L1 nl L2 nl L3 nl TAIL nl

static void test_pem(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{PEM("\n"),        M "\n"         },
		{PEM("\r\n"),      M "\r\n"       },
		{PEM(" "),         M " "          },
		{PEM(""),          M              },
		{PEM("\\n"),       M              },
		{PEM("\n      "),  M "\n      "   },
		{"line: " L2 "\n", "line: " M "\n"},
		{"last: " L3 "\n", "last: " M "\n"},
 /* What is in every key and certificate stays. */
		{HEAD "\nother",   HEAD "\nother" },
		{TAIL "\n",        TAIL "\n"      },
	};
	struct redact_set *set = set_of1(PEM("\n"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP_BUF struct buf out = BUF_INIT(1000);

		assert_true(redact_buf(set, cases[i].text,
				       strlen(cases[i].text), false,
				       &out) >= 0);
		/* Tiles may end at a line's end: a marker on each side. */
		for (char *p; out.len && (p = memmem(out.data, out.len, M "\n",
						     sizeof(M)));) {
			size_t at = (size_t)(p - out.data);
			size_t next = at + sizeof(M);

			while (next < out.len && (uint8_t)out.data[next] <= ' ')
				next++;
			if (next + 10 > out.len ||
			    memcmp(out.data + next, M, 10))
				break;
			memmove(p, out.data + next, out.len - next);
			out.len -= next - at;
		}
		if (!str_is(buf_view(&out), cases[i].want))
			fail_msg("%zu: " STR_FMT, i, STR_ARG(buf_view(&out)));
	}
	redact_set_free(set);
}

/* head -c N of a key, for every N: never 8 bytes of it in a row. */
static void test_pem_cut(void **state)
{
	static const char pem[] = PEM("\n");
	struct redact_set *set = set_of1(pem);

	(void)state;
	for (size_t n = 1; n < sizeof(pem); n++) {
		CLEANUP_BUF struct buf out = BUF_INIT(1000);

		assert_true(redact_buf(set, pem, n, true, &out) >= 0);
		for (size_t i = sizeof(HEAD); i + 8 < n - 8 && n > 16; i++)
			if (i + 8 < sizeof(pem) - sizeof(TAIL))
				assert_null(
					memmem(out.data, out.len, pem + i, 8));
	}
	redact_set_free(set);
}

static void test_json_secret(void **state)
{
	struct redact_set *set = set_of1(
		"{\n \"type\": \"service_account\",\n"
		" \"key_id\": \"kid-0123-4567\",\n"
		" \"nested\": [\"deep-value-99\", \"line1-abcdef\\nline2-ghijkl\"],"
		" \"short\": \"abc\"\n}\n");

	(void)state;
	check(set, "id kid-0123-4567 and deep-value-99.",
	      "id " M " and " M ".");
	check(set, "line2-ghijkl", M);
	check(set, "{\n}\n service_account abc type\n",
	      "{\n}\n service_account abc type\n");
	redact_set_free(set);
}

static void test_url_secret(void **state)
{
	struct redact_set *set = set_of1(
		"postgres://app:pa55w0rd-of-db@db.internal:5432/app?x=1");

	(void)state;
	check(set, "PGPASSWORD=pa55w0rd-of-db", "PGPASSWORD=" M);
	check(set, "host db.internal:5432 ok", "host db.internal:5432 ok");
	redact_set_free(set);
}

static void test_lines(void **state)
{
	struct redact_set *set = set_of1("first-line-1\r\n  second-line\nno\n");

	(void)state;
	check(set, "a first-line-1 b", "a " M " b");
	check(set, "a second-line b no", "a " M " b no");
	redact_set_free(set);
}

static unsigned what(const uint8_t *p, size_t len)
{
	unsigned has = memchr(p, 0x1b, len) ? REDACT_HAS_ESC : 0;

	while (len--)
		if (redact_odd(*p++))
			has |= REDACT_HAS_ODD;
	return has;
}

/* Every implementation does the same, and the way back is right. */
static void test_squeeze(void **state)
{
	enum {
		LEN = 3000
	};
	uint8_t *p = mem_alloc(LEN + REDACT_BLOCK), *kept[4];
	struct redact_squeezed sq[4];
	uint64_t r = 7;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		kept[i] = mem_alloc(LEN + REDACT_BLOCK);
		sq[i] = (struct redact_squeezed){
			.b = kept[i],
			.map = mem_array(LEN / REDACT_BLOCK + 2,
					 sizeof(uint32_t)),
			.kept = mem_array(LEN / REDACT_BLOCK + 2,
					  sizeof(uint64_t)),
		};
	}
	for (unsigned round = 0; round < 300; round++) {
		size_t len = round < 130 ? round : LEN - round;
		unsigned has = redact_squeeze(
			memset(p, ' ', LEN + REDACT_BLOCK), 0, &sq[3]);

		assert_int_equal(has, 0);
		for (size_t i = 0; i < len; i++) {
			r = r * 6364136223846793005u + 1442695040888963407u;
			p[i] = (uint8_t)(r >> 56) >> (round % 4);
			if (round % 5 == 0 && i % 700 > 300)
				p[i] = ' ';
		}
		has = redact_squeeze(p, len, &sq[3]);
		assert_int_equal(has, what(p, len));
		for (unsigned i = 0; redact_squeeze_impl(i); i++) {
			assert_int_equal(redact_squeeze_impl(i)(p, len, &sq[i]),
					 has);
			assert_int_equal(sq[i].n, sq[3].n);
			assert_memory_equal(sq[i].b, sq[3].b, sq[3].n);
		}
		for (size_t i = 0, k = 0; i < len; i++) {
			if (!redact_kept(p[i]))
				continue;
			k += !sq[3].b[k]; /* a gap too large */
			assert_int_equal(sq[3].b[k], p[i]);
			assert_int_equal(redact_squeeze_origin(&sq[3], k), i);
			k++;
		}
	}
	for (unsigned i = 0; i < 4; i++) {
		mem_free(sq[i].map);
		mem_free(sq[i].kept);
		mem_free(kept[i]);
	}
	mem_free(p);
}

/* Every implementation lets the same places through, and those that it must. */
static void check_filters(const struct redact_match *m, const uint8_t *p,
			  size_t from, size_t end)
{
	uint32_t got[1024 + REDACT_FILTER_SLACK];

	for (unsigned i = 0; redact_filter_impl(i); i++) {
		size_t n = redact_filter_impl(i)(m, p, from, end, got), k = 0;

		for (size_t at = from; at < end; at += m->stride)
			if (bloom_has(m->bloom, load32(p + at), m->bloom_shift))
				assert_int_equal(got[k++], at);
		assert_int_equal(n, k);
	}
}

static void test_filter(void **state)
{
	static const struct str values[] = {
		STR("correct-horse"),
		STR("xk7Q"),
		STR("0123456789abcdef0123456789"),
	};
	struct redact_set *set = set_of(NULL, values, ARRAY_LEN(values));
	uint8_t *p = mem_alloc(1024 + GRAM);
	uint64_t r = 7;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		size_t end = round < 200 ? round : 1024 - round, let = 0;
		size_t from = end ? round % 13 % end : 0;

		for (size_t i = 0; i < end + GRAM - 1; i++) {
			struct str v = values[(i / 31) % ARRAY_LEN(values)];

			r = r * 6364136223846793005u + 1442695040888963407u;
			p[i] = (uint8_t)(r >> 56);
			if (round % 2) /* pieces of secrets at all places */
				p[i] = (uint8_t)v.p[(i + round) % v.len];
		}
		for (unsigned view = 0; view < REDACT_N_VIEWS; view++) {
			const struct redact_match *m = &set->match[view];

			if (!m->n)
				continue;
			check_filters(m, p, from, end);
			for (size_t i = from; i < end; i += m->stride)
				let += bloom_has(m->bloom, load32(p + i),
						 m->bloom_shift);
		}
		assert_true(round % 2 == 0 || end < 64 || let);
	}
	mem_free(p);
	redact_set_free(set);
}

static void test_escape_len(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{E "[31mx",        5},
                {E "[x",           3},
		{E "[3",           3},
                {E "]0;a\007x",    6},
		{E "]0;a" E "\\x", 7},
                {E "]0;a" E "[m",  5},
		{E "(Bx",          3},
                {E "cx",           2},
		{E "\nx",          1},
                {E,                1},
		{E "[3\x80",       3},
                {E E "[m",         1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(
			redact_escape_len((const uint8_t *)cases[i].text,
					  strlen(cases[i].text)),
			cases[i].len);
}

/* UTF-8 secrets, also cut inside a character and as UTF-16. */
static void test_utf8(void **state)
{
	struct redact_set *set = set_of1("p\xc3\xa4ssw\xc3\xb6rt-\xe2\x82\xac"
					 "\xf0\x9f\x94\x91!");

	(void)state;
	check(set, "<p\xc3\xa4ssw\xc3\xb6rt-\xe2\x82\xac\xf0\x9f\x94\x91!>",
	      "<" M ">");
	check(set, "p\\u00e4ssw\\u00f6rt-\\u20ac\\ud83d\\udd11!", M);
	check(set, "p%C3%A4ssw%C3%B6rt-%E2%82%AC%F0%9F%94%91%21", M);
	check_n(set,
		STR("p\0\xe4\0s\0s\0w\0\xf6\0r\0t\0-\0\xac\x20\x3d\xd8\x11\xdd"
		    "!\0"),
		STR(M "\0"));
	redact_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_long_gap_in_pieces),
		cmocka_unit_test(test_everywhere),
		cmocka_unit_test(test_widest),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_pem),
		cmocka_unit_test(test_pem_cut),
		cmocka_unit_test(test_json_secret),
		cmocka_unit_test(test_url_secret),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_squeeze),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_escape_len),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who asked when a proxy asks: what is believed of whom. */
#include "api/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct str trusted_items[] = {
	{"127.0.0.1",   9 },
	{"10.1.0.0/16", 11},
	{"fd00::/8",    8 },
};
static const struct config_texts trusted = {trusted_items, 3};
static struct str unix_item[] = {
	{"unix", 4},
};
static const struct config_texts only_unix = {unix_item, 1};

static struct forwarded f;
static const char *header;

static int of_x_for(const char *peer, const char *x_for)
{
	struct forwarded_headers h = {.x_for = str_from(x_for)};

	return forwarded_read(&trusted, str_from(peer), &h, &f, &header);
}

static int of_forwarded(const char *peer, const char *text)
{
	struct forwarded_headers h = {.forwarded = str_from(text)};

	return forwarded_read(&trusted, str_from(peer), &h, &f, &header);
}

static void a_stranger_is_itself(void **state)
{
	struct forwarded_headers h = {
		.forwarded = STR("for=1.2.3.4;proto=https;host=evil"),
		.x_for = STR("1.2.3.4"),
		.x_proto = STR("https"),
		.x_host = STR("evil"),
		.x_prefix = STR("/evil"),
	};
	static const char *const peers[] = {"192.0.2.1", "10.2.0.1", "fc00::1",
					    "unix"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		assert_int_equal(forwarded_read(&trusted, str_from(peers[i]),
						&h, &f, &header),
				 0);
		assert_string_equal(f.client, peers[i]);
		assert_false(f.by_proxy || f.https || f.host[0] || f.prefix[0]);
	}
	/* nor is what it sends a reason to refuse it */
	h.forwarded = STR("for=\"");
	assert_int_equal(
		forwarded_read(&trusted, STR("192.0.2.1"), &h, &f, &header), 0);
}

static void the_chain_is_read_from_its_end(void **state)
{
	static const struct {
		const char *peer, *x_for, *client;
	} rows[] = {
		{"127.0.0.1",        "192.0.2.7",                    "192.0.2.7"  },
		{"127.0.0.1",        "6.6.6.6, 192.0.2.7",           "192.0.2.7"  },
		{"127.0.0.1",        "6.6.6.6, 192.0.2.7, 10.1.2.3", "192.0.2.7"  },
		{"10.1.0.9",         "6.6.6.6,192.0.2.7:5555",       "192.0.2.7"  },
		{"127.0.0.1",        "10.1.0.1, 10.1.0.2",           "10.1.0.1"   },
		{"127.0.0.1",        "2001:DB8::1",                  "2001:db8::1"},
		{"127.0.0.1",        "[2001:db8::1]:80",             "2001:db8::1"},
		{"fd12::1",          "::ffff:192.0.2.9",             "192.0.2.9"  },
		{"::ffff:127.0.0.1", "192.0.2.7",                    "192.0.2.7"  },
 /* the one who hides whom it saw is all that is known */
		{"127.0.0.1",        "6.6.6.6, unknown",             "127.0.0.1"  },
		{"127.0.0.1",        "6.6.6.6, unknown, 10.1.2.3",   "10.1.2.3"   },
		{"127.0.0.1",        "6.6.6.6, <script>",            "127.0.0.1"  },
		{"127.0.0.1",        "",                             "127.0.0.1"  },
		{"127.0.0.1",        " , ,192.0.2.7 ,",              "192.0.2.7"  },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(of_x_for(rows[i].peer, rows[i].x_for), 0);
		assert_string_equal(f.client, rows[i].client);
		assert_true(f.by_proxy);
	}
}

static void the_standard_header(void **state)
{
	static const struct {
		const char *text, *client, *host;
		bool https;
	} rows[] = {
		{"for=192.0.2.60;proto=http;by=203.0.113.43",           "192.0.2.60",        "",
		 false											       },
		{"For=\"[2001:db8:cafe::17]:4711\"",                    "2001:db8:cafe::17", "",
		 false											       },
		{"for=6.6.6.6;host=evil, for=192.0.2.1;proto=https;"
		 "host=\"ci.example:8443\"",           "192.0.2.1",         "ci.example:8443", true },
 /* the edge's word, not that of the proxy behind it */
		{"for=192.0.2.1;proto=https;host=ci.example, "
		 "for=10.1.0.1;proto=http;host=inner", "192.0.2.1",         "ci.example",      true },
		{"for=_hidden;proto=https",                             "127.0.0.1",         "",                true },
		{"for=\"unknown\"",				     "127.0.0.1",         "",                false},
		{"proto=https;host=a",                                  "127.0.0.1",         "a",               true },
		{" for=1.2.3.4 ;; proto=https , ",                      "1.2.3.4",           "",                true },
		{"for=\"\\1.2.3.4\";secret=\"a,b;for=9.9.9.9\"",        "1.2.3.4",           "",
		 false											       },
		{"for=1.2.3.4:80",				      "1.2.3.4",           "",                false},
		{"",						    "127.0.0.1",         "",                false},
	};
	static const char *const bad[] = {
		"for",
		"for=",
		"for=\"1.2.3.4",
		"for=\"1.2.3.4\\",
		"for=1.2.3.4;for=5.6.7.8",
		"=1.2.3.4",
		"for=1.2.3.4 proto=http",
		";for=1.2.3.4",
		"for=1.2.3.4;proto=gopher",
		"for=1.2.3.4;host=\"a b\"",
		"for=1.2.3.4;host=\"<\"",
		"for=\"\n\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (of_forwarded("127.0.0.1", rows[i].text))
			fail_msg("refused: %s", rows[i].text);
		assert_string_equal(f.client, rows[i].client);
		assert_string_equal(f.host, rows[i].host);
		assert_int_equal(f.https, rows[i].https);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (!of_forwarded("127.0.0.1", bad[i]))
			fail_msg("taken: %s", bad[i]);
		assert_string_equal(header, "Forwarded");
	}
}

/* What its client sends under the other name a proxy passes on as it is. */
static void both_mean_the_same_client(void **state)
{
	static const struct {
		const char *forwarded, *x_for;
		bool taken;
	} rows[] = {
		{"for=192.0.2.7",                "192.0.2.7",               true },
		{"for=192.0.2.7, for=127.0.0.1", "192.0.2.7",               true },
		{"for=unknown",                  "unknown",                 true },
		{"for=203.0.113.66",             "192.0.2.7",               false},
		{"for=192.0.2.7",                "192.0.2.7, 203.0.113.66", false},
		{"for=unknown",                  "192.0.2.7",               false},
		{"proto=https",                  "192.0.2.7",               false},
		{"for=192.0.2.7",                "unknown",                 false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forwarded_headers h = {
			.forwarded = str_from(rows[i].forwarded),
			.x_for = str_from(rows[i].x_for)};
		int bad = forwarded_read(&trusted, STR("127.0.0.1"), &h, &f,
					 &header);

		if (!bad != rows[i].taken)
			fail_msg("%s and %s", rows[i].forwarded, rows[i].x_for);
		if (bad)
			assert_string_equal(header, "Forwarded");
	}
}

static void the_other_headers(void **state)
{
	struct forwarded_headers h = {
		.x_for = STR("192.0.2.7"),
		.x_proto = STR("http, https"),
		.x_host = STR("spoofed, ci.example"),
		.x_prefix = STR("/a/nfo/"),
	};

	(void)state;
	assert_int_equal(
		forwarded_read(&trusted, STR("127.0.0.1"), &h, &f, &header), 0);
	assert_true(f.https);
	assert_string_equal(f.host, "ci.example");
	assert_string_equal(f.prefix, "/a/nfo");
	h.x_prefix = STR("/");
	assert_int_equal(
		forwarded_read(&trusted, STR("127.0.0.1"), &h, &f, &header), 0);
	assert_string_equal(f.prefix, "");
	h.x_prefix = STR("//evil.example");
	assert_int_equal(
		forwarded_read(&trusted, STR("127.0.0.1"), &h, &f, &header),
		-1);
	assert_string_equal(header, "X-Forwarded-Prefix");
	h.x_prefix = STR("/a\r\nSet-Cookie: x");
	assert_int_equal(
		forwarded_read(&trusted, STR("127.0.0.1"), &h, &f, &header),
		-1);
	h = (struct forwarded_headers){.x_proto = STR("ftp")};
	assert_int_equal(
		forwarded_read(&trusted, STR("127.0.0.1"), &h, &f, &header),
		-1);
	assert_string_equal(header, "X-Forwarded-Proto");
}

static void unix_peers(void **state)
{
	struct forwarded_headers h = {.x_for = STR("192.0.2.7")};

	(void)state;
	assert_int_equal(
		forwarded_read(&only_unix, STR("unix"), &h, &f, &header), 0);
	assert_string_equal(f.client, "192.0.2.7");
	/* and TCP is not trusted for that */
	assert_int_equal(
		forwarded_read(&only_unix, STR("127.0.0.1"), &h, &f, &header),
		0);
	assert_string_equal(f.client, "127.0.0.1");
}

static void too_many_hops(void **state)
{
	char text[40 * 8 + 1] = "";

	(void)state;
	for (size_t i = 0; i < 40; i++)
		strcat(text, "1.2.3.4,");
	assert_int_equal(of_x_for("127.0.0.1", text), -1);
	text[32 * 8] = '\0';
	assert_int_equal(of_x_for("127.0.0.1", text), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_is_itself),
		cmocka_unit_test(the_chain_is_read_from_its_end),
		cmocka_unit_test(the_standard_header),
		cmocka_unit_test(both_mean_the_same_client),
		cmocka_unit_test(the_other_headers),
		cmocka_unit_test(unix_peers),
		cmocka_unit_test(too_many_hops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

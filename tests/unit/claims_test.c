/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Claims to logins, and a provider's keys over time. */
#include "base/mem.h"
#include "oidc/claims.h"
#include "oidc/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PROVIDER                                                               \
	"oidc: [{ name: corp, issuer: 'https://i', audience: [n],\n"           \
	"  jwks_file: /x, user_claim: login, groups_claim: /realm/groups,\n"   \
	"  skew: 30s, algorithms: [EdDSA], require: { org: acme },\n"          \
	"  roles: [\n"                                                         \
	"   { when: { path: 'acme/*', protected: 'true' }, role: operator,\n"  \
	"     projects: [web] },\n"                                            \
	"   { when: { path: 'acme/**', level: '3' }, role: admin,\n"           \
	"     projects: ['*'] }] }]\n"

static struct config *c;
static const struct config_oidc *corp;
static struct access *set;

static int make(void **state)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct err e;
	int bad;

	(void)state;
	c = config_new();
	bad = config_read(c, STR(PROVIDER), DOC_YAML, ps) ||
	      config_check(c, ps);
	corp = c->oidc.items;
	set = access_new();
	bad = bad || access_add_user(set, STR("ann"), STR("{}"), &e);
	mem_free(ps);
	return bad;
}

static int drop(void **state)
{
	(void)state;
	access_free(set);
	config_free(c);
	return 0;
}

/* The login that these claims make; its subject is "" when they make none. */
static struct login login(struct arena *a, const char *claims)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct jwt t = {.expires_s = 100};
	struct login x = {.subject = STR("")};
	struct err e;

	assert_int_equal(doc_parse(str_from(claims), DOC_JSON, &t.payload, ps),
			 0);
	t.claims = t.payload->root;
	if (claims_login(corp, &t, set, a, &x, &e))
		x.subject = STR("");
	/* what it borrows of the token */
	x.subject = str_from(arena_strndup(a, x.subject.p, x.subject.len));
	doc_free(t.payload);
	return x;
}

static void who_it_is(void **state)
{
	static const struct {
		const char *claims, *subject;
	} rows[] = {
		{"{\"org\":\"acme\",\"sub\":\"x:1\"}",                   "oidc:corp:x:1"},
		{"{\"org\":\"acme\",\"sub\":\"b\",\"login\":\"ann\"}",
		 "user:ann"							     },
		{"{\"org\":\"acme\",\"sub\":\"b\",\"login\":\"bob\"}",
		 "oidc:corp:b"							  },
		{"{\"org\":\"acme\",\"sub\":\"b\",\"login\":[\"ann\"]}",
		 "oidc:corp:b"							  },
		{"{\"org\":[\"x\",\"acme\"],\"sub\":\"b\"}",             "oidc:corp:b"  },
		{"{\"org\":\"acme2\",\"sub\":\"b\"}",                    ""             },
		{"{\"sub\":\"b\"}",				      ""             },
		{"{\"org\":\"acme\"}",                                   ""             },
		{"{\"org\":\"acme\",\"sub\":\"a\\nb\"}",                 ""             },
		{"{\"org\":\"acme\",\"sub\":7}",                         ""             },
	};
	struct jwt_rules r = claims_rules(corp);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(1 << 20);

		assert_string_equal(login(a, rows[i].claims).subject.p,
				    rows[i].subject);
		arena_free(a);
	}
	assert_int_equal(r.algs, 1U << JWT_EDDSA);
	assert_int_equal(r.skew_s, 30);
	assert_true(str_is(r.issuer, "https://i"));
	assert_int_equal(r.n_audiences, 1);
}

static void what_it_may(void **state)
{
	static const struct {
		const char *path, *more;
		enum access_level web, all;
	} rows[] = {
		{"acme/x",      "",                          ACCESS_NONE,     ACCESS_NONE },
		{"acme/x",      ",\"protected\":true",       ACCESS_OPERATOR, ACCESS_NONE },
		{"acme/x",      ",\"protected\":\"true\"",   ACCESS_OPERATOR,
		 ACCESS_NONE							      },
		{"acme/x",      ",\"protected\":\"truest\"", ACCESS_NONE,
		 ACCESS_NONE							      },
		{"acme/x/y",    ",\"protected\":true",       ACCESS_NONE,     ACCESS_NONE },
		{"evil/acme/x", ",\"protected\":true",       ACCESS_NONE,
		 ACCESS_NONE							      },
		{"acme/x/y",    ",\"level\":3",              ACCESS_ADMIN,    ACCESS_ADMIN},
		{"acme/x",      ",\"level\":{\"a\":3}",      ACCESS_NONE,     ACCESS_NONE },
	};
	struct logins *l = logins_new();

	(void)state;
	access_use(set, l);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(4096);
		struct arena *a = arena_new(1 << 20);
		const struct login *in;
		struct login x;
		struct str id;

		buf_printf(&b,
			   "{\"org\":\"acme\",\"sub\":\"s\",\"path\":\"%s\"%s}",
			   rows[i].path, rows[i].more);
		x = login(a, buf_cstr(&b));
		assert_int_equal(x.expires_us, 130 * 1000000);
		in = logins_add(l, &x, 0);
		id = str_from(in->id.s);
		if (access_role(set, in->subject, id, STR("web")) !=
			    rows[i].web ||
		    access_role(set, in->subject, id, STR("")) != rows[i].all)
			fail_msg("%s%s", rows[i].path, rows[i].more);
		arena_free(a);
	}
	access_use(set, NULL);
	logins_free(l);
}

static void its_groups(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	struct arena *a = arena_new(1 << 20);
	struct login x = login(a, "{\"org\":\"acme\",\"sub\":\"s\",\"realm\":"
				  "{\"groups\":[\"/devs\",7,\"\",\"a\\u0001\","
				  "\"ops\"]}}");

	(void)state;
	assert_int_equal(x.n_groups, 2);
	assert_true(str_is(x.groups[0], "oidc:corp:/devs"));
	assert_true(str_is(x.groups[1], "oidc:corp:ops"));
	buf_puts(&b,
		 "{\"org\":\"acme\",\"sub\":\"s\",\"realm\":{\"groups\":[1");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, ",\"g\"");
	buf_puts(&b, "]}}");
	assert_int_equal(login(a, buf_cstr(&b)).n_groups, LOGIN_GROUPS_MAX);
	arena_free(a);
}

/* --- keys --------------------------------------------------------------- */

#define KEY(kid)                                                               \
	"{\"keys\":[{\"kid\":\"" kid "\",\"kty\":\"OKP\",\"crv\":\"Ed25519\"," \
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

static void keys_over_time(void **state)
{
	const int64_t second = 1000000, start = 1000 * second;
	struct keyring k = {.keys = NULL};
	int64_t now = start;
	bool changed;
	struct err e;

	(void)state;
	assert_null(keyring_keys(&k, now));
	assert_true(keyring_wants(&k, false, now));
	keyring_asked(&k, false, now);
	assert_false(keyring_wants(&k, true, now));
	keyring_failed(&k);
	assert_false(keyring_wants(&k, false, now + 59 * second));
	now += 60 * second;
	assert_true(keyring_wants(&k, false, now));
	keyring_asked(&k, false, now);
	assert_int_equal(keyring_took(&k, STR(KEY("a")), 1, now, &changed, &e),
			 0);
	assert_true(changed);
	/* one second was said: five minutes it is */
	assert_false(keyring_wants(&k, false, now + 299 * second));
	/* a key that is missing, once a minute, too */
	assert_true(keyring_wants(&k, true, now));
	keyring_asked(&k, true, now);
	assert_false(keyring_wants(&k, true, now));
	keyring_failed(&k);
	assert_false(keyring_wants(&k, true, now + 59 * second));
	assert_true(keyring_wants(&k, true, now + 60 * second));
	assert_true(keyring_wants(&k, false, now + 300 * second));
	now += 300 * second;
	keyring_asked(&k, false, now);
	assert_int_equal(
		keyring_took(&k, STR(KEY("a")), 1 << 30, now, &changed, &e), 0);
	assert_false(changed);
	assert_false(keyring_wants(&k, false, now + 86399 * second));
	/* what is none, and what is empty, does not take its place */
	assert_int_equal(keyring_took(&k, STR("<html>"), 0, now, &changed, &e),
			 -1);
	assert_int_equal(
		keyring_took(&k, STR("{\"keys\":[]}"), 0, now, &changed, &e),
		-1);
	now += 86400 * second; /* stale: they count on, for twelve hours */
	assert_non_null(keyring_keys(&k, now + 43199 * second));
	assert_null(keyring_keys(&k, now + 43200 * second));
	assert_int_equal(keyring_took(&k, STR(KEY("b")), 0, now, &changed, &e),
			 0);
	assert_true(changed);
	assert_false(keyring_wants(&k, false, now + 3599 * second));
	assert_true(keyring_wants(&k, false, now + 3600 * second));
	assert_int_equal(keyring_set(&k, STR(KEY("c")), &e), 0);
	assert_non_null(keyring_keys(&k, INT64_MAX - 1));
	keyring_done(&k);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_it_is),
		cmocka_unit_test(what_it_may),
		cmocka_unit_test(its_groups),
		cmocka_unit_test(keys_over_time),
	};

	return cmocka_run_group_tests(tests, make, drop);
}

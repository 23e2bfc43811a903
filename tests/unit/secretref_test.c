/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Secret references: one spelling each, and a hash of it. */
#include "secrets/ref.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const good[] = {
	"store:default/sign_key",
	"store:ci/token?version=3#user",
	"store:p/n#a%2Fb",
	"vault:default:secret/release#rsa_pem",
	"vault:default:secret/release?version=9223372036854775807",
	"vault:eu-1:a%20b/%C3%A9%3F%23%25#x%3Ay",
	"vault:default:db/creds/x?kind=read",
	"vault:default:pki/issue/web?kind=pki&p.common_name=a.example&p.ttl=1h",
	"vault:default:ssh/sign/ops?kind=ssh-cert&p.A=&p.a=%3D%26",
	"vault:default:...",
	"exec:pass",
	"exec:pass?p.entry=a%2Fb#last",
};

static const char *const bad[] = {
	"",
	":",
	"store",
	"store:",
	"store:default",
	"store:default/",
	"store:/x",
	"store:Default/x",
	"store:default/x/y",
	"store:default/9x",
	"store:default/x#", /* an empty field is not written */
	"store:default/x?",
	"store:default/x?version=0",
	"store:default/x?version=01",
	"store:default/x?version=+1",
	"store:default/x?version=",
	"store:default/x?version=9223372036854775808",
	"store:default/x?version=1&version=1",
	"store:default/x?kind=read",
	"store:default/x?p.a=b",
	"store:default/x?other=1",
	"store:default/%78",
	"store:default/x#a b",
	"store:default/x#a#b",
	"store:default/x ",
	" store:default/x",
	"STORE:default/x",
	"vault:secret/x",
	"vault::secret/x",
	"vault:default:",
	"vault:default:/x",
	"vault:default:x/",
	"vault:default:x//y",
	"vault:default:./x",
	"vault:default:x/../y",
	"vault:default:x/%2E%2E/y",
	"vault:default:x/%2e%2e/y",
	"vault:default:x%2Fy",
	"vault:default:x%",
	"vault:default:x%2",
	"vault:default:x%zz",
	"vault:default:x%00y",
	"vault:default:x%0Ay",
	"vault:default:x%7F",
	"vault:default:x%C3",
	"vault:default:x%ED%A0%80",
	"vault:default:x?kind=kv",
	"vault:default:x?kind=kv&p.a=b",
	"vault:default:x?p.a=b",
	"vault:default:x?kind=nonsense",
	"vault:default:x?kind=read&version=2",
	"vault:default:x?version=2&kind=pki",
	"vault:default:x?kind=pki&p.b=1&p.a=1",
	"vault:default:x?kind=pki&p.a=1&p.a=2",
	"vault:default:x?kind=pki&p.=1",
	"vault:default:x?kind=pki&p.a",
	"vault:default:x?kind=pki&p.a%20=1",
	"vault:default:x?kind=pki&p.a=%7E",
	"vault:default:x?kind=pki&",
	"exec:a/b",
	"exec:pass?version=1",
	"exec:pass?p.1=&p.2=&p.3=&p.4=&p.5=&p.6=&p.7=&p.8=&p.9=",
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(SECRET_REF_TEXT_MAX);
		struct hash h, want = hash_sha256(good[i], strlen(good[i]));
		struct secret_ref r;
		struct err e = {0};

		if (secret_ref_parse(str_from(good[i]), &r, &e))
			fail_msg("%s: %s", good[i], e.text);
		assert_int_equal(secret_ref_format(&r, &b, &e), 0);
		assert_string_equal(buf_cstr(&b), good[i]);
		assert_int_equal(secret_ref_hash(&r, &h, &e), 0);
		assert_true(hash_eq(&h, &want));
	}
}

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct secret_ref r, before;
		struct err e = {0};

		memset(&r, 0x5a, sizeof(r));
		before = r;
		if (!secret_ref_parse(str_from(bad[i]), &r, &e))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(e.code, ERR_INVALID);
		assert_memory_equal(&r, &before, sizeof(r));
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (size_t n = 0; n < strlen(good[i]); n++) {
			struct secret_ref r;
			struct err e;

			/* Cut short: another reference, or none. */
			if (!secret_ref_parse(str_n(good[i], n), &r, &e))
				assert_true(n > 5);
		}
	}
}

static void test_fields(void **state)
{
	struct secret_ref r;
	struct err e;

	(void)state;
	assert_int_equal(
		secret_ref_parse(STR("vault:eu:a%20b/c?kind=pki&p.n=%25#f%23"),
				 &r, &e),
		0);
	assert_int_equal(r.kind, SECRET_REF_VAULT);
	assert_int_equal(r.read, SECRET_READ_PKI);
	assert_string_equal(r.provider, "eu");
	assert_string_equal(r.path, "a b/c");
	assert_string_equal(r.field, "f#");
	assert_string_equal(r.project, "");
	assert_int_equal(r.n_params, 1);
	assert_string_equal(r.params[0].name, "n");
	assert_string_equal(r.params[0].value, "%");
	assert_int_equal(secret_ref_parse(STR("store:ci/x?version=7"), &r, &e),
			 0);
	assert_string_equal(r.project, "ci");
	assert_string_equal(r.path, "x");
	assert_int_equal(r.version, 7);
}

/* The order in which parameters are given does not matter. */
static void test_sorting(void **state)
{
	struct secret_ref a = {.kind = SECRET_REF_EXEC, .path = "x"};
	struct hash ha, hb;
	struct secret_ref b;
	struct err e;

	(void)state;
	a.n_params = 3;
	a.params[0] = (struct secret_ref_param){"b", "2"};
	a.params[1] = (struct secret_ref_param){"B", "1"};
	a.params[2] = (struct secret_ref_param){"a-", "3"};
	b = a;
	b.params[0] = a.params[2];
	b.params[2] = a.params[0];
	assert_int_equal(secret_ref_hash(&a, &ha, &e), 0);
	assert_int_equal(secret_ref_hash(&b, &hb, &e), 0);
	assert_true(hash_eq(&ha, &hb));
	b.params[0].value[0] = '4';
	assert_int_equal(secret_ref_hash(&b, &hb, &e), 0);
	assert_false(hash_eq(&ha, &hb));
	b.params[1] = b.params[0];
	assert_int_equal(secret_ref_hash(&b, &hb, &e), -1);
}

static void test_limits(void **state)
{
	struct secret_ref r = {.kind = SECRET_REF_EXEC, .path = "x"};
	CLEANUP_BUF struct buf b = BUF_INIT(8192);
	char text[SECRET_REF_TEXT_MAX + 2];
	struct err e;

	(void)state;
	r.n_params = 2;
	memset(r.params[0].value, 0x20, SECRET_REF_VALUE_MAX);
	memset(r.params[1].value, 0x20, SECRET_REF_VALUE_MAX);
	r.params[0].name[0] = 'a';
	r.params[1].name[0] = 'b';
	assert_int_equal(secret_ref_format(&r, &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	memset(text, 'a', sizeof(text));
	assert_int_equal(secret_ref_parse(str_n(text, sizeof(text)), &r, &e),
			 -1);
	assert_int_equal(e.code, ERR_LIMIT);
	memcpy(text, "vault:default:", 14);
	assert_int_equal(secret_ref_parse(str_n(text, 14 + 256), &r, &e), 0);
	assert_int_equal(secret_ref_parse(str_n(text, 14 + 257), &r, &e), -1);
}

static void test_names(void **state)
{
	char text[65];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(secret_name_valid(STR("a")));
	assert_true(secret_name_valid(STR("a-_9")));
	assert_true(secret_name_valid(str_n(text, 63)));
	assert_false(secret_name_valid(str_n(text, 64)));
	assert_false(secret_name_valid(STR("")));
	assert_false(secret_name_valid(STR("_a")));
	assert_false(secret_name_valid(STR("aB")));
	assert_false(secret_name_valid(STR("a\0b")));
	assert_false(secret_name_valid(STR("a.b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
		cmocka_unit_test(test_fields), cmocka_unit_test(test_sorting),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

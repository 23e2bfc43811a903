/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Answers as structs, what is hostile in them, KV in both versions, providers
 * and addresses. */
#include "base/mem.h"
#include "vault/http.h"
#include "vault/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct err e;

static struct vault_answer *read_it(int status, const char *body)
{
	struct vault_answer *a = NULL;

	e = (struct err){.code = ERR_NONE};
	return answer_read(status, str_from(body), NULL, &a, &e) ? NULL : a;
}

/* --- the envelope ------------------------------------------------------- */

static void all_of_an_envelope(void **state)
{
	struct vault_answer *a = read_it(
		200, "{\"request_id\":\"r-1\",\"lease_id\":\"db/creds/x/1\","
		     "\"renewable\":true,\"lease_duration\":3600,"
		     "\"data\":{\"a\":\"b\"},\"wrap_info\":null,"
		     "\"warnings\":[\"one\",\"two\"],\"auth\":{"
		     "\"client_token\":\"hvs.secret\",\"accessor\":\"acc\","
		     "\"lease_duration\":60,\"renewable\":true,\"num_uses\":3,"
		     "\"token_type\":\"batch\",\"orphan\":true,"
		     "\"entity_id\":\"ent\",\"mfa_requirement\":null}}\n");

	(void)state;
	assert_non_null(a);
	assert_string_equal(a->request_id, "r-1");
	assert_string_equal(a->lease_id, "db/creds/x/1");
	assert_int_equal(a->lease_duration_s, 3600);
	assert_true(a->renewable);
	assert_string_equal(a->warnings, "one; two");
	assert_non_null(a->data);
	assert_null(a->wrap);
	assert_non_null(a->auth->client_token);
	assert_int_equal(secret_bytes(a->auth->client_token).n_bytes, 10);
	assert_int_equal(a->auth->lease_duration_s, 60);
	assert_int_equal(a->auth->num_uses, 3);
	assert_true(a->auth->batch && a->auth->orphan && !a->auth->mfa);
	answer_free(a);

	a = read_it(200,
		    "{\"request_id\":\"\",\"wrap_info\":{\"token\":"
		    "\"hvs.w\",\"accessor\":\"x\",\"ttl\":60,"
		    "\"creation_path\":\"auth/approle/role/a/secret-id\"}}");
	assert_non_null(a);
	assert_int_equal(a->wrap->ttl_s, 60);
	assert_string_equal(a->wrap->creation_path,
			    "auth/approle/role/a/secret-id");
	answer_free(a);
	a = read_it(204, "");
	assert_non_null(a);
	assert_null(a->root);
	answer_free(a);
}

/* Of a success: no answer at all. */
static void what_is_no_answer(void **state)
{
	static const char *const bad[] = {
		"",
		"<html>",
		"{",
		"[]",
		"\"x\"",
		"null",
		"{\"data\":1}",
		"{\"data\":{},\"data\":{}}",
		"{\"data\":{\"a\":1,\"a\":2}}",
		"{\"lease_duration\":-1}",
		"{\"lease_duration\":\"1\"}",
		"{\"lease_id\":5}",
		"{\"lease_id\":\"a\\nb\"}",
		"{\"renewable\":\"yes\"}",
		"{\"auth\":[]}",
		"{\"auth\":{\"client_token\":5}}",
		"{\"auth\":{\"accessor\":{}}}",
		"{\"auth\":{\"mfa_requirement\":\"x\"}}",
		"{\"wrap_info\":{\"token\":\"\"}}",
		"{\"wrap_info\":{}}",
		"{\"data\":{}} x",
		"{\"data\":{\"a\":\"\xff\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct vault_answer *a = read_it(200, bad[i]);

		if (a)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(e.code, ERR_UNAVAILABLE);
		a = read_it(500, bad[i]);
		if (!a)
			fail_msg("no error: %s", bad[i]);
		answer_free(a);
	}
}

static void deep_and_many(void **state)
{
	struct buf b = BUF_INIT(8 << 20);

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, "{\"a\":");
	assert_null(read_it(200, buf_cstr(&b)));
	buf_reset(&b);
	buf_puts(&b, "{\"data\":[");
	for (int i = 0; i < 2000000; i++)
		buf_puts(&b, "1,");
	buf_puts(&b, "1]}");
	assert_null(read_it(200, buf_cstr(&b))); /* over the budget */
	buf_done(&b);
	/* which is whole again */
	answer_free(read_it(200, "{\"data\":{\"a\":\"b\"}}"));
	assert_int_equal(e.code, ERR_NONE);
}

/* --- texts -------------------------------------------------------------- */

static void errors_are_fit_for_people(void **state)
{
	struct vault_answer *a = read_it(
		403, "{\"errors\":[\"1 error occurred:\\n\\t* permission "
		     "denied\\n\\n\",5,\"\\u001b[31mred\"]}");

	(void)state;
	assert_string_equal(a->errors, "1 error occurred: * permission "
				       "denied ; [31mred");
	answer_err(a, "kv/app", &e);
	assert_int_equal(e.code, ERR_DENIED);
	answer_free(a);
	a = read_it(502, "<html>\n<h1>Bad Gateway</h1>\n</html>");
	assert_string_equal(a->errors, "<html> <h1>Bad Gateway</h1> </html>");
	answer_free(a);
	a = read_it(503, "{\"errors\":[\"Vault is sealed\"]}");
	assert_true(a->sealed);
	answer_free(a);
	a = read_it(500, "{\"errors\":[\"local node not active but active "
			 "cluster node not found\"]}");
	assert_true(a->inactive);
	answer_free(a);
}

static void what_was_sent_is_masked(void **state)
{
	static const char body[] =
		"{\"errors\":[\"bad: X-Vault-Token: my-very-own-token, body "
		"{\\\"secret_id\\\":\\\"59d6d1ca-47bb\\\"}, "
		"bXktdmVyeS1vd24tdG9rZW4=, other "
		"hvs.CAESIJlWh3fpQzUhAbCdEf and s.0123456789abcdefghij, not "
		"hvs.short\"]}";
	struct secret *token, *id;
	const struct secret *list[3] = {NULL};
	const struct answer_masks masks = {list, 3};
	struct vault_answer *a;

	(void)state;
	assert_int_equal(secret_new("my-very-own-token", 17, 0, &token, &e), 0);
	assert_int_equal(secret_new("59d6d1ca-47bb", 13, 0, &id, &e), 0);
	list[0] = token;
	list[2] = id;
	assert_int_equal(answer_read(400, STR(body), &masks, &a, &e), 0);
	assert_null(strstr(a->errors, "own-token"));
	assert_null(strstr(a->errors, "59d6d1ca"));
	assert_null(strstr(a->errors, "bXktdmVyeS1vd24"));
	assert_null(strstr(a->errors, "CAESIJlWh3"));
	assert_null(strstr(a->errors, "0123456789abc"));
	assert_non_null(strstr(a->errors, "hvs.short"));
	assert_non_null(strstr(a->errors, "[REDACTED]"));
	answer_free(a);
	secret_free(token);
	secret_free(id);
}

static void texts_are_cut_between_characters(void **state)
{
	char out[ANSWER_TEXT_MAX + 1], long_one[1200];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		memset(long_one, 'a', shift);
		for (size_t i = shift; i + 3 < sizeof(long_one); i += 3)
			memcpy(long_one + i, "\xe2\x82\xac", 3);
		answer_clean(str_n(long_one, 1190), NULL, out);
		assert_true(strlen(out) <= ANSWER_TEXT_MAX);
		assert_true(str_utf8_valid(str_from(out)));
		assert_true(str_ends(str_from(out), STR("...")));
	}
	answer_clean(STR("a\0b\x7f\xff"), NULL, out);
	assert_string_equal(out, "a b??");
	answer_clean(STR(""), NULL, out);
	assert_string_equal(out, "");
}

/* --- KV ----------------------------------------------------------------- */

static void paths(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);

	(void)state;
	assert_int_equal(kv_path(STR("a/b"), 2, STR("c d/e%?#"), 3, &b, &e), 0);
	assert_string_equal(buf_cstr(&b),
			    "v1/a/b/data/c%20d/e%25%3F%23?version=3");
	buf_reset(&b);
	assert_int_equal(kv_path(STR("kv"), 1, STR("x"), 0, &b, &e), 0);
	assert_string_equal(buf_cstr(&b), "v1/kv/x");
	buf_reset(&b);
	assert_int_equal(kv_path(STR("kv"), 1, STR("x"), 1, &b, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

static void mounts(void **state)
{
	char mount[SECRET_REF_PATH_MAX + 1];
	struct vault_answer *a =
		read_it(200, "{\"data\":{\"path\":\"team/kv/\",\"type\":\"kv\","
			     "\"options\":{\"version\":\"2\"}}}");
	uint8_t version;

	(void)state;
	assert_int_equal(
		kv_mount_read(a, STR("team/kv/app"), mount, &version, &e), 0);
	assert_string_equal(mount, "team/kv");
	assert_int_equal(version, 2);
	assert_int_equal(
		kv_mount_read(a, STR("team/kvs/app"), mount, &version, &e), -1);
	assert_int_equal(kv_mount_read(a, STR("team/kv"), mount, &version, &e),
			 -1);
	answer_free(a);
	a = read_it(200, "{\"data\":{\"path\":\"kv/\",\"type\":\"kv\","
			 "\"options\":null}}");
	assert_int_equal(kv_mount_read(a, STR("kv/a"), mount, &version, &e), 0);
	assert_int_equal(version, 1);
	answer_free(a);
	a = read_it(200, "{\"data\":{\"path\":\"db/\",\"type\":\"database\"}}");
	assert_int_equal(kv_mount_read(a, STR("db/a"), mount, &version, &e), 0);
	assert_int_equal(version, 0);
	answer_free(a);
}

static void expect_fields(int status, uint8_t kv, const char *body,
			  const char *want)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct vault_answer *a = read_it(status, body);
	struct field f[FIELDS_MAX];
	struct secret *s = NULL;
	size_t n;

	assert_non_null(a);
	if (kv_fields(a, kv, "kv/app", &s, &e)) {
		assert_string_equal(e.text, want);
	} else {
		assert_int_equal(fields_parse(secret_bytes(s), f, &n, &e), 0);
		for (size_t i = 0; i < n; i++) {
			buf_str(&b, f[i].name);
			buf_putc(&b, '=');
			buf_put(&b, f[i].value.bytes, f[i].value.n_bytes);
			buf_putc(&b, ';');
		}
		assert_string_equal(buf_cstr(&b), want);
	}
	secret_free(s);
	answer_free(a);
}

static void values_and_what_is_gone(void **state)
{
	(void)state;
	expect_fields(200, 2,
		      "{\"data\":{\"data\":{\"b\":\"x\",\"a\":1,\"r\":0.1,"
		      "\"big\":1e300,\"t\":true,\"n\":null,\"l\":[1,{}]},"
		      "\"metadata\":{\"version\":1}}}",
		      "a=1;b=x;big=1e+300;l=[1,{}];r=0.1;t=true;");
	expect_fields(200, 1, "{\"data\":{\"k\":\"v\"}}", "k=v;");
	expect_fields(200, 2, "{\"data\":{\"data\":{},\"metadata\":{}}}",
		      "kv/app: it has no fields");
	expect_fields(404, 2, "{\"errors\":[]}", "kv/app: there is nothing");
	expect_fields(404, 2,
		      "{\"data\":{\"data\":null,\"metadata\":{\"version\":4,"
		      "\"deletion_time\":\"2026-01-01T00:00:00Z\","
		      "\"destroyed\":false}}}",
		      "kv/app: version 4 was deleted");
	expect_fields(404, 2,
		      "{\"data\":{\"data\":null,\"metadata\":{\"version\":2,"
		      "\"deletion_time\":\"\",\"destroyed\":true}}}",
		      "kv/app: version 2 was destroyed");
	expect_fields(404, 1,
		      "{\"data\":null,\"warnings\":[\"Invalid path for a "
		      "versioned K/V secrets engine. See the API docs\"]}",
		      "kv/app: this is a KV engine of version 2, and was asked "
		      "as one of version 1");
	expect_fields(200, 2, "{\"data\":null}",
		      "kv/app: the answer has no data");
	expect_fields(200, 2, "{\"data\":{\"data\":\"x\"}}",
		      "kv/app: the answer has no data");
	expect_fields(200, 1, "{\"data\":{\"\":\"v\"}}",
		      "kv/app: a field whose name is empty or longer than 128 "
		      "bytes");
}

/* --- providers and addresses -------------------------------------------- */

static void origins(void **state)
{
	static const struct {
		const char *url, *want;
	} good[] = {
		{"https://Vault.example", "https://vault.example:443"},
		{"https://v:8200/a/b",    "https://v:8200"           },
		{"http://127.0.0.1",      "http://127.0.0.1:80"      },
		{"https://[::1]:1/",      "https://[::1]:1"          },
		{"https://[fe80::1]",     "https://[fe80::1]:443"    },
	};
	static const char *const bad[] = {
		"",
		"https://",
		"ftp://x",
		"//x",
		"https:///x",
		"https://a@b",
		"https://a:b@c",
		"https://x:0",
		"https://x:65536",
		"https://x:",
		"https://x:1a",
		"https://[::1",
		"https://[]:1",
		"https://x y",
		"https://x\\@y",
		"https://x?y",
		"https://x#y",
		"https://x\ny",
		"HTTPS://x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(256);

		assert_int_equal(http_origin(str_from(good[i].url), &b, NULL),
				 0);
		assert_string_equal(buf_cstr(&b), good[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(256);

		if (!http_origin(str_from(bad[i]), &b, NULL))
			fail_msg("taken: %s", bad[i]);
	}
}

#define PROVIDER(rest)                                                          \
	"[{\"name\":\"p\",\"address\":\"https://V:8200/x\",\"auth\":\"token\"," \
	"\"timeout_ms\":1000" rest "}]"

static void provider_lists(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[1]",
		"[{}]",
		PROVIDER(",\"kv\":{\"a\":3}"),
		PROVIDER(",\"redirects\":[\"x\"]"),
		PROVIDER(",\"redirects\":[1]"),
		PROVIDER(",\"files\":[\"passwd\"]"),
		PROVIDER(",\"files\":[1]"),
		"[{\"name\":\"P\",\"address\":\"https://v\",\"auth\":\"token\","
		"\"timeout_ms\":1}]",
		"[{\"name\":\"p\",\"address\":\"https://v\",\"auth\":\"ldap\","
		"\"timeout_ms\":1}]",
		"[{\"name\":\"p\",\"address\":\"v\",\"auth\":\"token\","
		"\"timeout_ms\":1}]",
		"[{\"name\":\"p\",\"address\":\"https://v\",\"auth\":\"token\"}"
		"]",
	};
	struct providers ps;
	const struct provider *p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!providers_read(str_from(bad[i]), &ps, &e))
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(
		providers_read(STR(PROVIDER(",\"kv\":{\"kv\":2,\"kv/old\":1},"
					    "\"redirects\":[\"https://W\"],"
					    "\"files\":[\"token_file\"]")),
			       &ps, &e),
		0);
	p = providers_find(&ps, "p");
	assert_non_null(p);
	assert_null(providers_find(&ps, "q"));
	assert_string_equal(p->origin, "https://v:8200");
	assert_int_equal(p->port, 8200);
	assert_string_equal(p->redirects[0], "https://w:443");
	assert_int_equal(p->files, 1u << CREDENTIAL_TOKEN);
	assert_string_equal(p->role_id, "");
	assert_int_equal(provider_mount_of(p, STR("kv/old/a"))->version, 1);
	assert_int_equal(provider_mount_of(p, STR("kv/a"))->version, 2);
	assert_null(provider_mount_of(p, STR("kvs/a")));
	assert_null(provider_mount_of(p, STR("kv")));
	providers_done(&ps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_an_envelope),
		cmocka_unit_test(what_is_no_answer),
		cmocka_unit_test(deep_and_many),
		cmocka_unit_test(errors_are_fit_for_people),
		cmocka_unit_test(what_was_sent_is_masked),
		cmocka_unit_test(texts_are_cut_between_characters),
		cmocka_unit_test(paths),
		cmocka_unit_test(mounts),
		cmocka_unit_test(values_and_what_is_gone),
		cmocka_unit_test(origins),
		cmocka_unit_test(provider_lists),
	};

	answer_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

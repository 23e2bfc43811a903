/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The settings of a server: the table, files in three syntaxes, options. */
#include "base/mem.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct problems ps;

static struct config *read_text(struct str text, enum doc_syntax syntax)
{
	struct config *c = config_new();

	memset(&ps, 0, sizeof(ps));
	if (config_read(c, text, syntax, &ps) || config_check(c, &ps)) {
		config_free(c);
		return NULL;
	}
	return c;
}

#define YAML(text) read_text(STR(text), DOC_YAML)

/* A default that its own row would refuse is our mistake. */
static void defaults_are_values(void **state)
{
	struct problems none = {.n = 0};
	struct config *c = config_new();

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];
		char path[80];
		struct err e = {0};

		config_key_path(k, path);
		assert_ptr_equal(config_key_find(str_from(path)), k);
		assert_non_null(k->help);
		if (k->form == CONFIG_MAP || k->form == CONFIG_MAPS)
			continue;
		assert_non_null(k->example);
		if (k->fallback && !strchr(path, '.'))
			assert_int_equal(config_set(c, str_from(path),
						    str_from(k->fallback), &e),
					 0);
	}
	assert_int_equal(config_check(c, &none), 0);
	config_free(c);
	c = config_new();
	assert_int_equal(c->limits.connections, 4096);
	assert_int_equal(c->timeouts.stop_us, 10 * 1000000);
	assert_int_equal(c->log.format, CONFIG_LOG_KV);
	assert_string_equal(c->base_path.p, "");
	config_free(c);
}

/* What `nfo config explain` shows can be written. */
static void examples_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];
		CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
		struct config *c;

		if (!k->example || !config_key_is_told(k))
			continue;
		if (*k->where)
			buf_printf(&b, "%s: { %s: %s }\n", k->where, k->name,
				   k->example);
		else
			buf_printf(&b, "%s: %s\n", k->name, k->example);
		c = config_new();
		memset(&ps, 0, sizeof(ps));
		if (config_read(c, buf_view(&b), DOC_YAML, &ps))
			fail_msg("%s: %s", buf_cstr(&b), ps.items[0].message);
		config_free(c);
	}
}

static void three_syntaxes(void **state)
{
	static const struct {
		const char *text;
		enum doc_syntax syntax;
	} same[] = {
		{"base_path: /nfo/\nlog: { format: json, requests: true }\n"
		 "trusted_proxies: [unix, 10.0.0.0/8]\n"
		 "timeouts: { stop: 30s }\n",			DOC_YAML},
		{"{\"base_path\":\"/nfo\",\"log\":{\"format\":\"json\","
		 "\"requests\":true},\"trusted_proxies\":[\"unix\","
		 "\"10.0.0.0/8\"],\"timeouts\":{\"stop\":\"30s\"}}", DOC_JSON},
		{"base_path = \"/nfo\"\ntrusted_proxies = [\"unix\", "
		 "\"10.0.0.0/8\"]\n[log]\nformat = \"json\"\nrequests = true\n"
		 "[timeouts]\nstop = \"30s\"\n",		     DOC_TOML},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		struct config *c =
			read_text(str_from(same[i].text), same[i].syntax);

		assert_non_null(c);
		assert_string_equal(c->base_path.p, "/nfo");
		assert_int_equal(c->log.format, CONFIG_LOG_JSON);
		assert_true(c->log.requests);
		assert_int_equal(c->trusted_proxies.n, 2);
		assert_string_equal(c->trusted_proxies.items[1].p,
				    "10.0.0.0/8");
		assert_int_equal(c->timeouts.stop_us, 30 * 1000000);
		config_free(c);
	}
}

/* All at once, each with its place. */
static void mistakes(void **state)
{
	static const struct {
		const char *code;
		unsigned line, column;
		const char *hint;
	} want[] = {
		{"unknown-key",  1, 1,  "did you mean \"trusted_proxies\"?"},
		{"unknown-key",  2, 1,  "it belongs into `log`"            },
		{"bad-choice",   3, 16, NULL                               },
		{"unknown-key",  3, 24, "did you mean \"level\"?"          },
		{"out-of-range", 4, 24, NULL                               },
		{"bad-value",    5, 12, NULL                               },
		{"wrong-type",   6, 9,  NULL                               },
		{"bad-value",    7, 10, NULL                               },
		{"no-value",     8, 1,  "leave the key out"                },
	};

	(void)state;
	assert_null(YAML("trusted_proxys: [unix]\n"
			 "requests: true\n"
			 "log: { format: xml,   levl: info }\n"
			 "limits: { connections: 0 }\n"
			 "base_path: nfo\n"
			 "listen: {}\n"
			 "sockets: [x]\n"
			 "policy:\n"));
	assert_int_equal(ps.n, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_string_equal(ps.items[i].code, want[i].code);
		assert_int_equal(ps.items[i].at.line, want[i].line);
		if (want[i].hint)
			assert_string_equal(ps.items[i].hint, want[i].hint);
	}
	assert_string_equal(ps.items[4].pointer, "/limits/connections");
}

static void values(void **state)
{
	static const char *const good[] = {
		"listen: ['127.0.0.1:0', '[::1]:7070']",
		"base_path: /a/b-c_d.e~f",
		"base_path: /",
		"trusted_proxies: [\"::1\", \"fd00::/8\", 0.0.0.0/0]",
		"listen: 127.0.0.1:7070",
		"timeouts: { idle: 1h }",
		"oidc: [{ name: c, issuer: 'https://i', audience: n, "
		"jwks_uri: 'http://127.0.0.1:8/k', skew: 0s, roles: [{ when: "
		"{ a: b }, role: admin, projects: ['*'] }] }]",
		"secret_providers: [{ address: 'https://v', auth: approle, "
		"role_id: r }, { name: b, address: 'http://[::1]:1', auth: "
		"cert, client_cert: /c, client_key: /k }, { name: c, address: "
		"'https://v/vault', auth: identity, auth_role: r, audience: a, "
		"auth_mount: a/b, redirects: 'https://w:1' }]",
		"{}",
		"",
	};
	static const char *const bad[] = {
		"listen: [127.0.0.1]",
		"listen: ['::1:7070']",
		"listen: [localhost:1]",
		"listen: ['127.0.0.1:70707']",
		"listen: [a, b, c, d, e]",
		"base_path: /a//b",
		"base_path: /../b",
		"base_path: /a b",
		"base_path: /a?b",
		"trusted_proxies: [10.0.0.0/33]",
		"trusted_proxies: [10.0.0/8]",
		"trusted_proxies: [example.org]",
		"timeouts: { idle: 10 }",
		"timeouts: { idle: 0s }",
		"limits: { connections: many }",
		"limits: { connections: 5, connections_per_client: 6 }",
		"log: { requests: yes }",
		"log: json",
		"[1]",
		"a: b: c",
#define VAULT(rest)                                                            \
	"secret_providers: [{ address: 'https://v:8200', " rest " }]"
		"secret_providers: [{ token_file: /t }]",
		"secret_providers: [{ address: 'http://v', token_file: /t }]",
		"secret_providers: [{ address: 'https://v/', token_file: /t }]",
		"secret_providers: [{ address: 'https://v?a', token_file: /t "
		"}]",
		VAULT("name: V, token_file: /t"),
		VAULT("name: v"),
		VAULT("token_file: t"),
		VAULT("token_file: /t, role_id: r"),
		VAULT("token_file: /t, namespace: /a"),
		VAULT("token_file: /t, client_cert: /c"),
		VAULT("token_file: /t, secret_id_wrapped: true"),
		VAULT("token_file: /t, kv: { secret: '3' }"),
		VAULT("token_file: /t, kv: { secret/: '2' }"),
		VAULT("token_file: /t, redirects: ['http://v2']"),
		VAULT("token_file: /t, timeout: 500ms"),
		VAULT("auth: ldap, token_file: /t"),
		VAULT("auth: approle"),
		VAULT("auth: jwt, auth_role: r"),
		VAULT("auth: kubernetes"),
		VAULT("auth: cert"),
		VAULT("auth: identity, auth_role: r"),
		"secret_providers: [{ address: 'https://v', token_file: /t }, "
		"{ address: 'https://w', token_file: /t }]",
#define OIDC(rest)                                                             \
	"oidc: [{ name: c, issuer: 'https://i', audience: [n], " rest " }]"
		OIDC(""),
		OIDC("jwks_file: /x, jwks_uri: 'https://i/k'"),
		OIDC("jwks_uri: 'http://i/k'"),
		OIDC("jwks_uri: 'http://localhost.example/k'"),
		OIDC("jwks_uri: 'https://a@i/k'"),
		OIDC("jwks_file: /x, algorithms: [HS256]"),
		OIDC("jwks_file: /x, skew: 6m"),
		OIDC("jwks_file: /x, roles: [{ role: viewer, projects: [a] }]"),
		OIDC("jwks_file: /x, roles: [{ when: { a: b }, role: king, "
		     "projects: [a] }]"),
		"oidc: [{ name: C, issuer: 'https://i', audience: [n], "
		"jwks_file: /x }]",
		"oidc: [{ name: c, issuer: 'https://i', jwks_file: /x }]",
		"oidc: [{ name: c, issuer: 'https://i', audience: [n], "
		"jwks_file: /x }, { name: d, issuer: 'https://i', audience: "
		"[n], jwks_file: /x }]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct config *c = read_text(str_from(good[i]), DOC_YAML);

		if (!c)
			fail_msg("%s: %s", good[i], ps.items[0].message);
		config_free(c);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (read_text(str_from(bad[i]), DOC_YAML))
			fail_msg("taken: %s", bad[i]);
}

static void providers_for_the_keeper(void **state)
{
	struct config *c =
		YAML("secret_providers:\n"
		     "  - { address: 'https://v:8200', token_file: /t,"
		     "      kv: { secret: '2', a/b: '1' }, timeout: 5s }\n"
		     "  - { name: k8s, address: 'http://127.0.0.1:1',"
		     "      auth: kubernetes, auth_role: \"r\\\"x\" }\n");
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	struct str rest, name, content;

	(void)state;
	assert_non_null(c);
	assert_true(config_providers(c, &b));
	rest = buf_view(&b);
	assert_int_equal(str_frame(&rest, &name, &content), 0);
	assert_true(str_is(name, "list"));
	assert_true(str_is(
		content,
		"[{\"name\":\"default\",\"address\":\"https://v:8200\","
		"\"namespace\":\"\",\"tls_server_name\":\"\",\"auth\":\"token\","
		"\"auth_mount\":\"token\",\"auth_role\":\"\",\"audience\":\"\","
		"\"role_id\":\"\",\"kv\":{\"secret\":2,\"a/b\":1},"
		"\"secret_id_wrapped\":false,\"timeout_ms\":5000,"
		"\"redirects\":[],\"files\":[\"token_file\"]},"
		"{\"name\":\"k8s\",\"address\":\"http://127.0.0.1:1\","
		"\"namespace\":\"\",\"tls_server_name\":\"\","
		"\"auth\":\"kubernetes\",\"auth_mount\":\"kubernetes\","
		"\"auth_role\":\"r\\\"x\",\"audience\":\"\",\"role_id\":\"\","
		"\"kv\":{},\"secret_id_wrapped\":false,\"timeout_ms\":30000,"
		"\"redirects\":[],\"files\":[\"jwt_file\"]}]"));
	assert_int_equal(str_frame(&rest, &name, &content), 0);
	assert_true(str_is(name, "0 token_file") && str_is(content, "/t"));
	assert_int_equal(str_frame(&rest, &name, &content), 0);
	assert_true(str_is(name, "1 jwt_file"));
	assert_int_equal(rest.len, 0);
	config_free(c);
	c = config_new();
	buf_reset(&b);
	assert_true(config_providers(c, &b));
	assert_int_equal(b.len, 0);
	config_free(c);
}

static void options_win(void **state)
{
	struct config *c = YAML("listen: ['127.0.0.1:1', '127.0.0.1:2']\n"
				"log: { level: debug }\n");
	struct err e = {0};

	(void)state;
	assert_non_null(c);
	assert_int_equal(config_set(c, STR("listen"), STR("127.0.0.1:3"), &e),
			 0);
	assert_int_equal(config_set(c, STR("listen"), STR("127.0.0.1:4"), &e),
			 0);
	assert_int_equal(c->listen.n, 2);
	assert_string_equal(c->listen.items[0].p, "127.0.0.1:3");
	assert_int_equal(config_set(c, STR("log.level"), STR("warn"), &e), 0);
	assert_int_equal(c->log.level, 1);
	assert_int_equal(config_set(c, STR("log.level"), STR("loud"), &e), -1);
	assert_int_equal(config_set(c, STR("loud"), STR("x"), &e), -1);
	config_free(c);
}

static void bundles(void **state)
{
	struct config *c = NULL;
	char name[CONFIG_TEXT_MAX];

	(void)state;
	memset(&ps, 0, sizeof(ps));
	assert_int_equal(config_decode(STR("/etc/n fo.yaml 16\n"
					   "base_path: /nfo\n\n"
					   "- 14\nbase_path=/two\n"),
				       &c, name, &ps),
			 0);
	assert_string_equal(name, "/etc/n fo.yaml");
	assert_string_equal(c->base_path.p, "/two");
	config_free(c);
	assert_int_equal(config_decode(STR(""), &c, NULL, &ps), 0);
	config_free(c);
	assert_int_equal(config_decode(STR("a 9\nxx\n"), &c, NULL, &ps), -1);
	assert_int_equal(config_decode(STR("a\n"), &c, NULL, &ps), -1);
	assert_int_equal(config_decode(STR("- 3\na=b\n"), &c, NULL, &ps), -1);
	assert_int_equal(ps.n, 3);
}

/* What is in force, and where from. */
static void told(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	struct config *c = YAML("timeouts: { stop: 60s }\n");
	struct err e;

	(void)state;
	assert_non_null(c);
	assert_int_equal(config_set(c, STR("base_path"), STR("/x"), &e), 0);
	assert_true(config_json(c, c, &b));
	assert_non_null(strstr(buf_cstr(&b),
			       "{\"key\":\"timeouts.stop\",\"value\":\"1m\","
			       "\"source\":\"file\",\"reload\":false}"));
	assert_non_null(strstr(buf_cstr(&b),
			       "{\"key\":\"base_path\",\"value\":\"/x\","
			       "\"source\":\"option\",\"reload\":true}"));
	assert_non_null(strstr(buf_cstr(&b),
			       "{\"key\":\"log.level\",\"value\":\"info\","
			       "\"source\":\"default\",\"reload\":true}"));
	config_free(c);
	buf_reset(&b);
	assert_true(config_explain(STR("log"), &b));
	assert_non_null(strstr(buf_cstr(&b), "log.level: error, warn"));
	assert_null(strstr(buf_cstr(&b), "base_path"));
	assert_false(config_explain(STR("lo"), &b));
	c = YAML(
		"oidc: [ { name: a, issuer: 'https://a.example', audience: x, "
		"jwks_uri: 'https://a.example/k', roles: [ { when: { s: \"1\" }, "
		"role: viewer, projects: [p] } ] } ]\n");
	assert_non_null(c);
	buf_reset(&b);
	assert_true(config_value_json(c, config_key_find(STR("oidc")), &b));
	assert_non_null(strstr(buf_cstr(&b), "[{\"name\":\"a\",\"issuer\":"));
	assert_non_null(strstr(buf_cstr(&b),
			       "\"roles\":[{\"when\":{\"s\":\"1\"},\"role\":"
			       "\"viewer\",\"projects\":[\"p\"]}]"));
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_values),
		cmocka_unit_test(examples_are_taken),
		cmocka_unit_test(three_syntaxes),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(values),
		cmocka_unit_test(providers_for_the_keeper),
		cmocka_unit_test(options_win),
		cmocka_unit_test(bundles),
		cmocka_unit_test(told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

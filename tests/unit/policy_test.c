/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Policies: what is allowed, why it is not, and what is cut down. */
#include "policy/builtin.h"
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct policy_set *set_of(const char *text, const char *more)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct policy_set *s;
	struct err e;

	assert_int_equal(policy_set_new(&s, &e), 0);
	if (policy_set_add(s, STR("a.yaml"), str_from(text), ps) ||
	    (more && policy_set_add(s, STR("b.yaml"), str_from(more), ps)))
		fail_msg("%s", ps->items[0].message);
	return s;
}

static struct job_attempt plain(void)
{
	return (struct job_attempt){
		.project = STR("web"),
		.job = STR("release"),
		.submitter = STR("uid:1000"),
		.profile = STR("default"),
		.network = STR("none"),
		.timeout_us = 3600000000,
	};
}

static struct job_secret_use use_of(const char *ref, uint8_t deliver)
{
	return (struct job_secret_use){
		.name = STR("k"), .ref = str_from(ref), .deliver = deliver};
}

/* The builtin policy: what a private server starts with. */
static void by_default(void **state)
{
	struct job_attempt a = plain();
	struct policy_set *s = set_of(policy_builtin_default().p, NULL);
	struct policy_verdict v;
	static const struct {
		const char *ref;
		uint8_t deliver;
		bool allowed;
	} rows[] = {
		{"store:web/key",				   DELIVER_FILE, true },
		{"store:web/key?version=3",                         DELIVER_FILE, true },
		{"store:web/key",				   DELIVER_ENV,  false},
		{"store:webx/key",                                  DELIVER_FILE, false},
		{"store:other/key",                                 DELIVER_FILE, false},
		{"vault:default:secret/x",                          DELIVER_FILE, false},
		{"vault:default:secret/web",                        DELIVER_FILE, false},
		{"vault:default:secret/web/x/y#f",                  DELIVER_FILE, true },
		{"vault:eu:secret/web/x?kind=read&p.a=b",           DELIVER_FILE, true },
		{"vault:eu:secret/webx/x",                          DELIVER_FILE, false},
		{"vault:eu:kv/web/x",                               DELIVER_FILE, false},
		{"vault:eu:pki/issue/web?kind=pki&p.common_name=a",
		 DELIVER_FILE,						    false},
		{"exec:pass",				       DELIVER_FILE, false},
	};

	(void)state;
	policy_decide(s, &a, &v);
	assert_true(v.allowed && !v.n_reasons && !v.secrets_env_allowed);
	assert_int_equal(v.limits.memory_bytes, (uint64_t)2 << 30);
	assert_int_equal(v.limits.pids, 512);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct job_secret_use use =
			use_of(rows[i].ref, rows[i].deliver);

		a.secrets = &use;
		a.n_secrets = 1;
		policy_decide(s, &a, &v);
		if (v.allowed != rows[i].allowed)
			fail_msg("%s", rows[i].ref);
		assert_true(v.allowed == !v.n_reasons);
	}
	a = plain();
	a.network = STR("host");
	policy_decide(s, &a, &v);
	assert_false(v.allowed);
	/* the list that would have to name it */
	assert_non_null(strstr(v.reasons[0],
			       ": network \"host\" is allowed by no rule"));
	assert_string_equal(v.would[0], "allow: { networks: [\"host\"] }");
	assert_ptr_equal(strstr(v.reasons[0], "a.yaml:"), v.reasons[0]);
	assert_string_equal(v.places[0].file, "a.yaml");
	assert_true(v.places[0].line > 1);
	a = plain();
	a.profile = STR("mine");
	policy_decide(s, &a, &v);
	assert_false(v.allowed);
	policy_set_free(s);
}

#define ALL                                                                    \
	"rules:\n"                                                             \
	"  - allow: { profiles: ['*'], networks: ['*'], secrets: ['**'], "     \
	"deliver: ['*'] }\n"

/* What a denial says would allow it does. */
static void what_would_allow_it(void **state)
{
	static const char *const refs[] = {
		"vault:default:ssh/sign/deploy?kind=ssh-cert&p.ttl=900s#key",
		"vault:eu:secret/a%20b/c?version=3#f",
		"exec:pass?p.entry=a%2Fb",
		"store:other/k?version=2",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
		struct job_secret_use use = use_of(refs[i], DELIVER_ENV);
		struct policy_set *s = set_of(policy_builtin_default().p, NULL);
		struct job_attempt a = plain();
		struct policy_verdict v;
		char more[600];

		a.secrets = &use;
		a.n_secrets = 1;
		policy_decide(s, &a, &v);
		assert_int_equal(v.n_reasons, 2);
		(void)snprintf(more, sizeof(more), "rules:\n  - %s\n  - %s\n",
			       v.would[0], v.would[1]);
		policy_set_free(s);
		s = set_of(policy_builtin_default().p, more);
		policy_decide(s, &a, &v);
		if (!v.allowed)
			fail_msg("%s: %s", more, v.reasons[0]);
		policy_set_free(s);
	}
}

/* A deny of a place is not passed by asking for a field or a parameter. */
static void deny_of_a_place(void **state)
{
	static const struct {
		const char *pattern, *ref;
		bool denied;
	} rows[] = {
		{"vault:*:secret/prod",    "vault:default:secret/prod",     true },
		{"vault:*:secret/prod",    "vault:default:secret/prod#f",   true },
		{"vault:*:secret/prod",    "vault:x:secret/prod?kind=read", true },
		{"vault:*:secret/prod",    "vault:x:secret/product",        false},
		{"vault:*:secret/prod#f",  "vault:x:secret/prod#f",         true },
		{"vault:*:secret/prod#f",  "vault:x:secret/prod#g",         false},
		{"vault:*:*/*?kind=pki**", "vault:x:a/b?kind=pki&p.x=1",    true },
		{"vault:*:*/*?kind=pki**", "vault:x:a/b",                   false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct job_secret_use use = use_of(rows[i].ref, DELIVER_FILE);
		struct job_attempt a = plain();
		struct policy_verdict v;
		struct policy_set *s;
		char deny[200];

		a.secrets = &use;
		a.n_secrets = 1;
		(void)snprintf(deny, sizeof(deny),
			       "rules:\n  - deny: { secrets: [\"%s\"] }\n",
			       rows[i].pattern);
		s = set_of(ALL, deny);
		policy_decide(s, &a, &v);
		if (v.allowed == rows[i].denied)
			fail_msg("%s %s", rows[i].pattern, rows[i].ref);
		assert_true(v.allowed || !v.would[0][0]);
		policy_set_free(s);
	}
}

/* A lease that outlives its attempt; a certificate may. */
static void leases_that_are_kept(void **state)
{
	static const char yes[] = "rules:\n  - allow: { keep_leases: true }\n";
	static const char no[] = "rules:\n  - allow: { keep_leases: false }\n";
	static const struct {
		const char *ref, *more;
		bool allowed;
	} rows[] = {
		{"vault:v:db/creds/x?kind=read",                 NULL, false},
		{"vault:v:db/creds/x?kind=read",                 no,   false},
		{"vault:v:db/creds/x?kind=read",                 yes,  true },
		{"vault:v:pki/issue/x?kind=pki&p.common_name=a", NULL, true },
		{"vault:v:pki/issue/x?kind=pkix",                NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct job_secret_use use = use_of(rows[i].ref, DELIVER_FILE);
		struct policy_set *s = set_of(ALL, rows[i].more);
		struct job_attempt a = plain();
		struct policy_verdict v;

		use.keep = true;
		a.secrets = &use;
		a.n_secrets = 1;
		policy_decide(s, &a, &v);
		if (v.allowed != rows[i].allowed)
			fail_msg("%s", rows[i].ref);
		if (!v.allowed && !rows[i].more)
			assert_string_equal(v.would[0],
					    "allow: { keep_leases: true }");
		policy_set_free(s);
	}
}

/* A file that is kept although a secret of its task may be in it. */
static void artifacts_with_secrets(void **state)
{
	static const char yes[] =
		"rules:\n  - allow: { artifact_secrets: true }\n";
	static const char no[] =
		"rules:\n  - allow: { artifact_secrets: false }\n";
	static const struct {
		bool asked, has_secret;
		const char *more;
		bool allowed;
	} rows[] = {
		{true,  true,  NULL, false},
                {true,  true,  no,   false},
		{true,  true,  yes,  true },
                {true,  false, NULL, true },
		{false, true,  NULL, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct job_secret_use use =
			use_of("store:default/x", DELIVER_FILE);
		struct job_artifact art = {.name = STR("plan"),
					   .allow_secret = rows[i].asked};
		struct policy_set *s = set_of(ALL, rows[i].more);
		struct job_attempt a = plain();
		struct policy_verdict v;

		a.secrets = &use;
		a.n_secrets = rows[i].has_secret;
		a.artifacts = &art;
		a.n_artifacts = 1;
		policy_decide(s, &a, &v);
		assert_int_equal(v.allowed, rows[i].allowed);
		if (!v.allowed && !rows[i].more)
			assert_string_equal(
				v.would[0],
				"allow: { artifact_secrets: true }");
		policy_set_free(s);
	}
}

static void nothing_denies(void **state)
{
	struct job_attempt a = plain();
	struct policy_verdict v;
	struct policy_set *s;
	struct err e;

	(void)state;
	assert_int_equal(policy_set_new(&s, &e), 0);
	policy_decide(s, &a, &v);
	assert_false(v.allowed);
	assert_int_equal(v.n_reasons, 2); /* profile, network */
	policy_set_free(s);
}

static void deny_wins(void **state)
{
	struct job_pair env = {STR("LD_PRELOAD"), STR("x")};
	struct job_secret_use use = use_of("store:web/prod", DELIVER_ENV);
	struct job_attempt a = plain();
	struct policy_verdict v;
	struct policy_set *s =
		set_of(ALL, "rules:\n"
			    "  - projects: [other]\n"
			    "    deny: { networks: ['*'] }\n"
			    "  - projects: ['w*']\n"
			    "    submitters: ['uid:*']\n"
			    "    deny:\n"
			    "      networks: [host]\n"
			    "      env: ['LD_*']\n"
			    "      secrets: ['store:*/prod']\n"
			    "    allow: { shared_workspace_secrets: false }\n");

	(void)state;
	policy_decide(s, &a, &v);
	assert_true(v.allowed && v.secrets_env_allowed);
	a.network = STR("host");
	a.env = &env;
	a.n_env = 1;
	a.secrets = &use;
	a.n_secrets = 1;
	a.workspace_kind = WORKSPACE_SHARED;
	policy_decide(s, &a, &v);
	assert_false(v.allowed);
	assert_int_equal(v.n_reasons, 4);
	assert_string_equal(v.reasons[0],
			    "b.yaml:7: network \"host\" is denied");
	assert_string_equal(v.reasons[1],
			    "b.yaml:9: secret \"store:web/prod\" is denied");
	assert_string_equal(v.reasons[2], "b.yaml:10: workspace \"run\" is "
					  "denied where there are secrets");
	assert_string_equal(v.reasons[3],
			    "b.yaml:8: variable \"LD_PRELOAD\" is denied");
	a.submitter = STR("token:ci"); /* the rule does not count */
	policy_decide(s, &a, &v);
	assert_true(v.allowed);
	policy_set_free(s);
}

static void for_whom(void **state)
{
	struct job_attempt a = plain();
	struct policy_verdict v;
	struct policy_set *s = set_of("rules:\n"
				      "  - projects: [web]\n"
				      "    jobs: [rel*]\n"
				      "    allow: { profiles: [default] }\n"
				      "  - submitters: ['uid:1000']\n"
				      "    allow: { networks: [none] }\n",
				      NULL);

	(void)state;
	policy_decide(s, &a, &v); /* two rules together */
	assert_true(v.allowed);
	a.job = STR("other");
	policy_decide(s, &a, &v);
	assert_false(v.allowed);
	a = plain();
	a.submitter = STR("uid:1001");
	policy_decide(s, &a, &v);
	assert_false(v.allowed);
	policy_set_free(s);
}

static void limits(void **state)
{
	struct job_attempt a = plain();
	struct policy_verdict v;
	struct policy_set *s = set_of(
		ALL,
		"rules:\n"
		"  - limits: { most: { memory: 4G, timeout: 10m, cpu: 1.5 }, "
		"default: { memory: 1G } }\n"
		"  - projects: [web]\n"
		"    limits: { most: { memory: 2G, log: 1M } }\n");

	(void)state;
	policy_decide(s, &a, &v);
	assert_int_equal(v.limits.memory_bytes, 1 << 30);
	assert_int_equal(v.limits.log_bytes, 1 << 20); /* not asked: the most */
	assert_int_equal(v.limits.cpu_milli, 1500);
	assert_int_equal(v.timeout_us, 600000000);
	assert_int_equal(v.limits.pids, 0); /* nobody says */
	a.limits.memory_bytes = (uint64_t)3 << 30;
	a.limits.cpu_milli = 500;
	a.limits.pids = 7;
	a.timeout_us = 1000000;
	policy_decide(s, &a, &v);
	assert_int_equal(v.limits.memory_bytes, (uint64_t)2 << 30);
	assert_int_equal(v.limits.cpu_milli, 500);
	assert_int_equal(v.limits.pids, 7);
	assert_int_equal(v.timeout_us, 1000000);
	policy_set_free(s);
}

static void bad_files(void **state)
{
	static const char *const rows[][2] = {
		{"- x",					    "wrong-type" },
		{"rulez: []",				      "unknown-key"},
		{"rules: {}",				      "wrong-type" },
		{"rules: [x]",				     "wrong-type" },
		{"rules: [ { allow: { all: [] } } ]",              "unknown-key"},
		{"rules: [ { allow: { profiles: x } } ]",          "wrong-type" },
		{"rules: [ { limits: { most: { memory: x } } } ]", "bad-value"  },
		{"rules: [ { limits: { most: { heat: 1 } } } ]",   "unknown-key"},
		{"rules: [ { deny: { limits: [] } } ]",            "unknown-key"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
		struct policy_set *s;
		struct err e;

		assert_int_equal(policy_set_new(&s, &e), 0);
		if (!policy_set_add(s, STR("x.yaml"), str_from(rows[i][0]), ps))
			fail_msg("taken: %s", rows[i][0]);
		assert_string_equal(ps->items[0].code, rows[i][1]);
		assert_int_equal(policy_set_add(s, STR("a b"), STR("{}"), ps),
				 -1);
		policy_set_free(s);
	}
}

static void as_text(void **state)
{
	struct policy_set *s = set_of(ALL, "rules: []\n"), *t;
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	struct hash x, y;
	struct err e;

	(void)state;
	assert_true(policy_set_encode(s, &b));
	assert_int_equal(policy_set_decode(buf_view(&b), &t, &e), 0);
	x = policy_set_digest(s);
	y = policy_set_digest(t);
	assert_true(hash_eq(&x, &y));
	policy_set_free(t);
	policy_set_free(s);
	s = set_of(ALL, "rules: []\n\n");
	y = policy_set_digest(s);
	assert_false(hash_eq(&x, &y));
	policy_set_free(s);
	b.data[b.len - 1] = 'x'; /* a byte too much, and one too few */
	assert_int_equal(policy_set_decode(buf_view(&b), &t, &e), -1);
	b.len--;
	assert_int_equal(policy_set_decode(buf_view(&b), &t, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_default),
		cmocka_unit_test(nothing_denies),
		cmocka_unit_test(what_would_allow_it),
		cmocka_unit_test(deny_of_a_place),
		cmocka_unit_test(leases_that_are_kept),
		cmocka_unit_test(artifacts_with_secrets),
		cmocka_unit_test(deny_wins),
		cmocka_unit_test(for_whom),
		cmocka_unit_test(limits),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

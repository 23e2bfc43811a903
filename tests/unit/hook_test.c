/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How callers sign, which body starts a run, and how often. */
#include "base/hex.h"
#include "base/mem.h"
#include "hook/hook.h"
#include "hook/limit.h"
#include "hook/scheme.h"
#include "job/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct pair {
	const char *name, *value;
};

static struct str find(void *ctx, const char *name)
{
	for (const struct pair *p = ctx; p->name; p++)
		if (!strcmp(p->name, name))
			return str_from(p->value);
	return str_n(NULL, 0);
}

static int read_call(enum hook_scheme s, const struct pair *p,
		     struct hook_call *c)
{
	return hook_call_read(s, find, (void *)(uintptr_t)p, c);
}

/* --- signatures --------------------------------------------------------- */

/* As the server puts it together, and the keeper works it out. */
static bool proves(const struct hook_call *c, struct str key, struct str body)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct hash mac;

	buf_put(&b, c->prefix, c->prefix_len);
	buf_str(&b, body);
	mac = hash_hmac_sha256(key.p, key.len, b.data, b.len);
	for (size_t i = 0; i < c->n_macs; i++)
		if (hash_eq(&mac, &c->macs[i]))
			return true;
	return false;
}

/* The example of GitHub's documentation of X-Hub-Signature-256. */
#define GITHUB_HEX                                                             \
	"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

static void github(void **state)
{
	static const struct pair h[] = {
		{"X-Hub-Signature-256", "sha256=" GITHUB_HEX},
		{"X-GitHub-Event",      "ping"              },
		{"X-GitHub-Delivery",   " 72d3162e "        },
		{NULL,                  NULL                }
        };
	struct hook_call c;

	(void)state;
	assert_int_equal(read_call(HOOK_GITHUB, h, &c), 0);
	assert_true(proves(&c, STR("It's a Secret to Everybody"),
			   STR("Hello, World!")));
	assert_false(proves(&c, STR("another"), STR("Hello, World!")));
	assert_true(c.ping && str_is(c.event, "ping"));
	assert_true(str_is(c.delivery, "72d3162e"));
	assert_true(hook_call_fresh(&c, 0)); /* nothing is timed */
}

static void gitea(void **state)
{
	static const struct pair own[] = {
		{"X-Gitea-Signature", GITHUB_HEX},
		{"X-Gitea-Event",     "push"    },
		{"X-Gitea-Delivery",  "d"       },
		{NULL,                NULL      }
        };
	static const struct pair hub[] = {
		{"X-Hub-Signature-256", "sha256=" GITHUB_HEX},
                {NULL,                  NULL                }
        };
	struct hook_call c;

	(void)state;
	assert_int_equal(read_call(HOOK_GITEA, own, &c), 0);
	assert_true(proves(&c, STR("It's a Secret to Everybody"),
			   STR("Hello, World!")));
	assert_true(str_is(c.event, "push") && !c.ping);
	assert_int_equal(read_call(HOOK_GITEA, hub, &c), 0);
	assert_int_equal(c.n_macs, 1);
	assert_int_equal(c.delivery.len, 0);
}

static void gitlab(void **state)
{
	static const struct pair both[] = {
		{"X-Gitlab-Token",      "the secret "},
		{"Idempotency-Key",     "k"          },
		{"X-Gitlab-Event-UUID", "u"          },
		{NULL,                  NULL         }
        };
	struct hook_call c;

	(void)state;
	assert_int_equal(read_call(HOOK_GITLAB_TOKEN, both, &c), 0);
	assert_int_equal(c.how, VERIFY_TOKEN);
	assert_true(str_is(c.token, "the secret ") && str_is(c.delivery, "k"));
}

/* HMAC-SHA256 of "msg_1.1700000000.{}" under "key", by openssl(1). */
#define STANDARD_B64 "XaXLFEFQ69Q4+demDWPEv5ydXczDW2mM5crCUEFcFBA="
#define GENERIC_HEX                                                            \
	"9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"

static void standard(void **state)
{
	static const struct pair h[] = {
		{"webhook-id",        "msg_1"						     },
		{"webhook-timestamp", "1700000000"                                                },
		{"webhook-signature", "v1a,xyz v1,"
				      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
				      "AAA= v1," STANDARD_B64},
		{NULL,                NULL							}
        };
	struct hook_call c;

	(void)state;
	assert_int_equal(read_call(HOOK_STANDARD, h, &c), 0);
	assert_int_equal(c.n_macs, 2);
	assert_true(proves(&c, STR("key"), STR("{}")));
	assert_true(str_is(c.delivery, "msg_1"));
	assert_true(hook_call_fresh(&c, 1700000300));
	assert_true(hook_call_fresh(&c, 1699999700));
	assert_false(hook_call_fresh(&c, 1700000301));
	assert_false(hook_call_fresh(&c, 1699999699));
}

static void generic(void **state)
{
	static const struct pair h[] = {
		{"X-Nfo-Signature", "t=1700000000, v1=" GENERIC_HEX},
		{"X-Nfo-Event",     "nightly"                      },
		{NULL,              NULL			   }
        };
	struct hook_call c;

	(void)state;
	assert_int_equal(read_call(HOOK_GENERIC, h, &c), 0);
	assert_true(proves(&c, STR("key"), STR("{}")));
	assert_true(c.by_content && c.timed && str_is(c.event, "nightly"));
}

static void no_signatures(void **state)
{
	static const struct {
		enum hook_scheme scheme;
		const char *name, *value;
	} rows[] = {
		{HOOK_GITHUB,       "X-Hub-Signature",     "sha1=00"               },
		{HOOK_GITHUB,       "X-Hub-Signature-256", ""                      },
		{HOOK_GITHUB,       "X-Hub-Signature-256", GITHUB_HEX              },
		{HOOK_GITHUB,       "X-Hub-Signature-256", "sha256="               },
		{HOOK_GITHUB,       "X-Hub-Signature-256", "sha256=" GITHUB_HEX "0"},
		{HOOK_GITEA,        "X-Gitea-Signature",   "sha256=" GITHUB_HEX    },
		{HOOK_GITLAB_TOKEN, "X-Gitlab-Token",      ""                      },
		{HOOK_GENERIC,      "X-Nfo-Signature",     ""                      },
		{HOOK_GENERIC,      "X-Nfo-Signature",     "t=1"                   },
		{HOOK_GENERIC,      "X-Nfo-Signature",     "v1=" GENERIC_HEX       },
		{HOOK_GENERIC,      "X-Nfo-Signature",     "t=-1,v1=" GENERIC_HEX  },
		{HOOK_GENERIC,      "X-Nfo-Signature",     "t=1,v1="               },
		{HOOK_GENERIC,      "X-Nfo-Signature",
		 "t=99999999999999999999,v1=" GENERIC_HEX                          },
		{HOOK_STANDARD,     "webhook-signature",   "v1," STANDARD_B64      },
	};
	struct hook_call c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pair h[] = {
			{rows[i].name, rows[i].value},
                        {NULL,         NULL         }
                };

		if (!read_call(rows[i].scheme, h, &c))
			fail_msg("%s: %s", rows[i].name, rows[i].value);
		assert_int_equal(c.n_macs, 0);
		assert_int_equal(c.token.len, 0);
	}
}

static void names_that_cannot_be_kept(void **state)
{
	char longer[HOOK_ID_MAX + 2];
	struct pair h[] = {
		{"X-Gitlab-Token",      "t"   },
		{"X-Gitlab-Event-UUID", longer},
		{"X-Gitlab-Event",      "a\tb"},
		{NULL,                  NULL  }
        };
	struct hook_call c;

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(read_call(HOOK_GITLAB_TOKEN, h, &c), 0);
	assert_int_equal(c.delivery.len, 0);
	assert_int_equal(c.event.len, 0);
	longer[HOOK_ID_MAX] = '\0';
	assert_int_equal(read_call(HOOK_GITLAB_TOKEN, h, &c), 0);
	assert_int_equal(c.delivery.len, HOOK_ID_MAX);
}

static void names_of_schemes(void **state)
{
	enum hook_scheme s;

	(void)state;
	for (int i = 0; i < N_HOOK_SCHEMES; i++) {
		assert_int_equal(hook_scheme_parse(str_from(hook_scheme_name((
							   enum hook_scheme)i)),
						   &s),
				 0);
		assert_int_equal(s, i);
	}
	assert_int_equal(hook_scheme_parse(STR("bitbucket"), &s), -1);
}

/* --- bodies ------------------------------------------------------------- */

static const char the_job_text[] =
	"nfo: 1\nname: j\nsecrets: { a: { store: x }, b: { store: y, "
	"version: 3 }, c: { store: default/z } }\n"
	"inputs: { s: { type: string }, n: { type: int, default: 1 } }\n"
	"triggers: { webhook: [\n"
	"  { name: one, scheme: github, secret: a, match: { /ref: [x, 1, true],"
	" event: [push] }, inputs: { s: /a/0/~1, n: /n } },\n"
	"  { name: two, scheme: gitea, secret: c, inputs: { s: event } },\n"
	"  { name: pinned, scheme: gitea, secret: b } ] }\n"
	"tasks: { t: { run: 'true' } }\n";

static struct job *the_job(struct problems *ps)
{
	struct job *j = NULL;

	if (job_parse(str_from(the_job_text), DOC_YAML, &j, ps))
		fail_msg("%s", ps->items[0].message);
	return j;
}

static struct doc *json(const char *text)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d = NULL;

	if (doc_parse(str_from(text), DOC_JSON, &d, ps))
		fail_msg("%s: %s", text, ps->items[0].message);
	return d;
}

static void secrets(void **state)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(256);
	struct job *j = the_job(ps);
	const struct doc_node *root = j->doc->root;
	struct err e;

	(void)state;
	assert_int_equal(hook_secret_ref(root, STR("default"),
					 hook_find(root, STR("one")), &b, &e),
			 0);
	assert_string_equal(buf_cstr(&b), "store:default/x");
	b.len = 0;
	assert_int_equal(hook_secret_ref(root, STR("default"),
					 hook_find(root, STR("two")), &b, &e),
			 0);
	assert_string_equal(buf_cstr(&b), "store:default/z");
	b.len = 0;
	assert_int_equal(hook_secret_ref(root, STR("default"),
					 hook_find(root, STR("pinned")), &b,
					 &e),
			 0);
	assert_string_equal(buf_cstr(&b), "store:default/y?version=3");
	assert_null(hook_find(root, STR("three")));
	job_free(j);
}

static void matching(void **state)
{
	static const struct {
		const char *event, *body;
		bool fits;
	} rows[] = {
		{"push", "{\"ref\":\"x\"}",   true },
		{"push", "{\"ref\":1}",       true },
		{"push", "{\"ref\":\"1\"}",   true },
		{"push", "{\"ref\":true}",    true },
		{"push", "{\"ref\":\"y\"}",   false},
		{"push", "{\"ref\":null}",    false},
		{"push", "{\"ref\":[\"x\"]}", false},
		{"push", "{\"ref\":1.0}",     false},
		{"push", "{\"REF\":\"x\"}",   false},
		{"push", "[]",                false},
		{"push", "\"x\"",             false},
		{"tag",  "{\"ref\":\"x\"}",   false},
		{"",     "{\"ref\":\"x\"}",   false},
	};
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job *j = the_job(ps);
	const struct doc_node *one = hook_find(j->doc->root, STR("one"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc *d = json(rows[i].body);

		if (hook_matches(one, d->root, str_from(rows[i].event)) !=
		    rows[i].fits)
			fail_msg("%s %s", rows[i].event, rows[i].body);
		doc_free(d);
	}
	job_free(j);
}

static void mapping(void **state)
{
	static const struct {
		const char *hook, *body, *want;
	} rows[] = {
		{"one", "{\"a\":[{\"/\":\"v\\n\\\"\"}],\"n\":5}",
		 "{\"s\":\"v\\n\\\"\",\"n\":5}"                                       },
		{"one", "{\"a\":[{\"/\":\"v\"}]}",                "{\"s\":\"v\"}"     },
		{"one", "{\"a\":[{\"/\":\"v\"}],\"n\":null}",     "{\"s\":\"v\"}"     },
		{"one", "{\"a\":[{\"/\":{\"x\":[]}}]}",           "{\"s\":{\"x\":[]}}"},
		{"one", "{\"a\":[]}",                             NULL                },
		{"one", "{\"a\":[{\"/\":null}]}",                 NULL                },
		{"one", "7",				      NULL                },
		{"two", "{}",				     "{\"s\":\"ev\"}"    },
	};
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job *j = the_job(ps);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(256);
		struct doc *d = json(rows[i].body);
		struct err e;
		int bad = hook_inputs(
			j->doc->root,
			hook_find(j->doc->root, str_from(rows[i].hook)),
			d->root, STR("ev"), &b, &e);

		assert_int_equal(bad, rows[i].want ? 0 : -1);
		if (rows[i].want)
			assert_string_equal(buf_cstr(&b), rows[i].want);
		doc_free(d);
	}
	job_free(j);
}

/* --- how often ---------------------------------------------------------- */

static unsigned taken(struct hook_limit *l, uint64_t key, unsigned n,
		      int64_t now)
{
	unsigned ok = 0;

	for (unsigned i = 0; i < n; i++)
		ok += !hook_limit_take(l, key, now);
	return ok;
}

static void limits(void **state)
{
	struct hook_limit *l = mem_alloc(sizeof(*l));
	int64_t now = 5000000;

	(void)state;
	assert_int_equal(taken(l, 7, 200, now), HOOK_LIMIT_BURST);
	assert_int_equal(taken(l, HOOK_LIMIT_NOBODY, 200, now),
			 HOOK_LIMIT_NOBODY_BURST);
	assert_int_equal(taken(l, 8, 1, now), 1); /* another's */
	assert_int_equal(taken(l, 7, 200, now + 1000000), HOOK_LIMIT_PER_S);
	assert_true(hook_limit_take(l, 7, now + 1000000) > 0);
	assert_int_equal(taken(l, 7, 200, now + 3600000000), HOOK_LIMIT_BURST);
	mem_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(github),
		cmocka_unit_test(gitea),
		cmocka_unit_test(gitlab),
		cmocka_unit_test(standard),
		cmocka_unit_test(generic),
		cmocka_unit_test(no_signatures),
		cmocka_unit_test(names_that_cannot_be_kept),
		cmocka_unit_test(names_of_schemes),
		cmocka_unit_test(secrets),
		cmocka_unit_test(matching),
		cmocka_unit_test(mapping),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The decision; see policy.h.  Pure. */
#include "job/git.h"
#include "job/identity.h"
#include "job/keys.h"
#include "policy/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct question {
	const struct policy_set *set;
	const struct job_attempt *a;
	struct policy_verdict *v;
};

double policy_number(struct str s)
{
	char text[32], *end;
	double v;

	if (!s.len || s.len >= sizeof(text))
		return 0;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	v = strtod(text, &end);
	return *end || !(v > 0) || v > 1e15 ? 0 : v;
}

static void deny(struct question *q, const struct policy_file *f,
		 const struct doc_node *at, const char *what, struct str value,
		 const char *why)
{
	struct policy_verdict *v = q->v;
	char place[160] = "policies";

	v->allowed = false;
	if (v->n_reasons == POLICY_REASONS_MAX)
		return;
	if (f && at) {
		v->places[v->n_reasons] =
			(struct policy_place){f->name, at->at.line};
		(void)snprintf(place, sizeof(place), "%s:%u", f->name,
			       at->at.line);
	}
	(void)snprintf(v->reasons[v->n_reasons++], POLICY_REASON_LEN,
		       "%s: %s \"" STR_FMT "\" %s", place, what,
		       STR_ARG(str_n(value.p, value.len < 80 ? value.len : 80)),
		       why);
}

/* What a value is: a "*" in a pattern stays within one part of a path. */
enum value {
	VALUE_NAME,
	VALUE_PATH,
	VALUE_REF,
};

/* "{project}" in a pattern is the attempt's own. */
static bool fits(const struct job_attempt *a, struct str pattern, struct str s,
		 bool path)
{
	static const char own[] = "{project}";
	const char *at = pattern.len ? memmem(pattern.p, pattern.len, own,
					      sizeof(own) - 1) :
				       NULL;
	CLEANUP_BUF struct buf b = BUF_INIT(4096);

	if (!at)
		return str_glob(pattern, s, path);
	buf_put(&b, pattern.p, (size_t)(at - pattern.p));
	buf_str(&b, a->project);
	buf_str(&b, str_from_at(pattern,
				(size_t)(at - pattern.p) + sizeof(own) - 1));
	return !b.failed && str_glob(buf_view(&b), s, path);
}

/* A reference without its ? and #. */
static struct str place_of(struct str s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] != '?' && s.p[n] != '#')
		n++;
	return str_n(s.p, n);
}

/* A pattern without ? and # is about where a secret is, whatever is asked of
 * it: no deny is passed by asking for a field. */
static bool fits_ref(const struct job_attempt *a, struct str pattern,
		     struct str s)
{
	return fits(a, pattern, s, true) ||
	       (place_of(pattern).len == pattern.len &&
		fits(a, pattern, place_of(s), true));
}

static const struct doc_node *listed(const struct job_attempt *a,
				     const struct doc_node *list, struct str s,
				     enum value is)
{
	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (is == VALUE_REF ? fits_ref(a, n->text, s) :
				      fits(a, n->text, s, is == VALUE_PATH))
			return n;
	return NULL;
}

static bool for_us(const struct job_attempt *a, const struct doc_node *rule)
{
	const struct {
		const char *key;
		struct str value;
	} who[] = {
		{"projects",   a->project  },
		{"jobs",       a->job      },
		{"submitters", a->submitter}
        };

	for (size_t i = 0; i < ARRAY_LEN(who); i++) {
		const struct doc_node *list = doc_get(rule, who[i].key);

		if (list && !listed(a, list, who[i].value, VALUE_NAME))
			return false;
	}
	return true;
}

/* The next rule that counts; start with *file 0 and *rule NULL. */
static bool next_rule(const struct question *q, size_t *file,
		      const struct doc_node **rule)
{
	const struct doc_node *at = *rule ? (*rule)->next : NULL;
	bool fresh = !*rule;

	for (; *file < q->set->n; (*file)++, fresh = true) {
		const struct doc_node *list =
			doc_get(q->set->files[*file].doc->root, "rules");

		if (fresh)
			at = list ? list->first : NULL;
		for (; at; at = at->next)
			if (for_us(q->a, at)) {
				*rule = at;
				return true;
			}
	}
	return false;
}

static void would_allow(struct question *q, const char *key, struct str value)
{
	struct policy_verdict *v = q->v;

	if (v->n_reasons)
		(void)snprintf(v->would[v->n_reasons - 1], POLICY_WOULD_LEN,
			       "allow: { %s: [\"" STR_FMT "\"] }", key,
			       STR_ARG(value));
}

/* Any deny wins; else any allow does; else it is denied: the place is the list
 * that would have to name it, or the rule that has none. */
static void ask(struct question *q, const char *key, const char *what,
		struct str value, enum value is)
{
	const struct doc_node *rule = NULL, *near = NULL;
	size_t file = 0, near_file = 0;
	bool allowed = false;

	while (next_rule(q, &file, &rule)) {
		const struct doc_node *allow = doc_get(rule, "allow");
		const struct doc_node *yes = doc_get(allow, key);
		const struct doc_node *no = listed(
			q->a, doc_get(doc_get(rule, "deny"), key), value, is);

		if (no) {
			deny(q, &q->set->files[file], no, what, value,
			     "is denied");
			return;
		}
		allowed |= listed(q->a, yes, value, is) != NULL;
		if (yes || !near) {
			near = yes ? yes : allow ? allow : rule;
			near_file = file;
		}
	}
	if (!allowed && q->v->n_reasons < POLICY_REASONS_MAX) {
		deny(q, near ? &q->set->files[near_file] : NULL, near, what,
		     value, "is allowed by no rule");
		would_allow(q, key, is == VALUE_REF ? place_of(value) : value);
	}
}

/* Fetching a source is a use of the network that has a list of its own; who
 * denies the network denies that, too. */
static void ask_network(struct question *q)
{
	const struct doc_node *rule = NULL;
	size_t file = 0;

	if (!q->a->fetches.len) {
		ask(q, "networks", "network", q->a->network, VALUE_NAME);
		return;
	}
	if (!job_git_is_ours(q->a))
		deny(q, NULL, NULL, "source", q->a->fetches,
		     "is not fetched by the job that does");
	ask(q, "sources", "source", q->a->fetches, VALUE_PATH);
	while (next_rule(q, &file, &rule)) {
		const struct doc_node *no =
			listed(q->a, doc_get(doc_get(rule, "deny"), "networks"),
			       q->a->network, VALUE_NAME);

		if (no)
			deny(q, &q->set->files[file], no, "network",
			     q->a->network, "is denied");
	}
}

/* "vault:PROVIDER:PATH?kind=pki..." */
static bool is_pki(struct str ref)
{
	struct str rest = str_from_at(ref, place_of(ref).len);

	return str_starts(rest, STR("?kind=pki")) &&
	       (rest.len == 9 || strchr("&#", rest.p[9]));
}

static const struct {
	unsigned bit;
	const char *name;
} deliveries[] = {
	{DELIVER_FILE,  "file" },
	{DELIVER_FD,    "fd"   },
	{DELIVER_STDIN, "stdin"},
	{DELIVER_ENV,   "env"  }
};

/* What no rule forbids and some rule says yes to. */
struct extra {
	const char *key; /* of allow */
	const char *what;
	struct str name; /* of the thing; len 0: the job asks for none */
	const char *refused, *unsaid;
};

static void ask_extra(struct question *q, const struct extra *x)
{
	const struct doc_node *rule = NULL, *near = NULL;
	size_t file = 0, near_file = 0;
	bool allowed = false;

	while (x->name.len && next_rule(q, &file, &rule)) {
		const struct doc_node *allow = doc_get(rule, "allow");
		const struct doc_node *n = doc_get(allow, x->key);

		if (n && str_is(n->text, "false")) {
			deny(q, &q->set->files[file], n, x->what, x->name,
			     x->refused);
			return;
		}
		allowed |= n != NULL;
		if (!near) {
			near = allow ? allow : rule;
			near_file = file;
		}
	}
	if (!x->name.len || allowed || q->v->n_reasons == POLICY_REASONS_MAX)
		return;
	deny(q, near ? &q->set->files[near_file] : NULL, near, x->what, x->name,
	     x->unsaid);
	(void)snprintf(q->v->would[q->v->n_reasons - 1], POLICY_WOULD_LEN,
		       "allow: { %s: true }", x->key);
}

/* Its own certificate a job may keep; any other lease where a rule says so. */
static void ask_keep(struct question *q)
{
	struct extra x = {"keep_leases", "on_end of secret", STR(""),
			  "may not be keep",
			  "is allowed by no rule to be keep"};

	for (size_t i = 0; i < q->a->n_secrets && !x.name.len; i++)
		if (q->a->secrets[i].keep && !is_pki(q->a->secrets[i].ref))
			x.name = q->a->secrets[i].name;
	ask_extra(q, &x);
}

/* An artifact that may hold a secret, of a task that has one. */
static void ask_artifacts(struct question *q)
{
	struct extra x = {"artifact_secrets", "allow_secret of artifact",
			  STR(""), "is denied", "is allowed by no rule"};

	for (size_t i = 0; i < q->a->n_artifacts && !x.name.len; i++)
		if (q->a->n_secrets && q->a->artifacts[i].allow_secret)
			x.name = q->a->artifacts[i].name;
	ask_extra(q, &x);
}

/* A token of the task's own is about whom it is for. */
static void ask_secret(struct question *q, struct str ref)
{
	CLEANUP_BUF struct buf audience = BUF_INIT(4096);

	if (job_identity_audience(ref, &audience))
		ask(q, "identities", "a token for", buf_view(&audience),
		    VALUE_PATH);
	else
		ask(q, "secrets", "secret", ref, VALUE_REF);
}

static void ask_secrets(struct question *q)
{
	const struct job_attempt *a = q->a;
	const struct doc_node *rule = NULL;
	size_t file = 0;

	for (size_t i = 0; i < a->n_secrets; i++) {
		ask_secret(q, a->secrets[i].ref);
		for (size_t k = 0; k < ARRAY_LEN(deliveries); k++)
			if (a->secrets[i].deliver & deliveries[k].bit)
				ask(q, "deliver", "delivery of a secret by",
				    str_from(deliveries[k].name), VALUE_NAME);
	}
	ask_keep(q);
	ask_artifacts(q);
	while (a->n_secrets && next_rule(q, &file, &rule)) {
		const struct doc_node *allow = doc_get(rule, "allow");
		const struct doc_node *n =
			doc_get(allow, "shared_workspace_secrets");

		if (a->workspace_kind == WORKSPACE_SHARED && n &&
		    str_is(n->text, "false"))
			deny(q, &q->set->files[file], n, "workspace",
			     STR("run"), "is denied where there are secrets");
		n = doc_get(allow, "cache_secrets");
		if (a->cache.n_paths && n && str_is(n->text, "false"))
			deny(q, &q->set->files[file], n, "cache",
			     a->cache.paths[0],
			     "is denied where there are secrets");
	}
}

static void ask_env(struct question *q)
{
	const struct doc_node *rule = NULL;
	size_t file = 0;

	while (next_rule(q, &file, &rule)) {
		const struct doc_node *list =
			doc_get(doc_get(rule, "deny"), "env");

		for (size_t i = 0; i < q->a->n_env; i++) {
			const struct doc_node *n = listed(
				q->a, list, q->a->env[i].name, VALUE_NAME);

			if (n)
				deny(q, &q->set->files[file], n, "variable",
				     q->a->env[i].name, "is denied");
		}
	}
}

/* --- limits ------------------------------------------------------------- */

static uint64_t limit_value(const struct doc_node *n)
{
	uint64_t v;

	if (!n)
		return 0;
	if (str_is(n->key, "timeout"))
		return job_duration(n->text, &v) ? 0 : v;
	if (str_is(n->key, "cpu"))
		return (uint64_t)(policy_number(n->text) * 1000);
	return job_size(n->text, &v) ? 0 : v;
}

/* Where it is not asked for, the first default; then the smallest most. */
static uint64_t clamp(struct question *q, const char *key, uint64_t asked)
{
	const struct doc_node *rule = NULL;
	uint64_t most = 0, fallback = 0;
	size_t file = 0;

	while (next_rule(q, &file, &rule)) {
		const struct doc_node *limits = doc_get(rule, "limits");
		uint64_t m = limit_value(doc_get(doc_get(limits, "most"), key));
		uint64_t d =
			limit_value(doc_get(doc_get(limits, "default"), key));

		if (m && (!most || m < most))
			most = m;
		if (d && !fallback)
			fallback = d;
	}
	if (!asked)
		asked = fallback ? fallback : most;
	return most && asked > most ? most : asked;
}

static void clamp_limits(struct question *q)
{
	const struct grant_limits *l = &q->a->limits;
	struct policy_verdict *v = q->v;

	v->limits.memory_bytes = clamp(q, "memory", l->memory_bytes);
	v->limits.disk_bytes = clamp(q, "disk", l->disk_bytes);
	v->limits.log_bytes = clamp(q, "log", l->log_bytes);
	v->limits.pids = (uint32_t)clamp(q, "pids", l->pids);
	v->limits.cpu_milli = (uint32_t)clamp(q, "cpu", l->cpu_milli);
	v->limits.open_files = (uint32_t)clamp(q, "open_files", l->open_files);
	v->timeout_us = clamp(q, "timeout", q->a->timeout_us);
}

void policy_decide(const struct policy_set *s, const struct job_attempt *a,
		   struct policy_verdict *ret)
{
	struct question q = {.set = s, .a = a, .v = ret};
	size_t denied;

	memset(ret, 0, sizeof(*ret));
	ret->allowed = true;
	ask(&q, "profiles", "profile", a->profile, VALUE_NAME);
	ask_network(&q);
	ask_secrets(&q);
	ask_env(&q);
	clamp_limits(&q);
	denied = ret->n_reasons;
	if (denied < POLICY_REASONS_MAX) {
		ask(&q, "deliver", "", STR("env"), VALUE_NAME);
		ret->secrets_env_allowed = ret->n_reasons == denied;
	}
	ret->n_reasons = denied;
	ret->allowed = !denied;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Webhooks of a job: names, secrets, where they look in what comes. */
#include "job/check.h"
#include "job/keys.h"

enum {
	PLACE_MAX = 256, /* bytes of a pointer */
	MATCH_MAX = 20,
	VALUES_MAX = 100,
};

/* `event`, or a JSON pointer (RFC 6901) below the root. */
static bool is_place(struct str s)
{
	if (str_is(s, "event"))
		return true;
	if (s.len < 2 || s.len > PLACE_MAX || s.p[0] != '/')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '~' && (i + 1 == s.len ||
				      (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
			return false;
	return true;
}

static void check_place(const struct doc_node *n, bool key, struct problems *ps)
{
	static const char hint[] =
		"such as /ref or /repository/name (RFC 6901), or `event`";
	struct str s = key ? n->key : n->text;

	if (is_place(s))
		return;
	if (key)
		problem_at_key(ps, n, "bad-pointer", hint,
			       "\"" STR_FMT "\" is no JSON pointer",
			       STR_ARG(s));
	else
		problem_at(ps, n, "bad-pointer", hint,
			   "\"" STR_FMT "\" is no JSON pointer", STR_ARG(s));
}

/* All three syntaxes mean the same: plain scalars get a kind. */
static bool take_value(struct doc_node *n)
{
	int64_t v;
	bool b;

	if (n->kind != DOC_PLAIN)
		return n->kind == DOC_STRING || n->kind == DOC_INT ||
		       n->kind == DOC_BOOL;
	if (doc_is_null(n))
		return false;
	if (!doc_as_i64(n, &v)) {
		n->kind = DOC_INT;
		if (!v)
			n->text = STR("0");
	} else {
		n->kind = doc_as_bool(n, &b) ? DOC_STRING : DOC_BOOL;
	}
	return true;
}

static void check_values(struct doc_node *n, struct problems *ps)
{
	bool ok = n->kind == DOC_LIST ? n->n && n->n <= VALUES_MAX :
					n->kind != DOC_MAP && take_value(n);

	if (n->kind == DOC_LIST)
		for (struct doc_node *v = n->first; v && ok; v = v->next)
			ok = take_value(v);
	if (!ok)
		problem_at(ps, n, "wrong-type", NULL,
			   "match: a value or a list of up to %d is wanted, "
			   "texts, whole numbers, true or false",
			   VALUES_MAX);
}

static void check_match(struct doc_node *map, struct problems *ps)
{
	if (!map)
		return;
	if (map->kind != DOC_MAP || map->n > MATCH_MAX) {
		problem_at(ps, map, "wrong-type",
			   "match: { /ref: [refs/heads/main] }",
			   "match: a map of up to %d JSON pointers is wanted",
			   MATCH_MAX);
		return;
	}
	for (struct doc_node *n = map->first; n; n = n->next) {
		check_place(n, true, ps);
		check_values(n, ps);
	}
}

static void check_mapping(const struct job *j, const struct doc_node *map,
			  struct problems *ps)
{
	const struct doc_node *decls = doc_get(j->doc->root, "inputs");

	if (!map || map->kind != DOC_MAP)
		return;
	for (const struct doc_node *n = map->first; n; n = n->next) {
		if (!doc_get_str(decls, n->key))
			problem_at_key(ps, n, "unknown-input",
				       "declare it under `inputs` of the job",
				       "no input \"" STR_FMT "\"",
				       STR_ARG(n->key));
		check_place(n, false, ps);
	}
}

/* A stranger's call is checked with it: one of the store, and our own. */
static void check_secret(const struct job *j, const struct doc_node *n,
			 struct problems *ps)
{
	const struct doc_node *decl =
		n ? doc_get_str(doc_get(j->doc->root, "secrets"), n->text) :
		    NULL;
	const struct doc_node *store = doc_get(decl, "store");
	struct str name = job_text(store, "");

	if (!decl)
		return; /* said elsewhere */
	if (!store)
		problem_at(ps, n, "bad-hook", NULL,
			   "the secret of a webhook is one of the store");
	else if (str_has(name, '/') && !str_eq(str_cut(&name, '/'), j->project))
		problem_at(ps, n, "foreign-secret", NULL,
			   "the secret of a webhook is of the job's own "
			   "project");
}

static void check_hook(const struct job *j, const struct doc_node *list,
		       const struct doc_node *h, struct problems *ps)
{
	const struct doc_node *name = doc_get(h, "name");

	for (const struct doc_node *k = list->first; name && k != h;
	     k = k->next)
		if (str_eq(job_text(doc_get(k, "name"), ""), name->text))
			problem_at(ps, name, "duplicate-name", NULL,
				   "two webhooks of this name");
	check_secret(j, doc_get(h, "secret"), ps);
	check_match(doc_get(h, "match"), ps);
	check_mapping(j, doc_get(h, "inputs"), ps);
}

void check_hooks(const struct job *j, struct problems *ps)
{
	const struct doc_node *list =
		doc_get(doc_get(j->doc->root, "triggers"), "webhook");

	if (!list || list->kind != DOC_LIST)
		return;
	if (list->n > JOB_HOOKS_MAX) {
		problem_at_key(ps, list, "too-many", NULL,
			       "more than %d webhooks", JOB_HOOKS_MAX);
		return;
	}
	if (list->n && j->has_source)
		problem_at_key(ps, list, "bad-hook", NULL,
			       "a job with `source: upload` cannot be started "
			       "by a webhook: nobody uploads");
	for (const struct doc_node *h = list->first; h; h = h->next)
		if (h->kind == DOC_MAP)
			check_hook(j, list, h, ps);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Secrets: declared, granted, and delivered so that no two are in one place. */
#include "job/check.h"
#include "job/keys.h"

#include <string.h>

/* --- declared ----------------------------------------------------------- */

/* Declared secrets that are used outside of tasks. */
static void check_uses(const struct job *j, const struct doc_node *n,
		       struct problems *ps)
{
	if (n && !doc_get_str(doc_get(j->doc->root, "secrets"), n->text))
		problem_at(ps, n, "unknown-secret",
			   "declare it under `secrets` of the job",
			   "no secret \"" STR_FMT "\"", STR_ARG(n->text));
}

static bool has_expression(const struct doc_node *n)
{
	bool any = n && n->kind == DOC_STRING && n->text.len &&
		   memmem(n->text.p, n->text.len, "${{", 3);

	for (const struct doc_node *k = n ? n->first : NULL; k; k = k->next)
		any |= has_expression(k);
	return any;
}

/* The run that fetches the source has no inputs, and takes one value. */
static void check_source_secret(const struct job *j, struct problems *ps)
{
	const struct doc_node *root = j->doc->root;
	const struct doc_node *n = doc_get(doc_get(root, "source"), "secret");
	const struct doc_node *s =
		n ? doc_get_str(doc_get(root, "secrets"), n->text) : NULL;

	check_uses(j, n, ps);
	if (has_expression(s))
		problem_at(ps, n, "bad-secret",
			   "the source is fetched before there are values",
			   "source.secret: \"" STR_FMT "\" has ${{ }} in it",
			   STR_ARG(n->text));
	if (doc_get(s, "vault") && !doc_get(s, "field"))
		problem_at(ps, n, "bad-secret", "name one with `field`",
			   "source.secret: \"" STR_FMT "\" has several fields",
			   STR_ARG(n->text));
}

static void check_job_secrets(const struct job *j, struct problems *ps)
{
	const struct doc_node *root = j->doc->root;
	const struct doc_node *secrets = doc_get(root, "secrets");
	const struct doc_node *hooks =
		doc_get(doc_get(root, "triggers"), "webhook");

	if (secrets && secrets->n > JOB_SECRETS_MAX)
		problem_at_key(ps, secrets, "too-many-secrets", NULL,
			       "more than %d secrets", JOB_SECRETS_MAX);
	for (const struct doc_node *s = secrets ? secrets->first : NULL; s;
	     s = s->next)
		if (s->kind == DOC_MAP)
			check_declared(s, ps);
	check_source_secret(j, ps);
	for (const struct doc_node *h = hooks ? hooks->first : NULL; h;
	     h = h->next)
		check_uses(j, doc_get(h, "secret"), ps);
}

/* --- granted ------------------------------------------------------------ */

static void check_granted(const struct job *j, const struct job_task *t,
			  struct problems *ps)
{
	const struct doc_node *list = doc_get(t->node, "secrets");
	const struct doc_node *all = doc_get(j->doc->root, "secrets");
	uint32_t n_seen = 0;

	for (const struct doc_node *n = list ? list->first : NULL;
	     n && n_seen <= JOB_SECRETS_MAX; n = n->next, n_seen++) {
		if (!doc_get_str(all, n->text))
			problem_at(ps, n, "unknown-secret",
				   "declare it under `secrets` of the job",
				   "no secret \"" STR_FMT "\"",
				   STR_ARG(n->text));
		for (const struct doc_node *k = list->first; k != n;
		     k = k->next)
			if (str_eq(k->text, n->text))
				problem_at(ps, n, "duplicate-secret", NULL,
					   "the secret \"" STR_FMT
					   "\" stands here twice",
					   STR_ARG(n->text));
	}
}

void check_secrets(const struct job *j, struct problems *ps)
{
	check_job_secrets(j, ps);
	for (size_t i = 0; i < j->n_tasks; i++) {
		const struct doc_node *target =
			doc_get(j->tasks[i].node, "target");

		check_granted(j, &j->tasks[i], ps);
		check_uses(j, doc_get(doc_get(target, "ssh"), "key"), ps);
	}
}

/* --- delivered ---------------------------------------------------------- */

/* Is name, in upper case and with _ for -, the variable? */
static bool becomes(struct str name, struct str variable)
{
	if (name.len != variable.len)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i] == '-' ? '_' : name.p[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (c != variable.p[i])
			return false;
	}
	return true;
}

static bool is_taken(const struct job *j, const struct job_task *t,
		     struct str name)
{
	static const char *const made[] = {"PATH", "HOME",  "TMPDIR", "LANG",
					   "TZ",   "SHELL", "NFO"};
	const struct doc_node *root = j->doc->root;
	const struct doc_node *maps[] = {
		doc_get(t->node, "env"),
		doc_get(doc_get(root, "defaults"), "env"),
		doc_get(root, "env")};

	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		if (becomes(name, str_from(made[i])))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		for (const struct doc_node *n = maps[i] ? maps[i]->first : NULL;
		     n; n = n->next)
			if (becomes(name, n->key))
				return true;
	return name.len > 3 && becomes(str_n(name.p, 4), STR("NFO_"));
}

struct delivery {
	const struct doc_node *in_stdin; /* the secret that is */
	size_t n_fds;
};

static struct str delivery_of(const struct job *j, struct str name)
{
	const struct doc_node *all = doc_get(j->doc->root, "secrets");

	return job_text(doc_get(doc_get_str(all, name), "deliver"), "file");
}

/* Another secret before n in the list that has n's variable; NULL: none. */
static const struct doc_node *twin(const struct job *j,
				   const struct doc_node *list,
				   const struct doc_node *n, struct str how)
{
	for (const struct doc_node *k = list->first; k != n; k = k->next)
		if (check_same_variable(k->text, n->text) &&
		    !str_eq(k->text, n->text) &&
		    str_eq(delivery_of(j, k->text), how))
			return k;
	return NULL;
}

static void check_delivery(const struct job *j, const struct job_task *t,
			   const struct doc_node *n, struct delivery *d,
			   struct problems *ps)
{
	const struct doc_node *list = doc_get(t->node, "secrets");
	struct str how = delivery_of(j, n->text);
	const struct doc_node *other = str_is(how, "env") || str_is(how, "fd") ?
					       twin(j, list, n, how) :
					       NULL;

	if (other)
		problem_at(ps, n, "env-collision", NULL,
			   "the secrets \"" STR_FMT "\" and \"" STR_FMT
			   "\" would both be in one variable",
			   STR_ARG(other->text), STR_ARG(n->text));

	/* A secret in the environment is there under its own name. */
	if (str_is(how, "env") && is_taken(j, t, n->text))
		problem_at(ps, n, "env-collision",
			   "`deliver: env` makes a variable of the secret's "
			   "name in upper case",
			   "the variable of the secret \"" STR_FMT
			   "\" is taken",
			   STR_ARG(n->text));
	if (str_is(how, "fd") && ++d->n_fds == JOB_SECRET_FDS_MAX + 1)
		problem_at(ps, n, "too-many", NULL,
			   "more than %d secrets with `deliver: fd`",
			   JOB_SECRET_FDS_MAX);
	if (!str_is(how, "stdin"))
		return;
	if (d->in_stdin)
		problem_at(ps, n, "bad-stdin",
			   "`deliver: fd` has no such limit",
			   "the secrets \"" STR_FMT "\" and \"" STR_FMT
			   "\" would both be standard input",
			   STR_ARG(d->in_stdin->text), STR_ARG(n->text));
	else if (doc_get(t->node, "stdin"))
		problem_at(ps, n, "bad-stdin", "`deliver: fd` goes with a pipe",
			   "the secret \"" STR_FMT
			   "\" and `stdin` would both be standard input",
			   STR_ARG(n->text));
	d->in_stdin = n;
}

void check_deliveries(const struct job *j, const struct job_task *t,
		      struct problems *ps)
{
	const struct doc_node *list = doc_get(t->node, "secrets");
	struct delivery d = {0};

	for (const struct doc_node *n =
		     list && list->n <= JOB_SECRETS_MAX ? list->first : NULL;
	     n; n = n->next)
		check_delivery(j, t, n, &d, ps);
}

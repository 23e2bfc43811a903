/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a run needs of secrets; see needs.h. */
#include "api/needs.h"
#include "api/keeper.h"
#include "base/mem.h"
#include "config/config.h"
#include "job/job.h"

#include <string.h>

struct needs;

/* One question to the keeper. */
struct question {
	struct needs *n;
	const struct doc_node *at; /* the declaration's `store` */
};

struct needs {
	needs_fn *fn;
	void *ctx;
	const struct job *j;
	size_t n_open, n_questions;
	struct question questions[JOB_SECRETS_MAX];
	struct problems ps;
};

static void finish(struct needs *n)
{
	if (--n->n_open)
		return;
	problems_sort(&n->ps);
	n->fn(n->ctx, &n->ps);
	mem_free(n);
}

static void on_shown(void *ctx, const struct keeper_answer *a)
{
	struct question *q = ctx;

	if (a->err.code == ERR_NOT_FOUND)
		problem_at(&q->n->ps, q->at, "secret-missing",
			   "put it there: nfo secret put NAME < FILE",
			   "the store has no secret \"" STR_FMT "\"",
			   STR_ARG(q->at->text));
	finish(q->n);
}

static void ask_store(struct needs *n, struct keeper *k,
		      const struct doc_node *store)
{
	struct question *q = &n->questions[n->n_questions];
	struct str project = n->j->project, name = store->text;
	struct err e;

	if (n->n_questions == JOB_SECRETS_MAX)
		return;
	if (str_has(name, '/'))
		project = str_cut(&name, '/');
	*q = (struct question){n, store};
	if (keeper_show(k, project, name, on_shown, q, &e))
		return;
	n->n_questions++;
	n->n_open++;
}

static bool has_provider(const struct config *c, struct str name)
{
	const struct config_provider *all = c->secret_providers.items;

	for (size_t i = 0; i < c->secret_providers.n; i++)
		if (str_eq(all[i].name, name))
			return true;
	return false;
}

static bool has_helper(const struct config *c, struct str name)
{
	const struct config_helper *all = c->secret_helpers.items;

	for (size_t i = 0; i < c->secret_helpers.n; i++)
		if (str_eq(all[i].name, name))
			return true;
	return false;
}

/* Those of our environment only the keeper knows; it has told of all there are,
 * once it has told of the store. */
static bool may_be(struct keeper *k, struct str name)
{
	const struct keeper_provider *all;
	bool told = false;
	size_t n;

	all = keeper_providers(k, &n);
	for (size_t i = 0; i < n; i++) {
		if (str_is(name, all[i].name))
			return true;
		told |= !all[i].name[0];
	}
	return !told;
}

static void check_provider(struct needs *n, struct keeper *k,
			   const struct config *c, const struct doc_node *s)
{
	const struct doc_node *by = doc_get(s, "provider");
	const struct doc_node *exec = doc_get(s, "exec");
	struct str name = exec ? exec->text : job_text(by, "default");

	if (exec ? has_helper(c, name) :
		   has_provider(c, name) || may_be(k, name))
		return;
	problem_at(&n->ps,
		   exec ? exec :
		   by   ? by :
			  doc_get(s, "vault"),
		   "unknown-provider",
		   exec ? "secret_helpers of the settings has those that there "
			  "are" :
			  "nfo secret provider list shows those that there "
			  "are (secret_providers of the settings)",
		   "no %s \"" STR_FMT "\" on this server",
		   exec ? "helper" : "provider of secrets", STR_ARG(name));
}

static bool lists(const struct doc_node *list, struct str name)
{
	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (str_eq(n->text, name))
			return true;
	return false;
}

static bool is_used(const struct job *j, struct str name)
{
	const struct doc_node *source =
		doc_get(doc_get(j->doc->root, "source"), "secret");
	bool used = source && str_eq(source->text, name);

	for (size_t i = 0; i < j->n_tasks && !used; i++)
		used = lists(doc_get(j->tasks[i].node, "secrets"), name);
	return used;
}

void needs_check(struct keeper *k, const struct config *c, const struct job *j,
		 needs_fn *fn, void *ctx)
{
	const struct doc_node *all = doc_get(j->doc->root, "secrets");
	struct needs *n = mem_alloc(sizeof(*n));

	*n = (struct needs){.fn = fn, .ctx = ctx, .j = j, .n_open = 1};
	for (const struct doc_node *s = all ? all->first : NULL; s;
	     s = s->next) {
		const struct doc_node *store = doc_get(s, "store");

		if (!is_used(j, s->key))
			continue;
		if (store)
			ask_store(n, k, store);
		else
			check_provider(n, k, c, s);
	}
	finish(n);
}

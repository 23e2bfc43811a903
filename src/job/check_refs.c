/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Names that must lead somewhere: secrets, artifacts, expressions, inputs. */
#include "job/check.h"
#include "job/expr.h"
#include "job/keys.h"

#include <string.h>

struct where {
	const struct job *j;
	size_t task;
	const struct doc_node *matrix;
};

static struct str part(struct str *s)
{
	return str_cut(s, '.');
}

static int unknown(struct err *e, const char *what, struct str name)
{
	return err_set(e, ERR_INVALID, "no %s \"" STR_FMT "\"", what,
		       STR_ARG(name));
}

/* "test@unit" is an instance of "test". */
static struct str task_of_instance(struct str s)
{
	return str_cut(&s, '@');
}

static int check_tasks_name(const struct where *w, struct str rest,
			    struct err *e)
{
	struct str task = task_of_instance(part(&rest));
	int32_t i = job_task_find(w->j, task);
	struct str what = part(&rest);

	if (i < 0)
		return unknown(e, "task", task);
	if (!w->j->tasks[w->task].is_finally &&
	    !check_needs(w->j, w->task, (size_t)i))
		return err_set(e, ERR_INVALID,
			       "tasks." STR_FMT " is not a need of this task",
			       STR_ARG(task));
	if (str_is(what, "state") && !rest.p)
		return 0;
	if (!str_is(what, "outputs") || !rest.len)
		return err_set(e, ERR_INVALID,
			       "tasks.T.outputs.X or tasks.T.state is wanted");
	if (!doc_get_str(doc_get(w->j->tasks[i].node, "outputs"), rest))
		return unknown(e, "output", rest);
	return 0;
}

static int check_name(void *ctx, struct str name, struct err *e)
{
	static const char *const run[] = {"id",  "number",  "project",
					  "job", "trigger", "submitter"};
	const struct where *w = ctx;
	const struct doc_node *root = w->j->doc->root;
	struct str rest = name, head = part(&rest);

	if (str_is(head, "inputs"))
		return doc_get_str(doc_get(root, "inputs"), rest) ?
			       0 :
			       unknown(e, "input", rest);
	if (str_is(head, "matrix"))
		return doc_get_str(w->matrix, rest) ?
			       0 :
			       unknown(e, "matrix value", rest);
	if (str_is(head, "tasks"))
		return check_tasks_name(w, rest, e);
	if (str_is(head, "secrets")) {
		struct str secret = part(&rest);

		if (!str_is(rest, "path"))
			return err_set(e, ERR_INVALID,
				       "a secret has a path here, no value");
		return doc_get_str(doc_get(root, "secrets"), secret) ?
			       0 :
			       unknown(e, "secret", secret);
	}
	if (str_is(head, "host") && str_is(rest, "name"))
		return 0;
	if (str_is(head, "source") && str_is(rest, "commit"))
		return 0;
	for (size_t i = 0; str_is(head, "run") && i < ARRAY_LEN(run); i++)
		if (str_is(rest, run[i]))
			return 0;
	return unknown(e, "value", name);
}

static void check_text(struct where *w, const struct doc_node *n,
		       bool is_template, struct problems *ps)
{
	struct err e;

	if (n->kind == DOC_STRING &&
	    expr_names(n->text, is_template, check_name, w, &e))
		problem_at(ps, n, "bad-expression", NULL, "%s", e.text);
}

/* All texts below a node: keys without expressions hold none. */
static void check_all(struct where *w, const struct doc_node *n,
		      struct problems *ps)
{
	if (!n)
		return;
	check_text(w, n, true, ps);
	for (const struct doc_node *k = n->first; k; k = k->next)
		check_all(w, k, ps);
}

static void check_expressions(const struct job *j, size_t i,
			      struct problems *ps)
{
	static const char *const keys[] = {"argv", "args", "env"};
	const struct doc_node *node = j->tasks[i].node;
	struct where w = {j, i, doc_get(node, "matrix")};
	const struct doc_node *artifacts = doc_get(node, "artifacts");
	const struct doc_node *cond = doc_get(node, "if");

	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		check_all(&w, doc_get(node, keys[k]), ps);
	check_all(&w, doc_get(doc_get(j->doc->root, "defaults"), "env"), ps);
	check_all(&w, doc_get(j->doc->root, "env"), ps);
	for (const struct doc_node *a = artifacts ? artifacts->first : NULL; a;
	     a = a->next)
		check_all(&w, doc_get(a, "path"), ps);
	if (cond)
		check_text(&w, cond,
			   memmem(cond->text.p, cond->text.len, "${{", 3) !=
				   NULL,
			   ps);
}

static void check_secrets(const struct job *j, const struct job_task *t,
			  struct problems *ps)
{
	const struct doc_node *list = doc_get(t->node, "secrets");
	const struct doc_node *all = doc_get(j->doc->root, "secrets");

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (!doc_get_str(all, n->text))
			problem_at(ps, n, "unknown-secret",
				   "declare it under `secrets` of the job",
				   "no secret \"" STR_FMT "\"",
				   STR_ARG(n->text));
}

static void check_files(const struct job *j, size_t i, struct problems *ps)
{
	const struct doc_node *list = doc_get(j->tasks[i].node, "files");

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next) {
		struct str rest = n->text, task = part(&rest);
		int32_t from = job_task_find(j, task_of_instance(task));
		const struct doc_node *node =
			from < 0 ? NULL : j->tasks[from].node;
		const struct doc_node *out = doc_get(node, "stdout");

		if (from < 0 ||
		    (!doc_get_str(doc_get(node, "artifacts"), rest) &&
		     !str_eq(job_text(doc_get(out, "artifact"), ""), rest)))
			problem_at(ps, n, "unknown-artifact",
				   "TASK.NAME, as under `artifacts`",
				   "files: no artifact \"" STR_FMT "\"",
				   STR_ARG(n->text));
		else if (!j->tasks[i].is_finally &&
			 !check_needs(j, i, (size_t)from))
			problem_at(ps, n, "bad-need", "add it to `needs`",
				   "files: \"" STR_FMT "\" is not a need of "
				   "this task",
				   STR_ARG(task));
	}
}

static void check_secret(const struct doc_node *s, struct problems *ps)
{
	static const char *const from[] = {"store", "vault", "exec"};
	const struct doc_node *store = doc_get(s, "store");
	struct str name = job_text(store, ""), project;
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		n += doc_get(s, from[i]) != NULL;
	if (n != 1)
		problem_at_key(ps, s, "bad-secret", NULL,
			       "secret \"" STR_FMT "\": exactly one of store, "
			       "vault, exec is wanted",
			       STR_ARG(s->key));
	if (!store)
		return;
	if (str_has(name, '/')) {
		project = str_cut(&name, '/');
		if (!job_name_ok(project))
			name = str_n(NULL, 0);
	}
	if (!job_name_ok(name))
		problem_at(ps, store, "bad-secret", NULL,
			   "store: NAME or PROJECT/NAME is wanted");
}

static void check_stdout(const struct job_task *t, struct problems *ps)
{
	const struct doc_node *out = doc_get(t->node, "stdout");
	const struct doc_node *log = doc_get(out, "log");
	const struct doc_node *file = doc_get(out, "file");
	uint64_t size;

	if (log && !str_is(log->text, "all") && !str_is(log->text, "none") &&
	    job_size(log->text, &size))
		problem_at(ps, log, "bad-value", NULL,
			   "stdout.log: all, none or a size");
	if (file && (!file->text.len || str_has(file->text, '/') ||
		     file->text.p[0] == '.'))
		problem_at(ps, file, "bad-value", NULL,
			   "stdout.file: a plain file name is wanted");
}

/* A network other than none under a profile that has no inet sockets. */
static void check_network(const struct job *j, const struct job_task *t,
			  struct problems *ps)
{
	const struct doc_node *net = job_sandbox_get(j, t, "network");
	struct str profile =
		job_text(job_sandbox_get(j, t, "profile"), "default");

	if (net && (net->kind == DOC_MAP || str_is(net->text, "host")) &&
	    (str_is(profile, "strict") || str_is(profile, "default") ||
	     str_is(profile, "build")))
		problem_at(ps, net, "profile-no-network", "use profile: net",
			   "profile \"" STR_FMT "\" has no network",
			   STR_ARG(profile));
}

void check_refs(struct job *j, struct problems *ps)
{
	const struct doc_node *secrets = doc_get(j->doc->root, "secrets");

	if (secrets && secrets->n > JOB_SECRETS_MAX)
		problem_at_key(ps, secrets, "too-many-secrets", NULL,
			       "more than %d secrets", JOB_SECRETS_MAX);
	for (const struct doc_node *s = secrets ? secrets->first : NULL; s;
	     s = s->next)
		check_secret(s, ps);
	for (size_t i = 0; i < j->n_tasks; i++) {
		check_secrets(j, &j->tasks[i], ps);
		check_files(j, i, ps);
		check_stdout(&j->tasks[i], ps);
		check_network(j, &j->tasks[i], ps);
		check_expressions(j, i, ps);
	}
}

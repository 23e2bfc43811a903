/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Names that must lead somewhere: artifacts, expressions. */
#include "job/check.h"
#include "job/expr.h"
#include "job/keys.h"
#include "job/template.h"

#include <string.h>

/* Where an expression stands. */
struct where {
	const struct job *j;
	struct problems *ps;
	const struct doc_node *node; /* of the text */
	int32_t task;                /* -1: of the job */
	bool is_path;                /* of a secret: only what has few values */
};

struct str check_task_of(struct str instance)
{
	return str_cut(&instance, '@');
}

int check_split(struct str s, struct str *task, struct str *what,
		struct str *output)
{
	static const char between[] = ".outputs.";
	const char *at;

	*output = str_n(NULL, 0);
	if (str_ends(s, STR(".state"))) {
		*task = str_n(s.p, s.len - strlen(".state"));
		*what = STR("state");
		return task->len ? 0 : -1;
	}
	at = s.len ? memmem(s.p, s.len, between, strlen(between)) : NULL;
	if (!at || at == s.p)
		return -1;
	*task = str_n(s.p, (size_t)(at - s.p));
	*what = STR("outputs");
	*output = str_from_at(s, task->len + strlen(between));
	return 0;
}

/* --- expressions -------------------------------------------------------- */

/* Told; and the walk goes on. */
#define bad(w, hint, ...)                                                      \
	(problem_at((w)->ps, (w)->node, "bad-expression", hint, __VA_ARGS__), 0)

static int check_tasks_name(const struct where *w, struct str rest)
{
	struct str task, what, output;
	const struct doc_node *node;
	int32_t i;

	if (check_split(rest, &task, &what, &output))
		return bad(w, "tasks.T.outputs.X or tasks.T.state",
			   "no value \"tasks." STR_FMT "\"", STR_ARG(rest));
	i = job_task_find(w->j, check_task_of(task));
	if (i < 0)
		return bad(w, NULL, "no task \"" STR_FMT "\"", STR_ARG(task));
	node = w->j->tasks[i].node;
	if (w->task < 0 || (!w->j->tasks[w->task].is_finally &&
			    !job_task_needs(w->j, (size_t)w->task, (size_t)i)))
		return bad(w, "add it to `needs`",
			   "tasks." STR_FMT " is not a need of this task",
			   STR_ARG(task));
	if (str_is(what, "outputs") &&
	    !doc_get_str(doc_get(node, "outputs"), output))
		return bad(w, "declare it under `outputs` of that task",
			   "no output \"" STR_FMT "\"", STR_ARG(output));
	return 0;
}

static int check_task_name(const struct where *w, struct str rest)
{
	struct str task, what, output;

	if (!check_split(rest, &task, &what, &output) && !str_has(task, '@')) {
		int32_t i = job_task_find(w->j, task);

		if (i >= 0 && doc_get(w->j->tasks[i].node, "matrix"))
			return bad(w, "name one, such as test@unit",
				   "\"" STR_FMT "\" has several instances",
				   STR_ARG(task));
	}
	return check_tasks_name(w, rest);
}

static bool is_granted(const struct job *j, int32_t task, struct str secret)
{
	const struct doc_node *list =
		task < 0 ? NULL : doc_get(j->tasks[task].node, "secrets");

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (str_eq(n->text, secret))
			return true;
	return false;
}

static int check_secret_name(const struct where *w, struct str rest)
{
	struct str secret = str_cut(&rest, '.');
	const struct doc_node *decl =
		doc_get_str(doc_get(w->j->doc->root, "secrets"), secret);

	if (!str_is(rest, "path"))
		return bad(w, "secrets.NAME.path is the file that holds it",
			   "the value of the secret \"" STR_FMT
			   "\" is no expression",
			   STR_ARG(secret));
	if (!decl)
		return bad(w, "declare it under `secrets` of the job",
			   "no secret \"" STR_FMT "\"", STR_ARG(secret));
	if (!is_granted(w->j, w->task, secret))
		return bad(w, "add it to `secrets` of the task",
			   "the task is not granted the secret \"" STR_FMT "\"",
			   STR_ARG(secret));
	if (!str_is(job_text(doc_get(decl, "deliver"), "file"), "file"))
		return bad(w, "only `deliver: file` has a path",
			   "the secret \"" STR_FMT "\" is no file",
			   STR_ARG(secret));
	return 0;
}

static int check_template_name(const struct where *w, struct str rest)
{
	struct str name = str_cut(&rest, '.');

	if (w->task >= 0 && str_is(rest, "path") &&
	    doc_get_str(doc_get(w->j->tasks[w->task].node, "templates"), name))
		return 0;
	return bad(w, "templates.NAME.path, of those of the task",
		   "no template \"" STR_FMT "\" here", STR_ARG(name));
}

static int check_input_name(const struct where *w, struct str rest)
{
	const struct doc_node *decl =
		doc_get_str(doc_get(w->j->doc->root, "inputs"), rest);

	if (!decl)
		return bad(w, "declare it under `inputs` of the job",
			   "no input \"" STR_FMT "\"", STR_ARG(rest));
	if (w->is_path && !doc_get(decl, "enum"))
		return bad(w, "give the input an enum",
			   "any text of \"" STR_FMT
			   "\" could become part of a path",
			   STR_ARG(rest));
	return 0;
}

static int check_matrix_name(const struct where *w, struct str rest)
{
	const struct job *j = w->j;

	for (size_t i = 0; i < j->n_tasks; i++)
		if ((w->is_path || w->task == (int32_t)i) &&
		    check_matrix_has(doc_get(j->tasks[i].node, "matrix"), rest))
			return 0;
	return bad(w, NULL, "no matrix value \"" STR_FMT "\"", STR_ARG(rest));
}

/* Goes on after every problem: always 0. */
static int check_name(void *ctx, struct str name, struct err *e)
{
	static const char *const others[] = {
		"run.id",        "run.project",   "run.job",   "run.trigger",
		"run.submitter", "source.commit", "host.name",
	};
	const struct where *w = ctx;
	struct str rest = name, head = str_cut(&rest, '.');

	(void)e;
	if (str_is(head, "inputs"))
		return check_input_name(w, rest);
	if (str_is(head, "matrix"))
		return check_matrix_name(w, rest);
	if (str_is(head, "tasks") && !w->is_path)
		return check_task_name(w, rest);
	if (str_is(head, "secrets") && !w->is_path)
		return check_secret_name(w, rest);
	if (str_is(head, "templates") && !w->is_path)
		return check_template_name(w, rest);
	for (size_t i = 0; !w->is_path && i < ARRAY_LEN(others); i++)
		if (str_is(name, others[i]))
			return 0;
	return bad(w, NULL, "no value \"" STR_FMT "\" here", STR_ARG(name));
}

/* Syntax was checked before: what fails here has been told. */
static void check_text(struct where *w, const struct doc_node *n,
		       bool is_template)
{
	struct err e;

	if (n->kind != DOC_STRING)
		return;
	w->node = n;
	(void)!expr_names(is_template ? n->text : expr_bare(n->text),
			  is_template, check_name, w, &e);
}

/* The value of a secret, in a template: one that is granted, and by the name
 * of a field where it has several. */
static void check_value(const struct where *w, const struct template_part *p)
{
	const struct doc_node *decl =
		doc_get_str(doc_get(w->j->doc->root, "secrets"), p->secret);
	bool several = doc_get(decl, "vault") && !doc_get(decl, "field");
	bool one = doc_get(decl, "store") || doc_get(decl, "field");

	if (!decl || !is_granted(w->j, w->task, p->secret))
		(void)bad(w, "add it to `secrets` of the task",
			  "the task is not granted the secret \"" STR_FMT "\"",
			  STR_ARG(p->secret));
	else if (several && !p->field.len)
		(void)bad(w, "secrets.NAME.fields.FIELD is one of them",
			  "the secret \"" STR_FMT "\" has several fields",
			  STR_ARG(p->secret));
	else if (one && p->field.len)
		(void)bad(w, "secrets.NAME.value",
			  "the secret \"" STR_FMT "\" is one value",
			  STR_ARG(p->secret));
}

static void check_parts(struct where *w, const struct doc_node *n)
{
	struct str rest = n->text;
	struct template_part p;
	struct err e;

	w->node = n;
	while (n->kind == DOC_STRING && rest.len) {
		if (template_next(&rest, &p, &e))
			return; /* that was told */
		if (p.kind == PART_SECRET)
			check_value(w, &p);
		else if (p.kind == PART_EXPR)
			(void)!expr_names(p.text, false, check_name, w, &e);
	}
}

/* All texts below a node. */
static void check_all(struct where *w, const struct doc_node *n)
{
	if (!n)
		return;
	check_text(w, n, true);
	for (const struct doc_node *k = n->first; k; k = k->next)
		check_all(w, k);
}

/* By the key table: whatever may hold an expression. */
static void walk(struct where *w, const struct doc_node *map, const char *at)
{
	for (const struct doc_node *n = map ? map->first : NULL; n;
	     n = n->next) {
		const struct job_key *k = job_key_find(at, n->key);

		if (!k)
			continue;
		if (k->text == TEXT_EXPRESSION)
			check_text(w, n, false);
		else if (k->text == TEXT_TEMPLATE)
			check_parts(w, n);
		else if (k->expressions)
			check_all(w, n);
		else if (k->sub && n->kind == DOC_MAP && k->forms & FORM_OBJECT)
			walk(w, n, k->sub);
		else if (k->sub)
			for (const struct doc_node *i = n->first; i;
			     i = i->next)
				walk(w, i, k->sub);
	}
}

static int of_task(void *ctx, struct str name, struct err *e)
{
	struct str head = str_cut(&name, '.');

	(void)e;
	*(bool *)ctx |= str_is(head, "matrix") || str_is(head, "tasks") ||
			str_is(head, "secrets") || str_is(head, "templates");
	return 0;
}

/* What every task inherits: the same for all, or once for each. */
static void check_inherited(struct where *w, const struct doc_node *map)
{
	for (const struct doc_node *n = map ? map->first : NULL; n;
	     n = n->next) {
		bool each = false;
		struct err e;

		(void)!expr_names(n->text, true, of_task, &each, &e);
		for (size_t i = 0; i < w->j->n_tasks && (each || !i); i++) {
			w->task = (int32_t)i;
			check_text(w, n, true);
			if (w->ps->n == PROBLEMS_MAX)
				return;
		}
	}
}

static void check_expressions(const struct job *j, struct problems *ps)
{
	const struct doc_node *root = j->doc->root;
	struct where w = {.j = j, .ps = ps, .task = -1};

	walk(&w, doc_get(root, "source"), "source");
	walk(&w, doc_get(root, "concurrency"), "concurrency");
	w.is_path = true;
	for (const struct doc_node *s =
		     doc_get(root, "secrets") ?
			     doc_get(root, "secrets")->first :
			     NULL;
	     s; s = s->next)
		walk(&w, s, "secret");
	w.is_path = false;
	for (size_t i = 0; i < j->n_tasks; i++) {
		w.task = (int32_t)i;
		walk(&w, j->tasks[i].node, "task");
	}
	check_inherited(&w, doc_get(root, "env"));
	check_inherited(&w, doc_get(doc_get(root, "defaults"), "env"));
}

/* --- files -------------------------------------------------- */

static bool has_artifact(const struct doc_node *task, struct str name)
{
	const struct doc_node *out =
		doc_get(doc_get(task, "stdout"), "artifact");

	return doc_get_str(doc_get(task, "artifacts"), name) ||
	       (out && str_eq(out->text, name));
}

static void check_file(const struct job *j, size_t i, const struct doc_node *n,
		       struct problems *ps)
{
	struct str task, name;
	int32_t from;

	if (job_artifact_split(n->text, &task, &name) ||
	    (from = job_task_find(j, check_task_of(task))) < 0 ||
	    !has_artifact(j->tasks[from].node, name)) {
		problem_at(ps, n, "unknown-artifact",
			   "TASK.NAME, as under `artifacts` of that task",
			   "files: no artifact \"" STR_FMT "\"",
			   STR_ARG(n->text));
		return;
	}
	if (!str_has(task, '@') && doc_get(j->tasks[from].node, "matrix"))
		problem_at(ps, n, "unknown-artifact",
			   "name one, such as test@unit.report",
			   "files: \"" STR_FMT "\" has several instances",
			   STR_ARG(task));
	else if (!j->tasks[i].is_finally && !job_task_needs(j, i, (size_t)from))
		problem_at(ps, n, "bad-need", "add it to `needs`",
			   "files: \"" STR_FMT "\" is not a need of this task",
			   STR_ARG(task));
}

void check_refs(const struct job *j, struct problems *ps)
{
	check_secrets(j, ps);
	for (size_t i = 0; i < j->n_tasks; i++) {
		const struct doc_node *node = j->tasks[i].node;
		const struct doc_node *files = doc_get(node, "files");
		const struct doc_node *show =
			doc_get(doc_get(node, "approval"), "show");

		for (const struct doc_node *n = files ? files->first : NULL; n;
		     n = n->next)
			check_file(j, i, n, ps);
		for (const struct doc_node *n = show ? show->first : NULL; n;
		     n = n->next)
			check_file(j, i, n, ps);
	}
	check_expressions(j, ps);
}

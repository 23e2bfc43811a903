/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inputs of a run, checked; and the scope of expressions.  See inputs.h. */
#include "job/inputs.h"
#include "base/hex.h"
#include "job/check.h"
#include "job/pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- inputs ------------------------------------------------------------- */

static bool in_enum(const struct doc_node *list, struct str s)
{
	for (const struct doc_node *n = list->first; n; n = n->next)
		if (str_eq(n->text, s))
			return true;
	return false;
}

static void refuse(struct problems *ps, struct str name, const char *hint,
		   const char *what)
{
	struct problem *p;

	problem_add(ps, (struct doc_place){0, 0}, "bad-input", hint,
		    "input \"" STR_FMT "\": %s", STR_ARG(name), what);
	if (!ps->n || ps->n_dropped)
		return;
	p = &ps->items[ps->n - 1];
	(void)snprintf(p->pointer, sizeof(p->pointer), "/inputs/" STR_FMT,
		       STR_ARG(name));
}

static bool in_range(const struct doc_node *decl, int64_t v)
{
	int64_t min = INT64_MIN, max = INT64_MAX, x;

	if (!doc_as_i64(doc_get(decl, "min"), &x))
		min = x;
	if (!doc_as_i64(doc_get(decl, "max"), &x))
		max = x;
	return v >= min && v <= max;
}

/* Lists and JSON as canonical text; a text that is JSON stands for it, so that
 * a command line can give one. */
static const char *json_value(const struct doc_node *decl,
			      const struct doc_node *v, bool want_list,
			      bool declared, struct buf *b)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	const char *wrong = NULL;
	struct doc *d = NULL;
	struct err e;

	if (!declared && v->kind == DOC_STRING &&
	    !doc_parse(v->text, DOC_JSON, &d, ps))
		v = d->root;
	if (want_list && v->kind != DOC_LIST)
		wrong = "a list is wanted";
	else if (want_list && !in_range(decl, (int64_t)v->n))
		wrong = "the list is too short or too long";
	else if (doc_write_canonical(v, b, &e))
		wrong = "not what JSON can hold, or too long";
	doc_free(d);
	return wrong;
}

static const char *text_value(const struct doc_node *decl,
			      const struct doc_node *v)
{
	const struct doc_node *pattern = doc_get(decl, "pattern");

	if (v->kind != DOC_STRING && v->kind != DOC_PLAIN)
		return "a text is wanted";
	if (!in_range(decl, (int64_t)v->text.len))
		return "the text is too short or too long";
	if (pattern && !pattern_fits(pattern->text, v->text))
		return "does not match the pattern";
	return NULL;
}

const char *inputs_value(const struct doc_node *decl, const struct doc_node *v,
			 bool declared, struct buf *b)
{
	struct str type = job_text(doc_get(decl, "type"), "string");
	const struct doc_node *one_of = doc_get(decl, "enum");
	struct doc_node loose = *v;
	const char *wrong;
	int64_t i;
	bool flag;

	if (str_is(type, "list") || str_is(type, "json"))
		return json_value(decl, v, str_is(type, "list"), declared, b);
	if (!declared && v->kind == DOC_STRING)
		loose.kind = DOC_PLAIN;
	if (str_is(type, "int")) {
		if (doc_as_i64(&loose, &i))
			return "a whole number is wanted";
		if (!in_range(decl, i))
			return "the number is out of range";
		wrong = NULL;
	} else if (str_is(type, "bool")) {
		wrong = doc_as_bool(&loose, &flag) ? "true or false is wanted" :
						     NULL;
	} else {
		wrong = text_value(decl, v);
	}
	if (!wrong && one_of && v->parent != one_of &&
	    !in_enum(one_of, v->text))
		wrong = "not one of the values allowed";
	return wrong ? wrong : buf_str(b, v->text) ? NULL : "too long";
}

static void take_one(struct job_plan *p, const struct doc_node *decl,
		     const struct doc_node *given, struct problems *ps)
{
	CLEANUP_BUF struct buf b = BUF_INIT(INPUT_LEN_MAX);
	const struct doc_node *v = given ? given : doc_get(decl, "default");
	const struct doc_node *must = doc_get(decl, "required");
	const char *wrong;
	struct job_pair *pair;

	if (!v && must && str_is(must->text, "true")) {
		refuse(ps, decl->key, "give it with --input NAME=VALUE",
		       "is required");
		return;
	}
	wrong = v ? inputs_value(decl, v, !given, &b) : NULL;
	if (wrong) {
		refuse(ps, decl->key, NULL, wrong);
		return;
	}
	pair = &p->inputs[p->n_inputs++];
	pair->name = decl->key;
	pair->value = str_n(arena_strndup(p->arena, b.data, b.len), b.len);
	if (!pair->value.p)
		pair->value.len = 0;
}

static void unknown_inputs(const struct doc_node *decls,
			   const struct doc_node *given, struct problems *ps)
{
	for (const struct doc_node *n = given ? given->first : NULL; n;
	     n = n->next)
		if (!doc_get_str(decls, n->key))
			refuse(ps, n->key, NULL, "the job has no such input");
}

void inputs_take(struct job_plan *p, struct str text, struct problems *ps)
{
	const struct doc_node *decls = doc_get(p->job->doc->root, "inputs");
	struct doc_node **list;
	struct doc *d = NULL;

	if (text.len && doc_parse(text, DOC_JSON, &d, ps))
		return;
	if (d && d->root->kind != DOC_MAP)
		problem_add(ps, (struct doc_place){0, 0}, "bad-input", NULL,
			    "inputs: an object is wanted");
	p->inputs = arena_alloc(p->arena, ((decls ? decls->n : 0) + 1) *
						  sizeof(*p->inputs));
	unknown_inputs(decls, d ? d->root : NULL, ps);
	list = job_by_key(p->arena, decls);
	for (struct doc_node **n = list; n && *n; n++)
		take_one(p, *n, d ? doc_get_str(d->root, (*n)->key) : NULL, ps);
	doc_free(d);
}

/* --- scope -------------------------------------------------------------- */

/* Text of a value, with the type that was declared. */
static struct expr_value typed(const struct inputs_scope *s,
			       const struct doc_node *decl, struct str text)
{
	struct str type = job_text(doc_get(decl, "type"), "string");
	int64_t v;

	if (str_is(type, "int") && !str_to_i64(text, INT64_MIN, INT64_MAX, &v))
		return expr_int(s->arena, v);
	if (str_is(type, "bool"))
		return expr_bool(str_is(text, "true"));
	return expr_string(text);
}

static const struct job_pair *find_pair(const struct job_pair *list, size_t n,
					struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name))
			return &list[i];
	return NULL;
}

/* What was declared and not given is the empty text. */
static int lookup_pair(const struct inputs_scope *s, bool input,
		       struct str name, struct expr_value *ret)
{
	const struct job_instance *in = &s->p->instances[s->i];
	const struct job_pair *p =
		input ? find_pair(s->p->inputs, s->p->n_inputs, name) :
			find_pair(in->matrix, in->n_matrix, name);
	const struct doc_node *decls = doc_get(s->p->job->doc->root, "inputs");

	*ret = expr_string(str_n(NULL, 0));
	if (p)
		*ret = typed(s, input ? doc_get_str(decls, name) : NULL,
			     p->value);
	return 0;
}

static int lookup_task(const struct inputs_scope *s, struct str rest,
		       struct expr_value *ret, struct err *e)
{
	const struct job *j = s->p->job;
	struct str task, what, output, text;
	const struct doc_node *decl;
	int32_t i;

	if (check_split(rest, &task, &what, &output))
		return err_set(e, ERR_INVALID,
			       "tasks.T.outputs.X or tasks.T.state is wanted");
	i = job_plan_find(s->p, task);
	if (i < 0)
		return err_set(e, ERR_INVALID,
			       "no task instance \"" STR_FMT
			       "\" (values stand in the order of the names "
			       "of their lists)",
			       STR_ARG(task));
	*ret = expr_string(str_n(NULL, 0));
	if (!s->stand)
		return 0;
	if (str_is(what, "state")) {
		*ret = expr_string(str_from(state_name(s->stand->states[i])));
		return 0;
	}
	if (!s->stand->output ||
	    s->stand->output(s->stand->ctx, (size_t)i, output, &text))
		return 0; /* a task that failed has none: empty */
	decl = doc_get_str(
		doc_get(j->tasks[s->p->instances[i].task].node, "outputs"),
		output);
	*ret = typed(s, decl, text);
	return 0;
}

static int lookup_run(const struct inputs_scope *s, struct str what,
		      struct expr_value *ret)
{
	const struct job_plan *p = s->p;

	if (str_is(what, "id"))
		*ret = expr_string(p->facts.run_id);
	else if (str_is(what, "trigger"))
		*ret = expr_string(p->facts.trigger);
	else if (str_is(what, "submitter"))
		*ret = expr_string(p->facts.submitter);
	else if (str_is(what, "project"))
		*ret = expr_string(p->job->project);
	else if (str_is(what, "job"))
		*ret = expr_string(p->job->name);
	else
		return -1;
	return 0;
}

static int lookup_file(const struct inputs_scope *s, struct str name,
		       struct expr_value *ret, struct err *e)
{
	CLEANUP_BUF struct buf path = BUF_INIT(256);
	char *copy;

	buf_puts(&path, INPUTS_SECRETS "/");
	buf_str(&path, name);
	copy = path.failed ? NULL :
			     arena_strndup(s->arena, path.data, path.len);
	if (!copy)
		return err_set(e, ERR_LIMIT, "too large");
	*ret = expr_string(str_n(copy, path.len));
	return 0;
}

/* Where a template of the task lies. */
static struct str template_file(const struct inputs_scope *s, struct str name)
{
	const struct job_plan *p = s->p;
	const struct doc_node *task =
		p->job->tasks[p->instances[s->i].task].node;
	const struct doc_node *file =
		doc_get(doc_get_str(doc_get(task, "templates"), name), "file");

	return file ? file->text : name;
}

static int lookup(void *ctx, struct str name, struct expr_value *ret,
		  struct err *e)
{
	const struct inputs_scope *s = ctx;
	struct str rest = name, head = str_cut(&rest, '.');

	if (str_is(head, "inputs") || str_is(head, "matrix"))
		return lookup_pair(s, head.p[0] == 'i', rest, ret);
	if (str_is(head, "tasks"))
		return lookup_task(s, rest, ret, e);
	if (str_is(head, "secrets"))
		return lookup_file(s, str_cut(&rest, '.'), ret, e);
	if (str_is(head, "templates"))
		return lookup_file(s, template_file(s, str_cut(&rest, '.')),
				   ret, e);
	if (str_is(head, "run") && !lookup_run(s, rest, ret))
		return 0;
	if (str_is(head, "source")) {
		*ret = expr_string(s->p->facts.commit);
		return 0; /* without git: empty */
	}
	if (str_is(head, "host")) {
		*ret = expr_string(str_n(NULL, 0));
		return 0; /* this machine */
	}
	return err_set(e, ERR_INVALID, "no value \"" STR_FMT "\"",
		       STR_ARG(name));
}

/* Of one task all instances; of {NULL, 0} any need of this one. */
static bool failed(void *ctx, struct str task)
{
	const struct inputs_scope *s = ctx;
	const struct job_instance *in = &s->p->instances[s->i];
	int32_t t = task.len ? job_task_find(s->p->job, task) : -1;

	if (!s->stand)
		return false;
	for (size_t i = 0; task.len && i < s->p->n; i++)
		if ((t >= 0 ? s->p->instances[i].task == (uint32_t)t :
			      str_eq(s->p->instances[i].name, task)) &&
		    s->stand->states[i] == STATE_FAILED)
			return true;
	for (size_t k = 0; !task.len && k < in->n_needs; k++)
		if (s->stand->states[in->needs[k]] == STATE_FAILED)
			return true;
	/* In `finally`, which needs nothing: did anything fail? */
	for (size_t i = 0; !task.len && in->is_finally && i < s->p->n; i++)
		if (!s->p->instances[i].is_finally &&
		    s->stand->states[i] == STATE_FAILED)
			return true;
	return false;
}

void inputs_scope(struct inputs_scope *s, const struct job_plan *p, size_t i,
		  const struct job_stand *stand, struct arena *a)
{
	*s = (struct inputs_scope){.p = p, .i = i, .stand = stand, .arena = a};
	s->c = (struct expr_context){
		.lookup = lookup, .failed = failed, .ctx = s, .arena = a};
}

int inputs_eval_if(const struct job_plan *p, size_t i,
		   const struct job_stand *stand, struct str text, bool *ret,
		   struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	struct inputs_scope s;
	struct expr_value v;
	int bad;

	inputs_scope(&s, p, i, stand, a);
	bad = expr_eval(expr_bare(text), &s.c, &v, e);
	if (!bad)
		*ret = expr_truth(&v);
	arena_free(a);
	return bad ? err_wrap(e, "if") : 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inputs of a run, checked; and the scope of expressions.  See inputs.h. */
#include "job/inputs.h"
#include "base/hex.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

/* --- inputs ------------------------------------------------------------- */

static bool pattern_fits(const struct doc_node *pattern, struct str s)
{
	CLEANUP_MEM char *text = mem_strndup(s.p, s.len);
	CLEANUP_BUF struct buf whole = BUF_INIT(2000);
	regex_t re;
	bool fits;

	buf_putc(&whole, '^');
	buf_putc(&whole, '(');
	buf_str(&whole, pattern->text);
	buf_puts(&whole, ")$");
	if (whole.failed ||
	    regcomp(&re, buf_cstr(&whole), REG_EXTENDED | REG_NOSUB))
		return false;
	fits = !str_has(s, '\n') && !regexec(&re, text, 0, NULL, 0);
	regfree(&re);
	return fits;
}

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

/* The value as text, or NULL with a problem. */
static const char *check_value(const struct doc_node *decl,
			       const struct doc_node *v, struct buf *b)
{
	struct str type = job_text(doc_get(decl, "type"), "string");
	const struct doc_node *one_of = doc_get(decl, "enum");
	const struct doc_node *pattern = doc_get(decl, "pattern");
	struct doc_node loose = *v;
	struct err e;
	int64_t i;
	bool flag;

	/* A client may send every value as text: --input n=5. */
	if (v->kind == DOC_STRING)
		loose.kind = DOC_PLAIN;
	if (str_is(type, "int")) {
		if (doc_as_i64(&loose, &i))
			return "a whole number is wanted";
		if (!in_range(decl, i))
			return "the number is out of range";
	} else if (str_is(type, "bool")) {
		if (doc_as_bool(&loose, &flag))
			return "true or false is wanted";
	} else if (str_is(type, "list") || str_is(type, "json")) {
		if (str_is(type, "list") && v->kind != DOC_LIST)
			return "a list is wanted";
		return doc_write_canonical(v, b, &e) ? "too long" : NULL;
	} else if (v->kind == DOC_LIST || v->kind == DOC_MAP ||
		   doc_is_null(v)) {
		return "a text is wanted";
	} else if (!in_range(decl, (int64_t)v->text.len)) {
		return "the text is too short or too long";
	}
	if (one_of && !in_enum(one_of, v->text))
		return "not one of the values allowed";
	if (pattern && !pattern_fits(pattern, v->text))
		return "does not match the pattern";
	return buf_str(b, v->text) ? NULL : "too long";
}

static void take_one(struct job_plan *p, const struct doc_node *decl,
		     const struct doc_node *given, struct problems *ps)
{
	CLEANUP_BUF struct buf b = BUF_INIT(256 * 1024);
	const struct doc_node *v = given ? given : doc_get(decl, "default");
	const struct doc_node *must = doc_get(decl, "required");
	const char *wrong;
	struct job_pair *pair;

	if (!v && must && str_is(must->text, "true")) {
		refuse(ps, decl->key, "give it with --input NAME=VALUE",
		       "is required");
		return;
	}
	wrong = v ? check_value(decl, v, &b) : NULL;
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
	struct doc *d = NULL;

	if (text.len && doc_parse(text, DOC_JSON, &d, ps))
		return;
	if (d && d->root->kind != DOC_MAP)
		problem_add(ps, (struct doc_place){0, 0}, "bad-input", NULL,
			    "inputs: an object is wanted");
	p->inputs = arena_alloc(p->arena, ((decls ? decls->n : 0) + 1) *
						  sizeof(*p->inputs));
	unknown_inputs(decls, d ? d->root : NULL, ps);
	for (const struct doc_node *n = decls ? decls->first : NULL; n;
	     n = n->next)
		take_one(p, n, d ? doc_get_str(d->root, n->key) : NULL, ps);
	doc_free(d);
}

/* --- scope -------------------------------------------------------------- */

static bool find_pair(const struct job_pair *list, size_t n, struct str name,
		      struct expr_value *ret)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name)) {
			*ret = expr_string(list[i].value);
			return true;
		}
	return false;
}

static int lookup_task(const struct inputs_scope *s, struct str rest,
		       struct expr_value *ret, struct err *e)
{
	struct str task = str_cut(&rest, '.'), what = str_cut(&rest, '.');
	int32_t i = job_plan_find(s->p, task);
	struct str text;

	if (i < 0)
		return err_set(e, ERR_INVALID,
			       "tasks." STR_FMT ": it has several instances; "
			       "name one, such as test@unit",
			       STR_ARG(task));
	*ret = expr_string(str_n(NULL, 0));
	if (!s->stand)
		return 0;
	if (str_is(what, "state")) {
		*ret = expr_string(str_from(state_name(s->stand->states[i])));
		return 0;
	}
	if (!s->stand->output ||
	    s->stand->output(s->stand->ctx, (size_t)i, rest, &text))
		return 0; /* a task that failed has none: empty */
	*ret = expr_string(text);
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

static int lookup(void *ctx, struct str name, struct expr_value *ret,
		  struct err *e)
{
	const struct inputs_scope *s = ctx;
	const struct job_instance *in = &s->p->instances[s->i];
	struct str rest = name, head = str_cut(&rest, '.');
	struct buf path = BUF_INIT(256);

	if (str_is(head, "inputs") &&
	    find_pair(s->p->inputs, s->p->n_inputs, rest, ret))
		return 0;
	if (str_is(head, "matrix") &&
	    find_pair(in->matrix, in->n_matrix, rest, ret))
		return 0;
	if (str_is(head, "tasks"))
		return lookup_task(s, rest, ret, e);
	if (str_is(head, "run") && !lookup_run(s, rest, ret))
		return 0;
	if (str_is(head, "secrets")) {
		struct str secret = str_cut(&rest, '.');
		char *copy;

		buf_puts(&path, "/run/nfo/secrets/");
		buf_str(&path, secret);
		copy = arena_strndup(s->arena, path.data, path.len);
		*ret = expr_string(
			str_n(copy ? copy : "", copy ? path.len : 0));
		buf_done(&path);
		return 0;
	}
	if (str_is(head, "inputs") || str_is(head, "matrix") ||
	    str_is(head, "host") || str_is(head, "source")) {
		*ret = expr_string(str_n(NULL, 0));
		return 0; /* declared, and nothing was given */
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

/* "${{ x }}" around a condition is taken off. */
static struct str bare(struct str text)
{
	text = str_trim(text);
	if (str_starts(text, STR("${{")) && str_ends(text, STR("}}")))
		text = str_n(text.p + 3, text.len - 5);
	return text;
}

bool inputs_asks_failure(struct str text)
{
	return expr_asks_failure(bare(text));
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
	bad = expr_eval(bare(text), &s.c, &v, e);
	if (!bad)
		*ret = expr_truth(&v);
	arena_free(a);
	return bad ? err_wrap(e, "if") : 0;
}

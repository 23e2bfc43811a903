/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The tree against the key table; see shape.h. */
#include "job/shape.h"
#include "job/check.h"
#include "job/cron.h"
#include "job/expr.h"
#include "job/pattern.h"

#include <stdio.h>
#include <string.h>

static const char *const want_text[] = {
	[TEXT_NAME] = "a name: a lower-case letter, then letters, digits, _ "
		      "and -, at most 63",
	[TEXT_DURATION] = "a time such as 10s, 5m, 2h, 30d",
	[TEXT_SIZE] = "a size such as 64K, 512M, 1G",
	[TEXT_CPU] = "a number of CPUs such as 0.5 or 2",
};

static bool is_choice(struct str s, const char *choices)
{
	struct str rest = str_from(choices);

	while (rest.p)
		if (str_eq(str_cut(&rest, '|'), s))
			return true;
	return false;
}

/* "a, b or a map" of "a|b". */
static void bad_choice(struct doc_node *n, const struct job_key *k,
		       struct problems *ps)
{
	CLEANUP_BUF struct buf b = BUF_INIT(200);
	struct str rest = str_from(k->choices);

	while (rest.p) {
		buf_puts(&b, b.len ? ", " : "");
		buf_str(&b, str_cut(&rest, '|'));
	}
	problem_at(ps, n, "bad-choice", NULL,
		   "%s: \"" STR_FMT "\" is not one of %s%s", k->name,
		   STR_ARG(n->text), buf_cstr(&b),
		   k->forms & FORM_OBJECT ? ", and no map" : "");
}

static void check_text(struct doc_node *n, const struct job_key *k,
		       struct problems *ps)
{
	struct str s = n->text;
	uint32_t milli;
	uint64_t v;
	bool ok = true;

	switch (k->text) {
	case TEXT_ANY:
		return;
	case TEXT_NAME:
		ok = job_name_ok(s);
		break;
	case TEXT_DURATION:
		ok = !job_duration(s, &v);
		break;
	case TEXT_SIZE:
		ok = !job_size(s, &v);
		break;
	case TEXT_ENUM:
		if (!is_choice(s, k->choices))
			bad_choice(n, k, ps);
		return;
	case TEXT_EXPRESSION:
		expr_check(n, s, ps);
		return;
	case TEXT_REGEX:
		if (!pattern_ok(s))
			problem_at(ps, n, "bad-pattern",
				   "POSIX, extended; no back references, and "
				   "not too many repetitions",
				   "%s: no regular expression that we take",
				   k->name);
		return;
	case TEXT_CPU:
		ok = !job_cpu(s, &milli);
		break;
	case TEXT_CRON:
		cron_check(n, s, ps);
		return;
	case TEXT_TEMPLATE:
		check_template(n, s, ps);
		return;
	}
	if (!ok)
		problem_at(ps, n, "bad-value", want_text[k->text],
			   "%s: \"" STR_FMT "\" does not fit", k->name,
			   STR_ARG(s));
}

/* Where a text is wanted a plain scalar is text, whatever it looks like; a
 * number of JSON is not. */
static bool as_text(struct doc_node *n)
{
	if (n->kind == DOC_PLAIN)
		n->kind = DOC_STRING;
	return n->kind == DOC_STRING;
}

/* In maps of texts and lists a number or boolean stands for its text. */
static bool as_loose_text(struct doc_node *n)
{
	if (n->kind == DOC_PLAIN || n->kind == DOC_INT ||
	    n->kind == DOC_FLOAT || n->kind == DOC_BOOL)
		n->kind = DOC_STRING;
	return n->kind == DOC_STRING;
}

static void check_expressions(struct doc_node *n, const struct job_key *k,
			      struct problems *ps)
{
	if (n->kind != DOC_STRING || k->text == TEXT_EXPRESSION ||
	    k->text == TEXT_TEMPLATE)
		return;
	if (k->expressions)
		expr_check_template(n, n->text, ps);
	else if (n->text.len && strcmp(k->name, "run") != 0 &&
		 memmem(n->text.p, n->text.len, "${{", 3))
		problem_at(ps, n, "expr-not-allowed",
			   "a value must not change what this key says",
			   "%s: no ${{ }} here", k->name);
}

static void check_items(struct doc_node *n, const struct job_key *k,
			struct problems *ps)
{
	for (struct doc_node *i = n->first; i; i = i->next) {
		if (!as_loose_text(i))
			problem_at(ps, i, "wrong-type", NULL,
				   "%s: texts are wanted here, not %s", k->name,
				   doc_kind_name(i->kind));
		else
			check_expressions(i, k, ps);
	}
}

static void wrong_type(struct doc_node *n, const struct job_key *k,
		       struct problems *ps)
{
	static const struct {
		unsigned form;
		const char *name;
	} names[] = {
		{FORM_TEXT,    "a text"        },
                {FORM_INT,     "a whole number"},
		{FORM_BOOL,    "true or false" },
                {FORM_LIST,    "a list"        },
		{FORM_OBJECT,  "a map"         },
                {FORM_OBJECTS, "a list of maps"},
		{FORM_NAMED,   "a map of maps" },
                {FORM_TEXTS,   "a map of texts"},
	};
	struct buf want = BUF_INIT(200);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (k->forms & names[i].form)
			buf_printf(&want, "%s%s", want.len ? " or " : "",
				   names[i].name);
	problem_at(ps, n, "wrong-type", NULL, "%s: %s is wanted, not %s",
		   k->name, buf_cstr(&want), doc_kind_name(n->kind));
	buf_done(&want);
}

static void check_int(struct doc_node *n, const struct job_key *k, int64_t v,
		      struct problems *ps)
{
	n->kind = DOC_INT;
	if (!v)
		n->text = STR("0"); /* not "-0" */
	if ((k->min || k->max) && (v < k->min || v > k->max))
		problem_at(ps, n, "out-of-range", NULL,
			   "%s: %lld is not between %lld and %lld", k->name,
			   (long long)v, (long long)k->min, (long long)k->max);
}

static void check_map(struct doc_node *n, const struct job_key *k,
		      struct problems *ps)
{
	if (k->forms & FORM_OBJECT)
		shape_check(n, k->sub, ps);
	else if (k->forms & FORM_NAMED)
		shape_named(n, k->sub, ps);
	else
		check_items(n, k, ps);
}

static void check_list(struct doc_node *n, const struct job_key *k,
		       struct problems *ps)
{
	if (k->forms & FORM_LIST) {
		check_items(n, k, ps);
		return;
	}
	for (struct doc_node *i = n->first; i; i = i->next) {
		if (i->kind == DOC_MAP)
			shape_check(i, k->sub, ps);
		else
			wrong_type(i, k, ps);
	}
}

static void check_value(struct doc_node *n, const struct job_key *k,
			struct problems *ps)
{
	int64_t i;
	bool b;

	if (k->forms & FORM_ANY)
		return;
	if (doc_is_null(n)) {
		problem_at_key(ps, n, "no-value", "leave the key out",
			       "%s: has no value", k->name);
	} else if (n->kind == DOC_MAP &&
		   k->forms & (FORM_OBJECT | FORM_NAMED | FORM_TEXTS)) {
		check_map(n, k, ps);
	} else if (n->kind == DOC_LIST &&
		   k->forms & (FORM_LIST | FORM_OBJECTS)) {
		check_list(n, k, ps);
	} else if (k->text == TEXT_CPU && as_loose_text(n)) {
		check_text(n, k, ps);
	} else if (k->forms & FORM_INT && !doc_as_i64(n, &i)) {
		check_int(n, k, i, ps);
	} else if (k->forms & FORM_BOOL && !doc_as_bool(n, &b)) {
		n->kind = DOC_BOOL;
	} else if (k->forms & FORM_TEXT && as_text(n)) {
		check_text(n, k, ps);
		check_expressions(n, k, ps);
	} else {
		wrong_type(n, k, ps);
	}
}

/* The map at `where` in which the key would be known, or else the map that
 * holds everything. */
static void elsewhere(const char *where, struct str name, char *hint,
		      size_t len)
{
	for (size_t i = 0; i < job_n_keys; i++) {
		const struct job_key *k = &job_keys[i];

		if (strcmp(k->where, where) != 0 || !k->sub ||
		    k->forms & FORM_NAMED || !job_key_find(k->sub, name))
			continue;
		(void)snprintf(hint, len, "it belongs into `%s`", k->name);
		return;
	}
	if (strcmp(where, "job") != 0 && job_key_find("job", name))
		(void)snprintf(hint, len, "it is a key of the job");
	else if (strcmp(where, "task") != 0 && job_key_find("task", name))
		(void)snprintf(hint, len, "it is a key of a task");
}

static void unknown(struct doc_node *n, const char *where, struct problems *ps)
{
	/* Searched only while somebody reads it. */
	const char *like =
		ps->n < PROBLEMS_MAX ? job_key_like(where, n->key) : NULL;
	char hint[80] = "";

	if (!strcmp(where, "job") && str_is(n->key, "on"))
		like = "triggers";
	if (like)
		(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?",
			       like);
	else if (ps->n < PROBLEMS_MAX)
		elsewhere(where, n->key, hint, sizeof(hint));
	if (n->parent && n->parent->key.len && !str_is(n->parent->key, where))
		problem_at_key(ps, n, "unknown-key", hint,
			       "unknown key \"" STR_FMT "\" in %s \"" STR_FMT
			       "\"",
			       STR_ARG(n->key), where, STR_ARG(n->parent->key));
	else
		problem_at_key(ps, n, "unknown-key", hint,
			       "unknown key \"" STR_FMT "\" in the %s",
			       STR_ARG(n->key), where);
}

void shape_check(struct doc_node *node, const char *where, struct problems *ps)
{
	for (struct doc_node *n = node->first; n; n = n->next) {
		const struct job_key *k = job_key_find(where, n->key);

		if (k)
			check_value(n, k, ps);
		else
			unknown(n, where, ps);
	}
	for (size_t i = 0; i < job_n_keys; i++) {
		const struct job_key *k = &job_keys[i];

		if (k->required && !strcmp(k->where, where) &&
		    !doc_get(node, k->name))
			problem_at_key(ps, node, "missing-key", k->help,
				       "\"%s\" is missing in the %s", k->name,
				       where);
	}
}

void shape_named(struct doc_node *node, const char *where, struct problems *ps)
{
	for (struct doc_node *n = node->first; n; n = n->next) {
		if (!job_name_ok(n->key))
			problem_at_key(ps, n, "bad-name", want_text[TEXT_NAME],
				       "\"" STR_FMT "\" is no name",
				       STR_ARG(n->key));
		if (n->kind == DOC_MAP)
			shape_check(n, where, ps);
		else
			problem_at(ps, n, "wrong-type", NULL,
				   "a map of %s keys is wanted, not %s", where,
				   doc_kind_name(n->kind));
	}
}

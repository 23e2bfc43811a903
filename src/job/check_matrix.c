/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A matrix: lists, each combination of which is an instance, rows that are left
 * out, and rows more.  Values are part of an instance's name, so they are short
 * texts without what separates names.
 */
#include "job/check.h"
#include "job/keys.h"

enum {
	VALUE_LEN_MAX = 100
};

bool check_is_rule(struct str key)
{
	return str_is(key, "include") || str_is(key, "exclude") ||
	       str_is(key, "fail_fast") || str_is(key, "max_parallel");
}

static bool value_ok(struct str s)
{
	if (!s.len || s.len > VALUE_LEN_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f || c == ',' || c == '@' || c == '/')
			return false;
	}
	return true;
}

static void check_value(struct doc_node *n, struct problems *ps)
{
	bool scalar = n->kind == DOC_PLAIN || n->kind == DOC_STRING ||
		      n->kind == DOC_INT || n->kind == DOC_FLOAT ||
		      n->kind == DOC_BOOL;

	if (!scalar || !value_ok(n->text))
		problem_at(ps, n, "bad-matrix",
			   "it becomes part of the instance's name",
			   "matrix: texts up to %d bytes are wanted, without "
			   "\",\", \"@\", \"/\" and control characters",
			   VALUE_LEN_MAX);
	if (scalar)
		n->kind = DOC_STRING;
}

static bool bad_name(const struct doc_node *n, struct problems *ps)
{
	if (job_name_ok(n->key) && !check_is_rule(n->key))
		return false;
	problem_at_key(ps, n, "bad-name", NULL,
		       "matrix: \"" STR_FMT "\" is no name", STR_ARG(n->key));
	return true;
}

static void check_axis(struct doc_node *n, struct problems *ps)
{
	if (bad_name(n, ps))
		return;
	if (n->kind != DOC_LIST || !n->n) {
		problem_at_key(ps, n, "bad-matrix", NULL,
			       "matrix: \"" STR_FMT
			       "\": a list that is not empty is wanted",
			       STR_ARG(n->key));
		return;
	}
	for (struct doc_node *v = n->first; v; v = v->next)
		check_value(v, ps);
}

static void check_rows(struct doc_node *matrix, struct doc_node *list,
		       struct problems *ps)
{
	bool exclude = str_is(list->key, "exclude");

	if (list->kind != DOC_LIST)
		problem_at(ps, list, "wrong-type", NULL,
			   "matrix: a list of maps is wanted");
	for (struct doc_node *r = list->first; r; r = r->next) {
		if (r->kind != DOC_MAP || !r->n || r->n > CHECK_AXES_MAX) {
			problem_at(ps, r, "bad-matrix", NULL,
				   "matrix: a map with 1 to %d values is "
				   "wanted",
				   CHECK_AXES_MAX);
			continue;
		}
		for (struct doc_node *v = r->first; v; v = v->next) {
			if (bad_name(v, ps))
				continue;
			if (exclude && !doc_get_str(matrix, v->key))
				problem_at_key(ps, v, "bad-matrix", NULL,
					       "matrix: no list \"" STR_FMT
					       "\" to exclude from",
					       STR_ARG(v->key));
			check_value(v, ps);
		}
	}
}

static void check_rule(struct doc_node *matrix, struct doc_node *n,
		       struct problems *ps)
{
	int64_t v;
	bool b;

	if (str_is(n->key, "fail_fast")) {
		if (doc_as_bool(n, &b))
			problem_at(ps, n, "wrong-type", NULL,
				   "fail_fast: true or false is wanted");
		else
			n->kind = DOC_BOOL;
	} else if (str_is(n->key, "max_parallel")) {
		if (doc_as_i64(n, &v) || v < 1 || v > JOB_INSTANCES_MAX)
			problem_at(ps, n, "out-of-range", NULL,
				   "max_parallel: 1 to %d is wanted",
				   JOB_INSTANCES_MAX);
		else
			n->kind = DOC_INT;
	} else {
		check_rows(matrix, n, ps);
	}
}

size_t check_matrix(struct doc_node *matrix, struct problems *ps)
{
	const struct doc_node *more = doc_get(matrix, "include");
	size_t product = 1, axes = 0, rows = more ? more->n : 0;

	if (!matrix)
		return 1;
	if (matrix->kind != DOC_MAP) {
		problem_at(ps, matrix, "wrong-type", NULL,
			   "matrix: a map of lists is wanted, not %s",
			   doc_kind_name(matrix->kind));
		return 1;
	}
	for (struct doc_node *n = matrix->first; n; n = n->next) {
		if (check_is_rule(n->key)) {
			check_rule(matrix, n, ps);
			continue;
		}
		axes++;
		check_axis(n, ps);
		if (product <= JOB_INSTANCES_MAX)
			product *= n->n;
	}
	if (!axes && !rows)
		problem_at_key(ps, matrix, "bad-matrix", NULL,
			       "matrix: a list is wanted");
	if (axes > CHECK_AXES_MAX)
		problem_at_key(ps, matrix, "bad-matrix", NULL,
			       "matrix: more than %d lists", CHECK_AXES_MAX);
	return (axes ? product : 0) + rows;
}

bool check_matrix_has(const struct doc_node *matrix, struct str name)
{
	const struct doc_node *more = doc_get(matrix, "include");

	if (doc_get_str(matrix, name) && !check_is_rule(name))
		return true;
	for (const struct doc_node *r = more ? more->first : NULL; r;
	     r = r->next)
		if (doc_get_str(r, name))
			return true;
	return false;
}

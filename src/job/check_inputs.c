/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Declared inputs: their defaults and enums must be what they say. */
#include "job/check.h"
#include "job/inputs.h"

/* Plain scalars get the kind that the type says, so that all three syntaxes
 * mean the same. */
static void give_kind(struct doc_node *n, struct str type)
{
	int64_t v;
	bool b;

	if (str_is(type, "string")) {
		if (n->kind == DOC_PLAIN)
			n->kind = DOC_STRING;
	} else if (str_is(type, "int")) {
		if (!doc_as_i64(n, &v)) {
			n->kind = DOC_INT;
			if (!v)
				n->text = STR("0");
		}
	} else if (str_is(type, "bool")) {
		if (!doc_as_bool(n, &b))
			n->kind = DOC_BOOL;
	}
}

static void check_one(struct doc_node *decl, struct doc_node *n,
		      const char *key, struct str type, struct problems *ps)
{
	CLEANUP_BUF struct buf b = BUF_INIT(INPUT_LEN_MAX);
	const char *wrong;

	give_kind(n, type);
	wrong = inputs_value(decl, n, true, &b);
	if (wrong)
		problem_at(ps, n, "bad-input", NULL,
			   "%s of \"" STR_FMT "\": %s", key, STR_ARG(decl->key),
			   wrong);
}

static void check_enum(struct doc_node *decl, struct str type,
		       struct problems *ps)
{
	struct doc_node *list = doc_get(decl, "enum");

	if (!list)
		return;
	if (list->kind != DOC_LIST || !list->n) {
		problem_at(ps, list, "wrong-type", NULL,
			   "enum: a list that is not empty is wanted");
		return;
	}
	if (str_is(type, "list") || str_is(type, "json"))
		problem_at_key(ps, list, "bad-input", NULL,
			       "enum: only of type string, int and bool");
	for (struct doc_node *n = list->first; n; n = n->next)
		check_one(decl, n, "enum", type, ps);
}

static void check_bounds(struct doc_node *decl, struct str type,
			 struct problems *ps)
{
	const struct doc_node *min = doc_get(decl, "min");
	const struct doc_node *max = doc_get(decl, "max");
	const struct doc_node *pattern = doc_get(decl, "pattern");
	int64_t from, to;

	if (!doc_as_i64(min, &from) && !doc_as_i64(max, &to) && from > to)
		problem_at(ps, max, "out-of-range", NULL, "max: less than min");
	if (pattern && !str_is(type, "string"))
		problem_at_key(ps, pattern, "bad-input", NULL,
			       "pattern: only of type string");
}

void check_inputs(const struct job *j, struct problems *ps)
{
	struct doc_node *map = doc_get(j->doc->root, "inputs");

	if (!map || map->kind != DOC_MAP)
		return;
	if (map->n > CHECK_LIST_MAX)
		problem_at_key(ps, map, "too-many", NULL, "more than %d inputs",
			       CHECK_LIST_MAX);
	check_collisions(map, "NFO_INPUT_", ps);
	for (struct doc_node *d = map->first; d; d = d->next) {
		struct str type = job_text(doc_get(d, "type"), "string");
		struct doc_node *fallback = doc_get(d, "default");

		check_enum(d, type, ps);
		check_bounds(d, type, ps);
		if (fallback)
			check_one(d, fallback, "default", type, ps);
	}
}

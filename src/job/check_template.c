/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Templates of a task: their syntax, their files; what they name is looked up
 * in check_refs.c. */
#include "job/check.h"
#include "job/expr.h"
#include "job/keys.h"
#include "job/template.h"

static unsigned line_of(struct str text, struct str rest)
{
	unsigned line = 1;

	for (const char *p = text.p; p < rest.p; p++)
		line += *p == '\n';
	return line;
}

void check_template(const struct doc_node *n, struct str text,
		    struct problems *ps)
{
	struct str rest = text, at = text;
	struct template_part p;
	size_t n_parts = 0;
	struct err e;

	if (text.len > TEMPLATE_TEXT_MAX) {
		problem_at(ps, n, "too-large", NULL, "text: more than %dK",
			   TEMPLATE_TEXT_MAX / 1024);
		return;
	}
	for (; rest.len; at = rest) {
		if (template_next(&rest, &p, &e) ||
		    (p.kind == PART_EXPR &&
		     expr_names(p.text, false, NULL, NULL, &e))) {
			problem_at(ps, n, "bad-expression",
				   "json(), yaml(), shell(), url(), base64() "
				   "and line() quote a value",
				   "text, line %u of it: %s", line_of(text, at),
				   e.text);
			return;
		}
		if (++n_parts > TEMPLATE_PARTS_MAX) {
			problem_at(ps, n, "too-many", NULL,
				   "text: more than %d parts",
				   TEMPLATE_PARTS_MAX);
			return;
		}
	}
}

static struct str file_of(const struct doc_node *template)
{
	const struct doc_node *file = doc_get(template, "file");

	return file ? file->text : template->key;
}

static void taken(const struct doc_node *n, struct str by, const char *what,
		  struct problems *ps)
{
	problem_at_key(ps, n, "bad-name", "name another with `file`",
		       "the file of template \"" STR_FMT
		       "\" is that of the %s \"" STR_FMT "\"",
		       STR_ARG(n->key), what, STR_ARG(by));
}

static void check_one(const struct job_task *t, const struct doc_node *map,
		      const struct doc_node *n, struct problems *ps)
{
	const struct doc_node *secrets = doc_get(t->node, "secrets");
	const struct doc_node *tokens = doc_get(t->node, "identity");
	struct str file = file_of(n);

	if (!template_file_ok(file)) {
		problem_at_key(ps, n, "bad-name",
			       "letters, digits, ., _ and -; no dot first",
			       "template \"" STR_FMT
			       "\": no name of a file: \"" STR_FMT "\"",
			       STR_ARG(n->key), STR_ARG(file));
		return;
	}
	for (const struct doc_node *k = map->first; k != n; k = k->next)
		if (str_eq(file_of(k), file))
			taken(n, k->key, "template", ps);
	for (const struct doc_node *k = secrets ? secrets->first : NULL; k;
	     k = k->next)
		if (str_eq(k->text, file))
			taken(n, k->text, "secret", ps);
	if (tokens && tokens->kind == DOC_MAP && doc_get_str(tokens, file))
		taken(n, file, "identity", ps);
}

void check_templates(const struct job *j, const struct job_task *t,
		     struct problems *ps)
{
	const struct doc_node *map = doc_get(t->node, "templates");

	(void)j;
	if (!map || map->kind != DOC_MAP)
		return;
	if (map->n > TEMPLATES_MAX) {
		problem_at_key(ps, map, "too-many", NULL,
			       "templates: more than %d", TEMPLATES_MAX);
		return;
	}
	if (!doc_get(t->node, "run") && !doc_get(t->node, "argv"))
		problem_at_key(ps, map, "bad-task", NULL,
			       "templates without run or argv");
	for (const struct doc_node *n = map->first; n; n = n->next)
		check_one(t, map, n, ps);
}

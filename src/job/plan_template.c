/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The templates of an attempt: all but the secrets is put in, see plan.h. */
#include "job/plan_maker.h"
#include "job/template.h"

static int secret_index(const struct maker *m, struct str name, uint8_t *ret)
{
	for (size_t i = 0; i < m->a->n_secrets; i++)
		if (str_eq(m->a->secrets[i].name, name)) {
			*ret = (uint8_t)(i + 1);
			return 0;
		}
	return err_set(m->e, ERR_INTERNAL,
		       "a template of a secret that was not granted");
}

/* An expression, quoted here and now: it holds no secret. */
static int fill(struct maker *m, const struct template_part *p, struct str *ret)
{
	CLEANUP_BUF struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
	struct expr_value v;

	if (expr_eval(p->text, &m->scope.c, &v, m->e) ||
	    template_quote(p->quote, v.text, &b, m->e))
		return -1;
	return maker_keep(m, buf_view(&b), ret);
}

static int make_part(struct maker *m, const struct template_part *p,
		     struct job_template_part *to)
{
	*to = (struct job_template_part){.text = STR(""), .field = STR("")};
	switch (p->kind) {
	case PART_TEXT:
		return maker_keep(m, p->text, &to->text);
	case PART_EXPR:
		return fill(m, p, &to->text);
	case PART_SECRET:
		to->quote = p->quote;
		return secret_index(m, p->secret, &to->secret) ||
				       maker_keep(m, p->field, &to->field) ?
			       -1 :
			       0;
	}
	return -1;
}

static size_t count(struct str text)
{
	struct template_part p;
	size_t n = 0;
	struct err e;

	while (text.len && !template_next(&text, &p, &e))
		n++;
	return n;
}

static int make_template(struct maker *m, const struct doc_node *n,
			 struct job_template *t)
{
	struct str rest = job_text(doc_get(n, "text"), "");
	const struct doc_node *file = doc_get(n, "file");
	struct template_part p;

	t->parts = maker_room(m, count(rest), sizeof(*t->parts));
	if (!t->parts)
		return maker_too_large(m);
	while (rest.len)
		if (template_next(&rest, &p, m->e) ||
		    make_part(m, &p, &t->parts[t->n_parts++]))
			return err_wrap(m->e, "template \"" STR_FMT "\"",
					STR_ARG(n->key));
	return maker_keep(m, file ? file->text : n->key, &t->file);
}

int maker_templates(struct maker *m)
{
	const struct doc_node *map = doc_get(m->t->node, "templates");
	struct doc_node **list = job_by_key(m->a->arena, map);
	struct job_attempt *a = m->a;

	a->templates = maker_room(m, map ? map->n : 0, sizeof(*a->templates));
	if (!list || !a->templates)
		return maker_too_large(m);
	for (; *list; list++)
		if (make_template(m, *list, &a->templates[a->n_templates++]))
			return -1;
	return 0;
}

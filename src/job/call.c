/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A task that is a run of another job; see call.h. */
#include "job/call.h"
#include "job/inputs.h"

struct str job_call_project(const struct job *j, const struct job_task *t)
{
	const struct doc_node *n = doc_get(t->node, "job");
	const struct doc_node *project = doc_get(n, "project");

	if (!n)
		return STR("");
	return project ? project->text : j->project;
}

static int put_input(const struct doc_node *n, const struct inputs_scope *s,
		     bool first, struct buf *b, struct err *e)
{
	CLEANUP_BUF struct buf text = BUF_INIT(CALL_INPUTS_LEN_MAX);

	if (expr_fill(n->text, &s->c, &text, e))
		return err_wrap(e, "inputs." STR_FMT, STR_ARG(n->key));
	buf_puts(b, first ? "\"" : ",\"");
	buf_json(b, n->key);
	buf_puts(b, "\":\"");
	buf_json(b, buf_view(&text));
	buf_putc(b, '"');
	return text.failed || b->failed ?
		       err_set(e, ERR_LIMIT, "the inputs are too long") :
		       0;
}

int job_plan_call(const struct job_plan *p, size_t i,
		  const struct job_stand *stand, struct arena *a,
		  struct job_call *ret, struct err *e)
{
	const struct job_task *t = &p->job->tasks[p->instances[i].task];
	const struct doc_node *n = doc_get(t->node, "job");
	const struct doc_node *inputs = doc_get(n, "inputs");
	CLEANUP_BUF struct buf b = BUF_INIT(CALL_INPUTS_LEN_MAX);
	struct inputs_scope s;
	char *kept;

	inputs_scope(&s, p, i, stand, a);
	buf_putc(&b, '{');
	for (const struct doc_node *k = inputs ? inputs->first : NULL; k;
	     k = k->next)
		if (put_input(k, &s, k == inputs->first, &b, e))
			return -1;
	buf_putc(&b, '}');
	kept = b.failed ? NULL : arena_strndup(a, b.data, b.len);
	if (!kept)
		return err_set(e, ERR_LIMIT, "the inputs are too long");
	*ret = (struct job_call){
		.name = job_text(doc_get(n, "name"), ""),
		.project = job_call_project(p->job, t),
		.inputs = str_n(kept, b.len),
		.wait = !str_is(job_text(doc_get(n, "wait"), "true"), "false"),
	};
	return 0;
}

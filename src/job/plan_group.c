/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The concurrency group of a run; see plan.h. */
#include "job/inputs.h"
#include "job/plan_expand.h"

enum {
	GROUP_LEN_MAX = 200
};

static enum job_conflict conflict_of(struct str s)
{
	if (str_is(s, "cancel-running"))
		return CONFLICT_CANCEL;
	return str_is(s, "reject") ? CONFLICT_REJECT : CONFLICT_QUEUE;
}

void plan_group(struct job_plan *p, struct problems *ps)
{
	const struct doc_node *n = doc_get(p->job->doc->root, "concurrency");
	const struct doc_node *group = doc_get(n, "group");
	CLEANUP_BUF struct buf b = BUF_INIT(GROUP_LEN_MAX);
	struct inputs_scope s;
	int64_t limit = 1;
	char *text;
	struct err e;

	p->group = STR("");
	if (!group || !p->n)
		return;
	inputs_scope(&s, p, 0, NULL, p->arena);
	if (expr_fill(group->text, &s.c, &b, &e) || !b.len || b.failed) {
		problem_at(ps, group, "bad-group", NULL,
			   "the group's name is empty or longer than %d bytes",
			   GROUP_LEN_MAX);
		return;
	}
	if (doc_as_i64(doc_get(n, "limit"), &limit) || limit < 1)
		limit = 1;
	text = arena_strndup(p->arena, b.data, b.len);
	p->group = text ? str_n(text, b.len) : STR("");
	p->group_limit = (uint32_t)limit;
	p->conflict = conflict_of(job_text(doc_get(n, "conflict"), "queue"));
}

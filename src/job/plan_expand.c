/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* From tasks to instances: matrix, order, relations; see plan_expand.h. */
#include "job/plan_expand.h"
#include "base/map.h"
#include "job/approval.h"
#include "job/call.h"
#include "job/check.h"
#include "job/inputs.h"

#include <assert.h>
#include <string.h>

enum {
	INSTANCE_NAME_MAX = 255
};

static struct str keep(struct arena *a, struct str s)
{
	char *p = arena_strndup(a, s.p, s.len);

	return str_n(p ? p : "", p ? s.len : 0);
}

static struct doc_node **sorted(struct arena *a, const struct doc_node *map)
{
	struct doc_node **list = job_by_key(a, map);

	assert(list); /* a job's text is bounded, and so are its maps */
	return list;
}

/* --- the matrix --------------------------------------------------------- */

/* Does a row {a: 1, b: 2} agree with the combination in all that it names? */
static bool agrees(const struct doc_node *row, const struct job_pair *m,
		   size_t n)
{
	for (const struct doc_node *k = row->first; k; k = k->next) {
		bool found = false;

		for (size_t i = 0; i < n; i++)
			found |= str_eq(m[i].name, k->key) &&
				 str_eq(m[i].value, k->text);
		if (!found)
			return false;
	}
	return row->kind == DOC_MAP;
}

static bool excluded(const struct doc_node *matrix, const struct job_pair *m,
		     size_t n)
{
	const struct doc_node *list = doc_get(matrix, "exclude");

	for (const struct doc_node *r = list ? list->first : NULL; r;
	     r = r->next)
		if (agrees(r, m, n))
			return true;
	return false;
}

/* "test@unit,release", values in the order of the lists' names. */
static struct str instance_name(struct job_plan *p, struct str task,
				const struct job_pair *m, size_t n)
{
	CLEANUP_BUF struct buf b = BUF_INIT(INSTANCE_NAME_MAX);

	buf_str(&b, task);
	for (size_t i = 0; i < n; i++) {
		buf_putc(&b, i ? ',' : '@');
		buf_str(&b, m[i].value);
	}
	return b.failed ? str_n(NULL, 0) : keep(p->arena, buf_view(&b));
}

static enum job_action action_of(const struct doc_node *task)
{
	if (doc_get(task, "approval"))
		return ACTION_APPROVAL;
	return doc_get(task, "job") ? ACTION_CALL : ACTION_COMMAND;
}

/* One more at the end; those before it may move. */
static struct job_instance *room_for_one(struct job_plan *p)
{
	if (p->n == p->cap) {
		p->cap *= 2;
		p->instances =
			mem_resize(p->instances, p->cap, sizeof(*p->instances));
	}
	return &p->instances[p->n];
}

static int add_instance(struct job_plan *p, size_t task,
			const struct job_pair *m, size_t n, struct problems *ps)
{
	const struct job_task *t = &p->job->tasks[task];
	struct job_instance *in;
	struct str name = instance_name(p, t->name, m, n);

	if (p->n == JOB_INSTANCES_MAX || !name.len) {
		problem_at_key(ps, t->node, "too-many-tasks", NULL,
			       "more than %d task instances, or a name over "
			       "%d bytes",
			       JOB_INSTANCES_MAX, INSTANCE_NAME_MAX);
		return -1;
	}
	if (map_put(p->names, name, (void *)(uintptr_t)(p->n + 1))) {
		problem_at_key(ps, t->node, "bad-matrix", NULL,
			       "matrix: \"" STR_FMT "\" comes twice",
			       STR_ARG(name));
		return -1;
	}
	in = room_for_one(p);
	*in = (struct job_instance){
		.name = name,
		.task = (uint32_t)task,
		.stdin_from = -1,
		.action = action_of(t->node),
		.is_finally = t->is_finally,
		.uninterruptible = str_is(
			job_text(doc_get(t->node, "uninterruptible"), "false"),
			"true"),
	};
	in->matrix = arena_alloc(p->arena, (n + 1) * sizeof(*m));
	if (n)
		memcpy(in->matrix, m, n * sizeof(*m));
	in->n_matrix = n;
	p->n++;
	return 0;
}

/* The product of the lists, the last one turning fastest. */
static int expand_lists(struct job_plan *p, size_t task,
			const struct doc_node *matrix, struct doc_node **at,
			struct job_pair *m, size_t n, struct problems *ps)
{
	while (*at && check_is_rule((*at)->key))
		at++;
	if (!*at)
		return n && excluded(matrix, m, n) ?
			       0 :
			       add_instance(p, task, m, n, ps);
	for (const struct doc_node *v = (*at)->first; v; v = v->next) {
		m[n] = (struct job_pair){(*at)->key, v->text};
		if (expand_lists(p, task, matrix, at + 1, m, n + 1, ps))
			return -1;
	}
	return 0;
}

static int expand_include(struct job_plan *p, size_t task,
			  const struct doc_node *matrix, struct job_pair *m,
			  struct problems *ps)
{
	const struct doc_node *list = doc_get(matrix, "include");

	for (const struct doc_node *r = list ? list->first : NULL; r;
	     r = r->next) {
		size_t n = 0;

		assert(r->n <= CHECK_AXES_MAX);
		for (struct doc_node **k = sorted(p->arena, r); *k; k++)
			m[n++] = (struct job_pair){(*k)->key, (*k)->text};
		if (add_instance(p, task, m, n, ps))
			return -1;
	}
	return 0;
}

static int expand_task(struct job_plan *p, size_t task, struct problems *ps)
{
	const struct doc_node *matrix =
		doc_get(p->job->tasks[task].node, "matrix");
	struct job_pair m[CHECK_AXES_MAX + 1];
	bool lists = false;

	if (!matrix)
		return add_instance(p, task, NULL, 0, ps);
	for (const struct doc_node *k = matrix->first; k; k = k->next)
		lists |= !check_is_rule(k->key);
	if (lists &&
	    expand_lists(p, task, matrix, sorted(p->arena, matrix), m, 0, ps))
		return -1;
	return expand_include(p, task, matrix, m, ps);
}

/* --- relations ---------------------------------------------------------- */

/* All instances of a task lie together; a matrix may leave none. */
struct range {
	uint32_t from, to;
};

static void find_ranges(const struct job_plan *p, struct range *ranges)
{
	for (uint32_t i = 0; i < p->n; i++) {
		struct range *r = &ranges[p->instances[i].task];

		if (r->from == r->to)
			r->from = i;
		r->to = i + 1;
	}
}

static void relate(struct job_plan *p, struct job_instance *in,
		   const struct range *ranges)
{
	const struct job_task *t = &p->job->tasks[in->task];
	size_t total = 0;

	for (size_t k = 0; k < t->n_needs; k++)
		total += ranges[t->needs[k]].to - ranges[t->needs[k]].from;
	in->needs = arena_alloc(p->arena, (total + 1) * sizeof(*in->needs));
	assert(in->needs); /* a million at most */
	for (size_t k = 0; k < t->n_needs; k++)
		for (uint32_t i = ranges[t->needs[k]].from;
		     i < ranges[t->needs[k]].to; i++)
			in->needs[in->n_needs++] = i;
	/* No matrix on either end of a pipe: one instance each. */
	if (t->stdin_from >= 0)
		in->stdin_from = (int32_t)ranges[t->stdin_from].from;
}

static void check_artifacts(const struct job_plan *p,
			    const struct doc_node *list, struct problems *ps)
{
	struct str task, name;

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		if (job_artifact_split(n->text, &task, &name) ||
		    job_plan_find(p, task) < 0)
			problem_at(ps, n, "unknown-artifact", NULL,
				   STR_FMT ": no task instance \"" STR_FMT "\"",
				   STR_ARG(list->key), STR_ARG(task));
}

/* Approvals and calls, as far as nothing must have run for it. */
static void check_step_of(const struct job_plan *p, size_t i,
			  struct problems *ps)
{
	const struct doc_node *node = p->job->tasks[p->instances[i].task].node;
	bool asks = p->instances[i].action == ACTION_APPROVAL;
	struct arena *a = arena_new(1 << 20);
	struct job_approval x;
	struct job_call c;
	struct err e;

	if (asks ? job_plan_approval(p, i, NULL, a, &x, &e) :
		   job_plan_call(p, i, NULL, a, &c, &e))
		problem_at_key(ps, doc_get(node, asks ? "approval" : "job"),
			       "bad-expression", NULL, "%s", e.text);
	arena_free(a);
}

/* What only the expanded job can tell: instances that are named, conditions
 * that nothing evaluates before the task's turn. */
static void check_instance(const struct job_plan *p, size_t i,
			   struct problems *ps)
{
	const struct job_task *t = &p->job->tasks[p->instances[i].task];
	const struct doc_node *cond = doc_get(t->node, "if");
	struct err e;
	bool truth;

	check_artifacts(p, doc_get(t->node, "files"), ps);
	if (cond && inputs_eval_if(p, i, NULL, cond->text, &truth, &e))
		problem_at(ps, cond, "bad-expression", NULL, "%s", e.text);
	check_artifacts(p, doc_get(doc_get(t->node, "approval"), "show"), ps);
	if (p->instances[i].action != ACTION_COMMAND)
		check_step_of(p, i, ps);
}

static void group(struct job_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t at = i;

		for (size_t hops = 0;
		     p->instances[at].stdin_from >= 0 && hops < p->n; hops++)
			at = (size_t)p->instances[at].stdin_from;
		p->instances[i].group = (uint32_t)at;
	}
}

/*
 * How far a task is from what starts first: people read a plan from top to
 * bottom, and its order may only come from the job's meaning.
 */
static void find_levels(const struct job *j, uint32_t *level)
{
	bool more = true;

	/* Needs have no cycle: as many rounds as the longest chain, at most. */
	while (more) {
		more = false;
		for (size_t i = 0; i < j->n_tasks; i++) {
			const struct job_task *t = &j->tasks[i];
			uint32_t least = level[i];

			for (size_t k = 0; k < t->n_needs; k++)
				if (least <= level[t->needs[k]])
					least = level[t->needs[k]] + 1;
			if (t->stdin_from >= 0 && least <= level[t->stdin_from])
				least = level[t->stdin_from] + 1;
			more |= least != level[i];
			level[i] = least;
		}
	}
}

static int expand_level(struct job_plan *p, const uint32_t *level,
			uint32_t wanted, bool is_finally, size_t *left,
			struct problems *ps)
{
	for (size_t i = 0; i < p->job->n_tasks; i++) {
		if (level[i] != wanted ||
		    p->job->tasks[i].is_finally != is_finally)
			continue;
		(*left)--;
		if (expand_task(p, i, ps))
			return -1;
	}
	return 0;
}

static int expand_all(struct job_plan *p, struct problems *ps)
{
	const struct job *j = p->job;
	CLEANUP_MEM uint32_t *level = mem_array(j->n_tasks + 1, sizeof(*level));
	size_t left[2] = {0, 0};

	find_levels(j, level);
	for (size_t i = 0; i < j->n_tasks; i++)
		left[j->tasks[i].is_finally]++;
	for (int f = 0; f < 2; f++)
		for (uint32_t at = 0; left[f]; at++)
			if (expand_level(p, level, at, f, &left[f], ps))
				return -1;
	return 0;
}

void plan_expand(struct job_plan *p, struct problems *ps)
{
	CLEANUP_MEM struct range *ranges =
		mem_array(p->job->n_tasks + 1, sizeof(*ranges));

	if (expand_all(p, ps))
		return;
	find_ranges(p, ranges);
	for (size_t i = 0; i < p->n; i++)
		relate(p, &p->instances[i], ranges);
	group(p);
	for (size_t i = 0; i < p->n && ps->n < PROBLEMS_MAX; i++)
		check_instance(p, i, ps);
}

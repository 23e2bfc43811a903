/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The graph: needs, pipes, cycles, sizes; see check.h.  Everything here is
 * bounded by tasks times needs, whatever somebody writes.
 */
#include "job/check.h"
#include "base/map.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct graph {
	struct job *j;
	struct problems *ps;
	struct map *names; /* to task */
	uint32_t *order;   /* needs before what needs them */
	size_t n_order;
	uint32_t *group; /* first task of the pipe */
};

/* --- needs and pipes ---------------------------------------------------- */

static int32_t find(const struct graph *g, struct str name)
{
	const struct job_task *t = map_get(g->names, name);

	return t ? (int32_t)(t - g->j->tasks) : -1;
}

static void no_task(const struct graph *g, const struct doc_node *n,
		    const char *key, struct str name)
{
	const struct job *j = g->j;
	char hint[100] = "";
	unsigned max = name.len > 4 ? 2 : name.len > 2;

	/* Searched only while somebody reads it. */
	for (size_t i = 0; max && g->ps->n < PROBLEMS_MAX && i < j->n_tasks;
	     i++)
		if (str_distance(name, j->tasks[i].name, max) <= max)
			(void)snprintf(hint, sizeof(hint),
				       "did you mean \"" STR_FMT "\"?",
				       STR_ARG(j->tasks[i].name));
	problem_at(g->ps, n, "unknown-task", hint,
		   "%s: no task \"" STR_FMT "\"", key, STR_ARG(name));
}

static void add_need(struct job_task *t, uint32_t need)
{
	for (size_t i = 0; i < t->n_needs; i++)
		if (t->needs[i] == need)
			return;
	t->needs[t->n_needs++] = need;
}

static void one_need(struct graph *g, struct job_task *t,
		     const struct doc_node *n)
{
	int32_t need = find(g, n->text);

	if (need < 0)
		no_task(g, n, "needs", n->text);
	else if (&g->j->tasks[need] == t)
		problem_at(g->ps, n, "cycle", NULL, "a task that needs itself");
	else if (g->j->tasks[need].is_finally != t->is_finally)
		problem_at(g->ps, n, "bad-need",
			   "`finally` starts when all other tasks have ended",
			   "needs: \"" STR_FMT "\" is on the other side of "
			   "`finally`",
			   STR_ARG(n->text));
	else
		add_need(t, (uint32_t)need);
}

static void find_stdin(struct graph *g, struct job_task *t)
{
	const struct doc_node *n = doc_get(t->node, "stdin");
	struct str from = job_text(n, "");
	const struct job_task *writer;
	int32_t i;

	if (!n)
		return;
	if (!str_ends(from, STR(".stdout"))) {
		problem_at(g->ps, n, "bad-stdin", "such as \"build.stdout\"",
			   "stdin: TASK.stdout is wanted");
		return;
	}
	from.len -= strlen(".stdout");
	i = find(g, from);
	if (i < 0) {
		no_task(g, n, "stdin", from);
		return;
	}
	writer = &g->j->tasks[i];
	if (writer == t)
		problem_at(g->ps, n, "cycle", NULL, "a task that reads itself");
	else if (doc_get(writer->node, "matrix") || doc_get(t->node, "matrix"))
		problem_at(g->ps, n, "bad-stdin", NULL,
			   "a pipe between tasks with a matrix");
	else if (writer->is_finally != t->is_finally)
		problem_at(g->ps, n, "bad-stdin", NULL,
			   "a pipe across `finally`");
	else if (doc_get(writer->node, "approval") ||
		 doc_get(writer->node, "job"))
		problem_at(g->ps, n, "bad-stdin", NULL,
			   "stdin: \"" STR_FMT "\" writes nothing",
			   STR_ARG(from));
	else
		t->stdin_from = i;
}

/* An ordered set of instructions: each needs the one before, and where that
 * one reads a pipe its writers too. */
static void need_before(struct graph *g, size_t i)
{
	struct job *j = g->j;
	int32_t at = (int32_t)i - 1;

	if (!j->is_list || j->tasks[i].is_finally || !i ||
	    j->tasks[i].stdin_from >= 0)
		return;
	for (size_t hops = 0; at >= 0 && hops <= i; hops++) {
		if ((size_t)at < i)
			add_need(&j->tasks[i], (uint32_t)at);
		at = j->tasks[at].stdin_from;
	}
}

static void resolve(struct graph *g)
{
	struct job *j = g->j;

	for (size_t i = 0; i < j->n_tasks; i++)
		if (!map_get(g->names, j->tasks[i].name))
			map_put(g->names, j->tasks[i].name, &j->tasks[i]);
	for (size_t i = 0; i < j->n_tasks; i++) {
		struct job_task *t = &j->tasks[i];
		const struct doc_node *needs = doc_get(t->node, "needs");

		/* No task is named twice in the end; and all come at most. */
		t->needs =
			arena_alloc(j->arena, j->n_tasks * sizeof(*t->needs));
		assert(t->needs);
		for (const struct doc_node *n = needs ? needs->first : NULL; n;
		     n = n->next)
			one_need(g, t, n);
		find_stdin(g, t);
	}
	for (size_t i = 0; i < j->n_tasks; i++)
		need_before(g, i);
}

/* --- cycles ------------------------------------------------------------- */

/* Depth first; 1 on the way, 2 done.  The cycle is named. */
static bool visit(struct graph *g, uint32_t i, unsigned char *seen,
		  struct buf *path)
{
	const struct job_task *t = &g->j->tasks[i];

	if (seen[i] == 2)
		return false;
	if (seen[i] == 1) {
		buf_printf(path, STR_FMT, STR_ARG(t->name));
		return true;
	}
	seen[i] = 1;
	for (size_t k = 0; k <= t->n_needs; k++) {
		int32_t next =
			k < t->n_needs ? (int32_t)t->needs[k] : t->stdin_from;

		if (next >= 0 && visit(g, (uint32_t)next, seen, path)) {
			buf_printf(path, " <- " STR_FMT, STR_ARG(t->name));
			return true;
		}
	}
	seen[i] = 2;
	g->order[g->n_order++] = i;
	return false;
}

static bool find_cycle(struct graph *g)
{
	CLEANUP_MEM unsigned char *seen = mem_alloc(g->j->n_tasks + 1);
	CLEANUP_BUF struct buf path = BUF_INIT(1 << 17);

	for (uint32_t i = 0; i < g->j->n_tasks; i++) {
		if (!visit(g, i, seen, &path))
			continue;
		problem_at_key(g->ps, g->j->tasks[i].node, "cycle", NULL,
			       "tasks wait for each other: %.180s",
			       buf_cstr(&path));
		return true;
	}
	return false;
}

/* What every task needs, directly or not: a bit a task. */
static void find_all_needs(struct graph *g)
{
	struct job *j = g->j;
	size_t words = j->n_tasks / 64 + 1;

	for (size_t i = 0; i < j->n_tasks; i++) {
		j->tasks[i].all_needs =
			arena_alloc(j->arena, words * sizeof(uint64_t));
		assert(j->tasks[i].all_needs);
	}
	for (size_t o = 0; o < g->n_order; o++) {
		struct job_task *t = &j->tasks[g->order[o]];

		for (size_t k = 0; k <= t->n_needs; k++) {
			int32_t need = k < t->n_needs ? (int32_t)t->needs[k] :
							t->stdin_from;

			if (need < 0)
				continue;
			for (size_t w = 0; w < words; w++)
				t->all_needs[w] |= j->tasks[need].all_needs[w];
			/* A writer runs beside its reader: no need of it. */
			if (k < t->n_needs)
				t->all_needs[need / 64] |= 1ULL << need % 64;
		}
	}
}

bool job_task_needs(const struct job *j, size_t i, size_t need)
{
	const uint64_t *bits = j->tasks[i].all_needs;

	return bits && bits[need / 64] >> need % 64 & 1;
}

/* --- pipe groups -------------------------------------------------------- */

/* A group starts at once: none may wait for another. */
static bool check_member(const struct graph *g, uint32_t i)
{
	const struct job *j = g->j;

	for (uint32_t k = 0; k < j->n_tasks; k++)
		if (g->group[k] == g->group[i] && job_task_needs(j, i, k)) {
			problem_at_key(g->ps, j->tasks[i].node, "bad-pipe",
				       NULL,
				       "\"" STR_FMT "\" runs beside \"" STR_FMT
				       "\" in a pipe and cannot need it",
				       STR_ARG(j->tasks[i].name),
				       STR_ARG(j->tasks[k].name));
			return false;
		}
	return true;
}

static void check_size(const struct graph *g, uint32_t i, uint32_t size,
		       uint32_t readers)
{
	const struct job_task *t = &g->j->tasks[i];

	if (readers > JOB_READERS_MAX)
		problem_at_key(g->ps, t->node, "bad-pipe", NULL,
			       "more than %d tasks read one stdout",
			       JOB_READERS_MAX);
	if (t->stdin_from < 0 && size > JOB_GROUP_MAX)
		problem_at_key(g->ps, t->node, "bad-pipe", NULL,
			       "more than %d tasks in one pipe", JOB_GROUP_MAX);
	if (t->stdin_from < 0 && g->j->workspace_run)
		problem_at_key(g->ps, t->node, "bad-pipe",
			       "set `workspace: task`",
			       "tasks of a pipe run at once and cannot share "
			       "the run's workspace");
}

/* Do all members of all needs of task i's group count as started? */
static bool may_start(const struct graph *g, const unsigned char *done,
		      uint32_t i)
{
	const struct job_task *t = &g->j->tasks[i];

	for (size_t k = 0; k < t->n_needs; k++)
		if (!done[g->group[t->needs[k]]])
			return false;
	return true;
}

/* With each pipe as one step: two pipes may wait for each other where no task
 * does.  In the order of needs most need one pass. */
static void check_pipes_wait(struct graph *g)
{
	const struct job *j = g->j;
	CLEANUP_MEM unsigned char *done = mem_alloc(j->n_tasks + 1);
	CLEANUP_MEM unsigned char *held = mem_alloc(j->n_tasks + 1);
	bool more = true;

	while (more) {
		more = false;
		memset(held, 0, j->n_tasks);
		for (uint32_t i = 0; i < j->n_tasks; i++)
			held[g->group[i]] |= !may_start(g, done, i);
		for (size_t o = 0; o < g->n_order; o++) {
			uint32_t i = g->group[g->order[o]];

			if (done[i] || held[i])
				continue;
			done[i] = 1;
			more = true;
		}
	}
	for (uint32_t i = 0; i < j->n_tasks; i++)
		if (!done[g->group[i]] && j->tasks[i].stdin_from >= 0) {
			problem_at_key(g->ps, j->tasks[i].node, "bad-pipe",
				       "a pipe starts when all its tasks can",
				       "the pipe of \"" STR_FMT "\" waits for "
				       "a task that waits for the pipe",
				       STR_ARG(j->tasks[i].name));
			return;
		}
}

static void check_groups(struct graph *g)
{
	const struct job *j = g->j;
	CLEANUP_MEM uint32_t *size = mem_array(j->n_tasks + 1, sizeof(*size));
	CLEANUP_MEM uint32_t *readers =
		mem_array(j->n_tasks + 1, sizeof(*readers));
	bool ok = true;

	for (size_t o = 0; o < g->n_order; o++) {
		uint32_t i = g->order[o];
		int32_t from = j->tasks[i].stdin_from;

		g->group[i] = from < 0 ? i : g->group[from];
		size[g->group[i]]++;
		if (from >= 0)
			readers[from]++;
	}
	for (uint32_t i = 0; i < j->n_tasks; i++) {
		if (size[g->group[i]] < 2)
			continue;
		ok &= check_member(g, i);
		check_size(g, i, size[g->group[i]], readers[i]);
	}
	if (ok)
		check_pipes_wait(g);
}

void check_job(struct job *j, struct problems *ps)
{
	struct graph g = {.j = j, .ps = ps, .names = map_new()};
	size_t instances = 0;

	g.order = mem_array(j->n_tasks + 1, sizeof(*g.order));
	g.group = mem_array(j->n_tasks + 1, sizeof(*g.group));
	for (size_t i = 0; i < j->n_tasks; i++) {
		check_task(j, &j->tasks[i], ps);
		instances +=
			check_matrix(doc_get(j->tasks[i].node, "matrix"), ps);
	}
	if (instances > JOB_INSTANCES_MAX)
		problem_at(ps, j->doc->root, "too-many-tasks", NULL,
			   "more than %d task instances", JOB_INSTANCES_MAX);
	resolve(&g);
	if (!find_cycle(&g)) {
		find_all_needs(&g);
		check_groups(&g);
	}
	map_free(g.names, NULL);
	mem_free(g.order);
	mem_free(g.group);
}

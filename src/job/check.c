/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The graph: needs, pipes, cycles, sizes; see check.h. */
#include "job/check.h"
#include "base/hex.h"
#include "job/keys.h"

#include <stdio.h>
#include <string.h>

/* --- needs and pipes ---------------------------------------------------- */

static const char *like_task(const struct job *j, struct str name, char *hint,
			     size_t len)
{
	hint[0] = '\0';
	for (size_t i = 0; i < j->n_tasks; i++)
		if (str_distance(name, j->tasks[i].name, 2) <= 2)
			(void)snprintf(hint, len,
				       "did you mean \"" STR_FMT "\"?",
				       STR_ARG(j->tasks[i].name));
	return hint;
}

static void add_need(struct job_task *t, uint32_t need)
{
	for (size_t i = 0; i < t->n_needs; i++)
		if (t->needs[i] == need)
			return;
	t->needs[t->n_needs++] = need;
}

static void one_need(struct job *j, struct job_task *t,
		     const struct doc_node *n, struct problems *ps)
{
	int32_t need = job_task_find(j, n->text);
	char hint[100];

	if (need < 0)
		problem_at(ps, n, "unknown-task",
			   like_task(j, n->text, hint, sizeof(hint)),
			   "needs: no task \"" STR_FMT "\"", STR_ARG(n->text));
	else if (&j->tasks[need] == t)
		problem_at(ps, n, "cycle", NULL, "a task that needs itself");
	else if (j->tasks[need].is_finally != t->is_finally)
		problem_at(ps, n, "bad-need", NULL,
			   "needs: \"" STR_FMT "\" is on the other side of "
			   "`finally`",
			   STR_ARG(n->text));
	else
		add_need(t, (uint32_t)need);
}

static void find_stdin(struct job *j, struct job_task *t, struct problems *ps)
{
	const struct doc_node *n = doc_get(t->node, "stdin");
	struct str from = job_text(n, "");
	char hint[100];

	if (!n)
		return;
	if (!str_ends(from, STR(".stdout"))) {
		problem_at(ps, n, "bad-stdin", "such as \"build.stdout\"",
			   "stdin: TASK.stdout is wanted");
		return;
	}
	from.len -= 7;
	t->stdin_from = job_task_find(j, from);
	if (t->stdin_from < 0)
		problem_at(ps, n, "unknown-task",
			   like_task(j, from, hint, sizeof(hint)),
			   "stdin: no task \"" STR_FMT "\"", STR_ARG(from));
	else if (&j->tasks[t->stdin_from] == t)
		problem_at(ps, n, "cycle", NULL, "a task that reads itself");
	else if (doc_get(j->tasks[t->stdin_from].node, "matrix") ||
		 doc_get(t->node, "matrix"))
		problem_at(ps, n, "bad-stdin", NULL,
			   "a pipe between tasks with a matrix");
	else if (j->tasks[t->stdin_from].is_finally != t->is_finally)
		problem_at(ps, n, "bad-stdin", NULL, "a pipe across `finally`");
}

static void resolve(struct job *j, struct problems *ps)
{
	for (size_t i = 0; i < j->n_tasks; i++) {
		struct job_task *t = &j->tasks[i];
		const struct doc_node *needs = doc_get(t->node, "needs");

		t->needs = arena_alloc(j->arena, ((needs ? needs->n : 0) + 1) *
							 sizeof(*t->needs));
		for (const struct doc_node *n = needs ? needs->first : NULL; n;
		     n = n->next)
			one_need(j, t, n, ps);
		find_stdin(j, t, ps);
		/* An ordered set of instructions; a reader runs beside its
		 * writer, behind what that one needs. */
		if (j->is_list && !t->is_finally && i && t->stdin_from < 0)
			add_need(t, (uint32_t)i - 1);
	}
}

/* Depth first; 1 on the way, 2 done.  The cycle is named. */
static bool visit(const struct job *j, size_t i, unsigned char *seen,
		  struct buf *path)
{
	const struct job_task *t = &j->tasks[i];

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

		if (next >= 0 && visit(j, (size_t)next, seen, path)) {
			buf_printf(path, " <- " STR_FMT, STR_ARG(t->name));
			return true;
		}
	}
	seen[i] = 2;
	return false;
}

static bool find_cycle(struct job *j, struct problems *ps)
{
	CLEANUP_MEM unsigned char *seen = mem_alloc(j->n_tasks + 1);
	CLEANUP_BUF struct buf path = BUF_INIT(4096);

	for (size_t i = 0; i < j->n_tasks; i++) {
		if (!visit(j, i, seen, &path))
			continue;
		problem_at_key(ps, j->tasks[i].node, "cycle", NULL,
			       "tasks wait for each other: %.180s",
			       buf_cstr(&path));
		return true;
	}
	return false;
}

/* Each task is looked at once, however many paths lead to it. */
static bool reaches(const struct job *j, size_t i, size_t need,
		    unsigned char *seen)
{
	const struct job_task *t = &j->tasks[i];

	if (seen[i])
		return false;
	seen[i] = 1;
	for (size_t k = 0; k < t->n_needs; k++)
		if (t->needs[k] == need || reaches(j, t->needs[k], need, seen))
			return true;
	return t->stdin_from >= 0 &&
	       reaches(j, (size_t)t->stdin_from, need, seen);
}

bool check_needs(const struct job *j, size_t i, size_t need)
{
	CLEANUP_MEM unsigned char *seen = mem_alloc(j->n_tasks);

	return reaches(j, i, need, seen);
}

/* --- pipe groups -------------------------------------------------------- */

static size_t first_of_group(const struct job *j, size_t i)
{
	while (j->tasks[i].stdin_from >= 0)
		i = (size_t)j->tasks[i].stdin_from;
	return i;
}

/* A group starts at once: none may need another, and all fit together. */
static void check_groups(struct job *j, struct problems *ps)
{
	for (size_t i = 0; i < j->n_tasks; i++) {
		const struct job_task *t = &j->tasks[i];
		size_t size = 1, readers = 0;

		for (size_t k = 0; k < j->n_tasks; k++) {
			readers += j->tasks[k].stdin_from == (int32_t)i;
			if (k == i ||
			    first_of_group(j, k) != first_of_group(j, i))
				continue;
			size++;
			for (size_t n = 0; n < t->n_needs; n++)
				if (t->needs[n] == k)
					problem_at_key(
						ps, t->node, "bad-pipe", NULL,
						"\"" STR_FMT
						"\" runs beside \"" STR_FMT
						"\" in a pipe and "
						"cannot need it",
						STR_ARG(t->name),
						STR_ARG(j->tasks[k].name));
		}
		if (readers > 4)
			problem_at_key(ps, t->node, "bad-pipe", NULL,
				       "more than 4 tasks read one stdout");
		if (size > JOB_GROUP_MAX && t->stdin_from < 0)
			problem_at_key(ps, t->node, "bad-pipe", NULL,
				       "more than %d tasks in one pipe",
				       JOB_GROUP_MAX);
		if (size > 1 && j->workspace_run)
			problem_at_key(ps, t->node, "bad-pipe",
				       "set `workspace: task`",
				       "tasks of a pipe run at once and cannot "
				       "share the run's workspace");
	}
}

/* --- what a task is ----------------------------------------------------- */

static void check_kind(const struct job_task *t, struct problems *ps)
{
	static const char *const kinds[] = {"run", "argv", "approval", "job"};
	const struct doc_node *argv = doc_get(t->node, "argv");
	const struct doc_node *run = doc_get(t->node, "run");
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		n += doc_get(t->node, kinds[i]) != NULL;
	if (n != 1)
		problem_at_key(ps, t->node, "bad-task", NULL,
			       "task \"" STR_FMT
			       "\": exactly one of run, argv, "
			       "approval, job is wanted, not %u",
			       STR_ARG(t->name), n);
	if (argv && !argv->n)
		problem_at(ps, argv, "bad-task", NULL, "argv: empty");
	if (doc_get(t->node, "args") && !run)
		problem_at_key(ps, doc_get(t->node, "args"), "bad-task",
			       "put them into argv", "args without run");
	if (run && run->kind == DOC_STRING && run->text.len &&
	    memmem(run->text.p, run->text.len, "${{", 3))
		problem_at(ps, run, "expr-in-run",
			   "put it into `env` or `args`: a value must never "
			   "become code",
			   "run: ${{ }} in a script");
	if (run && run->kind == DOC_MAP) {
		const struct doc_node *b64 = doc_get(run, "base64");
		CLEANUP_BUF struct buf b = BUF_INIT(DOC_TEXT_MAX);

		if (run->n != 1)
			problem_at(ps, run, "bad-task", NULL,
				   "run: one of file, base64 is wanted");
		if (b64 && b64_decode(b64->text, &b))
			problem_at(ps, b64, "bad-base64", NULL,
				   "run.base64: not base64");
	}
}

size_t check_matrix_size(const struct doc_node *matrix)
{
	size_t n = 1;

	if (!matrix || matrix->kind != DOC_MAP)
		return 1;
	for (const struct doc_node *k = matrix->first; k; k = k->next)
		if (k->kind == DOC_LIST && !str_is(k->key, "include") &&
		    !str_is(k->key, "exclude") && n <= JOB_INSTANCES_MAX)
			n *= k->n;
	return n;
}

static void check_matrix(struct doc_node *m, struct problems *ps)
{
	if (!m)
		return;
	if (m->kind != DOC_MAP) {
		problem_at(ps, m, "wrong-type", NULL,
			   "matrix: a map of lists is wanted");
		return;
	}
	for (struct doc_node *k = m->first; k; k = k->next) {
		bool b;
		int64_t i;

		if (str_is(k->key, "fail_fast")) {
			if (doc_as_bool(k, &b))
				problem_at(ps, k, "wrong-type", NULL,
					   "fail_fast: true or false");
			else
				k->kind = DOC_BOOL;
		} else if (str_is(k->key, "max_parallel")) {
			if (doc_as_i64(k, &i) || i < 1)
				problem_at(ps, k, "wrong-type", NULL,
					   "max_parallel: a number from 1");
			else
				k->kind = DOC_INT;
		} else if (str_is(k->key, "include") ||
			   str_is(k->key, "exclude")) {
			if (k->kind != DOC_LIST)
				problem_at(ps, k, "wrong-type", NULL,
					   "a list of maps is wanted");
		} else if (k->kind != DOC_LIST || !k->n ||
			   !job_name_ok(k->key)) {
			problem_at_key(ps, k, "bad-matrix", NULL,
				       "matrix: names with lists that are not "
				       "empty are wanted");
		}
		for (struct doc_node *v = k->first; v; v = v->next)
			if (v->kind != DOC_MAP && v->kind != DOC_LIST)
				v->kind = DOC_STRING;
	}
}

static void check_retry(const struct doc_node *retry, struct problems *ps)
{
	static const char *const words[] = {"exit", "signal", "timeout",
					    "lost", "oom",    "host"};
	const struct doc_node *when = doc_get(retry, "when");

	for (const struct doc_node *n = when ? when->first : NULL; n;
	     n = n->next) {
		bool ok = false;
		uint64_t v;

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			ok |= str_is(n->text, words[i]);
		ok |= str_starts(n->text, STR("exit-")) &&
		      !str_to_u64(str_from_at(n->text, 5), 255, &v);
		if (!ok)
			problem_at(ps, n, "bad-choice", NULL,
				   "retry.when: \"" STR_FMT "\" is not one of "
				   "exit, exit-N, signal, timeout, lost, oom, "
				   "host",
				   STR_ARG(n->text));
	}
}

void check_job(struct job *j, struct problems *ps)
{
	size_t before = ps->n + ps->n_dropped, instances = 0;

	for (size_t i = 0; i < j->n_tasks; i++) {
		struct job_task *t = &j->tasks[i];
		struct doc_node *m = doc_get(t->node, "matrix");

		check_kind(t, ps);
		check_matrix(m, ps);
		check_retry(job_task_get(j, t, "retry"), ps);
		instances += check_matrix_size(m);
	}
	if (instances > JOB_INSTANCES_MAX)
		problem_at(ps, j->doc->root, "too-many-tasks", NULL,
			   "more than %d task instances", JOB_INSTANCES_MAX);
	resolve(j, ps);
	if (ps->n + ps->n_dropped != before || find_cycle(j, ps))
		return;
	check_groups(j, ps);
	check_refs(j, ps);
}

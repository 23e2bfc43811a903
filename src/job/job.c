/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A job from its tree; see job.h.  What tasks say of each other is check.c. */
#include "job/job.h"
#include "job/check.h"
#include "job/git.h"
#include "job/keys.h"
#include "job/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TASKS_MAX = 1000,
	JOB_ARENA_MAX = 16 << 20
};

#define DAY_US ((uint64_t)86400 * 1000000)

struct str job_text(const struct doc_node *n, const char *fallback)
{
	return n ? n->text : str_from(fallback);
}

uint64_t job_time(const struct doc_node *n, uint64_t fallback_us)
{
	uint64_t us;

	return n && !job_duration(n->text, &us) ? us : fallback_us;
}

int job_artifact_split(struct str s, struct str *task, struct str *name)
{
	const char *dot = s.len ? memrchr(s.p, '.', s.len) : NULL;

	if (!dot || dot == s.p || dot + 1 == s.p + s.len)
		return -1;
	*task = str_n(s.p, (size_t)(dot - s.p));
	*name = str_from_at(s, task->len + 1);
	return 0;
}

int32_t job_task_find(const struct job *j, struct str name)
{
	for (size_t i = 0; i < j->n_tasks; i++)
		if (str_eq(j->tasks[i].name, name))
			return (int32_t)i;
	return -1;
}

const struct doc_node *job_task_get(const struct job *j,
				    const struct job_task *t, const char *key)
{
	const struct doc_node *n = doc_get(t->node, key);

	return n ? n : doc_get(doc_get(j->doc->root, "defaults"), key);
}

const struct doc_node *
job_sandbox_get(const struct job *j, const struct job_task *t, const char *key)
{
	const struct doc_node *own = doc_get(t->node, "sandbox");
	const struct doc_node *n = doc_get(own, key);

	if (n)
		return n;
	return doc_get(doc_get(doc_get(j->doc->root, "defaults"), "sandbox"),
		       key);
}

static int by_key(const void *a, const void *b)
{
	const struct doc_node *const *x = a, *const *y = b;

	return str_cmp((*x)->key, (*y)->key);
}

struct doc_node **job_by_key(struct arena *a, const struct doc_node *map)
{
	uint32_t n = map && map->kind == DOC_MAP ? map->n : 0, i = 0;
	struct doc_node **list = arena_alloc(a, (n + 1) * sizeof(*list));

	if (!list)
		return NULL;
	for (struct doc_node *k = n ? map->first : NULL; k; k = k->next)
		list[i++] = k;
	qsort(list, n, sizeof(*list), by_key);
	return list;
}

/* --- decoding ----------------------------------------------------------- */

static struct str step_name(struct job *j, uint32_t index)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "step-%u", index + 1);

	return str_n(arena_strndup(j->arena, text, (size_t)n), (size_t)n);
}

static void add_task(struct job *j, struct doc_node *node, struct str name,
		     bool is_finally, struct problems *ps)
{
	if (j->n_tasks == TASKS_MAX) {
		problem_at(ps, node, "too-many-tasks", NULL,
			   "more than %d tasks", TASKS_MAX);
		return;
	}
	if (job_task_find(j, name) >= 0)
		problem_at_key(ps, node, "duplicate-task", NULL,
			       "two tasks are called \"" STR_FMT "\"",
			       STR_ARG(name));
	j->tasks[j->n_tasks++] = (struct job_task){
		.name = name,
		.node = node,
		.is_finally = is_finally,
		.stdin_from = -1,
	};
}

static void add_list(struct job *j, struct doc_node *list, struct problems *ps)
{
	for (struct doc_node *n = list->first; n; n = n->next) {
		const struct doc_node *name = doc_get(n, "name");

		if (n->kind != DOC_MAP) {
			problem_at(ps, n, "wrong-type", NULL,
				   "a task is a map, not %s",
				   doc_kind_name(n->kind));
			continue;
		}
		shape_check(n, "task", ps);
		add_task(j, n, name ? name->text : step_name(j, n->index),
			 false, ps);
	}
}

static void add_map(struct job *j, struct doc_node *map, bool is_finally,
		    struct problems *ps)
{
	struct doc_node **list;

	if (!is_finally)
		shape_named(map, "task", ps);
	list = job_by_key(j->arena, map);
	for (struct doc_node **n = list; n && *n; n++) {
		if (doc_get(*n, "name"))
			problem_at_key(ps, doc_get(*n, "name"), "unknown-key",
				       "in a map the key is the name",
				       "\"name\" in the task \"" STR_FMT "\"",
				       STR_ARG((*n)->key));
		add_task(j, *n, (*n)->key, is_finally, ps);
	}
}

static void decode_tasks(struct job *j, struct problems *ps)
{
	struct doc_node *tasks = doc_get(j->doc->root, "tasks");
	struct doc_node *finally = doc_get(j->doc->root, "finally");

	if (tasks && tasks->kind == DOC_LIST) {
		j->is_list = true;
		add_list(j, tasks, ps);
	} else if (tasks && tasks->kind == DOC_MAP) {
		add_map(j, tasks, false, ps);
	} else if (tasks) {
		problem_at(ps, tasks, "wrong-type", NULL,
			   "tasks: a map or a list is wanted, not %s",
			   doc_kind_name(tasks->kind));
	}
	if (tasks && !tasks->n &&
	    (tasks->kind == DOC_MAP || tasks->kind == DOC_LIST))
		problem_at(ps, tasks, "no-tasks", NULL, "a job without tasks");
	if (finally && finally->kind == DOC_MAP)
		add_map(j, finally, true, ps);
}

static void decode_top(struct job *j)
{
	const struct doc_node *root = j->doc->root;
	const struct doc_node *source = doc_get(root, "source");
	int64_t v;

	j->name = job_text(doc_get(root, "name"), "");
	j->project = job_text(doc_get(root, "project"), "default");
	j->priority = 50;
	if (!doc_as_i64(doc_get(root, "priority"), &v) && v >= 0 && v <= 100)
		j->priority = (int32_t)v;
	if (!doc_as_i64(doc_get(root, "max_parallel"), &v) && v > 0 &&
	    v <= JOB_INSTANCES_MAX)
		j->max_parallel = (uint32_t)v;
	j->timeout_us = job_time(doc_get(root, "timeout"), DAY_US);
	j->workspace_run = str_is(job_text(doc_get(root, "workspace"),
					   j->is_list ? "run" : "task"),
				  "run");
	j->has_source = source && str_is(source->text, "upload");
}

/* What many tasks inherit is wrong once. */
static void drop_repeated(struct problems *ps)
{
	size_t kept = ps->n ? 1 : 0;

	for (size_t i = 1; i < ps->n; i++) {
		const struct problem *a = &ps->items[kept - 1];
		const struct problem *b = &ps->items[i];

		if (a->at.line == b->at.line && a->at.column == b->at.column &&
		    !strcmp(a->code, b->code) &&
		    !strcmp(a->message, b->message))
			continue;
		ps->items[kept++] = *b;
	}
	ps->n = kept;
}

/* Room for what the document may hold; add_task() counts. */
static size_t room_for_tasks(const struct doc_node *root)
{
	const struct doc_node *tasks = doc_get(root, "tasks");
	const struct doc_node *finally = doc_get(root, "finally");
	size_t n = (tasks ? tasks->n : 0) + (finally ? finally->n : 0);

	return n < TASKS_MAX ? n : TASKS_MAX;
}

int job_decode(struct doc *d, struct job **ret, struct problems *ps)
{
	size_t before = ps->n + ps->n_dropped;
	struct job *j = mem_alloc(sizeof(*j));
	bool bad;

	j->doc = d;
	j->arena = arena_new(JOB_ARENA_MAX);
	j->tasks = mem_array(room_for_tasks(d->root), sizeof(*j->tasks));
	if (d->root->kind != DOC_MAP) {
		problem_at(ps, d->root, "wrong-type", NULL,
			   "a job is a map, not %s",
			   doc_kind_name(d->root->kind));
	} else {
		shape_check(d->root, "job", ps);
		decode_tasks(j, ps);
		decode_top(j);
		check_job(j, ps);
		check_defaults(j, ps);
		check_inputs(j, ps);
		check_git(j, ps);
		check_refs(j, ps);
		check_hooks(j, ps);
	}
	bad = ps->n + ps->n_dropped != before;
	problems_sort(ps);
	drop_repeated(ps);
	if (bad) {
		job_free(j);
		return -1;
	}
	*ret = j;
	return 0;
}

int job_parse(struct str text, enum doc_syntax syntax, struct job **ret,
	      struct problems *ps)
{
	struct doc *d;

	if (doc_parse(text, syntax, &d, ps))
		return -1;
	return job_decode(d, ret, ps);
}

int job_parse_stored(struct str canonical, struct job **ret,
		     struct problems *ps)
{
	struct doc *d;

	if (doc_parse_max(canonical, DOC_JSON, JOB_CANONICAL_MAX, &d, ps))
		return -1;
	return job_decode(d, ret, ps);
}

void job_free(struct job *j)
{
	if (!j)
		return;
	doc_free(j->doc);
	arena_free(j->arena);
	mem_free(j->tasks);
	mem_free(j);
}

int job_canonical(const struct job *j, struct buf *b, struct err *e)
{
	return doc_write_canonical(j->doc->root, b, e);
}

/* --- what is not there yet ---------------------------------------------- */

static void not_yet(const struct doc_node *n, const char *what,
		    struct problems *ps)
{
	problem_at_key(ps, n, "not-supported-yet",
		       "it is checked, but nothing carries it out yet",
		       "%s: not supported yet", what);
}

static void find_dead(const struct doc_node *map, const char *where,
		      struct problems *ps);

static void find_dead_value(const struct doc_node *n, const struct job_key *k,
			    struct problems *ps)
{
	if (k->live > 1) {
		not_yet(n, k->name, ps);
		return;
	}
	if (!k->sub)
		return;
	if (n->kind == DOC_MAP && k->forms & FORM_OBJECT)
		find_dead(n, k->sub, ps);
	else if (n->kind == DOC_MAP || n->kind == DOC_LIST)
		for (const struct doc_node *i = n->first; i; i = i->next)
			find_dead(i, k->sub, ps);
}

static void find_dead(const struct doc_node *map, const char *where,
		      struct problems *ps)
{
	for (const struct doc_node *n = map->first; n; n = n->next) {
		const struct job_key *k = job_key_find(where, n->key);

		if (k)
			find_dead_value(n, k, ps);
	}
}

bool job_not_supported(const struct job *j, struct problems *ps)
{
	const struct doc_node *git =
		doc_get(doc_get(j->doc->root, "source"), "git");
	size_t before = ps->n + ps->n_dropped;

	find_dead(j->doc->root, "job", ps);
	if (git && job_git_is_ssh(git->text))
		problem_at(ps, git, "not-supported-yet",
			   "use https, and a token as source.secret",
			   "git over ssh: not supported yet");
	for (size_t i = 0; i < j->n_tasks; i++)
		if (!j->tasks[i].is_finally)
			find_dead(j->tasks[i].node, "task", ps);
	problems_sort(ps);
	return ps->n + ps->n_dropped != before;
}

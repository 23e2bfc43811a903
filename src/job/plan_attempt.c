/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt, everything evaluated; see plan.h. */
#include "base/hex.h"
#include "job/git.h"
#include "job/inputs.h"
#include "job/keys.h"
#include "job/secret_ref.h"

#include <stdlib.h>
#include <string.h>

enum {
	ATTEMPT_ARENA_MAX = 16 << 20
};

#define HOUR_US    ((uint64_t)3600 * 1000000)
#define GRACE_US   ((uint64_t)10 * 1000000)
#define FINALLY_US ((uint64_t)600 * 1000000)
#define LOG_BYTES  ((uint64_t)64 << 20)

struct maker {
	const struct job_plan *p;
	const struct job_task *t;
	struct job_attempt *a;
	struct inputs_scope scope;
	struct err *e;
};

static int too_large(struct maker *m)
{
	return err_set(m->e, ERR_LIMIT, "task \"" STR_FMT "\": too large",
		       STR_ARG(m->t->name));
}

static int keep(struct maker *m, struct str s, struct str *ret)
{
	char *p = arena_strndup(m->a->arena, s.p, s.len);

	if (!p)
		return too_large(m);
	*ret = str_n(p, s.len);
	return 0;
}

static int fill(struct maker *m, struct str text, struct str *ret)
{
	CLEANUP_BUF struct buf b = BUF_INIT(EXPR_TEXT_MAX);

	if (expr_fill(text, &m->scope.c, &b, m->e))
		return err_wrap(m->e, "task \"" STR_FMT "\"",
				STR_ARG(m->t->name));
	return keep(m, buf_view(&b), ret);
}

static void *room(struct maker *m, size_t n, size_t size)
{
	return arena_alloc(m->a->arena, (n + 1) * size);
}

static int fill_list(struct maker *m, const struct doc_node *list,
		     struct str **ret, size_t *ret_n)
{
	struct str *v = room(m, list ? list->n : 0, sizeof(*v));
	size_t n = 0;

	if (!v)
		return too_large(m);
	for (const struct doc_node *k = list ? list->first : NULL; k;
	     k = k->next)
		if (fill(m, k->text, &v[n++]))
			return -1;
	*ret = v;
	*ret_n = n;
	return 0;
}

/* --- what runs ---------------------------------------------------------- */

static int make_shell(struct maker *m)
{
	struct str words =
		job_text(job_task_get(m->p->job, m->t, "shell"), "/bin/sh -eu");
	struct str *v = room(m, words.len, sizeof(*v));
	size_t n = 0;

	if (!v)
		return too_large(m);
	while (words.len) {
		struct str word = str_cut(&words, ' ');

		if (word.len && keep(m, word, &v[n++]))
			return -1;
	}
	m->a->shell = v;
	m->a->n_shell = n;
	return 0;
}

static int make_script(struct maker *m, const struct doc_node *run)
{
	CLEANUP_BUF struct buf b = BUF_INIT(DOC_TEXT_MAX);
	const struct doc_node *b64 = doc_get(run, "base64");

	if (make_shell(m))
		return -1;
	m->a->has_script = true;
	if (run->kind != DOC_MAP)
		return keep(m, run->text, &m->a->script);
	if (!b64 || b64_decode(b64->text, &b))
		return err_set(m->e, ERR_INVALID, "run: not supported");
	return keep(m, buf_view(&b), &m->a->script);
}

/* A script that lies in the workspace: SHELL... FILE ARGS... as an argv.  The
 * ./ keeps a name with a dash from being an option. */
static int make_file(struct maker *m, const struct doc_node *run)
{
	const struct doc_node *args = doc_get(m->t->node, "args");
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct str *rest, *argv;
	size_t n;

	if (make_shell(m) || fill_list(m, args, &rest, &n))
		return -1;
	argv = room(m, m->a->n_shell + 1 + n, sizeof(*argv));
	if (!argv)
		return too_large(m);
	memcpy(argv, m->a->shell, m->a->n_shell * sizeof(*argv));
	buf_puts(&b, "./");
	buf_str(&b, doc_get(run, "file")->text);
	if (keep(m, buf_view(&b), &argv[m->a->n_shell]))
		return -1;
	memcpy(argv + m->a->n_shell + 1, rest, n * sizeof(*argv));
	m->a->args = argv;
	m->a->n_args = m->a->n_shell + 1 + n;
	m->a->n_shell = 0;
	return 0;
}

static int make_command(struct maker *m)
{
	const struct doc_node *run = doc_get(m->t->node, "run");

	if (doc_get(run, "file"))
		return make_file(m, run);
	if (run && make_script(m, run))
		return -1;
	return fill_list(m, doc_get(m->t->node, run ? "args" : "argv"),
			 &m->a->args, &m->a->n_args);
}

/* The nearer one wins: task, defaults, job. */
static int add_env(struct maker *m, const struct doc_node *map)
{
	struct doc_node **k = job_by_key(m->a->arena, map);
	size_t n_nearer = m->a->n_env; /* in one map no name comes twice */

	if (!k)
		return too_large(m);
	for (; *k; k++) {
		struct job_attempt *a = m->a;
		bool known = false;

		for (size_t i = 0; i < n_nearer; i++)
			known |= str_eq(a->env[i].name, (*k)->key);
		if (known)
			continue;
		if (keep(m, (*k)->key, &a->env[a->n_env].name) ||
		    fill(m, (*k)->text, &a->env[a->n_env].value))
			return -1;
		a->n_env++;
	}
	return 0;
}

static int make_env(struct maker *m)
{
	const struct doc_node *root = m->p->job->doc->root;
	const struct doc_node *maps[] = {
		doc_get(m->t->node, "env"),
		doc_get(doc_get(root, "defaults"), "env"),
		doc_get(root, "env")};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		n += maps[i] ? maps[i]->n : 0;
	m->a->env = room(m, n, sizeof(*m->a->env));
	for (size_t i = 0; m->a->env && i < ARRAY_LEN(maps); i++)
		if (add_env(m, maps[i]))
			return -1;
	return m->a->env ? 0 : too_large(m);
}

/* --- in and out --------------------------------------------------------- */

static uint8_t type_of(struct str s)
{
	static const char *const names[] = {"string", "int", "bool", "list",
					    "json"};

	for (uint8_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(s, names[i]))
			return i;
	return TYPE_STRING;
}

static int make_outputs(struct maker *m)
{
	const struct doc_node *map = doc_get(m->t->node, "outputs");
	struct job_attempt *a = m->a;

	struct doc_node **list = job_by_key(a->arena, map);

	a->outputs = room(m, map ? map->n : 0, sizeof(*a->outputs));
	if (!list || !a->outputs)
		return too_large(m);
	for (; *list; list++) {
		const struct doc_node *k = *list;
		struct job_output *o = &a->outputs[a->n_outputs++];
		uint64_t max = 65536;

		if (keep(m, k->key, &o->name) ||
		    keep(m, job_text(doc_get(k, "pattern"), ""), &o->pattern))
			return -1;
		o->type = type_of(job_text(doc_get(k, "type"), "string"));
		if (doc_get(k, "max"))
			(void)!job_size(doc_get(k, "max")->text, &max);
		o->max_bytes = max < 65536 ? (uint32_t)max : 65536;
	}
	return 0;
}

static int make_artifact(struct maker *m, const struct doc_node *k)
{
	struct job_artifact *x = &m->a->artifacts[m->a->n_artifacts++];
	const struct doc_node *path = doc_get(k, "path");
	struct str when = job_text(doc_get(k, "when"), "succeeded");

	if (keep(m, k->key, &x->name))
		return -1;
	x->many = path->kind == DOC_LIST;
	if (x->many) {
		if (fill_list(m, path, &x->paths, &x->n_paths))
			return -1;
	} else {
		x->paths = room(m, 1, sizeof(*x->paths));
		x->n_paths = 1;
		if (!x->paths || fill(m, path->text, &x->paths[0]))
			return -1;
	}
	x->when = str_is(when, "failed") ? WHEN_FAILED :
		  str_is(when, "always") ? WHEN_ALWAYS :
					   WHEN_SUCCEEDED;
	x->optional = str_is(job_text(doc_get(k, "optional"), ""), "true");
	x->allow_secret =
		str_is(job_text(doc_get(k, "allow_secret"), ""), "true");
	if (doc_get(k, "max"))
		(void)!job_size(doc_get(k, "max")->text, &x->max_bytes);
	x->retain_us = job_time(doc_get(k, "retain"), 0);
	return 0;
}

static int make_stdio(struct maker *m)
{
	const struct doc_node *out = doc_get(m->t->node, "stdout");
	struct str log = job_text(doc_get(out, "log"), "all");
	const struct job_instance *in = &m->p->instances[m->scope.i];
	struct job_attempt *a = m->a;

	a->stdin_pipe = in->stdin_from >= 0;
	for (size_t i = 0; i < m->p->n; i++)
		a->n_readers = (uint8_t)(a->n_readers +
					 (m->p->instances[i].stdin_from ==
					  (int32_t)m->scope.i));
	a->log_max_bytes = LOG_BYTES;
	if (str_is(log, "none"))
		a->log_mode = LOG_NONE;
	else if (!job_size(log, &a->log_max_bytes))
		a->log_mode = LOG_SIZE;
	if (keep(m, job_text(doc_get(out, "artifact"), ""),
		 &a->stdout_artifact))
		return -1;
	return keep(m,
		    job_text(doc_get(out, "file"),
			     a->stdout_artifact.len ? "stdout" : ""),
		    &a->stdout_file);
}

static int make_files(struct maker *m)
{
	const struct doc_node *list = doc_get(m->t->node, "files");
	struct job_attempt *a = m->a;

	a->files = room(m, list ? list->n : 0, sizeof(*a->files));
	if (!a->files)
		return too_large(m);
	for (const struct doc_node *k = list ? list->first : NULL; k;
	     k = k->next) {
		struct job_file *f = &a->files[a->n_files++];
		struct str task, name;

		if (job_artifact_split(k->text, &task, &name))
			return err_set(m->e, ERR_INTERNAL, "files");
		/* Until the engine knows better: the artifact's own name. */
		if (keep(m, task, &f->task) || keep(m, name, &f->file) ||
		    keep(m, name, &f->staged))
			return -1;
	}
	return 0;
}

static int make_artifacts(struct maker *m)
{
	const struct doc_node *map = doc_get(m->t->node, "artifacts");

	struct doc_node **list = job_by_key(m->a->arena, map);

	m->a->artifacts = room(m, map ? map->n : 0, sizeof(*m->a->artifacts));
	if (!list || !m->a->artifacts)
		return too_large(m);
	for (; *list; list++)
		if (make_artifact(m, *list))
			return -1;
	return 0;
}

/* --- secrets ------------------------------------------------------------ */

static uint8_t deliver_of(struct str s)
{
	return str_is(s, "fd")    ? DELIVER_FD :
	       str_is(s, "stdin") ? DELIVER_STDIN :
	       str_is(s, "env")   ? DELIVER_ENV :
				    DELIVER_FILE;
}

static int secret_ref(struct maker *m, const struct doc_node *s,
		      struct str *ret)
{
	CLEANUP_BUF struct buf b = BUF_INIT(8192);

	if (job_secret_ref(m->p->job->project, s, &m->scope.c, &b, m->e))
		return err_wrap(m->e, "secret \"" STR_FMT "\"",
				STR_ARG(s->key));
	return keep(m, buf_view(&b), ret);
}

static int make_secrets(struct maker *m)
{
	const struct doc_node *list = doc_get(m->t->node, "secrets");
	const struct doc_node *all = doc_get(m->p->job->doc->root, "secrets");
	struct job_attempt *a = m->a;

	a->secrets = room(m, list ? list->n : 0, sizeof(*a->secrets));
	if (!a->secrets)
		return too_large(m);
	for (const struct doc_node *k = list ? list->first : NULL; k;
	     k = k->next) {
		const struct doc_node *s = doc_get_str(all, k->text);
		struct job_secret_use *u = &a->secrets[a->n_secrets++];

		if (keep(m, k->text, &u->name) || secret_ref(m, s, &u->ref) ||
		    keep(m, job_text(doc_get(s, "field"), ""), &u->field))
			return -1;
		u->deliver =
			deliver_of(job_text(doc_get(s, "deliver"), "file"));
		u->leak_fails =
			str_is(job_text(doc_get(s, "on_leak"), ""), "fail");
	}
	return 0;
}

/* --- where -------------------------------------------------------------- */

static const struct doc_node *limit_node(struct maker *m, const char *key)
{
	const struct doc_node *root = m->p->job->doc->root;
	const struct doc_node *own =
		doc_get(doc_get(doc_get(m->t->node, "sandbox"), "limits"), key);

	if (own)
		return own;
	return doc_get(doc_get(doc_get(doc_get(root, "defaults"), "sandbox"),
			       "limits"),
		       key);
}

static uint64_t size_limit(struct maker *m, const char *key)
{
	const struct doc_node *n = limit_node(m, key);
	uint64_t v;

	return n && !job_size(n->text, &v) ? v : 0;
}

static uint32_t count_limit(struct maker *m, const char *key)
{
	const struct doc_node *n = limit_node(m, key);
	int64_t v;

	return n && !doc_as_i64(n, &v) ? (uint32_t)v : 0;
}

static int make_limits(struct maker *m)
{
	const struct doc_node *cpu = limit_node(m, "cpu");
	struct grant_limits *l = &m->a->limits;

	l->memory_bytes = size_limit(m, "memory");
	l->disk_bytes = size_limit(m, "disk");
	l->log_bytes = size_limit(m, "log");
	l->pids = count_limit(m, "pids");
	l->open_files = count_limit(m, "open_files");
	if (l->log_bytes && m->a->log_mode != LOG_SIZE)
		m->a->log_max_bytes = l->log_bytes;
	/* Policy clamps this one; the runner takes the lesser of the two. */
	l->log_bytes = m->a->log_max_bytes;
	if (cpu && job_cpu(cpu->text, &l->cpu_milli))
		return err_set(m->e, ERR_INTERNAL, "limits.cpu");
	return 0;
}

static int make_place(struct maker *m)
{
	const struct job *j = m->p->job;
	struct job_attempt *a = m->a;
	bool memory = str_is(
		job_text(job_sandbox_get(j, m->t, "workspace_in"), "disk"),
		"memory");

	if (keep(m, job_text(job_sandbox_get(j, m->t, "profile"), "default"),
		 &a->profile) ||
	    keep(m, job_text(job_sandbox_get(j, m->t, "network"), "none"),
		 &a->network) ||
	    make_limits(m))
		return -1;
	a->workspace_kind = memory           ? WORKSPACE_MEMORY :
			    j->workspace_run ? WORKSPACE_SHARED :
					       WORKSPACE_DISK;
	a->has_source = j->has_source;
	a->timeout_us = job_time(job_task_get(j, m->t, "timeout"),
				 m->t->is_finally ? FINALLY_US : HOUR_US);
	a->grace_us = job_time(job_task_get(j, m->t, "grace"), GRACE_US);
	return 0;
}

/* Only the engine says this trigger: of a job that git_fetch.c has made.  To
 * policy it is the job that wants the source. */
static int make_fetch(struct maker *m)
{
	const struct job *j = m->p->job;

	m->a->fetches = STR("");
	if (!str_is(m->p->facts.trigger, GIT_TRIGGER))
		return 0;
	if (keep(m,
		 job_text(doc_get(doc_get(j->doc->root, "labels"), "job"), ""),
		 &m->a->job))
		return -1;
	return keep(
		m,
		job_text(doc_get(doc_get(m->t->node, "env"), "SOURCE_URL"), ""),
		&m->a->fetches);
}

static int make_names(struct maker *m)
{
	const struct job_plan *p = m->p;
	const struct job_instance *in = &p->instances[m->scope.i];
	struct job_attempt *a = m->a;

	a->inputs = room(m, p->n_inputs, sizeof(*a->inputs));
	a->matrix = room(m, in->n_matrix, sizeof(*a->matrix));
	if (!a->inputs || !a->matrix)
		return too_large(m);
	for (size_t i = 0; i < p->n_inputs; i++)
		if (keep(m, p->inputs[i].name, &a->inputs[i].name) ||
		    keep(m, p->inputs[i].value, &a->inputs[i].value))
			return -1;
	for (size_t i = 0; i < in->n_matrix; i++)
		if (keep(m, in->matrix[i].name, &a->matrix[i].name) ||
		    keep(m, in->matrix[i].value, &a->matrix[i].value))
			return -1;
	a->n_inputs = p->n_inputs;
	a->n_matrix = in->n_matrix;
	return keep(m, p->job->project, &a->project) ||
			       keep(m, p->job->name, &a->job) ||
			       keep(m, p->facts.run_id, &a->run_id) ||
			       keep(m, in->name, &a->task) ||
			       keep(m, p->facts.submitter, &a->submitter) ||
			       keep(m, p->facts.trigger, &a->trigger) ?
		       -1 :
		       0;
}

int job_plan_attempt(const struct job_plan *p, size_t i,
		     const struct job_stand *stand, struct job_attempt **ret,
		     struct err *e)
{
	struct job_attempt *a = mem_alloc(sizeof(*a));
	struct maker m = {.p = p,
			  .t = &p->job->tasks[p->instances[i].task],
			  .a = a,
			  .e = e};

	a->arena = arena_new(ATTEMPT_ARENA_MAX);
	inputs_scope(&m.scope, p, i, stand, a->arena);
	if (make_names(&m) || make_command(&m) || make_env(&m) ||
	    make_stdio(&m) || make_outputs(&m) || make_artifacts(&m) ||
	    make_files(&m) || make_secrets(&m) || make_place(&m) ||
	    make_fetch(&m)) {
		job_attempt_free(a);
		return -1;
	}
	*ret = a;
	return 0;
}

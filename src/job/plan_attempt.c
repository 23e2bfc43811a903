/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt, everything evaluated; see plan.h. */
#include "base/hex.h"
#include "job/git.h"
#include "job/identity.h"
#include "job/keys.h"
#include "job/plan_maker.h"
#include "job/secret_ref.h"

#include <stdlib.h>
#include <string.h>

enum {
	ATTEMPT_ARENA_MAX = 16 << 20
};

#define HOUR_US    ((uint64_t)3600 * 1000000)
#define GRACE_US   ((uint64_t)10 * 1000000)
#define FINALLY_US ((uint64_t)600 * 1000000)

int maker_too_large(struct maker *m)
{
	return err_set(m->e, ERR_LIMIT, "task \"" STR_FMT "\": too large",
		       STR_ARG(m->t->name));
}

int maker_keep(struct maker *m, struct str s, struct str *ret)
{
	char *p = arena_strndup(m->a->arena, s.p, s.len);

	if (!p)
		return maker_too_large(m);
	*ret = str_n(p, s.len);
	return 0;
}

int maker_fill(struct maker *m, struct str text, struct str *ret)
{
	CLEANUP_BUF struct buf b = BUF_INIT(EXPR_TEXT_MAX);

	if (expr_fill(text, &m->scope.c, &b, m->e))
		return err_wrap(m->e, "task \"" STR_FMT "\"",
				STR_ARG(m->t->name));
	return maker_keep(m, buf_view(&b), ret);
}

void *maker_room(struct maker *m, size_t n, size_t size)
{
	return arena_alloc(m->a->arena, (n + 1) * size);
}

int maker_fill_list(struct maker *m, const struct doc_node *list,
		    struct str **ret, size_t *ret_n)
{
	struct str *v = maker_room(m, list ? list->n : 0, sizeof(*v));
	size_t n = 0;

	if (!v)
		return maker_too_large(m);
	for (const struct doc_node *k = list ? list->first : NULL; k;
	     k = k->next)
		if (maker_fill(m, k->text, &v[n++]))
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
	struct str *v = maker_room(m, words.len, sizeof(*v));
	size_t n = 0;

	if (!v)
		return maker_too_large(m);
	while (words.len) {
		struct str word = str_cut(&words, ' ');

		if (word.len && maker_keep(m, word, &v[n++]))
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
		return maker_keep(m, run->text, &m->a->script);
	if (!b64 || b64_decode(b64->text, &b))
		return err_set(m->e, ERR_INVALID, "run: not supported");
	return maker_keep(m, buf_view(&b), &m->a->script);
}

/* A script that lies in the workspace: SHELL... FILE ARGS... as an argv.  The
 * ./ keeps a name with a dash from being an option. */
static int make_file(struct maker *m, const struct doc_node *run)
{
	const struct doc_node *args = doc_get(m->t->node, "args");
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct str *rest, *argv;
	size_t n;

	if (make_shell(m) || maker_fill_list(m, args, &rest, &n))
		return -1;
	argv = maker_room(m, m->a->n_shell + 1 + n, sizeof(*argv));
	if (!argv)
		return maker_too_large(m);
	memcpy(argv, m->a->shell, m->a->n_shell * sizeof(*argv));
	buf_puts(&b, "./");
	buf_str(&b, doc_get(run, "file")->text);
	if (maker_keep(m, buf_view(&b), &argv[m->a->n_shell]))
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
	return maker_fill_list(m, doc_get(m->t->node, run ? "args" : "argv"),
			       &m->a->args, &m->a->n_args);
}

/* The nearer one wins: task, defaults, job. */
static int add_env(struct maker *m, const struct doc_node *map)
{
	struct doc_node **k = job_by_key(m->a->arena, map);
	size_t n_nearer = m->a->n_env; /* in one map no name comes twice */

	if (!k)
		return maker_too_large(m);
	for (; *k; k++) {
		struct job_attempt *a = m->a;
		bool known = false;

		for (size_t i = 0; i < n_nearer; i++)
			known |= str_eq(a->env[i].name, (*k)->key);
		if (known)
			continue;
		if (maker_keep(m, (*k)->key, &a->env[a->n_env].name) ||
		    maker_fill(m, (*k)->text, &a->env[a->n_env].value))
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
	m->a->env = maker_room(m, n, sizeof(*m->a->env));
	for (size_t i = 0; m->a->env && i < ARRAY_LEN(maps); i++)
		if (add_env(m, maps[i]))
			return -1;
	return m->a->env ? 0 : maker_too_large(m);
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
	return maker_keep(m, buf_view(&b), ret);
}

/* A certificate serves on after the attempt that asked for it. */
static bool keeps(const struct doc_node *s)
{
	bool pki = str_is(job_text(doc_get(s, "kind"), ""), "pki");

	return str_is(job_text(doc_get(s, "on_end"), pki ? "keep" : "revoke"),
		      "keep");
}

/* Delivered as secrets are, and written anew as those with `refresh`. */
static int make_identities(struct maker *m, const struct doc_node *map)
{
	struct job_attempt *a = m->a;

	for (const struct doc_node *n = map ? map->first : NULL; n;
	     n = n->next) {
		struct job_secret_use *u = &a->secrets[a->n_secrets++];
		CLEANUP_BUF struct buf b = BUF_INIT(SECRET_TEXT_MAX);

		job_identity_ref(n, &b);
		if (b.failed || maker_keep(m, n->key, &u->name) ||
		    maker_keep(m, buf_view(&b), &u->ref) ||
		    maker_keep(m, STR(""), &u->field))
			return maker_too_large(m);
		u->deliver = DELIVER_FILE;
		u->refresh = true;
	}
	return 0;
}

static int make_secrets(struct maker *m)
{
	const struct doc_node *list = doc_get(m->t->node, "secrets");
	const struct doc_node *tokens = doc_get(m->t->node, "identity");
	const struct doc_node *all = doc_get(m->p->job->doc->root, "secrets");
	struct job_attempt *a = m->a;

	a->secrets =
		maker_room(m, (list ? list->n : 0) + (tokens ? tokens->n : 0),
			   sizeof(*a->secrets));
	if (!a->secrets)
		return maker_too_large(m);
	for (const struct doc_node *k = list ? list->first : NULL; k;
	     k = k->next) {
		const struct doc_node *s = doc_get_str(all, k->text);
		struct job_secret_use *u = &a->secrets[a->n_secrets++];

		if (maker_keep(m, k->text, &u->name) ||
		    secret_ref(m, s, &u->ref) ||
		    maker_keep(m, job_text(doc_get(s, "field"), ""), &u->field))
			return -1;
		u->deliver =
			deliver_of(job_text(doc_get(s, "deliver"), "file"));
		u->leak_fails =
			str_is(job_text(doc_get(s, "on_leak"), ""), "fail");
		u->refresh =
			str_is(job_text(doc_get(s, "refresh"), ""), "true");
		u->keep = keeps(s);
	}
	return make_identities(m, tokens);
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

	if (maker_keep(m,
		       job_text(job_sandbox_get(j, m->t, "profile"), "default"),
		       &a->profile) ||
	    maker_keep(m, job_text(job_sandbox_get(j, m->t, "network"), "none"),
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
	if (maker_keep(m,
		       job_text(doc_get(doc_get(j->doc->root, "labels"), "job"),
				""),
		       &m->a->job))
		return -1;
	return maker_keep(
		m,
		job_text(doc_get(doc_get(m->t->node, "env"), "SOURCE_URL"), ""),
		&m->a->fetches);
}

static int make_names(struct maker *m)
{
	const struct job_plan *p = m->p;
	const struct job_instance *in = &p->instances[m->scope.i];
	struct job_attempt *a = m->a;

	a->inputs = maker_room(m, p->n_inputs, sizeof(*a->inputs));
	a->matrix = maker_room(m, in->n_matrix, sizeof(*a->matrix));
	if (!a->inputs || !a->matrix)
		return maker_too_large(m);
	for (size_t i = 0; i < p->n_inputs; i++)
		if (maker_keep(m, p->inputs[i].name, &a->inputs[i].name) ||
		    maker_keep(m, p->inputs[i].value, &a->inputs[i].value))
			return -1;
	for (size_t i = 0; i < in->n_matrix; i++)
		if (maker_keep(m, in->matrix[i].name, &a->matrix[i].name) ||
		    maker_keep(m, in->matrix[i].value, &a->matrix[i].value))
			return -1;
	a->n_inputs = p->n_inputs;
	a->n_matrix = in->n_matrix;
	return maker_keep(m, p->job->project, &a->project) ||
			       maker_keep(m, p->job->name, &a->job) ||
			       maker_keep(m, p->facts.run_id, &a->run_id) ||
			       maker_keep(m, in->name, &a->task) ||
			       maker_keep(m, p->facts.submitter,
					  &a->submitter) ||
			       maker_keep(m, p->facts.trigger, &a->trigger) ?
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
	    maker_stdio(&m) || maker_outputs(&m) || maker_artifacts(&m) ||
	    maker_files(&m) || make_secrets(&m) || maker_templates(&m) ||
	    maker_cache(&m) || make_place(&m) || make_fetch(&m)) {
		job_attempt_free(a);
		return -1;
	}
	*ret = a;
	return 0;
}

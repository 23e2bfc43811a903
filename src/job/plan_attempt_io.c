/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an attempt takes in and leaves: streams, outputs, artifacts, files, its
 * cache; see plan.h. */
#include "job/cache.h"
#include "job/keys.h"
#include "job/plan_maker.h"

#define LOG_BYTES ((uint64_t)64 << 20)

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

int maker_outputs(struct maker *m)
{
	const struct doc_node *map = doc_get(m->t->node, "outputs");
	struct job_attempt *a = m->a;

	struct doc_node **list = job_by_key(a->arena, map);

	a->outputs = maker_room(m, map ? map->n : 0, sizeof(*a->outputs));
	if (!list || !a->outputs)
		return maker_too_large(m);
	for (; *list; list++) {
		const struct doc_node *k = *list;
		struct job_output *o = &a->outputs[a->n_outputs++];
		uint64_t max = 65536;

		if (maker_keep(m, k->key, &o->name) ||
		    maker_keep(m, job_text(doc_get(k, "pattern"), ""),
			       &o->pattern))
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

	if (maker_keep(m, k->key, &x->name))
		return -1;
	x->many = path->kind == DOC_LIST;
	if (x->many) {
		if (maker_fill_list(m, path, &x->paths, &x->n_paths))
			return -1;
	} else {
		x->paths = maker_room(m, 1, sizeof(*x->paths));
		x->n_paths = 1;
		if (!x->paths || maker_fill(m, path->text, &x->paths[0]))
			return -1;
	}
	x->when = str_is(when, "failed") ? WHEN_FAILED :
		  str_is(when, "always") ? WHEN_ALWAYS :
					   WHEN_SUCCEEDED;
	x->optional = str_is(job_text(doc_get(k, "optional"), ""), "true");
	x->allow_secret =
		str_is(job_text(doc_get(k, "allow_secret"), ""), "true");
	x->is_private = str_is(job_text(doc_get(k, "private"), ""), "true");
	if (doc_get(k, "max"))
		(void)!job_size(doc_get(k, "max")->text, &x->max_bytes);
	x->retain_us = job_time(doc_get(k, "retain"), 0);
	return 0;
}

int maker_stdio(struct maker *m)
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
	if (maker_keep(m, job_text(doc_get(out, "artifact"), ""),
		       &a->stdout_artifact))
		return -1;
	return maker_keep(m,
			  job_text(doc_get(out, "file"),
				   a->stdout_artifact.len ? "stdout" : ""),
			  &a->stdout_file);
}

int maker_files(struct maker *m)
{
	const struct doc_node *list = doc_get(m->t->node, "files");
	struct job_attempt *a = m->a;

	a->files = maker_room(m, list ? list->n : 0, sizeof(*a->files));
	if (!a->files)
		return maker_too_large(m);
	for (const struct doc_node *k = list ? list->first : NULL; k;
	     k = k->next) {
		struct job_file *f = &a->files[a->n_files++];
		struct str task, name;

		if (job_artifact_split(k->text, &task, &name))
			return err_set(m->e, ERR_INTERNAL, "files");
		/* Until the engine knows better: the artifact's own name. */
		if (maker_keep(m, task, &f->task) ||
		    maker_keep(m, name, &f->file) ||
		    maker_keep(m, name, &f->staged))
			return -1;
	}
	return 0;
}

/* A key that is empty (an output that is not there) keeps nothing. */
int maker_cache(struct maker *m)
{
	const struct doc_node *cache = doc_get(m->t->node, "cache");
	struct job_cache *c = &m->a->cache;

	c->key = c->hit = STR("");
	if (!cache)
		return 0;
	if (maker_fill(m, job_text(doc_get(cache, "key"), ""), &c->key) ||
	    maker_fill_list(m, doc_get(cache, "paths"), &c->paths,
			    &c->n_paths) ||
	    maker_fill_list(m, doc_get(cache, "restore_keys"), &c->restore_keys,
			    &c->n_restore_keys))
		return -1;
	return c->key.len <= CACHE_KEY_MAX ?
		       0 :
		       err_set(m->e, ERR_LIMIT,
			       "task \"" STR_FMT
			       "\": the key of its cache is too long",
			       STR_ARG(m->t->name));
}

int maker_artifacts(struct maker *m)
{
	const struct doc_node *map = doc_get(m->t->node, "artifacts");

	struct doc_node **list = job_by_key(m->a->arena, map);

	m->a->artifacts =
		maker_room(m, map ? map->n : 0, sizeof(*m->a->artifacts));
	if (!list || !m->a->artifacts)
		return maker_too_large(m);
	for (; *list; list++)
		if (make_artifact(m, *list))
			return -1;
	return 0;
}

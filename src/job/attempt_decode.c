/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* An attempt from its JSON, every field checked; see attempt.h. */
#include "base/hex.h"
#include "job/attempt.h"
#include "job/cache.h"
#include "job/git.h"
#include "job/keys.h"
#include "job/pattern.h"
#include "job/template.h"

#include <string.h>

/* The first thing that is wrong sticks; everything after is skipped. */
struct in {
	const struct doc_node *map;
	struct job_attempt *a;
	const char *wrong;
};

static struct str keep(struct in *in, struct str s, const char *key)
{
	char *p = arena_strndup(in->a->arena, s.p, s.len);

	if (!p)
		in->wrong = key;
	return str_n(p, p ? s.len : 0);
}

/* A text as value() wrote it. */
static struct str get_value(struct in *in, const struct doc_node *n, size_t max,
			    const char *key)
{
	CLEANUP_BUF struct buf b = BUF_INIT(max);
	struct str s;

	if (in->wrong)
		return str_n(NULL, 0);
	if (n && n->kind == DOC_MAP && !doc_as_string(doc_get(n, "b64"), &s)) {
		if (!b64_decode(s, &b) && !b.failed)
			return keep(in, buf_view(&b), key);
	} else if (!doc_as_string(n, &s) && s.len <= max) {
		return keep(in, s, key);
	}
	in->wrong = key;
	return str_n(NULL, 0);
}

static struct str get_text(struct in *in, const char *key, size_t max)
{
	return get_value(in, doc_get(in->map, key), max, key);
}

static uint64_t get_num(struct in *in, const char *key, uint64_t max)
{
	int64_t v = 0;

	if (in->wrong)
		return 0;
	if (doc_as_i64(doc_get(in->map, key), &v) || v < 0 ||
	    (uint64_t)v > max) {
		in->wrong = key;
		return 0;
	}
	return (uint64_t)v;
}

/* The items of a list, and room for as many things of that size in *ret. */
static const struct doc_node *get_list(struct in *in, const char *key,
				       size_t max, size_t size, void **ret)
{
	const struct doc_node *list = doc_get(in->map, key);

	if (in->wrong)
		return NULL;
	if (!list || list->kind != DOC_LIST || list->n > max) {
		in->wrong = key;
		return NULL;
	}
	*ret = arena_alloc(in->a->arena, (list->n + 1) * size);
	if (!*ret)
		in->wrong = key;
	return in->wrong ? NULL : list->first;
}

static size_t get_texts(struct in *in, const char *key, size_t max,
			struct str **ret)
{
	void *room = NULL;
	const struct doc_node *n = get_list(in, key, max, sizeof(**ret), &room);
	size_t count = 0;

	*ret = room;
	for (; n && !in->wrong; n = n->next)
		(*ret)[count++] = get_value(in, n, 1 << 20, key);
	return count;
}

static size_t get_pairs(struct in *in, const char *key, struct job_pair **ret)
{
	void *room = NULL;
	const struct doc_node *n =
		get_list(in, key, 4096, sizeof(**ret), &room);
	const struct doc_node *map = in->map;
	size_t count = 0;

	*ret = room;
	for (; n && !in->wrong; n = n->next) {
		in->map = n;
		(*ret)[count].name = get_text(in, "n", 4096);
		(*ret)[count++].value = get_text(in, "v", 1 << 20);
	}
	in->map = map;
	return count;
}

static void get_outputs(struct in *in)
{
	struct job_attempt *a = in->a;
	const struct doc_node *map = in->map;
	void *room = NULL;
	const struct doc_node *n =
		get_list(in, "outputs", 256, sizeof(*a->outputs), &room);

	a->outputs = room;
	for (; n && !in->wrong; n = n->next) {
		struct job_output *o = &a->outputs[a->n_outputs++];

		in->map = n;
		o->name = get_text(in, "name", 63);
		o->pattern = get_text(in, "pattern", PATTERN_LEN_MAX);
		if (!in->wrong && o->pattern.len && !pattern_ok(o->pattern))
			in->wrong = "pattern";
		o->type = (uint8_t)get_num(in, "type", TYPE_JSON);
		o->max_bytes = (uint32_t)get_num(in, "max", 65536);
	}
	in->map = map;
}

static void get_artifacts(struct in *in)
{
	struct job_attempt *a = in->a;
	const struct doc_node *map = in->map;
	void *room = NULL;
	const struct doc_node *n =
		get_list(in, "artifacts", 256, sizeof(*a->artifacts), &room);

	a->artifacts = room;
	for (; n && !in->wrong; n = n->next) {
		struct job_artifact *x = &a->artifacts[a->n_artifacts++];

		in->map = n;
		x->name = get_text(in, "name", 63);
		x->n_paths = get_texts(in, "paths", 1000, &x->paths);
		x->many = get_num(in, "many", 1) != 0;
		x->when = (uint8_t)get_num(in, "when", WHEN_ALWAYS);
		if (!in->wrong && (!x->when || !x->n_paths))
			in->wrong = "artifacts";
		x->optional = get_num(in, "optional", 1) != 0;
		x->allow_secret = get_num(in, "allow_secret", 1) != 0;
		x->is_private = get_num(in, "private", 1) != 0;
		x->max_bytes = get_num(in, "max", INT64_MAX);
		x->retain_us = get_num(in, "retain", INT64_MAX);
	}
	in->map = map;
}

/* A name for a file in a directory of ours: no path. */
static bool plain_name(struct str s)
{
	return s.len && s.p[0] != '.' && !str_has(s, '/') && !str_has(s, '\0');
}

static void get_files(struct in *in)
{
	struct job_attempt *a = in->a;
	const struct doc_node *map = in->map;
	void *room = NULL;
	const struct doc_node *n =
		get_list(in, "files", 256, sizeof(*a->files), &room);

	a->files = room;
	for (; n && !in->wrong; n = n->next) {
		struct job_file *f = &a->files[a->n_files++];
		struct str hex;

		in->map = n;
		f->task = get_text(in, "task", 255);
		f->file = get_text(in, "file", 255);
		f->staged = get_text(in, "staged", 255);
		f->is_private = get_num(in, "private", 1) != 0;
		hex = get_text(in, "sha256", HASH_HEX_LEN);
		if (hex.len)
			memcpy(f->sha256, hex.p, hex.len);
		if (!in->wrong &&
		    (!plain_name(f->file) || !plain_name(f->staged) ||
		     !plain_name(f->task)))
			in->wrong = "files";
	}
	in->map = map;
}

static void get_secrets(struct in *in)
{
	struct job_attempt *a = in->a;
	const struct doc_node *map = in->map;
	void *room = NULL;
	const struct doc_node *n = get_list(in, "secrets", GRANT_REFS_MAX,
					    sizeof(*a->secrets), &room);

	a->secrets = room;
	for (; n && !in->wrong; n = n->next) {
		struct job_secret_use *u = &a->secrets[a->n_secrets++];

		in->map = n;
		u->name = get_text(in, "name", 63);
		u->ref = get_text(in, "ref", 4096);
		u->field = get_text(in, "field", 255);
		u->deliver = (uint8_t)get_num(in, "deliver", 15);
		if (!in->wrong && (!u->deliver || !job_name_ok(u->name)))
			in->wrong = "secrets";
		u->leak_fails = get_num(in, "leak_fails", 1) != 0;
		u->refresh = get_num(in, "refresh", 1) != 0;
		u->keep = get_num(in, "keep", 1) != 0;
	}
	in->map = map;
}

static void get_parts(struct in *in, struct job_template *t)
{
	const struct doc_node *map = in->map;
	void *room = NULL;
	const struct doc_node *n = get_list(in, "parts", TEMPLATE_PARTS_MAX,
					    sizeof(*t->parts), &room);

	t->parts = room;
	for (; n && !in->wrong; n = n->next) {
		struct job_template_part *p = &t->parts[t->n_parts++];

		in->map = n;
		p->text = get_text(in, "text", TEMPLATE_MADE_MAX);
		p->secret = (uint8_t)get_num(in, "secret", in->a->n_secrets);
		p->quote = (uint8_t)get_num(in, "quote", N_QUOTES - 1);
		p->field = get_text(in, "field", TEMPLATE_FIELD_MAX);
	}
	in->map = map;
}

/* Behind the secrets. */
static void get_templates(struct in *in)
{
	struct job_attempt *a = in->a;
	const struct doc_node *map = in->map;
	void *room = NULL;
	const struct doc_node *n = get_list(in, "templates", TEMPLATES_MAX,
					    sizeof(*a->templates), &room);

	a->templates = room;
	for (; n && !in->wrong; n = n->next) {
		struct job_template *t = &a->templates[a->n_templates++];

		in->map = n;
		t->file = get_text(in, "file", 63);
		if (!in->wrong && !template_file_ok(t->file))
			in->wrong = "templates";
		get_parts(in, t);
	}
	in->map = map;
}

static void get_limits(struct in *in)
{
	struct grant_limits *l = &in->a->limits;
	const struct doc_node *map = in->map;

	in->map = doc_get(map, "limits");
	l->memory_bytes = get_num(in, "memory", INT64_MAX);
	l->disk_bytes = get_num(in, "disk", INT64_MAX);
	l->log_bytes = get_num(in, "log", INT64_MAX);
	l->pids = (uint32_t)get_num(in, "pids", 1 << 22);
	l->cpu_milli = (uint32_t)get_num(in, "cpu", 1 << 22);
	l->open_files = (uint32_t)get_num(in, "open_files", 1 << 20);
	in->map = map;
}

static void get_script(struct in *in)
{
	struct buf b = BUF_INIT(DOC_TEXT_MAX);
	struct str s;

	in->a->has_script = get_num(in, "has_script", 1) != 0;
	if (in->wrong)
		return;
	if (doc_as_string(doc_get(in->map, "script"), &s) ||
	    b64_decode(s, &b)) {
		in->wrong = "script";
	} else {
		in->a->script = str_n(
			arena_strndup(in->a->arena, b.data, b.len), b.len);
		if (!in->a->script.p)
			in->wrong = "script";
	}
	buf_done(&b);
}

static void get_names(struct in *in)
{
	struct job_attempt *a = in->a;
	struct str id;

	a->project = get_text(in, "project", 63);
	a->job = get_text(in, "job", 63);
	/* Policies put the project into their patterns. */
	if (!in->wrong && (!job_name_ok(a->project) || !job_name_ok(a->job)))
		in->wrong = "project";
	a->run_id = get_text(in, "run_id", 63);
	a->task = get_text(in, "task", 255);
	id = get_text(in, "attempt", ULID_LEN);
	if (!in->wrong && !ulid_valid(id))
		in->wrong = "attempt";
	else if (!in->wrong)
		memcpy(a->attempt.s, id.p, ULID_LEN);
	a->number = (uint32_t)get_num(in, "number", UINT32_MAX);
	a->fence = get_num(in, "fence", INT64_MAX);
	a->submitter = get_text(in, "submitter", 255);
	a->trigger = get_text(in, "trigger", 255);
}

static void get_cache(struct in *in)
{
	struct job_cache *c = &in->a->cache;

	c->key = get_text(in, "cache_key", CACHE_KEY_MAX);
	c->n_paths = get_texts(in, "cache_paths", CACHE_PATHS_MAX, &c->paths);
	c->hit = get_text(in, "cache_hit", CACHE_KEY_MAX);
	c->exact = get_num(in, "cache_exact", 1) != 0;
	for (size_t i = 0; !in->wrong && i < c->n_paths; i++)
		if (job_cache_path(c->paths[i]))
			in->wrong = "cache_paths";
}

static void get_all(struct in *in)
{
	struct job_attempt *a = in->a;

	get_names(in);
	get_script(in);
	a->n_shell = get_texts(in, "shell", 256, &a->shell);
	a->n_args = get_texts(in, "args", 65536, &a->args);
	a->n_env = get_pairs(in, "env", &a->env);
	a->n_inputs = get_pairs(in, "inputs", &a->inputs);
	a->n_matrix = get_pairs(in, "matrix", &a->matrix);
	a->stdin_pipe = get_num(in, "stdin_pipe", 1) != 0;
	a->n_readers = (uint8_t)get_num(in, "n_readers", 4);
	a->log_mode = (uint8_t)get_num(in, "log_mode", LOG_SIZE);
	a->log_max_bytes = get_num(in, "log_max", INT64_MAX);
	a->stdout_artifact = get_text(in, "stdout_artifact", 63);
	a->stdout_file = get_text(in, "stdout_file", 255);
	get_outputs(in);
	get_artifacts(in);
	get_files(in);
	get_secrets(in);
	get_templates(in);
	get_cache(in);
	a->profile = get_text(in, "profile", 63);
	a->network = get_text(in, "network", 63);
	get_limits(in);
	a->workspace_kind =
		(uint8_t)get_num(in, "workspace_kind", WORKSPACE_MEMORY);
	a->has_source = get_num(in, "has_source", 1) != 0;
	a->fetches = get_text(in, "fetches", GIT_URL_MAX);
	a->timeout_us = get_num(in, "timeout_us", INT64_MAX);
	a->grace_us = get_num(in, "grace_us", INT64_MAX);
	/* A script with its shell, or an argv. */
	if (!in->wrong && (a->has_script ? !a->n_shell : !a->n_args))
		in->wrong = "script";
	if (!in->wrong && a->stdout_artifact.len && !plain_name(a->stdout_file))
		in->wrong = "stdout_file";
}

int job_attempt_decode(struct str json, struct job_attempt **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct in in = {.a = NULL};
	struct doc *d;

	if (doc_parse_max(json, DOC_JSON, ATTEMPT_JSON_MAX, &d, ps))
		return err_set(e, ERR_INVALID, "attempt: %s",
			       ps->items[0].message);
	in.map = d->root;
	in.a = mem_alloc(sizeof(*in.a));
	in.a->arena = arena_new(4 * (size_t)ATTEMPT_JSON_MAX);
	get_all(&in);
	doc_free(d);
	if (in.wrong) {
		job_attempt_free(in.a);
		return err_set(e, ERR_INVALID, "attempt: %s", in.wrong);
	}
	*ret = in.a;
	return 0;
}

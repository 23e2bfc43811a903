/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The resolved attempt as JSON; see attempt.h, and attempt_decode.c for the way
 * back.  The script goes as base64: it may be any bytes.  So does any other
 * text that JSON cannot hold, as {"b64": "..."}.
 */
#include "job/attempt.h"
#include "base/hex.h"

#include <inttypes.h>

void job_attempt_free(struct job_attempt *a)
{
	if (!a)
		return;
	arena_free(a->arena);
	mem_free(a);
}

static void value(struct buf *b, struct str s)
{
	bool fits = str_utf8_valid(s) && !str_has(s, '\0');

	buf_puts(b, fits ? "\"" : "{\"b64\":\"");
	if (fits)
		buf_json(b, s);
	else
		b64_encode(b, s.p, s.len);
	buf_puts(b, fits ? "\"," : "\"},");
}

static void text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, "\"%s\":", key);
	value(b, s);
}

static void number(struct buf *b, const char *key, uint64_t v)
{
	buf_printf(b, "\"%s\":%" PRIu64 ",", key, v);
}

/* Over the comma behind the last member. */
static void close_with(struct buf *b, char c)
{
	if (b->len && b->data[b->len - 1] == ',')
		b->len--;
	buf_putc(b, c);
	buf_putc(b, ',');
}

static void texts(struct buf *b, const char *key, const struct str *v, size_t n)
{
	buf_printf(b, "\"%s\":[", key);
	for (size_t i = 0; i < n; i++)
		value(b, v[i]);
	close_with(b, ']');
}

static void pairs(struct buf *b, const char *key, const struct job_pair *v,
		  size_t n)
{
	buf_printf(b, "\"%s\":[", key);
	for (size_t i = 0; i < n; i++) {
		buf_putc(b, '{');
		text(b, "n", v[i].name);
		text(b, "v", v[i].value);
		close_with(b, '}');
	}
	close_with(b, ']');
}

static void encode_lists(const struct job_attempt *a, struct buf *b)
{
	buf_puts(b, "\"outputs\":[");
	for (size_t i = 0; i < a->n_outputs; i++) {
		buf_putc(b, '{');
		text(b, "name", a->outputs[i].name);
		text(b, "pattern", a->outputs[i].pattern);
		number(b, "type", a->outputs[i].type);
		number(b, "max", a->outputs[i].max_bytes);
		close_with(b, '}');
	}
	close_with(b, ']');
	buf_puts(b, "\"artifacts\":[");
	for (size_t i = 0; i < a->n_artifacts; i++) {
		const struct job_artifact *x = &a->artifacts[i];

		buf_putc(b, '{');
		text(b, "name", x->name);
		texts(b, "paths", x->paths, x->n_paths);
		number(b, "many", x->many);
		number(b, "when", x->when);
		number(b, "optional", x->optional);
		number(b, "allow_secret", x->allow_secret);
		number(b, "private", x->is_private);
		number(b, "max", x->max_bytes);
		number(b, "retain", x->retain_us);
		close_with(b, '}');
	}
	close_with(b, ']');
	buf_puts(b, "\"files\":[");
	for (size_t i = 0; i < a->n_files; i++) {
		buf_putc(b, '{');
		text(b, "task", a->files[i].task);
		text(b, "file", a->files[i].file);
		text(b, "staged", a->files[i].staged);
		text(b, "sha256", str_from(a->files[i].sha256));
		number(b, "private", a->files[i].is_private);
		close_with(b, '}');
	}
	close_with(b, ']');
	buf_puts(b, "\"secrets\":[");
	for (size_t i = 0; i < a->n_secrets; i++) {
		buf_putc(b, '{');
		text(b, "name", a->secrets[i].name);
		text(b, "ref", a->secrets[i].ref);
		text(b, "field", a->secrets[i].field);
		number(b, "deliver", a->secrets[i].deliver);
		number(b, "leak_fails", a->secrets[i].leak_fails);
		number(b, "refresh", a->secrets[i].refresh);
		number(b, "keep", a->secrets[i].keep);
		close_with(b, '}');
	}
	close_with(b, ']');
}

static void encode_templates(const struct job_attempt *a, struct buf *b)
{
	buf_puts(b, "\"templates\":[");
	for (size_t i = 0; i < a->n_templates; i++) {
		const struct job_template *t = &a->templates[i];

		buf_putc(b, '{');
		text(b, "file", t->file);
		buf_puts(b, "\"parts\":[");
		for (size_t k = 0; k < t->n_parts; k++) {
			buf_putc(b, '{');
			text(b, "text", t->parts[k].text);
			number(b, "secret", t->parts[k].secret);
			number(b, "quote", t->parts[k].quote);
			text(b, "field", t->parts[k].field);
			close_with(b, '}');
		}
		close_with(b, ']');
		close_with(b, '}');
	}
	close_with(b, ']');
}

static void encode_limits(const struct job_attempt *a, struct buf *b)
{
	buf_puts(b, "\"limits\":{");
	number(b, "memory", a->limits.memory_bytes);
	number(b, "disk", a->limits.disk_bytes);
	number(b, "log", a->limits.log_bytes);
	number(b, "pids", a->limits.pids);
	number(b, "cpu", a->limits.cpu_milli);
	number(b, "open_files", a->limits.open_files);
	close_with(b, '}');
}

bool job_attempt_private(const struct job_attempt *a)
{
	for (size_t i = 0; i < a->n_artifacts; i++)
		if (a->artifacts[i].is_private)
			return true;
	for (size_t i = 0; i < a->n_files; i++)
		if (a->files[i].is_private)
			return true;
	return false;
}

bool job_attempt_encode(const struct job_attempt *a, struct buf *b)
{
	buf_putc(b, '{');
	text(b, "project", a->project);
	text(b, "job", a->job);
	text(b, "run_id", a->run_id);
	text(b, "task", a->task);
	text(b, "attempt", str_from(a->attempt.s));
	number(b, "number", a->number);
	number(b, "fence", a->fence);
	text(b, "submitter", a->submitter);
	text(b, "trigger", a->trigger);
	number(b, "has_script", a->has_script);
	buf_puts(b, "\"script\":\"");
	b64_encode(b, a->script.p, a->script.len);
	buf_puts(b, "\",");
	texts(b, "shell", a->shell, a->n_shell);
	texts(b, "args", a->args, a->n_args);
	pairs(b, "env", a->env, a->n_env);
	pairs(b, "inputs", a->inputs, a->n_inputs);
	pairs(b, "matrix", a->matrix, a->n_matrix);
	number(b, "stdin_pipe", a->stdin_pipe);
	number(b, "n_readers", a->n_readers);
	number(b, "log_mode", a->log_mode);
	number(b, "log_max", a->log_max_bytes);
	text(b, "stdout_artifact", a->stdout_artifact);
	text(b, "stdout_file", a->stdout_file);
	encode_lists(a, b);
	encode_templates(a, b);
	text(b, "cache_key", a->cache.key);
	texts(b, "cache_paths", a->cache.paths, a->cache.n_paths);
	text(b, "cache_hit", a->cache.hit);
	number(b, "cache_exact", a->cache.exact);
	text(b, "profile", a->profile);
	text(b, "network", a->network);
	encode_limits(a, b);
	number(b, "workspace_kind", a->workspace_kind);
	number(b, "has_source", a->has_source);
	text(b, "fetches", a->fetches);
	number(b, "timeout_us", a->timeout_us);
	number(b, "grace_us", a->grace_us);
	close_with(b, '}');
	if (b->len)
		b->len--; /* the last comma */
	if (b->data)
		b->data[b->len] = '\0';
	return !b->failed;
}

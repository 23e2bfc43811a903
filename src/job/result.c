/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The result of an attempt, to and from JSON; see result.h. */
#include "job/result.h"
#include "base/hex.h"

#include <inttypes.h>
#include <string.h>

static void text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, s);
	buf_puts(b, "\"");
}

static void number(struct buf *b, const char *key, int64_t v)
{
	buf_printf(b, ",\"%s\":%" PRId64, key, v);
}

bool job_result_encode(const struct job_result *r, struct buf *b)
{
	buf_putc(b, '{');
	text(b, "attempt", str_from(r->id.attempt.s));
	buf_putc(b, ',');
	text(b, "state", str_from(state_name(r->state)));
	buf_putc(b, ',');
	text(b, "kind", str_from(r->kind ? kind_name(r->kind) : ""));
	number(b, "fence", (int64_t)r->id.fence);
	number(b, "exit_code", r->exit_code);
	number(b, "signal", r->signo);
	number(b, "started_us", r->started_us);
	number(b, "finished_us", r->finished_us);
	number(b, "cpu_us", (int64_t)r->usage.cpu_us);
	number(b, "memory_peak_bytes", (int64_t)r->usage.memory_peak_bytes);
	number(b, "pids_peak", r->usage.pids_peak);
	number(b, "not_enforced", r->usage.not_enforced);
	number(b, "log_bytes", (int64_t)r->log_bytes);
	number(b, "redactions", (int64_t)r->redactions);
	number(b, "log_truncated", r->log_truncated);
	number(b, "secrets_away", r->secrets_away);
	buf_putc(b, ',');
	text(b, "error", r->error.clean);
	buf_putc(b, ',');
	text(b, "hint", r->hint.clean);
	buf_puts(b, ",\"outputs\":{");
	for (size_t i = 0; i < r->n_outputs; i++) {
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, r->outputs[i].name);
		buf_puts(b, "\":\"");
		buf_json(b, r->outputs[i].value.clean);
		buf_puts(b, "\"");
	}
	buf_puts(b, "},\"artifacts\":[");
	for (size_t i = 0; i < r->n_artifacts; i++) {
		const struct job_result_artifact *a = &r->artifacts[i];

		buf_puts(b, i ? ",{" : "{");
		text(b, "name", a->name);
		buf_putc(b, ',');
		text(b, "staged", a->staged);
		buf_putc(b, ',');
		text(b, "file", a->file.clean);
		buf_putc(b, ',');
		text(b, "sha256", str_from(a->sha256));
		number(b, "size", (int64_t)a->size);
		buf_putc(b, '}');
	}
	buf_puts(b, "],\"secrets\":[");
	for (size_t i = 0; i < r->n_secrets; i++) {
		const struct job_result_secret *s = &r->secrets[i];

		buf_puts(b, i ? ",{" : "{");
		text(b, "name", s->name);
		number(b, "seen", (int64_t)s->seen);
		number(b, "joined", (int64_t)s->joined);
		buf_putc(b, '}');
	}
	return buf_puts(b, "]}\n");
}

/* --- reading ------------------------------------------------------------ */

static int get_text(const struct doc_node *map, const char *key, size_t max,
		    struct job_result *r, struct str *ret, struct err *e)
{
	struct str s;
	char *copy;

	if (doc_as_string(doc_get(map, key), &s) || s.len > max)
		return err_set(e, ERR_INVALID, "result: %s", key);
	copy = arena_strndup(r->arena, s.p, s.len);
	if (!copy)
		return err_set(e, ERR_LIMIT, "result: too large");
	*ret = str_n(copy, s.len);
	return 0;
}

/* The runner has redacted it. */
static int get_clean(const struct doc_node *map, const char *key, size_t max,
		     struct job_result *r, struct redacted_str *ret,
		     struct err *e)
{
	struct str s;

	if (get_text(map, key, max, r, &s, e))
		return -1;
	*ret = redacted_vouch(s);
	return 0;
}

static int get_num(const struct doc_node *map, const char *key, int64_t min,
		   int64_t max, int64_t *ret, struct err *e)
{
	int64_t v;

	if (doc_as_i64(doc_get(map, key), &v) || v < min || v > max)
		return err_set(e, ERR_INVALID, "result: %s", key);
	*ret = v;
	return 0;
}

static int get_states(const struct doc_node *root, struct job_result *r,
		      struct err *e)
{
	struct str id, state, kind;

	if (get_text(root, "attempt", ULID_LEN, r, &id, e) ||
	    get_text(root, "state", 16, r, &state, e) ||
	    get_text(root, "kind", 16, r, &kind, e))
		return -1;
	if (!ulid_valid(id) || state_parse(state, &r->state) ||
	    !state_final(r->state))
		return err_set(e, ERR_INVALID, "result: attempt or state");
	memcpy(r->id.attempt.s, id.p, ULID_LEN);
	r->kind = KIND_NONE;
	if (kind.len && kind_parse(kind, &r->kind))
		return err_set(e, ERR_INVALID, "result: kind");
	return 0;
}

static int get_numbers(const struct doc_node *root, struct job_result *r,
		       struct err *e)
{
	int64_t fence = 0, code = -1, signo = 0, cpu = 0, mem = 0, pids = 0,
		not_enforced = 0, log = 0, hits = 0, truncated = 0, away = 0;

	if (get_num(root, "fence", 0, INT64_MAX, &fence, e) ||
	    get_num(root, "exit_code", -1, 255, &code, e) ||
	    get_num(root, "signal", 0, 64, &signo, e) ||
	    get_num(root, "started_us", 0, INT64_MAX, &r->started_us, e) ||
	    get_num(root, "finished_us", 0, INT64_MAX, &r->finished_us, e) ||
	    get_num(root, "cpu_us", 0, INT64_MAX, &cpu, e) ||
	    get_num(root, "memory_peak_bytes", 0, INT64_MAX, &mem, e) ||
	    get_num(root, "pids_peak", 0, UINT32_MAX, &pids, e) ||
	    get_num(root, "not_enforced", 0, 31, &not_enforced, e) ||
	    get_num(root, "log_bytes", 0, INT64_MAX, &log, e) ||
	    get_num(root, "redactions", 0, INT64_MAX, &hits, e) ||
	    get_num(root, "log_truncated", 0, 1, &truncated, e) ||
	    get_num(root, "secrets_away", 0, 1, &away, e))
		return -1;
	r->id.fence = (uint64_t)fence;
	r->exit_code = (int32_t)code;
	r->signo = (uint8_t)signo;
	r->usage.cpu_us = (uint64_t)cpu;
	r->usage.memory_peak_bytes = (uint64_t)mem;
	r->usage.pids_peak = (uint32_t)pids;
	r->usage.not_enforced = (uint32_t)not_enforced;
	r->log_bytes = (uint64_t)log;
	r->redactions = (uint64_t)hits;
	r->log_truncated = truncated != 0;
	r->secrets_away = away != 0;
	return 0;
}

static int get_outputs(const struct doc_node *root, struct job_result *r,
		       struct err *e)
{
	const struct doc_node *map = doc_get(root, "outputs");

	if (!map || map->kind != DOC_MAP || map->n > RESULT_LIST_MAX)
		return err_set(e, ERR_INVALID, "result: outputs");
	r->outputs = arena_alloc(r->arena, map->n * sizeof(*r->outputs));
	for (const struct doc_node *n = map->first; n; n = n->next) {
		struct job_result_output *p = &r->outputs[r->n_outputs++];
		struct str value;
		char *copy;

		if (doc_as_string(n, &value) || value.len > 6 * 65536)
			return err_set(e, ERR_INVALID, "result: an output");
		p->name = str_n(arena_strndup(r->arena, n->key.p, n->key.len),
				n->key.len);
		copy = arena_strndup(r->arena, value.p, value.len);
		p->value = redacted_vouch(str_n(copy, value.len));
		if (!p->name.p || !copy)
			return err_set(e, ERR_LIMIT, "result: too large");
	}
	return 0;
}

/* A name for a file in a directory of ours or of a user: no path. */
static bool plain_name(struct str s)
{
	return s.len && s.len < 256 && s.p[0] != '.' && !str_has(s, '/') &&
	       !str_has(s, '\0');
}

static int get_artifacts(const struct doc_node *root, struct job_result *r,
			 struct err *e)
{
	const struct doc_node *list = doc_get(root, "artifacts");

	if (!list || list->kind != DOC_LIST || list->n > RESULT_LIST_MAX)
		return err_set(e, ERR_INVALID, "result: artifacts");
	r->artifacts = arena_alloc(r->arena, list->n * sizeof(*r->artifacts));
	for (const struct doc_node *n = list->first; n; n = n->next) {
		struct job_result_artifact *a = &r->artifacts[r->n_artifacts++];
		struct hash sum;
		struct str hex;
		int64_t size = 0;

		if (get_text(n, "name", 63, r, &a->name, e) ||
		    get_text(n, "staged", 255, r, &a->staged, e) ||
		    get_clean(n, "file", 255, r, &a->file, e) ||
		    get_text(n, "sha256", HASH_HEX_LEN, r, &hex, e) ||
		    get_num(n, "size", 0, INT64_MAX, &size, e))
			return -1;
		if (!plain_name(a->staged) || !plain_name(a->file.clean) ||
		    hex_decode(hex, sum.b, HASH_LEN))
			return err_set(e, ERR_INVALID, "result: an artifact");
		hash_hex(&sum, a->sha256);
		a->size = (uint64_t)size;
	}
	return 0;
}

static int get_secrets(const struct doc_node *root, struct job_result *r,
		       struct err *e)
{
	const struct doc_node *list = doc_get(root, "secrets");

	if (!list)
		return 0; /* of a runner that did not count them yet */
	if (list->kind != DOC_LIST || list->n > RESULT_LIST_MAX)
		return err_set(e, ERR_INVALID, "result: secrets");
	r->secrets = arena_alloc(r->arena, list->n * sizeof(*r->secrets));
	for (const struct doc_node *n = list->first; n; n = n->next) {
		struct job_result_secret *s = &r->secrets[r->n_secrets++];
		int64_t seen = 0, joined = 0;

		if (get_text(n, "name", GRANT_NAME_MAX + 1, r, &s->name, e) ||
		    get_num(n, "seen", 0, INT64_MAX, &seen, e) ||
		    get_num(n, "joined", 0, INT64_MAX, &joined, e))
			return -1;
		s->seen = (uint64_t)seen;
		s->joined = (uint64_t)joined;
	}
	return 0;
}

int job_result_decode(struct str json, struct job_result **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job_result *r;
	struct doc *d;
	int bad;

	if (doc_parse_max(json, DOC_JSON, RESULT_JSON_MAX, &d, ps))
		return err_set(e, ERR_INVALID, "result: %s",
			       ps->items[0].message);
	r = mem_alloc(sizeof(*r));
	r->arena = arena_new(RESULT_JSON_MAX);
	bad = get_states(d->root, r, e) || get_numbers(d->root, r, e) ||
	      get_clean(d->root, "error", 4096, r, &r->error, e) ||
	      get_clean(d->root, "hint", 4096, r, &r->hint, e) ||
	      get_outputs(d->root, r, e) || get_artifacts(d->root, r, e) ||
	      get_secrets(d->root, r, e);
	doc_free(d);
	if (bad) {
		job_result_free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void job_result_free(struct job_result *r)
{
	if (!r)
		return;
	arena_free(r->arena);
	mem_free(r);
}

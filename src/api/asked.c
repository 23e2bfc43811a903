/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a run is asked for with; see asked.h. */
#include "api/asked.h"
#include "api/follow.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/route.h"
#include "api/upload.h"
#include "base/hex.h"
#include "base/mem.h"
#include "job/git.h"
#include "job/job.h"
#include "job/keys.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

void asked_init(struct asked *q)
{
	*q = (struct asked){.canonical = BUF_INIT(JOB_CANONICAL_MAX),
			    .inputs = BUF_INIT(DOC_TEXT_MAX),
			    .labels = BUF_INIT(65536),
			    .task = BUF_INIT(512),
			    .priority = -1};
}

void asked_done(struct asked *q)
{
	job_free(q->job);
	buf_done(&q->canonical);
	buf_done(&q->inputs);
	buf_done(&q->labels);
	buf_done(&q->task);
}

/* --- reading ------------------------------------------------------------ */

static int read_labels(struct request *r, const struct doc_node *map,
		       struct asked *q)
{
	struct str text;
	struct err e;

	for (const struct doc_node *n = map->first; n; n = n->next)
		if (doc_as_string(n, &text))
			return reply_problem(r, 422, "bad-request",
					     "labels." STR_FMT
					     ": a text is wanted",
					     STR_ARG(n->key)),
			       -1;
	return doc_write_canonical(map, &q->labels, &e) ? reply_err(r, &e),
	       -1 : 0;
}

/* inputs, priority, labels of a JSON object; `job` only where it may be. */
static int read_request(struct request *r, const struct doc_node *map,
			bool may_job, struct asked *q)
{
	for (const struct doc_node *n = map->first; n; n = n->next) {
		struct err e;
		int64_t v;

		if (str_is(n->key, "inputs") && n->kind == DOC_MAP) {
			if (doc_write_canonical(n, &q->inputs, &e))
				return reply_err(r, &e), -1;
		} else if (str_is(n->key, "labels") && n->kind == DOC_MAP) {
			if (read_labels(r, n, q))
				return -1;
		} else if (str_is(n->key, "priority") && !doc_as_i64(n, &v) &&
			   v >= 0 && v <= 100) {
			q->priority = (int32_t)v;
		} else if (!may_job || !str_is(n->key, "job")) {
			return reply_problem(r, 422, "bad-request",
					     "\"" STR_FMT "\": unknown, or of "
					     "the wrong type",
					     STR_ARG(n->key)),
			       -1;
		}
	}
	return 0;
}

int asked_take(struct request *r, struct doc *d, struct str project,
	       struct asked *q, struct problems *ps)
{
	struct err e;

	if (job_decode(d, &q->job, ps))
		return reply_problems(r, 422, "invalid-job", ps), -1;
	if (job_not_supported(q->job, ps))
		return reply_problems(r, 422, "not-supported-yet", ps), -1;
	if (job_canonical(q->job, &q->canonical, &e))
		return reply_err(r, &e), -1;
	if (project.len && !str_eq(q->job->project, project))
		return reply_problem(r, 422, "name-mismatch",
				     "the job is of project \"" STR_FMT
				     "\", the request of \"" STR_FMT "\"",
				     STR_ARG(q->job->project),
				     STR_ARG(project)),
		       -1;
	return 0;
}

int asked_detach(const struct doc_node *n, struct doc **ret,
		 struct problems *ps)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4 * DOC_TEXT_MAX);
	struct err e;

	if (doc_write(n, DOC_JSON, &b, &e))
		return -1;
	return doc_parse(buf_view(&b), DOC_JSON, ret, ps);
}

static int read_plain(struct request *r, struct asked *q, struct problems *ps)
{
	enum doc_syntax syntax =
		doc_syntax_of_type(request_header(r, "Content-Type"));
	const struct doc_node *inner;
	struct doc *d, *job;

	if (syntax == DOC_SYNTAX_UNKNOWN)
		return reply_problem(r, 415, "unsupported-type",
				     "a job is application/yaml, /json, /toml "
				     "or multipart/form-data"),
		       -1;
	if (doc_parse(buf_view(&r->body), syntax, &d, ps))
		return reply_problems(r, 400, "malformed", ps), -1;
	inner = syntax == DOC_JSON ? doc_get(d->root, "job") : NULL;
	if (!inner)
		return asked_take(r, d, r->params[0], q, ps);
	if (read_request(r, d->root, true, q) ||
	    asked_detach(inner, &job, ps)) {
		doc_free(d);
		if (r->phase != REQUEST_ANSWERED)
			reply_problems(r, 400, "malformed", ps);
		return -1;
	}
	doc_free(d);
	return asked_take(r, job, r->params[0], q, ps);
}

static int read_multipart(struct request *r, struct asked *q,
			  struct problems *ps)
{
	const struct upload *u = r->upload;
	enum doc_syntax syntax = doc_syntax_of_name(str_from(u->job_name));
	struct doc *d;
	int bad;

	if (syntax == DOC_SYNTAX_UNKNOWN)
		syntax = doc_syntax_of_type(str_from(u->job_type));
	if (syntax == DOC_SYNTAX_UNKNOWN)
		syntax = DOC_YAML;
	if (u->request.len) {
		if (doc_parse(buf_view(&u->request), DOC_JSON, &d, ps))
			return reply_problems(r, 400, "malformed", ps), -1;
		bad = read_request(r, d->root, false, q);
		doc_free(d);
		if (bad)
			return -1;
	}
	if (doc_parse(buf_view(&u->job), syntax, &d, ps))
		return reply_problems(r, 422, "invalid-job", ps), -1;
	return asked_take(r, d, r->params[0], q, ps);
}

int asked_sent(struct request *r, struct asked *q, struct problems *ps)
{
	if (!job_name_ok(r->params[0]))
		return reply_problem(r, 404, "not-found", "no such project"),
		       -1;
	return r->upload ? read_multipart(r, q, ps) : read_plain(r, q, ps);
}

/* --- of a stored job ---------------------------------------------------- */

static int see_job(void *ctx, const struct store_job *j, struct err *e)
{
	struct asked *q = ctx;

	return buf_str(&q->canonical, j->canonical) ?
		       0 :
		       err_set(e, ERR_INTERNAL, "a stored job is too long");
}

/* {"inputs", "labels", "priority"}, or nothing. */
static int read_order(struct request *r, struct asked *q, struct problems *ps)
{
	const struct buf *b = r->upload ? &r->upload->request : &r->body;
	struct doc *d;
	int bad;

	if (!b->len)
		return 0;
	if (!r->upload &&
	    doc_syntax_of_type(request_header(r, "Content-Type")) != DOC_JSON)
		return reply_problem(r, 415, "unsupported-type",
				     "application/json or multipart/form-data "
				     "is wanted"),
		       -1;
	if (doc_parse(buf_view(b), DOC_JSON, &d, ps))
		return reply_problems(r, 400, "malformed", ps), -1;
	bad = d->root->kind == DOC_MAP ?
		      read_request(r, d->root, false, q) :
		      (reply_problem(r, 422, "bad-request",
				     "a JSON object is wanted"),
		       -1);
	doc_free(d);
	return bad;
}

int asked_find(struct request *r, struct str project, struct str name,
	       struct asked *q, struct problems *ps)
{
	struct err e;

	if (store_read_job(r->api->reader, project, name, STR(""), see_job, q,
			   &e))
		return reply_err(r, &e), -1;
	if (job_parse_stored(buf_view(&q->canonical), &q->job, ps) ||
	    job_not_supported(q->job, ps))
		return reply_problems(r, 422, "invalid-job", ps), -1;
	return 0;
}

int asked_stored(struct request *r, struct asked *q, struct problems *ps)
{
	return asked_find(r, r->params[0], r->params[1], q, ps) ?
		       -1 :
		       read_order(r, q, ps);
}

/* --- again --------------------------------------------------------------- */

static int see_earlier(void *ctx, const struct store_run *row, struct err *e)
{
	struct asked *q = ctx;

	q->rerun_of = row->ulid;
	q->priority = row->priority;
	q->source_bytes = row->source_bytes;
	(void)snprintf(q->commit, sizeof(q->commit), STR_FMT,
		       STR_ARG(row->commit));
	(void)snprintf(q->project, sizeof(q->project), STR_FMT,
		       STR_ARG(row->project));
	if (!buf_str(&q->inputs, row->inputs) ||
	    !buf_str(&q->labels, row->labels) ||
	    (row->source.len && hex_decode(row->source, q->source.b, HASH_LEN)))
		return err_set(e, ERR_INTERNAL, "the run's row is odd");
	if (str_is(row->trigger, GIT_TRIGGER))
		return err_set(e, ERR_CONFLICT,
			       "it fetched another run's source: rerun that "
			       "one");
	if (!state_final(row->state))
		return err_set(e, ERR_CONFLICT,
			       "the run is %s: cancel it, or "
			       "wait for its end",
			       state_name(row->state));
	return 0;
}

static int read_from(struct request *r, struct asked *q,
		     const struct doc_node *map)
{
	const struct doc_node *from = doc_get(map, "from");
	const struct doc_node *task = doc_get(map, "task");
	static const char *const words[] = {[FROM_START] = "start",
					    [FROM_FAILED] = "failed",
					    [FROM_TASK] = "task"};
	bool known = !from;

	for (size_t i = 0; from && i < ARRAY_LEN(words); i++) {
		if (!str_is(from->text, words[i]))
			continue;
		q->from = (enum engine_from)i;
		known = true;
	}
	if (!known || (task != NULL) != (q->from == FROM_TASK) ||
	    (task && task->kind != DOC_STRING) ||
	    map->n != (from ? 1U : 0U) + (task ? 1U : 0U))
		return reply_problem(r, 422, "bad-request",
				     "from is start (default), failed, or task "
				     "with the task's name in task"),
		       -1;
	if (task)
		buf_str(&q->task, task->text);
	return 0;
}

static int read_again(struct request *r, struct asked *q, struct problems *ps)
{
	struct doc *d;
	int bad;

	if (!r->body.len)
		return 0;
	if (doc_syntax_of_type(request_header(r, "Content-Type")) != DOC_JSON)
		return reply_problem(r, 415, "unsupported-type",
				     "application/json is wanted"),
		       -1;
	if (doc_parse(buf_view(&r->body), DOC_JSON, &d, ps))
		return reply_problems(r, 400, "malformed", ps), -1;
	bad = d->root->kind == DOC_MAP ?
		      read_from(r, q, d->root) :
		      (reply_problem(r, 422, "bad-request",
				     "a JSON object is wanted"),
		       -1);
	doc_free(d);
	return bad;
}

int asked_again(struct request *r, struct asked *q, struct problems *ps)
{
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run) || read_again(r, q, ps))
		return -1;
	if (store_read_run(r->api->reader, &run, see_earlier, q, &e) ||
	    store_read_canonical(r->api->reader, &run, &q->canonical, &e))
		return reply_err(r, &e), -1;
	if (job_parse_stored(buf_view(&q->canonical), &q->job, ps))
		return reply_problems(r, 422, "invalid-job", ps), -1;
	return 0;
}

/* --- the same question -------------------------------------------------- */

static void hash_part(struct hash_ctx *c, const struct buf *b)
{
	uint64_t len = b->len;

	hash_update(c, &len, sizeof(len));
	hash_update(c, b->data, b->len);
}

struct hash asked_hash(const struct request *r, const struct asked *q)
{
	struct hash_ctx *c = hash_begin();

	hash_update(c, r->route->id, strlen(r->route->id) + 1);
	hash_part(c, &q->canonical);
	hash_part(c, &q->inputs);
	hash_part(c, &q->labels);
	hash_update(c, &q->priority, sizeof(q->priority));
	hash_update(c, q->rerun_of.s, sizeof(q->rerun_of.s));
	hash_update(c, &q->from, sizeof(q->from));
	hash_part(c, &q->task);
	if (r->upload)
		hash_update(c, r->upload->source_hash.b, HASH_LEN);
	return hash_end(c);
}

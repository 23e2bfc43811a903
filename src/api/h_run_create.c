/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Asking for a run: a bare job, {"job": ..., "inputs": ...}, or multipart with
 * a source.  201 only after the run is durable.
 */
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/upload.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/view.h"
#include "job/job.h"
#include "job/keys.h"

#include <stdio.h>
#include <string.h>

enum {
	WAIT_MAX_US = 60 * 1000000,
	VIEW_MAX = 32 << 20
};

/* The parts of the question, however it was put. */
struct asked {
	struct job *job;
	struct buf canonical, inputs, labels;
	int32_t priority; /* -1: not given */
};

static void asked_done(struct asked *q)
{
	job_free(q->job);
	buf_done(&q->canonical);
	buf_done(&q->inputs);
	buf_done(&q->labels);
}

/* --- reading ------------------------------------------------------------ */

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
			if (doc_write_canonical(n, &q->labels, &e))
				return reply_err(r, &e), -1;
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

static int take_job(struct request *r, struct doc *d, struct asked *q,
		    struct problems *ps)
{
	struct err e;

	if (job_decode(d, &q->job, ps))
		return reply_problems(r, 422, "invalid-job", ps), -1;
	if (job_not_supported(q->job, ps))
		return reply_problems(r, 422, "not-supported-yet", ps), -1;
	if (job_canonical(q->job, &q->canonical, &e))
		return reply_err(r, &e), -1;
	if (!str_eq(q->job->project, r->params[0]))
		return reply_problem(r, 422, "name-mismatch",
				     "the job is of project \"" STR_FMT
				     "\", the URL of \"" STR_FMT "\"",
				     STR_ARG(q->job->project),
				     STR_ARG(r->params[0])),
		       -1;
	return 0;
}

/* A subtree as a document of its own. */
static int detach(const struct doc_node *n, struct doc **ret,
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
		return take_job(r, d, q, ps);
	if (read_request(r, d->root, true, q) || detach(inner, &job, ps)) {
		doc_free(d);
		if (r->phase != REQUEST_ANSWERED)
			reply_problems(r, 400, "malformed", ps);
		return -1;
	}
	doc_free(d);
	return take_job(r, job, q, ps);
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
	return take_job(r, d, q, ps);
}

/* --- answering ---------------------------------------------------------- */

struct made {
	struct request *r;
	struct follower f;
	struct ulid run;
	bool replayed;
	int64_t until_us; /* 0: do not wait for its end */
	struct loop_timer *timer;
};

static void made_free(void *state)
{
	struct made *m = state;

	follower_del(&m->f);
	loop_timer_free(m->timer);
	mem_free(m);
}

static void answer(struct made *m)
{
	struct request *r = m->r;
	struct buf b = BUF_INIT(VIEW_MAX);
	char location[64];
	struct err e;

	if (view_run(r->api->reader, &m->run, &b, &e)) {
		buf_done(&b);
		reply_err(r, &e);
		return;
	}
	reply_json(r, 201, &b);
	(void)snprintf(location, sizeof(location), "/v1/runs/run_%s", m->run.s);
	reply_header(r, "Location", location);
	if (m->replayed)
		reply_header(r, "Idempotency-Replayed", "true");
}

static void on_timeout(void *ctx)
{
	struct made *m = ctx;

	answer(m);
	request_resume(m->r);
}

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	(void)e;
	*(bool *)ctx = state_final(run->state);
	return 0;
}

/* News of the run: is it at its end?  (A follower that answers once.) */
static void on_news(struct follower *f)
{
	struct made *m = (struct made *)((char *)f - offsetof(struct made, f));
	bool final = false;
	struct err e;

	if (store_read_run(m->r->api->reader, &m->run, see_run, &final, &e) ||
	    !final)
		return;
	follower_del(&m->f);
	answer(m);
	request_resume(m->r);
}

static void on_created(void *ctx, const struct engine_reply *a)
{
	struct made *m = ctx;
	struct request *r = m->r;

	if (a->err.code == ERR_CONFLICT && a->err.sys) {
		reply_problem(r, 422, "idempotency-mismatch", "%s",
			      a->err.text);
	} else if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		m->run = a->run;
		m->replayed = a->replayed;
		if (m->until_us) {
			follower_add(r->api, &m->f, r, &m->run);
			m->f.news = on_news;
			m->timer = loop_timer_new(r->api->loop, on_timeout, m);
			loop_timer_set(m->timer, m->until_us);
			on_news(&m->f);
			return;
		}
		answer(m);
	}
	request_resume(r);
}

static void hash_part(struct hash_ctx *c, const struct buf *b)
{
	uint64_t len = b->len;

	hash_update(c, &len, sizeof(len));
	hash_update(c, b->data, b->len);
}

/* "The same body" is the same parts, not the same bytes. */
static struct hash same_body(const struct request *r, const struct asked *q)
{
	struct hash_ctx *c = hash_begin();

	hash_part(c, &q->canonical);
	hash_part(c, &q->inputs);
	hash_part(c, &q->labels);
	hash_update(c, &q->priority, sizeof(q->priority));
	if (r->upload)
		hash_update(c, r->upload->source_hash.b, HASH_LEN);
	return hash_end(c);
}

static int order(struct request *r, struct asked *q, int64_t wait_us,
		 struct problems *ps)
{
	struct str key = request_header(r, "Idempotency-Key");
	struct engine_ask ask = {
		.project = r->params[0],
		.canonical = buf_view(&q->canonical),
		.inputs = buf_view(&q->inputs),
		.labels = buf_view(&q->labels),
		.submitter = str_from(r->who.name),
		.trigger = STR("api"),
		.priority = q->priority,
		.idempotency_key = key.len <= 255 ? key : str_n(NULL, 0),
		.request = same_body(r, q),
	};
	struct engine_order *o;
	struct job *job = q->job;
	struct made *m;
	struct err e = {0};

	if (r->upload && r->upload->has_source) {
		ask.source = r->upload->source_hash;
		ask.source_bytes = r->upload->source_bytes;
	}
	q->job = NULL;
	if (engine_order_new(r->api->policies, &ask, job, &o, ps, &e)) {
		if (!ps->n)
			return reply_err(r, &e);
		return reply_problems(
			r, e.code == ERR_DENIED ? 403 : 422,
			e.code == ERR_DENIED ? "policy" : "invalid-inputs", ps);
	}
	m = mem_alloc(sizeof(*m));
	m->r = r;
	m->until_us = wait_us ? clock_mono_us() + wait_us : 0;
	r->state = m;
	r->state_free = made_free;
	if (engine_run(r->api->engine, o, on_created, m, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

int h_run_create(struct request *r)
{
	static const char *const query[] = {"wait", NULL};
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct asked q = {.canonical = BUF_INIT(4 * DOC_TEXT_MAX),
			  .inputs = BUF_INIT(DOC_TEXT_MAX),
			  .labels = BUF_INIT(65536),
			  .priority = -1};
	int64_t wait_us;
	int bad;

	if (request_query_only(r, query) ||
	    request_query_duration(r, "wait", WAIT_MAX_US, &wait_us))
		return 0;
	if (!job_name_ok(r->params[0]))
		return reply_problem(r, 404, "not-found", "no such project");
	bad = r->upload ? read_multipart(r, &q, ps) : read_plain(r, &q, ps);
	if (!bad && q.job->has_source &&
	    !(r->upload && r->upload->has_source)) {
		reply_problem(r, 422, "source-missing",
			      "the job wants a source (nfo run --source DIR)");
		bad = -1;
	}
	if (!bad)
		order(r, &q, wait_us, ps);
	asked_done(&q);
	return 0;
}

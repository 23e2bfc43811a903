/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Stored jobs: put and delete.  What is put is checked whole before it is
 * stored; whether it may replace what is there is decided in the transaction
 * that stores it.
 */
#include "api/guard.h"
#include "api/handlers.h"
#include "api/hookset.h"
#include "api/internal.h"
#include "api/jobscan.h"
#include "api/jobview.h"
#include "api/once.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "job/job.h"
#include "sched/trigger.h"

#include <stdio.h>
#include <string.h>

enum {
	VIEW_MAX = 32 << 20,
	HOOKS_MAX = 64 << 10,
	WHAT_MAX = 2 * JOB_NAME_MAX + 8
};

/* --- putting one -------------------------------------------------------- */

struct put {
	struct request *r;
	struct store_job job; /* text borrowed from the request and below */
	struct buf canonical;
	char digest[HASH_HEX_LEN + 1], name[JOB_NAME_MAX + 1];
	char what[WHAT_MAX];
	struct guard guard;
	struct hookset hooks;
	bool create; /* POST: only a new one */
	bool made;   /* it was a new one */
};

static void put_free(void *state)
{
	struct put *p = state;

	buf_done(&p->canonical);
	mem_free(p);
}

struct seen {
	char etag[JOB_ETAG_MAX];
	bool same; /* as what is being put, to the byte */
	const struct put *put;
};

static int see(void *ctx, const struct store_job *j, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	jobview_etag(j->digest, s->etag);
	s->same = s->put && str_eq(j->text, s->put->job.text) &&
		  str_eq(j->syntax, s->put->job.syntax);
	return 0;
}

static int edit_put(void *ctx, struct store *store, struct err *refusal,
		    struct err *e)
{
	struct request *r = ctx;
	struct put *p = r->state;
	struct seen s = {.put = p};
	struct err none;
	bool found = !store_job_get(store, p->job.project, p->job.name, see, &s,
				    &none);

	if (!found && none.code != ERR_NOT_FOUND) {
		*e = none;
		return -1;
	}
	p->made = !found;
	if (found && p->create) {
		err_set(refusal, ERR_CONFLICT, "the job is there: %s", s.etag);
		return 0;
	}
	if (found && s.same && !p->guard.if_match.p &&
	    !p->guard.if_none_match.p)
		return 0; /* nothing to lose */
	if (guard_check(&p->guard, found ? s.etag : NULL, refusal))
		return 0;
	return store_job_put(store, &p->job, e) ||
			       hookset_store(&p->hooks, store, p->job.project,
					     p->job.name, p->job.put_us, e) ||
			       once_keep(r, store, 201, "", "", STR(""), e) ?
		       -1 :
		       0;
}

struct shown {
	struct buf b, hooks;
	char etag[JOB_ETAG_MAX];
};

static int show(void *ctx, const struct store_job *j, struct err *e)
{
	struct shown *s = ctx;

	(void)e;
	jobview_etag(j->digest, s->etag);
	jobview_job(j, buf_view(&s->hooks), &s->b);
	buf_putc(&s->b, '\n');
	return 0;
}

static void on_put(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;
	struct put *p = r->state;
	struct shown s = {.b = BUF_INIT(VIEW_MAX),
			  .hooks = BUF_INIT(HOOKS_MAX)};
	char location[3 * WHAT_MAX];
	struct err e;

	if (a->err.code) {
		reply_err(r, &a->err);
	} else if (hookset_view(r, p->job.project, p->job.name, &s.hooks, &e) ||
		   store_read_job(r->api->reader, p->job.project, p->job.name,
				  p->job.digest, show, &s, &e)) {
		reply_err(r, &e);
	} else {
		p->made |= p->create; /* also when it is said again */
		reply_json(r, p->made ? 201 : 200, &s.b);
		reply_header(r, "ETag", s.etag);
		(void)snprintf(location, sizeof(location),
			       "/v1/projects/" STR_FMT "/jobs/" STR_FMT,
			       STR_ARG(p->job.project), STR_ARG(p->job.name));
		if (p->made)
			reply_location(r, location);
	}
	buf_done(&s.b);
	buf_done(&s.hooks);
	request_resume(r);
}

/* Check it, and what it says it is; fills p->job but for names. */
static struct job *check(struct request *r, struct put *p)
{
	enum doc_syntax syntax =
		doc_syntax_of_type(request_header(r, "Content-Type"));
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct job *j;
	struct hash h;
	struct err e;

	if (syntax == DOC_SYNTAX_UNKNOWN) {
		reply_problem(r, 415, "unsupported-type",
			      "a job is application/yaml, application/json or "
			      "application/toml");
		return NULL;
	}
	if (job_parse(buf_view(&r->body), syntax, &j, ps)) {
		reply_problems(r, 422, "invalid-job", ps);
		return NULL;
	}
	trigger_check(j, ps);
	if (ps->n)
		reply_problems(r, 422, "invalid-job", ps);
	else if (job_not_supported(j, ps))
		reply_problems(r, 422, "not-supported-yet", ps);
	else if (!str_eq(j->project, r->params[0]) ||
		 (r->params[1].len && !str_eq(j->name, r->params[1])))
		reply_problem(r, 422, "name-mismatch",
			      "the job is " STR_FMT "/" STR_FMT
			      ", the URL is of another",
			      STR_ARG(j->project), STR_ARG(j->name));
	else if (job_canonical(j, &p->canonical, &e) ||
		 hookset_read(j, &p->hooks, &e))
		reply_err(r, &e);
	if (r->phase == REQUEST_ANSWERED) {
		job_free(j);
		return NULL;
	}
	h = hash_sha256(p->canonical.data, p->canonical.len);
	hash_hex(&h, p->digest);
	p->job.syntax = str_from(doc_syntax_name(syntax));
	return j;
}

static void refuse(struct request *r, uint32_t line)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));

	problem_add(ps, (struct doc_place){line, 1}, "secret-in-job",
		    "declare it under `secrets`; whoever may read the job "
		    "reads what is in it",
		    "the job holds the value of a secret of its project");
	reply_problems(r, 422, "secret-in-job", ps);
}

static void on_scanned(void *ctx, uint32_t line)
{
	struct request *r = ctx;
	struct put *p = r->state;

	if (line)
		refuse(r, line);
	else
		(void)once_edit(r, STR("job.put"), str_from(p->what), edit_put,
				on_put);
	if (r->phase == REQUEST_ANSWERED)
		request_resume(r);
}

int h_job_put(struct request *r)
{
	struct put *p = mem_alloc(sizeof(*p));
	struct job *j;

	*p = (struct put){
		.r = r,
		.canonical = BUF_INIT(JOB_CANONICAL_MAX),
		.guard = {request_header(r, "If-Match"),
			  request_header(r, "If-None-Match")},
		.create = r->route->method == METHOD_POST
        };
	r->state = p;
	r->state_free = put_free;
	j = check(r, p);
	if (!j)
		return 0;
	(void)snprintf(p->what, sizeof(p->what), STR_FMT "/" STR_FMT,
		       STR_ARG(j->project), STR_ARG(j->name));
	memcpy(p->name, j->name.p, j->name.len);
	job_free(j);
	p->job.project = r->params[0];
	p->job.name = str_from(p->name);
	p->job.digest = str_from(p->digest);
	p->job.text = buf_view(&r->body);
	p->job.canonical = buf_view(&p->canonical);
	p->job.put_us = p->job.created_us = clock_real_us();
	p->job.put_by = str_from(r->who.name);
	request_wait(r);
	jobscan(r->api->keeper, p->job.project, p->job.text, on_scanned, r);
	return 0;
}

/* --- deleting ----------------------------------------------------------- */

static int edit_delete(void *ctx, struct store *store, struct err *refusal,
		       struct err *e)
{
	struct request *r = ctx;
	const struct guard g = {.if_match = request_header(r, "If-Match")};
	struct seen s = {.put = NULL};

	if (store_job_get(store, r->params[0], r->params[1], see, &s, e)) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		*refusal = *e;
		return 0;
	}
	if (guard_check(&g, s.etag, refusal))
		return 0;
	return store_job_delete(store, r->params[0], r->params[1], e);
}

static void on_deleted(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code)
		reply_err(r, &a->err);
	else
		reply_empty(r, 204);
	request_resume(r);
}

int h_job_delete(struct request *r)
{
	char what[WHAT_MAX];
	struct err e;

	(void)snprintf(what, sizeof(what), "%.*s/%.*s", (int)r->params[0].len,
		       r->params[0].p, (int)r->params[1].len, r->params[1].p);
	if (engine_edit(r->api->engine, str_from(r->who.name),
			STR("job.delete"), str_from(what), edit_delete,
			on_deleted, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Making a run, of a job that was sent or one that is stored.  201 only after
 * the run is durable. */
#include "api/asked.h"
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/needs.h"
#include "api/once.h"
#include "api/reply.h"
#include "api/upload.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/view.h"
#include "job/call.h"
#include "job/git.h"
#include "job/job.h"

#include <stdio.h>
#include <string.h>

enum {
	WAIT_MAX_US = 60 * 1000000,
	SOURCE_MAX_US = 60 * 1000000, /* then 201, and it is blocked by it */
	VIEW_MAX = 32 << 20
};

/* --- answering ---------------------------------------------------------- */

struct made {
	struct request *r;
	struct engine_order *order; /* until the engine has it */
	struct follower f;
	struct ulid run;
	bool replayed, git;
	int64_t until_us;  /* 0: do not wait for its end */
	int64_t source_us; /* so long for its source */
	struct loop_timer *timer;
};

static void made_free(void *state)
{
	struct made *m = state;

	follower_del(&m->f);
	loop_timer_free(m->timer);
	engine_order_free(m->order);
	mem_free(m);
}

static int64_t preferred_wait(const struct request *r)
{
	return prefer_wait(request_header(r, "Prefer"), WAIT_MAX_US);
}

static void answer(struct made *m)
{
	struct request *r = m->r;
	struct buf b = BUF_INIT(VIEW_MAX);
	char location[64];
	struct err e;

	if (auth_again(r)) /* revoked while it waited */
		return;
	if (view_run(r->api->reader, &m->run, &b, &e)) {
		buf_done(&b);
		reply_err(r, &e);
		return;
	}
	reply_json(r, 201, &b);
	(void)snprintf(location, sizeof(location), "/v1/runs/run_%s", m->run.s);
	reply_location(r, location);
	if (m->replayed)
		reply_header(r, "Idempotency-Replayed", "true");
	if (preferred_wait(r))
		reply_header(r, "Preference-Applied", "wait");
}

static void on_timeout(void *ctx)
{
	struct made *m = ctx;

	answer(m);
	request_resume(m->r);
}

/* How far it is; of a run whose source could not be fetched, why. */
struct stand {
	bool final, fetching, unresolved;
	char why[ERR_TEXT_MAX];
};

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	struct stand *s = ctx;

	(void)e;
	s->final = state_final(run->state);
	s->fetching = str_is(run->blocked, "source");
	s->unresolved = run->state == STATE_FAILED && run->git_url.len &&
			!run->commit.len;
	(void)snprintf(s->why, sizeof(s->why), STR_FMT, STR_ARG(run->error));
	return 0;
}

/* True when it was answered. */
static bool settled(struct made *m)
{
	struct stand s = {.final = false};
	int64_t until;
	struct err e;

	if (store_read_run(m->r->api->reader, &m->run, see_run, &s, &e)) {
		reply_err(m->r, &e);
		return true;
	}
	if (s.unresolved) {
		reply_problem(m->r, 422, "source-unresolved", "%s", s.why);
		return true;
	}
	until = s.final ? 0 : s.fetching ? m->source_us : m->until_us;
	if (until > clock_mono_us() && !m->r->api->draining) {
		loop_timer_set(m->timer, until);
		return false;
	}
	answer(m);
	return true;
}

/* News of the run: is it far enough?  (A follower that answers once.) */
static void on_news(struct follower *f)
{
	struct made *m = (struct made *)((char *)f - offsetof(struct made, f));

	if (!settled(m))
		return;
	follower_del(&m->f);
	request_resume(m->r);
}

static void on_created(void *ctx, const struct engine_reply *a)
{
	struct made *m = ctx;
	struct request *r = m->r;

	once_leave(r); /* it is durable, or it is not at all */
	if (once_mismatch(&a->err)) {
		reply_problem(r, 422, "idempotency-mismatch", "%s",
			      a->err.text);
	} else if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		m->run = a->run;
		m->replayed = a->replayed;
		m->source_us = clock_mono_us() + SOURCE_MAX_US;
		m->timer = loop_timer_new(r->api->loop, on_timeout, m);
		if (!m->git && !m->until_us) {
			answer(m);
		} else if (!settled(m)) {
			follower_add(r->api, &m->f, r, &m->run);
			m->f.news = on_news;
			return;
		}
	}
	request_resume(r);
}

/* What it needs of secrets is there, as far as that can be known. */
static void on_needs(void *ctx, const struct problems *ps)
{
	struct made *m = ctx;
	struct engine_order *o = m->order;
	struct err e;

	if (ps->n) {
		reply_problems(m->r, 422, "secret-missing", ps);
		request_resume(m->r);
		return;
	}
	m->order = NULL;
	if (!engine_run(m->r->api->engine, o, on_created, m, &e))
		return;
	reply_err(m->r, &e);
	request_resume(m->r);
}

/* Jobs of other projects that it calls: who asks must be an operator there. */
static int calls_allowed(struct request *r, const struct job *j, struct str own)
{
	for (size_t i = 0; i < j->n_tasks; i++) {
		struct str project = job_call_project(j, &j->tasks[i]);

		if (!project.len || str_eq(project, own) ||
		    access_role(r->api->identity.set, str_from(r->who.name),
				str_from(r->who.token),
				project) >= ACCESS_OPERATOR)
			continue;
		return reply_problem(r, 403, "forbidden",
				     "task \"" STR_FMT
				     "\" calls a job of project " STR_FMT
				     ": that takes an operator there",
				     STR_ARG(j->tasks[i].name),
				     STR_ARG(project)),
		       -1;
	}
	return 0;
}

static int order(struct request *r, struct asked *q, int64_t wait_us,
		 struct problems *ps)
{
	struct str key = request_header(r, "Idempotency-Key");
	struct engine_ask ask = {
		.project = q->project[0] ? str_from(q->project) : r->params[0],
		.canonical = buf_view(&q->canonical),
		.inputs = buf_view(&q->inputs),
		.labels = buf_view(&q->labels),
		.submitter = str_from(r->who.name),
		.token = auth_own_token(r),
		.trigger = q->rerun_of.s[0] ? STR("rerun") : STR("api"),
		.rerun_of = q->rerun_of,
		.from = q->from,
		.from_task = buf_view(&q->task),
		.source = q->source,
		.source_bytes = q->source_bytes,
		.commit = str_from(q->commit),
		.priority = q->priority,
		.idempotency_key = key,
		.request = asked_hash(r, q),
	};
	struct engine_order *o;
	struct job *job = q->job;
	bool git = job_git_has(job);
	struct made *m;
	struct err e = {0};

	if (r->upload && r->upload->has_source) {
		ask.source = r->upload->source_hash;
		ask.source_bytes = r->upload->source_bytes;
	}
	if (calls_allowed(r, job, ask.project))
		return 0;
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
	m->git = git;
	m->until_us = wait_us ? clock_mono_us() + wait_us : 0;
	r->state = m;
	r->state_free = made_free;
	m->order = o;
	request_wait(r);
	needs_check(r->api->keeper, r->api->started, engine_order_job(o),
		    on_needs, m);
	return 0;
}

static int source_given(struct request *r, const struct asked *q)
{
	if (job_git_has(q->job) && r->upload && r->upload->has_source)
		return reply_problem(r, 422, "source-not-wanted",
				     "the job's source is in git: none can be "
				     "sent along"),
		       -1;
	if (!q->job->has_source || (r->upload && r->upload->has_source) ||
	    q->source_bytes)
		return 0;
	return reply_problem(r, 422, "source-missing",
			     "the job wants a source (nfo run --source DIR)"),
	       -1;
}

static int create(struct request *r, asked_fn *read)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct asked q;
	int64_t wait_us;

	if (request_query_duration(r, "wait", WAIT_MAX_US, &wait_us))
		return 0;
	if (!wait_us)
		wait_us = preferred_wait(r);
	asked_init(&q);
	if (!read(r, &q, ps) && !source_given(r, &q))
		order(r, &q, wait_us, ps);
	asked_done(&q);
	return 0;
}

int h_run_create(struct request *r)
{
	return create(r, asked_sent);
}

int h_job_run(struct request *r)
{
	return create(r, asked_stored);
}

int h_run_again(struct request *r)
{
	return create(r, asked_again);
}

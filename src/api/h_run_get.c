/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One run; and waiting for it.  With ?wait= (or Prefer: wait=) the answer comes
 * when the run has ended or, where If-None-Match names what the client has
 * seen, when it is another.
 */
#include "api/conventions.h"
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/negotiate.h"
#include "api/reply.h"
#include "api/viewcache.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/view.h"

enum {
	VIEW_MAX = 32 << 20,
	WAIT_MAX_US = 60 * 1000000
};

struct waiting {
	struct request *r;
	struct follower f;
	struct ulid run;
	struct loop_timer *timer;
};

static void waiting_free(void *state)
{
	struct waiting *w = state;

	follower_del(&w->f);
	loop_timer_free(w->timer);
	mem_free(w);
}

/* The run as it is, and its tag; -1: answered. */
struct shown {
	struct buf b;
	char tag[VIEW_TAG_MAX];
};

static int show(struct request *r, const struct ulid *run, struct shown *x)
{
	struct viewcache *views = r->api->views;
	struct err e;

	x->b = BUF_INIT(VIEW_MAX);
	if (viewcache_get(views, engine_version(r->api->engine), run, &x->b,
			  x->tag))
		return 0;
	if (view_run(r->api->reader, run, &x->b, &e)) {
		buf_done(&x->b);
		return reply_err(r, &e), -1;
	}
	buf_putc(&x->b, '\n');
	view_tag(buf_view(&x->b), x->tag);
	viewcache_put(views, run, buf_view(&x->b), x->tag);
	return 0;
}

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	(void)e;
	*(bool *)ctx = state_final(run->state);
	return 0;
}

/* Is there nothing (more) to wait for? */
static bool worth_telling(struct request *r, const struct ulid *run,
			  const struct shown *x)
{
	struct str seen = request_header(r, "If-None-Match");
	bool final = false;
	struct err e;

	if (seen.p && !etag_weakly_in(seen, str_from(x->tag)))
		return true;
	/* what has ended does not change any more */
	return store_read_run(r->api->reader, run, see_run, &final, &e) ||
	       final;
}

static void answer(struct waiting *w, struct shown *x)
{
	struct request *r = w->r;

	follower_del(&w->f);
	if (auth_again(r)) { /* revoked meanwhile */
		buf_done(&x->b);
		return;
	}
	reply_view_tagged(r, &x->b, x->tag);
	if (prefer_wait(request_header(r, "Prefer"), WAIT_MAX_US))
		reply_header(r, "Preference-Applied", "wait");
}

static void on_timeout(void *ctx)
{
	struct waiting *w = ctx;
	struct shown x;

	if (!show(w->r, &w->run, &x))
		answer(w, &x);
	request_resume(w->r);
}

static void on_news(struct follower *f)
{
	struct waiting *w =
		(struct waiting *)((char *)f - offsetof(struct waiting, f));
	struct shown x;

	if (show(w->r, &w->run, &x)) { /* deleted meanwhile */
		request_resume(w->r);
		return;
	}
	if (!w->r->api->draining && !worth_telling(w->r, &w->run, &x)) {
		buf_done(&x.b);
		return;
	}
	answer(w, &x);
	request_resume(w->r);
}

static int wait_for(struct request *r, const struct ulid *run, int64_t us)
{
	struct waiting *w = mem_alloc(sizeof(*w));

	w->r = r;
	w->run = *run;
	r->state = w;
	r->state_free = waiting_free;
	follower_add(r->api, &w->f, r, run);
	w->f.news = on_news;
	w->timer = loop_timer_new(r->api->loop, on_timeout, w);
	loop_timer_set(w->timer, clock_mono_us() + us);
	request_wait(r);
	return 0;
}

int h_run(struct request *r)
{
	struct ulid run;
	int64_t wait_us;
	struct shown x;

	if (param_run(r, 0, &run) ||
	    request_query_duration(r, "wait", WAIT_MAX_US, &wait_us))
		return 0;
	if (!wait_us)
		wait_us = prefer_wait(request_header(r, "Prefer"), WAIT_MAX_US);
	if (show(r, &run, &x))
		return 0;
	if (wait_us && !r->api->draining && !worth_telling(r, &run, &x)) {
		buf_done(&x.b);
		return wait_for(r, &run, wait_us);
	}
	return reply_view_tagged(r, &x.b, x.tag);
}

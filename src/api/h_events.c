/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Events, from the table they are kept in: as Server-Sent Events, whose ids
 * grow and survive a restart, so that Last-Event-ID resumes, or their history
 * as JSON.  A slow reader reads on from the table at its own pace and holds up
 * nobody; only what is not kept any more is a gap.
 */
#include "api/eventbatch.h"
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/negotiate.h"
#include "api/origin.h"
#include "api/page.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/view.h"

#include <inttypes.h>

enum {
	VIEW_MAX = 4 << 20
};

struct events {
	struct follower f;
	struct request *r;
	bool one_run;
	struct ulid run;
	uint32_t types; /* bits; 0: all */
	int64_t last;
	bool gap; /* what followed the last is gone */
};

struct final_of {
	bool final;
};

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	(void)e;
	((struct final_of *)ctx)->final = state_final(run->state);
	return 0;
}

/* The run is over: nothing can follow its last event. */
static bool run_over(struct events *s)
{
	struct final_of f = {false};
	struct err e;

	return store_read_run(s->r->api->reader, &s->run, see_run, &f, &e) ||
	       f.final;
}

/* What is left to be looked at. */
static void put_gap(const struct events *s, struct buf *b)
{
	buf_printf(b, "event: gap\ndata: {\"url\":\"%s/v1/runs",
		   origin_base(s->r));
	if (s->one_run)
		buf_printf(b, "/run_%s", s->run.s);
	buf_puts(b, "\"}\n\n");
}

static int more(void *ctx, struct buf *b)
{
	struct events *s = ctx;
	bool over = s->one_run && run_over(s); /* asked before reading */
	CLEANUP_BUF struct buf visible = BUF_INIT(1 << 20);
	struct api *a = s->r->api;
	struct eventbatch_ask ask = {
		.version = engine_version(a->engine),
		.run = s->one_run ? &s->run : NULL,
		.types = s->types,
		.after = s->last,
	};
	struct err e;
	size_t n;

	if (s->gap) {
		s->gap = false;
		put_gap(s, b);
		return 1;
	}
	if (!s->one_run)
		auth_visible(s->r, &visible);
	ask.visible = buf_view(&visible);
	if (eventbatch_read(a->batches, a->reader, &ask, b, &s->last, &n, &e))
		return -1;
	if (b->len)
		return 1;
	if (n)
		return STREAM_AGAIN;
	if (over)
		return -1;
	if (s->f.beat) {
		s->f.beat = false;
		buf_puts(b, ": still here\n\n");
		return 1;
	}
	return 0;
}

static void events_free(void *ctx)
{
	struct events *s = ctx;

	follower_del(&s->f);
	mem_free(s);
}

/* Where to begin, and whether something before it cannot be told. */
static int place(struct request *r, struct events *s)
{
	struct str last = request_header(r, "Last-Event-ID");
	int64_t first = 0, newest = 0;
	uint64_t after = 0;
	struct err e;

	if (follower_room(r))
		return 0;
	if (request_query_u64(r, "after", 0, INT64_MAX, 0, &after))
		return -1;
	if (last.p && str_to_u64(last, INT64_MAX, &after))
		return reply_problem(r, 400, "bad-header",
				     "Last-Event-ID: not an id of ours"),
		       -1;
	if (store_read_last_event(r->api->reader, &newest, &e) ||
	    store_read_first_event(r->api->reader, &first, &e))
		return reply_err(r, &e), -1;
	/* one of before events were dropped, or of another database */
	s->gap = last.p &&
		 ((int64_t)after < first - 1 || (int64_t)after > newest);
	s->last = (int64_t)after < newest ? (int64_t)after : newest;
	/* All events of one run; of all runs only what comes from now on. */
	if (!s->one_run && !after && !last.p)
		s->last = newest;
	return 0;
}

static int stream(struct request *r, const struct ulid *run, uint32_t types)
{
	struct events *s = mem_alloc(sizeof(*s));

	s->r = r;
	s->types = types;
	s->one_run = run != NULL;
	if (run)
		s->run = *run;
	if (place(r, s)) {
		mem_free(s);
		return 0;
	}
	follower_add(r->api, &s->f, r, run);
	return reply_stream(r, "text/event-stream", more, s, events_free);
}

/* --- the history -------------------------------------------------------- */

struct listed {
	struct buf *b;
	uint32_t n, limit;
	int64_t last;
	bool more;
};

static int add_item(void *ctx, const struct store_event *ev, struct err *e)
{
	struct listed *l = ctx;

	(void)e;
	if (l->n == l->limit) {
		l->more = true;
		return 0;
	}
	buf_printf(l->b, "%s{\"id\":%" PRId64 ",\"type\":\"%s\",",
		   l->n++ ? "," : "", ev->id, view_event_type(ev->type));
	view_event_inside(ev, l->b);
	buf_putc(l->b, '}');
	l->last = ev->id;
	return 0;
}

static int bad(struct request *r, const char *name, const char *want)
{
	return reply_problem(r, 400, "bad-parameter", "%s: %s", name, want), -1;
}

static int types_of(struct request *r, uint32_t *ret)
{
	struct str s;

	*ret = 0;
	for (unsigned i = 0; request_query(r, "type", i, &s); i++) {
		bool known = false;

		for (unsigned t = 1; s.len && t < 32; t++)
			if (str_is(s, view_event_type(t))) {
				*ret |= 1U << t;
				known = true;
			}
		if (!known)
			return bad(r, "type",
				   "run, task, artifact or approval");
	}
	return 0;
}

static int times_of(struct request *r, struct store_event_filter *f)
{
	uint64_t after;
	struct str s;

	if (request_query(r, "since", 0, &s) && clock_parse(s, &f->since_us))
		return bad(r, "since", "an RFC 3339 time is wanted");
	if (request_query(r, "until", 0, &s) && clock_parse(s, &f->until_us))
		return bad(r, "until", "an RFC 3339 time is wanted");
	if (request_query_u64(r, "after", 0, INT64_MAX - 1, 0, &after))
		return -1;
	f->after = (int64_t)after;
	return 0;
}

static int history(struct request *r, const struct ulid *run, uint32_t types)
{
	CLEANUP_BUF struct buf visible = BUF_INIT(1 << 20);
	struct store_event_filter f = {.run = run, .types = types};
	struct buf b = BUF_INIT(VIEW_MAX);
	struct listed l = {.b = &b};
	struct page page;
	struct err e;

	if (times_of(r, &f) || page_of(r, &page))
		return 0;
	l.limit = page.limit;
	f.limit = page.limit + 1;
	f.before = page.before;
	auth_visible(r, &visible);
	f.visible = buf_view(&visible);
	buf_puts(&b, "{\"items\":[");
	if (store_read_event_page(r->api->reader, &f, add_item, &l, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	buf_putc(&b, ']');
	return page_reply(r, &b, l.more ? l.last : 0);
}

static int start(struct request *r, const struct ulid *run)
{
	static const char *const forms[] = {"text/event-stream",
					    "application/json"};
	uint32_t types;

	if (types_of(r, &types))
		return 0;
	return accept_pick(request_header(r, "Accept"), forms, 2) == 1 ?
		       history(r, run, types) :
		       stream(r, run, types);
}

int h_run_events(struct request *r)
{
	struct final_of f;
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	if (store_read_run(r->api->reader, &run, see_run, &f, &e))
		return reply_err(r, &e);
	return start(r, &run);
}

int h_events(struct request *r)
{
	return start(r, NULL);
}

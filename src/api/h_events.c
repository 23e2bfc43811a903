/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Events as Server-Sent Events, from the table they are kept in: ids grow and
 * survive a restart, so Last-Event-ID resumes.  A slow reader reads on from
 * the table at its own pace and holds up nobody.
 */
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/mem.h"
#include "engine/view.h"

#include <inttypes.h>

enum {
	EVENTS_BATCH = 200
};

struct events {
	struct follower f;
	struct request *r;
	bool one_run;
	struct ulid run;
	int64_t last;
	size_t n; /* in this batch */
	struct buf *out;
};

static int on_event(void *ctx, const struct store_event *ev, struct err *e)
{
	static const char *const types[] = {
		[STORE_EVENT_RUN] = "run",
		[STORE_EVENT_TASK] = "task",
		[STORE_EVENT_ARTIFACT] = "artifact",
		[STORE_EVENT_APPROVAL] = "approval",
	};
	struct events *s = ctx;

	(void)e;
	buf_printf(s->out,
		   "event: %s\nid: %" PRId64 "\ndata: ", types[ev->type],
		   ev->id);
	view_event(ev, s->out);
	buf_puts(s->out, "\n\n");
	s->last = ev->id;
	s->n++;
	return 0;
}

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

static int more(void *ctx, struct buf *b)
{
	struct events *s = ctx;
	bool over = s->one_run && run_over(s); /* asked before reading */
	CLEANUP_BUF struct buf visible = BUF_INIT(1 << 20);
	struct err e;

	s->out = b;
	s->n = 0;
	if (!s->one_run)
		auth_visible(s->r, &visible);
	if (store_read_events(s->r->api->reader, s->one_run ? &s->run : NULL,
			      buf_view(&visible), s->last, EVENTS_BATCH,
			      on_event, s, &e))
		return -1;
	if (s->n)
		return 1;
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

static int start(struct request *r, const struct ulid *run)
{
	struct str last = request_header(r, "Last-Event-ID");
	struct events *s;
	uint64_t after = 0;
	struct err e;
	int64_t newest = 0;

	if (request_query_u64(r, "after", 0, INT64_MAX, 0, &after))
		return 0;
	if (last.p && str_to_u64(last, INT64_MAX, &after))
		return reply_problem(r, 400, "bad-header",
				     "Last-Event-ID: not an id of ours");
	/* All events of one run; of all runs only what comes from now on. */
	if (!run && !after &&
	    store_read_last_event(r->api->reader, &newest, &e))
		return reply_err(r, &e);
	s = mem_alloc(sizeof(*s));
	s->r = r;
	s->one_run = run != NULL;
	if (run)
		s->run = *run;
	s->last = after ? (int64_t)after : newest;
	follower_add(r->api, &s->f, r, run);
	return reply_stream(r, "text/event-stream", more, s, events_free);
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

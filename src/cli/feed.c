/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Streams that outlive their connection; see feed.h. */
#include "cli/feed.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum {
	EVENT_MAX = 256 * 1024,
	AGAIN_US = 300000,
	PATIENCE_US = 60 * 1000000,
};

int feeds_make(struct feeds *all, const struct server *s, struct err *e)
{
	*all = (struct feeds){.heard_us = clock_mono_us()};
	return http_streams_new(s, &all->streams, e);
}

void feeds_done(struct feeds *all)
{
	http_streams_free(all->streams);
	all->streams = NULL;
}

void feed_make(struct feed *f, struct feeds *all, const char *path, sse_fn *fn,
	       void *ctx)
{
	*f = (struct feed){.all = all,
			   .path = mem_strdup(path),
			   .sse = BUF_INIT(EVENT_MAX),
			   .fn = fn,
			   .ctx = ctx};
}

void feed_done(struct feed *f)
{
	mem_free(f->path);
	buf_done(&f->sse);
}

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct feed *f = ctx;

	if (ev->id.len && ev->id.len < sizeof(f->last))
		(void)snprintf(f->last, sizeof(f->last), STR_FMT,
			       STR_ARG(ev->id));
	f->fn(f->ctx, ev);
}

static int on_bytes(void *ctx, const char *p, size_t len)
{
	struct feed *f = ctx;

	f->all->heard_us = clock_mono_us();
	return sse_feed(&f->sse, p, len, on_event, f);
}

/* A refusal is final; anything else may have been a restart. */
static void on_end(void *ctx, long status)
{
	struct feed *f = ctx;

	f->open = false;
	buf_reset(&f->sse);
	f->over |= status >= 400 && status != 503;
	f->gone |= status == 410;
	f->all->lost |= !f->over;
}

bool feeds_may_open(struct feeds *all)
{
	int64_t now = clock_mono_us();

	if (all->lost)
		all->again_us = now + AGAIN_US;
	all->lost = false;
	return now >= all->again_us;
}

bool feed_open(struct feed *f)
{
	struct err e;

	if (f->open || f->over)
		return f->open;
	f->open = !http_stream_add(f->all->streams, f->path,
				   f->last[0] ? f->last : NULL, on_bytes,
				   on_end, f, &e);
	f->over = !f->open;
	return f->open;
}

int feeds_turn(struct feeds *all, int timeout_ms, struct err *e)
{
	size_t open;

	if (http_streams_turn(all->streams, timeout_ms, &open, e))
		return -1;
	if (!open && clock_mono_us() - all->heard_us > PATIENCE_US)
		return err_set(e, ERR_UNAVAILABLE,
			       "the server is gone; the run may go on");
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Logs: text with Range, NDJSON, or SSE to follow.  Text is log.data as it is;
 * the other two come from the index.
 */
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/logview.h"
#include "api/reply.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/logwatch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum {
	STREAM_BYTES = 256 * 1024
};

struct logs {
	struct follower f;
	struct api *api;
	struct logview view;
	struct logwatch_item *watch;
	bool sse, ended;
};

static void on_grown(void *ctx)
{
	request_resume(((struct logs *)ctx)->f.r);
}

/* Open what has come into being since, and be told when it grows. */
static int look(struct logs *l, struct err *e)
{
	if (logview_refresh(&l->view, l->api->reader, e) ||
	    logview_open(&l->view, l->api->state_fd, e))
		return -1;
	if (l->sse && !l->watch && l->view.idx_fd >= 0)
		return logwatch_add(l->api->logwatch, l->view.idx_fd, on_grown,
				    l, &l->watch, e);
	return 0;
}

static void end_event(struct logs *l, struct buf *b)
{
	const char *kind = l->view.kind ? kind_name(l->view.kind) : NULL;

	buf_printf(b, "event: end\ndata: {\"state\":\"%s\",\"kind\":",
		   state_name(l->view.state));
	buf_printf(b, kind ? "\"%s\"" : "%s", kind ? kind : "null");
	if (l->view.exit_code >= 0)
		buf_printf(b, ",\"exit_code\":%" PRId32 "}\n\n",
			   l->view.exit_code);
	else
		buf_puts(b, ",\"exit_code\":null}\n\n");
}

static int more(void *ctx, struct buf *b)
{
	struct logs *l = ctx;
	struct err e;
	bool final;
	size_t n;

	if (l->ended || look(l, &e))
		return -1;
	final = state_final(l->view.state); /* asked before reading */
	if (logview_frames(&l->view, l->sse, STREAM_BYTES, b, &n, &e))
		return -1;
	if (n)
		return 1;
	if (!l->sse)
		return -1; /* all there is now */
	if (final) {
		l->ended = true;
		end_event(l, b);
		return 1;
	}
	if (l->f.beat) {
		l->f.beat = false;
		buf_puts(b, ": still here\n\n");
		return 1;
	}
	return 0;
}

static void logs_free(void *ctx)
{
	struct logs *l = ctx;

	follower_del(&l->f);
	logwatch_del(l->watch);
	logview_done(&l->view);
	mem_free(l);
}

static int stream(struct request *r, struct logview *v, bool sse)
{
	struct str last = request_header(r, "Last-Event-ID");
	uint64_t seen = 0;
	struct logs *l;

	if (last.p && str_to_u64(last, INT64_MAX, &seen)) {
		logview_done(v);
		return reply_problem(r, 400, "bad-header",
				     "Last-Event-ID: not an id of ours");
	}
	l = mem_alloc(sizeof(*l));
	l->api = r->api;
	l->view = *v;
	l->view.seq = seen + 1;
	l->sse = sse;
	if (sse)
		follower_add(r->api, &l->f, r, &v->run);
	return reply_stream(r,
			    sse ? "text/event-stream" : "application/x-ndjson",
			    more, l, logs_free);
}

static int text(struct request *r, struct logview *v)
{
	int fd = fd_take(&v->data_fd);

	logview_done(v);
	if (fd < 0) {
		struct buf none = BUF_INIT(1);

		return reply_text(r, 200, "text/plain; charset=utf-8", &none);
	}
	return reply_file(r, fd, "text/plain; charset=utf-8", NULL, NULL);
}

static int log_of(struct request *r, uint32_t attempt)
{
	struct str accept = request_header(r, "Accept");
	struct logview v;
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	logview_init(&v);
	if (logview_find(&v, r->api->reader, &run, r->params[1], attempt, &e) ||
	    logview_open(&v, r->api->state_fd, &e) ||
	    logview_earlier(&v, r->api->reader, r->api->state_fd, &e)) {
		logview_done(&v);
		return reply_err(r, &e);
	}
	if (str_starts(accept, STR("text/event-stream")))
		return stream(r, &v, true);
	if (str_starts(accept, STR("application/x-ndjson")))
		return stream(r, &v, false);
	return text(r, &v);
}

int h_task_log(struct request *r)
{
	return log_of(r, 0);
}

int h_attempt_log(struct request *r)
{
	uint64_t n;

	if (str_to_u64(r->params[2], UINT32_MAX, &n) || !n)
		return reply_problem(r, 404, "not-found", "no such attempt");
	return log_of(r, (uint32_t)n);
}

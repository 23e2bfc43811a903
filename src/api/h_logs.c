/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Logs: of a run, of a task's last attempt, of one attempt; as text, NDJSON or
 * SSE by Accept.  An attempt's whole text is log.data as it is, with Range.
 */
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/logflow.h"
#include "api/negotiate.h"
#include "api/reply.h"
#include "base/fd.h"

/* --- what is wanted ----------------------------------------------------- */

static int flag(struct request *r, const char *name, bool *ret)
{
	struct str s;

	*ret = false;
	if (!request_query(r, name, 0, &s) || str_is(s, "false"))
		return 0;
	*ret = str_is(s, "true");
	return *ret ? 0 :
		      (reply_problem(r, 400, "bad-parameter",
				     "%s: true or false is wanted", name),
		       -1);
}

static int wish_of(struct request *r, struct logwish *w)
{
	static const char *const types[] = {[LOG_TEXT] = "text/plain",
					    [LOG_NDJSON] =
						    "application/x-ndjson",
					    [LOG_SSE] = "text/event-stream"};
	int form = accept_pick(request_header(r, "Accept"), types,
			       ARRAY_LEN(types));

	*w = (struct logwish){.form = form < 0 ? LOG_TEXT : (enum logform)form};
	if (request_query_u64(r, "tail", 1, LOGTAIL_MAX, 0, &w->tail) ||
	    flag(r, "ignore_case", &w->grep.ignore_case) ||
	    flag(r, "follow", &w->follow))
		return -1;
	w->follow |= w->form == LOG_SSE;
	if (w->follow && follower_room(r))
		return -1;
	if (request_query(r, "grep", 0, &w->grep.word) &&
	    (!w->grep.word.len || w->grep.word.len > GREP_WORD_MAX))
		return reply_problem(r, 400, "bad-parameter",
				     "grep: a literal text of 1 to %d bytes",
				     GREP_WORD_MAX),
		       -1;
	return 0;
}

static int gone(struct request *r)
{
	return reply_problem(r, 410, "gone", "the log is no longer kept");
}

static int bad_id(struct request *r)
{
	return reply_problem(r, 400, "bad-header",
			     "Last-Event-ID: not an id of ours"),
	       -1;
}

/* --- one attempt -------------------------------------------------------- */

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

static int stream(struct request *r, struct logview *v, const struct logwish *w)
{
	struct str last = request_header(r, "Last-Event-ID");
	struct logflow *l;
	uint64_t seen = 0;

	if (last.p && str_to_u64(last, INT64_MAX - 1, &seen)) {
		logview_done(v);
		return bad_id(r);
	}
	l = logflow_new(r, w, false, NULL, v);
	/* what is gone is said, and then how it ended */
	l->gap = w->form == LOG_SSE && state_final(v->state) &&
		 seen > logview_count(v) && seen;
	logview_seek(&l->one.v, seen + 1);
	return logflow_reply(r, l, seen != 0);
}

static int log_of(struct request *r, uint32_t attempt)
{
	struct logview v;
	struct logwish w;
	struct ulid run;
	struct err e;

	if (wish_of(r, &w) || param_run(r, 0, &run))
		return 0;
	logview_init(&v);
	if (logview_find(&v, r->api->reader, &run, r->params[1], attempt, &e) ||
	    logview_open(&v, r->api->state_fd, &e) ||
	    logview_earlier(&v, r->api->reader, r->api->state_fd, &e)) {
		logview_done(&v);
		return reply_err(r, &e);
	}
	if (v.gone) {
		logview_done(&v);
		return gone(r);
	}
	if (w.form == LOG_TEXT && !w.follow && !w.tail && !w.grep.word.len)
		return text(r, &v);
	return stream(r, &v, &w);
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

/* --- all of a run ------------------------------------------------------- */

int h_run_log(struct request *r)
{
	struct str last = request_header(r, "Last-Event-ID");
	struct logwish w;
	struct logrun l;
	struct ulid run;
	struct err e;

	if (wish_of(r, &w) || param_run(r, 0, &run))
		return 0;
	logrun_init(&l);
	if (last.p && logpos_parse(last, &l.from))
		return bad_id(r);
	if (logrun_find(&l, r->api->reader, &run, &e) ||
	    logrun_refresh(&l, r->api->reader, &e)) {
		logrun_done(&l);
		return reply_err(r, &e);
	}
	if (l.gone) {
		logrun_done(&l);
		return gone(r);
	}
	if (l.from.last > l.n) {
		logrun_done(&l);
		return bad_id(r);
	}
	return logflow_reply(r, logflow_new(r, &w, true, &l, NULL),
			     last.p != NULL);
}

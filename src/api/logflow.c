/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Logs on their way out; see logflow.h. */
#include "api/logflow.h"
#include "api/internal.h"
#include "api/origin.h"
#include "api/reply.h"
#include "base/hex.h"
#include "base/mem.h"
#include "engine/logwatch.h"

#include <inttypes.h>
#include <string.h>

enum {
	OUT_BYTES = 256 * 1024, /* a turn gives about so much */
	READ_BYTES = 512 * 1024 /* and reads at most so much */
};

/* --- where it comes from ------------------------------------------------ */

static void on_grown(void *ctx)
{
	request_resume(((struct logflow *)ctx)->f.r);
}

static int watch(struct logflow *l, struct logpart *p, struct err *e)
{
	if (!l->wish.follow || p->watch || p->v.idx_fd < 0 || p->over)
		return 0;
	return logwatch_add(l->api->logwatch, p->v.idx_fd, on_grown, l,
			    &p->watch, e);
}

/* What has been made or has ended since. */
static int look(struct logflow *l, struct err *e)
{
	if (!l->whole)
		return logview_refresh(&l->one.v, l->api->reader, e) ||
				       logview_open(&l->one.v, l->api->state_fd,
						    e) ?
			       -1 :
			       watch(l, &l->one, e);
	if (!l->f.heard)
		return 0;
	l->f.heard = false;
	return logrun_refresh(&l->run, l->api->reader, e);
}

/* Watch those that go on; first is where the last turn's began.  What came
 * into one before it was watched is not told of. */
static int watch_all(struct logflow *l, size_t first, bool *ret_new,
		     struct err *e)
{
	*ret_new = false;
	if (!l->whole)
		return 0;
	for (size_t i = first; i < l->run.n; i++) {
		struct logpart *p = l->run.parts[i];

		if (p->over) {
			logwatch_del(p->watch);
			p->watch = NULL;
		} else if (!p->watch) {
			if (watch(l, p, e))
				return -1;
			*ret_new |= p->watch != NULL;
		}
	}
	return 0;
}

static int peek(struct logflow *l, struct logpart **ret, struct logidx_rec *rec,
		struct err *e)
{
	int there;

	if (l->whole)
		return logrun_peek(&l->run, l->api->state_fd, ret, rec, e);
	*ret = &l->one;
	there = logview_peek(&l->one.v, rec, e);
	l->one.over = !there && state_final(l->one.v.state);
	return there;
}

static bool over(const struct logflow *l)
{
	return l->whole ? logrun_over(&l->run) : l->one.over;
}

/* --- how it goes out ---------------------------------------------------- */

static void put(struct logflow *l, struct buf *item, struct buf *out)
{
	if (l->tailing)
		logtail_put(&l->tail, buf_view(item));
	else
		buf_str(out, buf_view(item));
}

static void put_frame(struct logflow *l, struct logpart *p,
		      const struct logidx_rec *rec, struct str data,
		      struct buf *out)
{
	CLEANUP_BUF struct buf item = BUF_INIT(1 << 20);
	CLEANUP_BUF struct buf id = BUF_INIT(LOGPOS_TEXT_MAX);
	uint64_t seq = p->v.seq - 1; /* it was taken */

	if (!grep_match(&l->wish.grep, data))
		return;
	if (l->wish.form == LOG_SSE) {
		buf_puts(&item, "event: log\n");
		if (!l->whole)
			buf_printf(&id, "%" PRIu64, seq);
		else
			logrun_place(&l->run, &id);
		if (id.len) /* else the one before it counts */
			buf_printf(&item, "id: %s\n", buf_cstr(&id));
		buf_puts(&item, "data: ");
	}
	logview_frame(&p->v, seq, rec, data, &item);
	buf_puts(&item, l->wish.form == LOG_SSE ? "\n\n" : "\n");
	put(l, &item, out);
}

static void put_line(struct logflow *l, struct logpart *p, struct buf *from,
		     bool whole_line, struct buf *out)
{
	CLEANUP_BUF struct buf item = BUF_INIT(LOGIDX_FRAME_MAX + 1024);
	struct str line = buf_view(from);

	if (grep_match(&l->wish.grep, line)) {
		if (l->whole && p->v.attempt > 1)
			buf_printf(&item, "[%s#%" PRIu32 "] ", p->v.task,
				   p->v.attempt);
		else if (l->whole)
			buf_printf(&item, "[%s] ", p->v.task);
		buf_str(&item, line);
		if (whole_line || l->whole)
			buf_putc(&item, '\n');
		put(l, &item, out);
	}
	buf_reset(from);
}

/* Lines are of one stream of an attempt; one that is too long comes in
 * pieces. */
static void put_lines(struct logflow *l, struct logpart *p, uint8_t stream,
		      struct str data, struct buf *out)
{
	struct buf *line = &p->v.lines[stream - 1];

	while (data.len) {
		const char *lf = memchr(data.p, '\n', data.len);
		size_t room = line->max - line->len;
		size_t n = lf ? (size_t)(lf - data.p) : data.len;

		if (n > room) {
			buf_put(line, data.p, room);
			data = str_from_at(data, room);
			put_line(l, p, line, true, out);
			continue;
		}
		buf_put(line, data.p, n);
		if (lf) {
			put_line(l, p, line, true, out);
			n++;
		}
		data = str_from_at(data, n);
	}
}

static void put_rest(struct logflow *l, struct logpart *p, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(p->v.lines); i++) {
		if (p->v.lines[i].len)
			put_line(l, p, &p->v.lines[i], false, out);
		if (p->over) /* a run may have thousands of them */
			buf_done(&p->v.lines[i]);
	}
}

/* What has ended has no more lines; all: nor has anything else. */
static void put_rests(struct logflow *l, size_t first, bool all,
		      struct buf *out)
{
	if (l->wish.form != LOG_TEXT)
		return;
	if (!l->whole && (all || l->one.over))
		put_rest(l, &l->one, out);
	for (size_t i = first; l->whole && i < l->run.n; i++)
		if (all || l->run.parts[i]->over)
			put_rest(l, l->run.parts[i], out);
}

static void put_end(struct logflow *l, struct buf *b)
{
	enum run_state state = l->whole ? l->run.state : l->one.v.state;
	enum fail_kind kind = l->whole ? l->run.kind : l->one.v.kind;
	int32_t code = l->whole ? -1 : l->one.v.exit_code;

	if (l->wish.form != LOG_SSE)
		return;
	buf_printf(b, "event: end\ndata: {\"state\":\"%s\",\"kind\":",
		   state_name(state));
	buf_printf(b, kind ? "\"%s\"" : "%s", kind ? kind_name(kind) : "null");
	if (code >= 0)
		buf_printf(b, ",\"exit_code\":%" PRId32 "}\n\n", code);
	else
		buf_puts(b, ",\"exit_code\":null}\n\n");
}

/* Frames that were there are not any more: what is left is said of it. */
static void put_gap(struct logflow *l, struct buf *b)
{
	buf_printf(b, "event: gap\ndata: {\"url\":\"%s/v1/runs/run_%s/tasks/",
		   origin_base(l->f.r), l->one.v.run.s);
	percent_encode(b, str_from(l->one.v.task));
	buf_printf(b, "/attempts/%" PRIu32 "/log\"}\n\n", l->one.v.attempt);
}

/* --- turn by turn ------------------------------------------------------- */

/* Frames until enough is there: 1; 0 when there are no more now; -1. */
static int read_some(struct logflow *l, struct buf *b, struct err *e)
{
	size_t read = 0;
	int there;

	while (b->len < OUT_BYTES && read < READ_BYTES) {
		size_t first = l->run.first;
		struct logidx_rec rec;
		struct logpart *p;
		struct str data;
		bool newly;

		there = peek(l, &p, &rec, e);
		put_rests(l, first, false, b);
		if (watch_all(l, first, &newly, e) || there < 0)
			return -1;
		if (newly)
			logrun_again(&l->run);
		if (!there && newly)
			continue;
		if (!there)
			return 0;
		if (logview_take(&p->v, l->data, e))
			return -1;
		if (l->whole)
			logrun_took(&l->run, p);
		data = str_n(l->data, rec.len);
		read += rec.len + LOGIDX_LEN;
		if (l->wish.form == LOG_TEXT)
			put_lines(l, p, rec.stream, data, b);
		else
			put_frame(l, p, &rec, data, b);
	}
	return 1;
}

/* All there is now was read. */
static int caught_up(struct logflow *l, struct buf *b)
{
	bool done = over(l);

	if (done || !l->wish.follow)
		put_rests(l, 0, true, b);
	if (l->tailing)
		l->tailing = !logtail_take(&l->tail, b, OUT_BYTES);
	if (b->len || l->tailing)
		return 1;
	if (!l->wish.follow)
		return -1;
	if (done) {
		l->ended = true;
		put_end(l, b);
		return b->len ? 1 : -1;
	}
	if (l->f.beat) {
		l->f.beat = false;
		if (l->wish.form == LOG_SSE)
			buf_puts(b, ": still here\n\n");
		return b->len ? 1 : 0;
	}
	return l->whole && logrun_awaits(&l->run) ? STREAM_SOON : 0;
}

static int more(void *ctx, struct buf *b)
{
	struct logflow *l = ctx;
	struct err e;
	int r;

	if (l->ended || look(l, &e))
		return -1;
	if (l->gap) {
		l->gap = false;
		put_gap(l, b);
		return 1;
	}
	r = read_some(l, b, &e);
	if (r > 0)
		r = b->len ? 1 : STREAM_AGAIN;
	else if (!r)
		r = caught_up(l, b);
	if (l->whole)
		logrun_close(&l->run);
	return r;
}

/* --- making one --------------------------------------------------------- */

struct logflow *logflow_new(struct request *r, const struct logwish *wish,
			    bool whole, struct logrun *run, struct logview *one)
{
	struct logflow *l = mem_alloc(sizeof(*l));

	l->api = r->api;
	l->wish = *wish;
	memcpy(l->word, wish->grep.word.p ? wish->grep.word.p : "",
	       wish->grep.word.len);
	l->wish.grep.word.p = l->word;
	l->whole = whole;
	if (whole)
		l->run = *run;
	else
		l->one.v = *one;
	l->data = mem_alloc(LOGIDX_FRAME_MAX);
	return l;
}

static void flow_free(void *ctx)
{
	struct logflow *l = ctx;

	follower_del(&l->f);
	logwatch_del(l->one.watch);
	for (size_t i = 0; i < l->run.n; i++)
		logwatch_del(l->run.parts[i]->watch);
	if (l->whole)
		logrun_done(&l->run);
	else
		logview_done(&l->one.v);
	logtail_done(&l->tail);
	mem_free(l->data);
	mem_free(l);
}

/* Go to near the last ones; which lines have a word is known only after all
 * were read. */
static int go_back(struct logflow *l, struct logview *v, struct err *e)
{
	uint64_t n;

	if (logview_open(v, l->api->state_fd, e))
		return -1;
	n = logview_count(v);
	if (l->wish.form == LOG_TEXT)
		return logview_back(v, l->wish.tail, LOGTAIL_BYTES, e);
	logview_seek(v, n > l->wish.tail ? n - l->wish.tail + 1 : 1);
	return 0;
}

static int start_tail(struct logflow *l, struct err *e)
{
	logtail_init(&l->tail, l->wish.tail);
	l->tailing = true;
	if (l->wish.grep.word.len)
		return 0;
	if (!l->whole)
		return go_back(l, &l->one.v, e);
	for (size_t i = 0; i < l->run.n; i++) {
		if (go_back(l, &l->run.parts[i]->v, e))
			return -1;
		logview_close(&l->run.parts[i]->v);
	}
	return 0;
}

int logflow_reply(struct request *r, struct logflow *l, bool resumed)
{
	static const char *const types[] = {
		[LOG_TEXT] = "text/plain; charset=utf-8",
		[LOG_NDJSON] = "application/x-ndjson",
		[LOG_SSE] = "text/event-stream",
	};
	struct err e;

	if (l->wish.tail && !resumed && start_tail(l, &e)) {
		flow_free(l);
		return reply_err(r, &e);
	}
	if (l->wish.follow)
		follower_add(r->api, &l->f, r,
			     l->whole ? &l->run.run : &l->one.v.run);
	return reply_stream(r, types[l->wish.form], more, l, flow_free);
}

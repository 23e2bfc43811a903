/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Schedules of a stored job: how they stand, when they come, pause and resume.
 * The engine reads them anew after each change. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "sched/trigger.h"
#include "store/jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	VIEW_MAX = 4 << 20,
	PREVIEW_MAX = 1000
};

#define SECOND_US ((int64_t)1000000)

/* --- the job ------------------------------------------------------------ */

static int take_doc(void *ctx, const struct store_job *j, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));

	if (doc_parse_max(j->canonical, DOC_JSON, JOB_CANONICAL_MAX, ctx, ps))
		return err_set(e, ERR_INTERNAL, "a stored job is odd: %s",
			       ps->items[0].message);
	return 0;
}

/* The job's document, or NULL after an answer. */
static struct doc *job_of(struct request *r)
{
	struct doc *d = NULL;
	struct err e;

	if (!store_read_job(r->api->reader, r->params[0], r->params[1], STR(""),
			    take_doc, &d, &e))
		return d;
	reply_err(r, &e);
	return NULL;
}

/* --- looking ------------------------------------------------------------ */

static void when(struct buf *b, const char *key, int64_t us)
{
	char t[CLOCK_TEXT_LEN + 1];

	if (us < 0) {
		buf_printf(b, ",\"%s\":null", key);
		return;
	}
	clock_format(us, t);
	buf_printf(b, ",\"%s\":\"%s\"", key, t);
}

static void text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, ",\"%s\":\"", key);
	buf_json(b, s);
	buf_putc(b, '"');
}

struct stand {
	bool paused;
	char run[ULID_LEN + 1];
	char error[ERR_TEXT_MAX];
};

static int see_stand(void *ctx, const struct store_schedule *x, struct err *e)
{
	struct stand *s = ctx;

	(void)e;
	s->paused = x->paused;
	(void)snprintf(s->run, sizeof(s->run), STR_FMT, STR_ARG(x->run));
	(void)snprintf(s->error, sizeof(s->error), STR_FMT, STR_ARG(x->error));
	return 0;
}

static int64_t next_us(const struct request *r, const struct trigger *t)
{
	struct schedule s = {.cron = &t->cron,
			     .tz = t->tz,
			     .jitter_us = t->jitter_us,
			     .seed = r->params[1]};
	int64_t next;

	if (calendar_next(&t->cron, t->tz, clock_real_us() / SECOND_US, &next))
		return -1;
	return schedule_due_us(&s, next);
}

static int view(struct request *r, const struct doc_node *n, struct buf *b,
		struct err *e)
{
	static const char *const missed[] = {[MISSED_LATEST] = "latest",
					     [MISSED_SKIP] = "skip",
					     [MISSED_ALL] = "all"};
	static const char *const overlap[] = {[OVERLAP_QUEUE] = "queue",
					      [OVERLAP_SKIP] = "skip",
					      [OVERLAP_REPLACE] = "replace"};
	struct stand s = {.paused = false};
	struct trigger t;
	int bad = trigger_read(n, &t, e);

	if (bad ||
	    store_read_schedule(r->api->reader, r->params[0], r->params[1],
				t.name, see_stand, &s, e) < 0) {
		trigger_done(&t);
		return -1;
	}
	buf_puts(b, "{\"name\":\"");
	buf_json(b, t.name);
	buf_putc(b, '"');
	text(b, "cron", t.line);
	text(b, "timezone", t.timezone);
	buf_printf(b, ",\"missed\":\"%s\",\"overlap\":\"%s\",\"paused\":%s",
		   missed[t.missed], overlap[t.overlap],
		   s.paused ? "true" : "false");
	when(b, "next_at", s.paused ? -1 : next_us(r, &t));
	if (s.run[0])
		buf_printf(b, ",\"last_run\":\"run_%s\"", s.run);
	else
		buf_puts(b, ",\"last_run\":null");
	if (s.error[0])
		text(b, "error", str_from(s.error));
	else
		buf_puts(b, ",\"error\":null");
	buf_putc(b, '}');
	trigger_done(&t);
	return 0;
}

static int list(struct request *r, const struct doc *d)
{
	const struct doc_node *all = trigger_list(d->root);
	struct buf b = BUF_INIT(VIEW_MAX);
	struct err e;

	buf_puts(&b, "{\"items\":[");
	for (const struct doc_node *n = all ? all->first : NULL; n;
	     n = n->next) {
		if (n != all->first)
			buf_putc(&b, ',');
		if (view(r, n, &b, &e)) {
			buf_done(&b);
			return reply_err(r, &e);
		}
	}
	buf_puts(&b, "],\"next_cursor\":null}\n");
	return reply_json(r, 200, &b);
}

int h_schedules(struct request *r)
{
	struct doc *d = job_of(r);

	if (d)
		list(r, d);
	doc_free(d);
	return 0;
}

typedef int one_fn(struct request *r, const struct doc_node *n);

static int of_one(struct request *r, one_fn *fn)
{
	struct doc *d = job_of(r);
	const struct doc_node *n =
		d ? trigger_find(d->root, r->params[2]) : NULL;

	if (n)
		fn(r, n);
	else if (d)
		reply_problem(r, 404, "not-found", "no such schedule");
	doc_free(d);
	return 0;
}

static int show(struct request *r, const struct doc_node *n)
{
	struct buf b = BUF_INIT(VIEW_MAX);
	struct err e;

	if (view(r, n, &b, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	buf_putc(&b, '\n');
	return reply_json(r, 200, &b);
}

int h_schedule(struct request *r)
{
	return of_one(r, show);
}

/* --- when it comes ------------------------------------------------------ */

/* "2026-03-29T03:00:00+02:00" */
static void local(struct buf *b, const struct tz *z, int64_t utc)
{
	char t[CLOCK_TEXT_LEN + 1];
	int32_t off = tz_offset(z, utc), abs = off < 0 ? -off : off;

	clock_format((utc + off) * SECOND_US, t);
	buf_printf(b, "%.19s%c%02d:%02d", t, off < 0 ? '-' : '+', abs / 3600,
		   abs / 60 % 60);
}

static int preview(struct request *r, const struct doc_node *n)
{
	int64_t t = clock_real_us() / SECOND_US;
	struct buf b = BUF_INIT(VIEW_MAX);
	struct trigger trigger;
	char utc[CLOCK_TEXT_LEN + 1];
	struct str after;
	uint64_t count;
	struct err e;

	if (request_query_u64(r, "count", 1, PREVIEW_MAX, 10, &count))
		return 0;
	if (request_query(r, "after", 0, &after)) {
		if (clock_parse(after, &t))
			return reply_problem(r, 400, "bad-parameter",
					     "after: an RFC 3339 time is "
					     "wanted");
		t /= SECOND_US;
	}
	if (trigger_read(n, &trigger, &e)) {
		trigger_done(&trigger);
		return reply_err(r, &e);
	}
	buf_puts(&b, "{\"items\":[");
	for (uint64_t i = 0;
	     i < count && !calendar_next(&trigger.cron, trigger.tz, t, &t);
	     i++) {
		clock_format(t * SECOND_US, utc);
		buf_printf(&b, "%s{\"at\":\"%s\",\"local\":\"", i ? "," : "",
			   utc);
		local(&b, trigger.tz, t);
		buf_puts(&b, "\"}");
	}
	trigger_done(&trigger);
	buf_puts(&b, "]}\n");
	return reply_json(r, 200, &b);
}

int h_schedule_preview(struct request *r)
{
	return of_one(r, preview);
}

/* --- pause and resume --------------------------------------------------- */

struct pausing {
	struct request *r;
	struct store_schedule row;
	char run[ULID_LEN + 1];
};

static int keep_run(void *ctx, const struct store_schedule *x, struct err *e)
{
	struct pausing *p = ctx;

	(void)e;
	(void)snprintf(p->run, sizeof(p->run), STR_FMT, STR_ARG(x->run));
	p->row.last_s = x->last_s;
	return 0;
}

/* Times that pass while it is paused are not its own. */
static int edit(void *ctx, struct store *s, struct err *refusal, struct err *e)
{
	struct request *r = ctx;
	struct pausing *p = r->state;
	int64_t now = clock_real_us() / SECOND_US;

	(void)refusal;
	if (store_schedule_get(s, p->row.project, p->row.job, p->row.name,
			       keep_run, p, e) < 0)
		return -1;
	if (p->row.last_s < now)
		p->row.last_s = now;
	p->row.run = str_from(p->run);
	p->row.error = STR("");
	return store_schedule_put(s, &p->row, e);
}

static void on_edited(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code)
		reply_err(r, &a->err);
	else
		of_one(r, show);
	request_resume(r);
}

static int change(struct request *r, bool paused)
{
	struct pausing *p = mem_alloc(sizeof(*p));
	char what[256];
	struct err e;

	p->row.project = r->params[0];
	p->row.job = r->params[1];
	p->row.name = r->params[2];
	p->row.paused = paused;
	r->state = p;
	r->state_free = mem_free;
	(void)snprintf(what, sizeof(what), "%.*s/%.*s/%.*s",
		       (int)r->params[0].len, r->params[0].p,
		       (int)r->params[1].len, r->params[1].p,
		       (int)r->params[2].len, r->params[2].p);
	if (engine_edit(r->api->engine, str_from(r->who.name),
			paused ? STR("schedule.pause") : STR("schedule.resume"),
			str_from(what), edit, on_edited, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

static int pause_it(struct request *r, const struct doc_node *n)
{
	(void)n;
	return change(r, true);
}

static int resume_it(struct request *r, const struct doc_node *n)
{
	(void)n;
	return change(r, false);
}

int h_schedule_pause(struct request *r)
{
	return of_one(r, pause_it);
}

int h_schedule_resume(struct request *r)
{
	return of_one(r, resume_it);
}

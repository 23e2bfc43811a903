/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Schedules: what the stored jobs say, how far each has got, and the runs that
 * are due.  A run and how far its schedule has got are one transaction, so that
 * a time is neither lost nor taken twice.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "sched/trigger.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

enum {
	LOOK_EVERY_US = 60 * 1000000, /* somebody may have set the clock */
	SUBJECT_MAX = JOB_NAME_MAX + 16
};

struct timetable {
	struct timetable *next;
	struct doc *doc; /* the job; the trigger's text is in it */
	char *canonical;
	char project[JOB_NAME_MAX + 1], job[JOB_NAME_MAX + 1];
	struct trigger trigger;
	int64_t last_s;
	bool paused, dirty;
	struct ulid run;
	char error[ERR_TEXT_MAX];
};

/* --- what there is ------------------------------------------------------ */

static void entry_free(struct timetable *t)
{
	trigger_done(&t->trigger);
	doc_free(t->doc);
	mem_free(t->canonical);
	mem_free(t);
}

void timetable_free(struct engine *g)
{
	struct timetable *t;

	while ((t = g->timetable)) {
		g->timetable = t->next;
		entry_free(t);
	}
}

struct loading {
	struct engine *g;
	struct timetable *list;
};

static int see_row(void *ctx, const struct store_schedule *x, struct err *e)
{
	struct timetable *t = ctx;

	(void)e;
	if (x->last_s > t->last_s)
		t->last_s = x->last_s;
	t->paused = x->paused;
	if (x->run.len == ULID_LEN)
		memcpy(t->run.s, x->run.p, ULID_LEN);
	(void)snprintf(t->error, sizeof(t->error), STR_FMT, STR_ARG(x->error));
	return 0;
}

static int add_one(struct loading *l, const struct store_job *j,
		   struct str name, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct timetable *t = mem_alloc(sizeof(*t));
	struct err why;

	(void)snprintf(t->project, sizeof(t->project), STR_FMT,
		       STR_ARG(j->project));
	(void)snprintf(t->job, sizeof(t->job), STR_FMT, STR_ARG(j->name));
	t->canonical = mem_strndup(j->canonical.p, j->canonical.len);
	/* times from before it was put so are not its own */
	t->last_s = j->put_us / 1000000;
	if (doc_parse_max(str_from(t->canonical), DOC_JSON, JOB_CANONICAL_MAX,
			  &t->doc, ps) ||
	    trigger_read(trigger_find(t->doc->root, name), &t->trigger, &why)) {
		log_error("schedule " STR_FMT " of %s/%s: %s", STR_ARG(name),
			  t->project, t->job, t->doc ? why.text : "odd");
		entry_free(t);
		return 0;
	}
	if (store_schedule_get(l->g->store, j->project, j->name, name, see_row,
			       t, e) < 0) {
		entry_free(t);
		return -1;
	}
	t->next = l->list;
	l->list = t;
	return 0;
}

static int add_job(void *ctx, const struct store_job *j, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	const struct doc_node *list;
	struct doc *d;
	int bad = 0;

	if (doc_parse_max(j->canonical, DOC_JSON, JOB_CANONICAL_MAX, &d, ps))
		return 0;
	list = trigger_list(d->root);
	for (const struct doc_node *n = list ? list->first : NULL; n && !bad;
	     n = n->next)
		bad = add_one(ctx, j, job_text(doc_get(n, "name"), ""), e);
	doc_free(d);
	return bad;
}

int timetable_load(struct engine *g, struct err *e)
{
	struct loading l = {.g = g};
	struct timetable *old = g->timetable;

	if (store_jobs_scheduled(g->store, add_job, &l, e)) {
		g->timetable = l.list;
		timetable_free(g);
		g->timetable = old;
		return -1;
	}
	timetable_free(g);
	g->timetable = l.list;
	g->stats.schedules = 0;
	for (const struct timetable *t = g->timetable; t; t = t->next)
		g->stats.schedules += !t->paused;
	g->timetable_due = true;
	return 0;
}

/* --- what is due -------------------------------------------------------- */

static void nobody(void *ctx, const struct engine_reply *r)
{
	(void)ctx;
	(void)r;
}

/* A run of an earlier time that has not ended. */
static const struct run *still(const struct engine *g,
			       const struct timetable *t, const char *subject)
{
	LIST_FOR(l, &g->runs)
	{
		const struct run *r = LIST_ENTRY(l, struct run, link);

		if (!r->ended && str_is(r->row.submitter, subject) &&
		    str_is(r->row.project, t->project) &&
		    str_is(r->row.job, t->job))
			return r;
	}
	return NULL;
}

static int make_order(struct engine *g, struct timetable *t,
		      const char *subject, struct engine_order **ret,
		      struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf inputs = BUF_INIT(DOC_TEXT_MAX);
	struct engine_ask ask = {.project = str_from(t->project),
				 .canonical = str_from(t->canonical),
				 .submitter = str_from(subject),
				 .trigger = STR("schedule"),
				 .priority = -1};
	struct job *j;

	if (t->trigger.inputs &&
	    doc_write_canonical(t->trigger.inputs, &inputs, e))
		return -1;
	ask.inputs = buf_view(&inputs);
	if (job_parse_stored(ask.canonical, &j, ps))
		return err_set(e, ERR_INVALID, "%s", ps->items[0].message);
	if (!engine_order_new(g->o.policies, &ask, j, ret, ps, e))
		return 0;
	if (ps->n)
		(void)err_set(e, e->code, "%s", ps->items[0].message);
	return -1;
}

static void fire(struct engine *g, struct timetable *t)
{
	char subject[SUBJECT_MAX];
	const struct run *before;
	struct engine_order *o;
	struct command *c;
	struct err e = {0};

	(void)snprintf(subject, sizeof(subject), "schedule:" STR_FMT,
		       STR_ARG(t->trigger.name));
	before = still(g, t, subject);
	t->error[0] = '\0';
	if (before && t->trigger.overlap == OVERLAP_SKIP) {
		(void)snprintf(t->error, sizeof(t->error),
			       "run_%s had not ended", before->row.ulid.s);
		return;
	}
	if (make_order(g, t, subject, &o, &e)) {
		(void)snprintf(t->error, sizeof(t->error), "%s", e.text);
		log_error("schedule " STR_FMT " of %s/%s: %s",
			  STR_ARG(t->trigger.name), t->project, t->job, e.text);
		return;
	}
	c = command_new(COMMAND_RUN, str_from(subject), nobody, NULL);
	c->order = o;
	command_do(g, c);
	t->run = c->reply.run;
	(void)snprintf(t->error, sizeof(t->error), "%s", c->reply.err.text);
}

void timetable_run(struct engine *g)
{
	int64_t now = clock_real_us(), next = now + LOOK_EVERY_US;

	if (!g->timetable_due || !g->recovered)
		return;
	g->timetable_due = false;
	for (struct timetable *t = g->timetable; t; t = t->next) {
		struct schedule s = {.cron = &t->trigger.cron,
				     .tz = t->trigger.tz,
				     .missed = t->trigger.missed,
				     .jitter_us = t->trigger.jitter_us,
				     .seed = str_from(t->job)};
		struct schedule_answer a;

		if (t->paused)
			continue;
		schedule_decide(&s, t->last_s, now, &a);
		for (size_t i = 0; i < a.n; i++)
			fire(g, t);
		t->dirty |= a.last != t->last_s;
		t->last_s = a.last;
		if (a.next_us < next)
			next = a.next_us;
	}
	if (g->timetable)
		loop_timer_set(g->timetable_timer,
			       clock_mono_us() + (next - now));
}

/* --- the transaction ---------------------------------------------------- */

bool timetable_dirty(const struct engine *g)
{
	for (const struct timetable *t = g->timetable; t; t = t->next)
		if (t->dirty)
			return true;
	return false;
}

int timetable_save(struct engine *g, struct err *e)
{
	for (const struct timetable *t = g->timetable; t; t = t->next) {
		const struct store_schedule x = {
			.project = str_from(t->project),
			.job = str_from(t->job),
			.name = t->trigger.name,
			.last_s = t->last_s,
			.paused = t->paused,
			.run = str_from(t->run.s),
			.error = str_from(t->error),
		};

		if (t->dirty && store_schedule_put(g->store, &x, e))
			return -1;
	}
	return 0;
}

void timetable_saved(struct engine *g)
{
	for (struct timetable *t = g->timetable; t; t = t->next)
		t->dirty = false;
}

void timetable_turned_away(struct engine *g, const struct err *why)
{
	for (struct timetable *t = g->timetable; t; t = t->next) {
		const struct run *r = map_get(g->by_run, str_from(t->run.s));

		if (!r || !r->turned_away)
			continue;
		t->run = (struct ulid){{0}};
		(void)snprintf(t->error, sizeof(t->error), "%s", why->text);
	}
}

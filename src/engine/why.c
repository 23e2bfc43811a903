/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Why a run waits; see why.h. */
#include "engine/why.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/view.h"
#include "engine/why_people.h"
#include "job/job.h"
#include "job/plan.h"
#include "store/resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct why {
	struct store_reader *reader;
	struct buf *b;
	const struct engine_stats *stats;
	struct ulid ulid;
	struct arena *arena;
	int64_t id;
	enum run_state state;
	struct str project, group, blocked, inputs, trigger, submitter, fetch;
	int32_t priority;
	bool started, cancelled;
	struct job_plan *plan;
	size_t n_reasons; /* of what is being written */
	/* of the plan's instances */
	enum run_state *states;
	int64_t *due_us;
	struct str *blocked_by, *error;
	struct ulid *child; /* of its last attempt */
};

static struct str keep(struct why *w, struct str s)
{
	char *p = arena_strndup(w->arena, s.p ? s.p : "", s.len);

	return str_n(p ? p : "", p ? s.len : 0);
}

static void reason(struct why *w, const char *what)
{
	buf_printf(w->b, "%s{\"for\":\"%s\",\"text\":\"",
		   w->n_reasons++ ? "," : "", what);
}

/* --- the run ------------------------------------------------------------ */

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	struct why *w = ctx;

	(void)e;
	w->id = run->id;
	w->state = run->state;
	w->project = keep(w, run->project);
	w->group = keep(w, run->group);
	w->blocked = keep(w, run->blocked);
	w->inputs = keep(w, run->inputs);
	w->trigger = keep(w, run->trigger);
	w->submitter = keep(w, run->submitter);
	w->fetch = keep(w, run->fetch);
	w->priority = run->priority;
	w->started = run->started_us != 0;
	w->cancelled = run->cancelled;
	return 0;
}

struct holders {
	struct why *w;
	struct buf runs, text;
	unsigned n;
};

/* Who goes first in its group: those that have begun, and those in front. */
static int see_holder(void *ctx, const struct store_run *run, struct err *e)
{
	struct holders *h = ctx;
	bool first = run->priority > h->w->priority ||
		     (run->priority == h->w->priority && run->id < h->w->id);

	(void)e;
	if (run->id == h->w->id || (!run->started_us && !first))
		return 0;
	buf_printf(&h->runs, "%s\"run_%s\"", h->n++ ? "," : "", run->ulid.s);
	buf_printf(&h->text, "; run_%s %s", run->ulid.s,
		   run->started_us ? "holds it" : "is before it");
	return 0;
}

static int group_reason(struct why *w, struct err *e)
{
	struct holders h = {
		.w = w, .runs = BUF_INIT(1 << 20), .text = BUF_INIT(1 << 20)};
	int bad = store_read_group(w->reader, w->project, w->group, see_holder,
				   &h, e);

	if (!bad) {
		reason(w, "concurrency");
		buf_puts(w->b, "concurrency group \\\"");
		buf_json(w->b, w->group);
		buf_puts(w->b, "\\\"");
		buf_json(w->b, buf_view(&h.text));
		buf_puts(w->b, "\",\"runs\":[");
		buf_str(w->b, buf_view(&h.runs));
		buf_puts(w->b, "]}");
	}
	buf_done(&h.runs);
	buf_done(&h.text);
	return bad;
}

static int see_body(void *ctx, const struct store_resource *x, struct err *e)
{
	(void)e;
	buf_str(ctx, x->body);
	return 0;
}

/* What the server and the project say, as far as it is said. */
static void words(struct why *w, const char *kind, struct str name,
		  const char *key, const char *text)
{
	CLEANUP_BUF struct buf body = BUF_INIT(1 << 20);
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	const struct doc_node *why;
	struct err none;
	struct doc *d;
	bool on = false;

	if (store_read_resource(w->reader, str_from(kind), name, see_body,
				&body, &none) ||
	    doc_parse(buf_view(&body), DOC_JSON, &d, ps))
		return;
	if (!doc_as_bool(doc_get(d->root, key), &on) && on) {
		why = doc_get(d->root, "reason");
		reason(w, "maintenance");
		buf_puts(w->b, text);
		if (why) {
			buf_puts(w->b, ": ");
			buf_json(w->b, why->text);
		}
		buf_puts(w->b, "\"}");
	}
	doc_free(d);
}

static void held_reasons(struct why *w)
{
	words(w, "system", STR("maintenance"), "on",
	      "the server is in maintenance");
	words(w, "project", w->project, "paused", "the project is paused");
}

static void room_reason(struct why *w, const char *also)
{
	reason(w, "room");
	buf_printf(w->b,
		   "a place on agent local: %" PRIu64 " of %" PRIu64
		   " attempts are running there%s\",\"agent\":\"local\"}",
		   w->stats->running_attempts, w->stats->parallel, also);
}

static int run_reasons(struct why *w, struct err *e)
{
	held_reasons(w);
	if (str_is(w->blocked, "source")) {
		reason(w, "source");
		buf_printf(
			w->b,
			"its source is being fetched\",\"runs\":[\"run_" STR_FMT
			"\"]}",
			STR_ARG(w->fetch));
		return 0;
	}
	if (str_is(w->blocked, "concurrency") && w->group.len)
		return group_reason(w, e);
	if (str_is(w->blocked, "concurrency")) {
		reason(w, "concurrency");
		buf_puts(w->b, "as many runs of the project as it allows "
			       "(max_running) are under way\"}");
	} else if (!w->n_reasons && w->state == STATE_QUEUED) {
		room_reason(w, "");
	}
	return 0;
}

/* --- its tasks ---------------------------------------------------------- */

static int see_task(void *ctx, const struct store_task *t, struct err *e)
{
	struct why *w = ctx;

	(void)e;
	if (t->index >= w->plan->n)
		return 0;
	w->states[t->index] = t->state;
	w->due_us[t->index] = t->due_us;
	w->blocked_by[t->index] = keep(w, t->blocked);
	w->error[t->index] = keep(w, t->error);
	return 0;
}

static void need_reason(struct why *w, uint32_t need)
{
	reason(w, "need");
	buf_puts(w->b, "task \\\"");
	buf_json(w->b, w->plan->instances[need].name);
	buf_printf(w->b, "\\\" is %s\"}", state_name(w->states[need]));
}

static bool others_open(const struct why *w)
{
	for (size_t i = 0; i < w->plan->n; i++)
		if (!w->plan->instances[i].is_finally &&
		    !state_final(w->states[i]))
			return true;
	return false;
}

static int see_child(void *ctx, const struct store_run *run, struct err *e)
{
	struct why *w = ctx;

	(void)e;
	reason(w, "call");
	buf_printf(w->b, "run_%s, which it has called, is %s", run->ulid.s,
		   state_name(run->state));
	if (run->blocked.len)
		buf_printf(w->b, ": " STR_FMT, STR_ARG(run->blocked));
	buf_printf(w->b, "\",\"runs\":[\"run_%s\"]}", run->ulid.s);
	return 0;
}

static int task_reasons(struct why *w, size_t i, struct err *e)
{
	const struct job_instance *in = &w->plan->instances[i];
	char when[CLOCK_TEXT_LEN + 1];

	if (w->states[i] == STATE_RUNNING)
		return store_read_run(w->reader, &w->child[i], see_child, w, e);
	if (!w->started && !w->cancelled) {
		reason(w, "run");
		buf_puts(w->b, "the run has not begun\"}");
		return 0;
	}
	for (size_t k = 0; k < in->n_needs; k++)
		if (!state_final(w->states[in->needs[k]]))
			need_reason(w, in->needs[k]);
	if (in->is_finally && others_open(w)) {
		reason(w, "finally");
		buf_puts(w->b, "it comes when all other tasks have ended\"}");
	}
	if (str_is(w->blocked_by[i], "approval"))
		return why_people(w->reader, &w->ulid, in->name, w->b,
				  &w->n_reasons, e);
	if (w->due_us[i] > clock_real_us()) {
		clock_format(w->due_us[i], when);
		reason(w, "retry");
		buf_printf(w->b, "it is tried again at %s\"}", when);
	} else if (w->due_us[i]) {
		held_reasons(w);
	}
	if (str_is(w->blocked_by[i], "secrets") ||
	    str_is(w->blocked_by[i], "sealed")) {
		reason(w, str_is(w->blocked_by[i], "sealed") ? "sealed" :
							       "secrets");
		buf_json(w->b, w->error[i]);
		buf_puts(w->b, "\"}");
		return 0;
	}
	if (w->blocked_by[i].len) {
		reason(w, "blocked");
		buf_puts(w->b, "no machine can ever hold its pipe group: ");
		buf_json(w->b, w->blocked_by[i]);
		buf_puts(w->b, "\"}");
	}
	if (w->n_reasons)
		return 0;
	room_reason(w, ", or the job's own limits");
	return 0;
}

static int see_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct why *w = ctx;

	(void)e;
	if (a->index < w->plan->n)
		w->child[a->index] = a->child; /* the last one stays */
	return 0;
}

/* One that runs waits for nothing but the run that it has called. */
static bool waits(const struct why *w, size_t i)
{
	return w->states[i] == STATE_QUEUED || w->states[i] == STATE_BLOCKED ||
	       (w->states[i] == STATE_RUNNING && w->child[i].s[0]);
}

static int put_tasks(struct why *w, struct err *e)
{
	bool first = true;

	if (store_read_tasks(w->reader, w->id, see_task, w, e) ||
	    store_read_attempts(w->reader, w->id, see_attempt, w, e))
		return -1;
	buf_puts(w->b, "],\"tasks\":[");
	for (size_t i = 0; i < w->plan->n; i++) {
		if (!waits(w, i))
			continue;
		buf_puts(w->b, first ? "{\"name\":\"" : ",{\"name\":\"");
		buf_json(w->b, w->plan->instances[i].name);
		buf_printf(w->b, "\",\"state\":\"%s\",\"waits\":[",
			   state_name(w->states[i]));
		w->n_reasons = 0;
		if (task_reasons(w, i, e))
			return -1;
		buf_puts(w->b, "]}");
		first = false;
	}
	buf_puts(w->b, "]}\n");
	return 0;
}

static int plan_it(struct why *w, struct err *e)
{
	CLEANUP_BUF struct buf canonical = BUF_INIT(JOB_CANONICAL_MAX);
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	char id[ULID_LEN + 8];
	struct job_run_facts facts = {.trigger = w->trigger,
				      .submitter = w->submitter};
	struct job *j;

	(void)snprintf(id, sizeof(id), "run_%s", w->ulid.s);
	facts.run_id = str_from(id);
	if (store_read_canonical(w->reader, &w->ulid, &canonical, e))
		return -1;
	if (job_parse_stored(buf_view(&canonical), &j, ps) ||
	    job_plan_new(j, w->inputs, &facts, &w->plan, ps))
		return err_set(e, ERR_INTERNAL, "the run cannot be planned: %s",
			       ps->n ? ps->items[0].message : "no reason");
	w->states = mem_array(w->plan->n + 1, sizeof(*w->states));
	w->due_us = mem_array(w->plan->n + 1, sizeof(*w->due_us));
	w->blocked_by = mem_array(w->plan->n + 1, sizeof(*w->blocked_by));
	w->error = mem_array(w->plan->n + 1, sizeof(*w->error));
	w->child = mem_array(w->plan->n + 1, sizeof(*w->child));
	return 0;
}

static int write_all(struct why *w, struct err *e)
{
	if (store_read_run(w->reader, &w->ulid, see_run, w, e) || plan_it(w, e))
		return -1;
	buf_printf(w->b, "{\"id\":\"run_%s\",\"state\":\"%s\",\"blocked\":",
		   w->ulid.s, state_name(w->state));
	buf_printf(w->b, w->blocked.len ? "\"%.*s\"" : "%.*snull",
		   (int)w->blocked.len, w->blocked.p);
	buf_puts(w->b, ",\"waits\":[");
	if (!state_final(w->state) && !w->started && run_reasons(w, e))
		return -1;
	if (!state_final(w->state) && w->started &&
	    why_people(w->reader, &w->ulid, str_n(NULL, 0), w->b, &w->n_reasons,
		       e))
		return -1;
	return put_tasks(w, e);
}

int why_run(struct store_reader *r, const struct ulid *run,
	    const struct engine_stats *stats, struct buf *b, struct err *e)
{
	struct why w = {.reader = r,
			.b = b,
			.stats = stats,
			.ulid = *run,
			.arena = arena_new(8 << 20)};
	int bad;

	if (store_reader_begin(r, e)) {
		arena_free(w.arena);
		return -1;
	}
	bad = write_all(&w, e);
	store_reader_end(r);
	job_plan_free(w.plan);
	mem_free(w.states);
	mem_free(w.due_us);
	mem_free(w.blocked_by);
	mem_free(w.error);
	mem_free(w.child);
	arena_free(w.arena);
	return bad;
}

/* --- the queue ---------------------------------------------------------- */

struct queue {
	struct buf *b;
	uint32_t n;
};

static int see_queued(void *ctx, const struct store_run *run, struct err *e)
{
	struct queue *q = ctx;

	(void)e;
	if (q->n++)
		buf_putc(q->b, ',');
	view_run_row(run, q->b);
	q->b->len--; /* its brace */
	buf_printf(q->b, ",\"position\":%" PRIu32 ",\"waits_for\":\"", q->n);
	buf_json(q->b, run->blocked.len ? run->blocked : STR("room"));
	buf_puts(q->b, "\",\"agent\":\"local\"}");
	return 0;
}

int why_queue(struct store_reader *r, struct str visible, uint32_t limit,
	      struct buf *b, struct err *e)
{
	struct queue q = {.b = b};

	buf_putc(b, '[');
	if (store_read_queue(r, visible, limit, see_queued, &q, e))
		return -1;
	buf_putc(b, ']');
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The engine's thread: all that came since the last turn is done in one
 * transaction, committed, and only then answered and launched.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	PARALLEL = 64,
	LIVE_RUNS = 2000,
	COMMANDS = 1024,
	KEYS_KEPT_H = 24,
};

#define ARTIFACT_MAX ((uint64_t)10 << 30)

static void turn(struct engine *g);

/* --- answers and news --------------------------------------------------- */

static void wake_owner(struct engine *g)
{
	uint64_t one = 1;

	if (fd_write(g->out_fd, &one, sizeof(one)) < 0)
		return; /* it is awake */
}

static void publish(struct engine *g)
{
	pthread_mutex_lock(&g->lock);
	while (g->waiting) {
		struct command *c = g->waiting;

		g->waiting = c->next;
		c->next = NULL;
		*g->out_tail = c;
		g->out_tail = &c->next;
	}
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);
		struct news *n;

		if (!r->last_event)
			continue;
		n = mem_alloc(sizeof(*n));
		n->n = (struct engine_news){r->row.ulid, r->last_event,
					    r->ended};
		r->last_event = 0;
		*g->news_tail = n;
		g->news_tail = &n->next;
	}
	g->stats.ready = g->recovered;
	g->stats.disk_full = g->disk_full;
	g->stats.monitor_up = g->monitor != NULL;
	g->stats.live_runs = g->n_runs;
	g->stats.running_attempts = g->n_running;
	g->stats.commits++;
	pthread_mutex_unlock(&g->lock);
	wake_owner(g);
}

/* Keep the command until the commit; its answer is filled in already. */
static void answer_later(struct engine *g, struct command *c)
{
	c->next = g->waiting;
	g->waiting = c;
}

/* --- a turn ------------------------------------------------------------- */

static int begin(struct engine *g, struct err *e)
{
	if (g->in_tx)
		return 0;
	if (store_begin(g->store, e))
		return -1;
	g->in_tx = true;
	return 0;
}

/* The database did not take it: memory and rows differ, so start again from
 * the rows.  The monitor restarts us; tasks run on. */
static void give_up(const struct err *e) NORETURN;

static void give_up(const struct err *e)
{
	log_error("the store: %s; starting anew", e->text);
	_exit(1);
}

static void commit(struct engine *g)
{
	struct err e;

	if (!g->in_tx)
		return;
	g->in_tx = false;
	if (store_commit(g->store, &e))
		give_up(&e);
}

static int do_commands(struct engine *g, struct err *e)
{
	struct command *c = commands_take(g);

	while (c) {
		struct command *next = c->next;
		struct err why = {0};

		if (begin(g, e))
			return -1;
		if (commands_do(g, c, &why)) {
			/* Nothing may be half done. */
			if (why.code == ERR_LIMIT)
				g->disk_full = true;
			*e = why;
			return -1;
		}
		answer_later(g, c);
		c = next;
	}
	return 0;
}

static int do_runs(struct engine *g, struct err *e)
{
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		if (!r->dirty || !g->recovered)
			continue;
		r->dirty = false;
		if (begin(g, e) || advance(r, e))
			return -1;
	}
	return 0;
}

static void after_commit(struct engine *g)
{
	publish(g);
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		advance_launch(r);
		if (!r->ended)
			continue;
		if (r->row.state >= STATE_SUCCEEDED &&
		    r->row.state <= STATE_CANCELLED)
			g->stats.runs_ended[r->row.state - STATE_SUCCEEDED]++;
		if (r->has_slot && g->monitor) {
			struct wire_writer w = {.len = 0};
			struct err e;

			wire_bytes(&w, r->row.ulid.s, ULID_LEN);
			wire_u32(&w, r->slot);
			(void)!chan_post(g->monitor, MSG_RELEASE, &w, NULL, 0,
					 &e);
		}
		live_free(r);
	}
}

static void set_timer(struct engine *g)
{
	int64_t due = INT64_MAX, now = clock_real_us();

	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);
		int64_t d = r->dirty ? now : advance_due(r);

		if (d < due)
			due = d;
	}
	loop_timer_set(g->timer,
		       due == INT64_MAX ?
			       -1 :
			       clock_mono_us() + (due > now ? due - now : 0));
}

static void turn(struct engine *g)
{
	struct err e;

	if (do_commands(g, &e) || do_runs(g, &e))
		give_up(&e);
	commit(g);
	after_commit(g);
	/* A slot that became free may be what another run waits for. */
	set_timer(g);
}

static void on_wake(void *ctx)
{
	struct engine *g = ctx;

	if (g->stop)
		loop_stop(g->loop);
	turn(g);
}

static void on_timer(void *ctx)
{
	struct engine *g = ctx;

	LIST_FOR(l, &g->runs)
	LIST_ENTRY(l, struct run, link)->dirty = true;
	turn(g);
}

/* --- the monitor -------------------------------------------------------- */

static struct run *find_attempt(struct engine *g, const struct attempt_id *id,
				size_t *ret_i)
{
	struct run *r = map_get(g->by_attempt, str_from(id->attempt.s));

	for (size_t i = 0; r && i < r->plan->n; i++)
		if (!strcmp(r->inst[i].ulid.s, id->attempt.s) &&
		    r->inst[i].fence == id->fence) {
			*ret_i = i;
			return r;
		}
	return NULL;
}

static int on_ended(struct engine *g, struct wire_reader *rd)
{
	struct ended end;
	struct run *r;
	struct err e;
	size_t i;

	if (ended_decode(rd, &end) || !wire_end(rd))
		return -1;
	r = find_attempt(g, &end.id, &i);
	if (!r || !r->inst[i].running)
		return 0; /* stale: an earlier holder's */
	if (begin(g, &e) || result_take(r, i, &end, &e))
		give_up(&e);
	/* What was freed may be what others wait for. */
	LIST_FOR(l, &g->runs)
	LIST_ENTRY(l, struct run, link)->dirty = true;
	turn(g);
	return 0;
}

static int on_started(struct engine *g, struct wire_reader *rd)
{
	struct attempt_id id;
	int64_t when;
	struct run *r;
	size_t i;

	if (attempt_id_decode(rd, &id))
		return -1;
	when = wire_get_i64(rd);
	if (!wire_end(rd))
		return -1;
	r = find_attempt(g, &id, &i);
	if (r)
		r->inst[i].started_us = when;
	g->stats.attempts_started++;
	return 0;
}

static int on_alive(struct engine *g, struct wire_reader *rd)
{
	struct attempt_id id;
	struct run *r;
	size_t i;

	if (attempt_id_decode(rd, &id) || !wire_end(rd))
		return -1;
	r = find_attempt(g, &id, &i);
	if (r)
		r->inst[i].alive = true;
	return 0;
}

static int on_alive_end(struct engine *g)
{
	struct err e;

	if (g->recovered)
		return 0;
	g->recovered = true;
	if (begin(g, &e) || recover_end(g, &e))
		give_up(&e);
	turn(g);
	return 0;
}

static int on_monitor(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct engine *g = ctx;

	switch (msg->type) {
	case MSG_ENDED:
		return on_ended(g, &r);
	case MSG_STARTED:
		return on_started(g, &r);
	case MSG_ALIVE:
		return on_alive(g, &r);
	case MSG_ALIVE_END:
		return on_alive_end(g);
	case MSG_STOP:
		return 0;
	default:
		return -1;
	}
}

static void on_monitor_gone(void *ctx, const struct err *why)
{
	(void)ctx;
	log_error("the monitor is gone: %s", why ? why->text : "end of file");
	_exit(1); /* nothing can be started or heard of any more */
}

static const struct chan_ops monitor_ops = {on_monitor, on_monitor_gone};

/* --- life --------------------------------------------------------------- */

static void defaults(struct engine_opts *o)
{
	o->parallel = o->parallel ? o->parallel : PARALLEL;
	o->uid_slots = o->uid_slots ? o->uid_slots : o->parallel + 64;
	o->live_runs = o->live_runs ? o->live_runs : LIVE_RUNS;
	o->commands = o->commands ? o->commands : COMMANDS;
	o->artifact_max_bytes =
		o->artifact_max_bytes ? o->artifact_max_bytes : ARTIFACT_MAX;
}

int engine_new(const struct engine_opts *opts, struct engine **ret,
	       struct err *e)
{
	struct engine *g = mem_alloc(sizeof(*g));

	g->o = *opts;
	defaults(&g->o);
	g->store = opts->store;
	pthread_mutex_init(&g->lock, NULL);
	g->in_tail = &g->in_head;
	g->out_tail = &g->out_head;
	g->news_tail = &g->news_head;
	list_init(&g->runs);
	g->by_attempt = map_new();
	g->by_run = map_new();
	g->n_slots = g->o.uid_slots;
	g->slots = mem_alloc(g->n_slots);
	g->policy_digest = policy_set_digest(opts->policies);
	g->out_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->out_fd < 0) {
		err_sys(e, errno, "eventfd");
		engine_free(g);
		return -1;
	}
	if (loop_new(&g->loop, e) || loop_on_wake(g->loop, on_wake, g, e) ||
	    recover_load(g, e)) {
		engine_free(g);
		return -1;
	}
	g->timer = loop_timer_new(g->loop, on_timer, g);
	g->monitor = chan_new(g->loop, opts->monitor_fd, &monitor_ops, g);
	if (opts->monitor_is_new && on_alive_end(g)) {
		engine_free(g);
		return -1;
	}
	*ret = g;
	return 0;
}

static void *thread_main(void *ctx)
{
	struct engine *g = ctx;
	struct err e;

	if (loop_run(g->loop, &e))
		log_error("%s", e.text);
	return NULL;
}

int engine_start(struct engine *g, struct err *e)
{
	int r = pthread_create(&g->thread, NULL, thread_main, g);

	if (r)
		return err_sys(e, r, "thread");
	g->started = true;
	return 0;
}

void engine_free(struct engine *g)
{
	if (!g)
		return;
	if (g->started) {
		g->stop = true;
		loop_wake(g->loop);
		pthread_join(g->thread, NULL);
	}
	commands_fail(commands_take(g));
	engine_drain(g, NULL, NULL);
	chan_free(g->monitor);
	LIST_FOR(l, &g->runs)
	live_free(LIST_ENTRY(l, struct run, link));
	loop_timer_free(g->timer);
	loop_free(g->loop);
	store_close(g->store);
	map_free(g->by_attempt, NULL);
	map_free(g->by_run, NULL);
	mem_free(g->slots);
	fd_close(&g->out_fd);
	pthread_mutex_destroy(&g->lock);
	mem_free(g);
}

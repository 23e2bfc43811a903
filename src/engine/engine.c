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

/* --- commands ----------------------------------------------------------- */

static int add_tasks(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->plan->n; i++) {
		r->states[i] = STATE_QUEUED;
		if (live_save_task(r, i, e))
			return -1;
	}
	return live_event(r, STORE_EVENT_RUN, -1, STR(""), e);
}

/* 1: answered by an earlier run, 0: go on. */
static int seen_before(struct engine *g, struct command *c, struct err *e)
{
	struct engine_order *o = c->order;
	struct hash before;
	int found;

	if (!o->key.len)
		return 0;
	found = store_key_get(g->store, o->row.submitter, o->key, &before,
			      &c->reply.run, e);
	if (found <= 0)
		return found;
	if (hash_eq(&before, &o->request)) {
		c->reply.replayed = true;
	} else {
		err_set(&c->reply.err, ERR_CONFLICT,
			"this Idempotency-Key was used for another request");
		c->reply.err.sys = EEXIST;
	}
	return 1;
}

static int do_run(struct engine *g, struct command *c, struct err *e)
{
	struct engine_order *o = c->order;
	int seen = seen_before(g, c, e);
	struct run *r;

	if (seen)
		return seen < 0 ? -1 : 0;
	if (g->n_runs >= g->o.live_runs) {
		err_set(&c->reply.err, ERR_LIMIT, "too many runs are waiting");
		return 0;
	}
	o->row.state = STATE_QUEUED;
	if (store_run_add(g->store, &o->row, &o->row.id, e) ||
	    (o->key.len &&
	     store_key_put(g->store, o->row.submitter, o->key, &o->request,
			   &o->ulid, clock_real_us(), e)) ||
	    store_audit_add(g->store, clock_real_us(), o->row.submitter,
			    STR("run.create"), str_from(o->ulid.s), e))
		return -1;
	c->reply.run = o->ulid;
	r = live_new(g, o->plan, &o->row);
	r->row.canonical = str_n(NULL, 0);
	r->dirty = true;
	o->plan = NULL; /* the run's now */
	g->stats.runs_made++;
	return add_tasks(r, e);
}

static int do_cancel(struct engine *g, struct command *c, struct err *e)
{
	struct run *r = map_get(g->by_run, str_from(c->run.s));
	enum run_state state;
	int64_t id;

	c->reply.run = c->run;
	if (!r || r->ended) {
		if (store_run_find(g->store, &c->run, &id, &state,
				   &c->reply.err))
			return 0;
		err_set(&c->reply.err, ERR_CONFLICT,
			"the run has ended: it is %s", state_name(state));
		return 0;
	}
	if (r->row.cancelled) {
		err_set(&c->reply.err, ERR_CONFLICT,
			"the run is being cancelled already");
		return 0;
	}
	r->row.cancelled = true;
	r->dirty = true;
	advance_cancel_running(r);
	return store_audit_add(g->store, clock_real_us(), str_from(c->who),
			       STR("run.cancel"), str_from(c->run.s), e) ||
			       live_save_run(r, e) ?
		       -1 :
		       0;
}

static int do_delete(struct engine *g, struct command *c, struct err *e)
{
	enum run_state state;
	char name[64];
	struct err ignored;
	int64_t id;

	c->reply.run = c->run;
	if (store_run_find(g->store, &c->run, &id, &state, &c->reply.err))
		return 0;
	if (!state_final(state)) {
		err_set(&c->reply.err, ERR_CONFLICT, "the run is %s",
			state_name(state));
		return 0;
	}
	if (store_run_delete(g->store, id, e) ||
	    store_audit_add(g->store, clock_real_us(), str_from(c->who),
			    STR("run.delete"), str_from(c->run.s), e))
		return -1;
	(void)snprintf(name, sizeof(name), "runs/%s", c->run.s);
	if (fd_remove_tree(g->o.state_fd, name, &ignored))
		log_warn("%s", ignored.text);
	return 0;
}

static int do_one(struct engine *g, struct command *c, struct err *e)
{
	switch (c->type) {
	case COMMAND_RUN:
		return do_run(g, c, e);
	case COMMAND_CANCEL:
		return do_cancel(g, c, e);
	case COMMAND_DELETE:
		return do_delete(g, c, e);
	default:
		return store_audit_add(g->store, clock_real_us(),
				       str_from(c->who), str_from(c->action),
				       str_from(c->what), e);
	}
}

static struct command *take_commands(struct engine *g)
{
	struct command *c;

	pthread_mutex_lock(&g->lock);
	c = g->in_head;
	g->in_head = NULL;
	g->in_tail = &g->in_head;
	g->n_in = 0;
	pthread_mutex_unlock(&g->lock);
	return c;
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
	struct command *c = take_commands(g);

	while (c) {
		struct command *next = c->next;
		struct err why = {0};

		if (begin(g, e))
			return -1;
		if (do_one(g, c, &why)) {
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

static void command_free(struct command *c)
{
	engine_order_free(c->order);
	mem_free(c->who);
	mem_free(c->action);
	mem_free(c->what);
	mem_free(c);
}

static void fail_commands(struct command *c)
{
	while (c) {
		struct command *next = c->next;

		err_set(&c->reply.err, ERR_UNAVAILABLE,
			"the server is stopping");
		c->fn(c->ctx, &c->reply);
		command_free(c);
		c = next;
	}
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
	fail_commands(take_commands(g));
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

/* --- from the owner's thread -------------------------------------------- */

static int post(struct engine *g, struct command *c, struct err *e)
{
	int bad = 0;

	pthread_mutex_lock(&g->lock);
	if (g->stop)
		bad = err_set(e, ERR_UNAVAILABLE, "the server is stopping");
	else if (g->n_in >= g->o.commands)
		bad = err_set(e, ERR_LIMIT, "too many requests are waiting");
	if (!bad) {
		*g->in_tail = c;
		g->in_tail = &c->next;
		g->n_in++;
	}
	pthread_mutex_unlock(&g->lock);
	if (bad)
		command_free(c);
	else
		loop_wake(g->loop);
	return bad;
}

static struct command *command_new(int type, struct str who,
				   engine_reply_fn *fn, void *ctx)
{
	struct command *c = mem_alloc(sizeof(*c));

	c->type = type;
	c->who = mem_strndup(who.p, who.len);
	c->fn = fn;
	c->ctx = ctx;
	return c;
}

int engine_run(struct engine *g, struct engine_order *o, engine_reply_fn *fn,
	       void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_RUN, STR(""), fn, ctx);

	c->order = o;
	return post(g, c, e);
}

int engine_cancel(struct engine *g, const struct ulid *run, struct str who,
		  engine_reply_fn *fn, void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_CANCEL, who, fn, ctx);

	c->run = *run;
	return post(g, c, e);
}

int engine_delete(struct engine *g, const struct ulid *run, struct str who,
		  engine_reply_fn *fn, void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_DELETE, who, fn, ctx);

	c->run = *run;
	return post(g, c, e);
}

int engine_audit(struct engine *g, struct str who, struct str action,
		 struct str what, engine_reply_fn *fn, void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_AUDIT, who, fn, ctx);

	c->action = mem_strndup(action.p, action.len);
	c->what = mem_strndup(what.p, what.len);
	return post(g, c, e);
}

int engine_fd(const struct engine *g)
{
	return g->out_fd;
}

void engine_drain(struct engine *g, engine_news_fn *news_fn, void *ctx)
{
	struct command *c;
	struct news *n;
	uint64_t count;

	if (fd_read(g->out_fd, &count, sizeof(count)) < 0)
		count = 0;
	pthread_mutex_lock(&g->lock);
	c = g->out_head;
	n = g->news_head;
	g->out_head = NULL;
	g->out_tail = &g->out_head;
	g->news_head = NULL;
	g->news_tail = &g->news_head;
	pthread_mutex_unlock(&g->lock);
	while (c) {
		struct command *next = c->next;

		c->fn(c->ctx, &c->reply);
		command_free(c);
		c = next;
	}
	while (n) {
		struct news *next = n->next;

		if (news_fn)
			news_fn(ctx, &n->n);
		mem_free(n);
		n = next;
	}
}

struct engine_stats engine_stats(struct engine *g)
{
	struct engine_stats s;

	pthread_mutex_lock(&g->lock);
	s = g->stats;
	pthread_mutex_unlock(&g->lock);
	return s;
}

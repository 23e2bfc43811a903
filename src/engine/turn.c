/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A turn of the engine's thread: what was asked for, what is next, one
 * transaction, then answers and launches.
 *
 * A full disk.  The commit fails and nothing of it happened; memory still
 * knows all of it.  New runs are turned away (they were not acknowledged), the
 * ballast is given back, and the rest is written again.  From then on no new
 * run is taken until the ballast could be allocated anew.  If even that does
 * not help, the turn stays unsaved, nothing is answered or started, and it is
 * tried again every second.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "store/hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FULL_RETRY_US ((int64_t)1000000)
#define KEYS_KEPT_US  ((int64_t)24 * 3600 * 1000000)
#define CALLS_KEPT_US ((int64_t)7 * 24 * 3600 * 1000000)
#define KEYS_EVERY_US ((int64_t)600 * 1000000)

/* --- what is next ------------------------------------------------------- */

static void do_commands(struct engine *g)
{
	struct commands mine;
	struct command *c;

	pthread_mutex_lock(&g->lock);
	mine = g->in;
	if (!mine.head)
		mine.tail = &mine.head;
	commands_init(&g->in);
	pthread_mutex_unlock(&g->lock);
	away_take(g);
	while ((c = commands_pop(&mine)))
		command_do(g, c);
}

static int by_priority(const void *pa, const void *pb)
{
	return live_before(*(struct run *const *)pa, *(struct run *const *)pb) ?
		       -1 :
		       1;
}

/* As many of those who wait for room as there is, each once a turn: what does
 * not fit there may fit the next. */
static void look_at_starved(struct engine *g)
{
	uint32_t room =
		g->n_running < g->o.parallel ? g->o.parallel - g->n_running : 0;

	if (!g->room_came)
		return;
	g->room_came = room > 0;
	LIST_FOR(l, &g->starved)
	{
		struct run *r = LIST_ENTRY(l, struct run, starved);

		if (!room)
			return;
		if (r->starved_turn == g->turns || !advance_room(r))
			continue;
		r->starved_turn = g->turns;
		live_look(r);
		room--;
	}
	g->room_came = false; /* that was all of them */
}

static void do_runs(struct engine *g)
{
	struct run **all;
	size_t n = 0;

	if (list_empty(&g->look))
		return;
	all = mem_array(g->n_runs, sizeof(struct run *));
	LIST_FOR(l, &g->look)
	{
		all[n++] = LIST_ENTRY(l, struct run, look);
		list_del(l);
	}
	qsort(all, n, sizeof(struct run *), by_priority);
	for (size_t i = 0; i < n; i++)
		advance(all[i]);
	mem_free(all);
}

/* --- the transaction ---------------------------------------------------- */

static int save_all(struct engine *g, struct err *e)
{
	int64_t now = clock_real_us();

	if (store_begin(g->store, e))
		return -1;
	LIST_FOR(l, &g->put)
	if (save_run(LIST_ENTRY(l, struct run, put), e))
		return -1;
	/* before the edits: one may pause what was due a moment ago */
	if (timetable_save(g, e))
		return -1;
	for (struct command *c = g->waiting.head; c; c = c->next)
		if (c->to_save && command_save(g, c, e))
			return -1;
	if (now - g->keys_expired_us > KEYS_EVERY_US) {
		if (store_keys_expire(g->store, now - KEYS_KEPT_US, e) ||
		    store_deliveries_expire(g->store, now - CALLS_KEPT_US, e))
			return -1;
		g->keys_expired_us = now;
	}
	return store_commit(g->store, e);
}

static bool nothing_to_save(const struct engine *g)
{
	if (!list_empty(&g->put) || timetable_dirty(g))
		return false;
	for (const struct command *c = g->waiting.head; c; c = c->next)
		if (c->to_save)
			return false;
	return true;
}

/* Edits, and runs: those that asked for the same again, too. */
static bool turn_away_commands(struct engine *g, const struct err *why)
{
	bool any = false;

	for (struct command *c = g->waiting.head; c; c = c->next) {
		const struct run *r =
			c->type == COMMAND_RUN ?
				map_get(g->by_run, str_from(c->reply.run.s)) :
				NULL;

		if (r && r->turned_away) {
			c->reply.err = *why;
			c->reply.replayed = false;
		} else if (c->to_save && c->edit) {
			c->reply.err = *why;
			c->to_save = false;
			any = true;
		}
	}
	return any;
}

/* What a stored run has called is a part of that; what a new one has called
 * goes with it. */
static bool is_unheard(const struct run *r)
{
	const struct run *root =
		r->row.root.len ? map_get(r->g->by_run, r->row.root) : r;

	return r->create && root && root->create;
}

/* They were never acknowledged: tell those who asked, and forget them. */
static bool turn_away(struct engine *g, const struct err *why)
{
	bool any;

	LIST_FOR(l, &g->put)
	{
		struct run *r = LIST_ENTRY(l, struct run, put);

		r->turned_away = is_unheard(r);
	}
	any = turn_away_commands(g, why);
	timetable_turned_away(g, why);
	LIST_FOR(l, &g->put)
	{
		struct run *r = LIST_ENTRY(l, struct run, put);

		if (!r->turned_away)
			continue;
		for (size_t i = 0; i < r->plan->n; i++)
			if (r->inst[i].prepared)
				launch_undo(r, i);
		g->stats.runs_made--;
		live_free(r);
		any = true;
	}
	return any;
}

/* What cannot be mended here: a server without its store is none.  The
 * monitor restarts it, and tasks run on. */
static void give_up(const struct err *e)
{
	log_error("the store: %s; leaving", e->text);
	_exit(1);
}

static void full(struct engine *g, const struct err *why)
{
	if (!g->disk_full)
		log_error("no new runs: %s", why->text);
	g->disk_full = true;
	loop_timer_set(g->full_timer, clock_mono_us() + FULL_RETRY_US);
}

static void wake_owner(struct engine *g)
{
	uint64_t one = 1;

	if (fd_write(g->out_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the owner is awake */
}

/* Who was turned away does not wait for room with the others. */
static void answer_refused(struct engine *g)
{
	struct commands all = g->waiting;
	struct command *c;

	commands_init(&g->waiting);
	pthread_mutex_lock(&g->lock);
	while ((c = commands_pop(&all)))
		commands_push(c->reply.err.code && !c->to_save ? &g->out :
								 &g->waiting,
			      c);
	pthread_mutex_unlock(&g->lock);
	wake_owner(g);
}

/* One request's mistake must not end the server again and again. */
static bool is_unfit(const struct err *e)
{
	return e->code == ERR_INTERNAL && e->sys == STORE_UNFIT;
}

/* 0 when all is saved; -1 when it has to wait. */
static int save(struct engine *g)
{
	int64_t begun = clock_mono_us();
	struct err e;

	if (nothing_to_save(g))
		return 0;
	while (save_all(g, &e)) {
		struct err why;
		bool room;

		store_rollback(g->store);
		if (is_unfit(&e)) {
			log_error("the store: %s; who asked for that is "
				  "turned away",
				  e.text);
			err_set(&why, ERR_INTERNAL,
				"the store does not take it");
			if (!turn_away(g, &why))
				give_up(&e);
			continue;
		}
		if (e.code != ERR_LIMIT || e.sys != ENOSPC)
			give_up(&e);
		/* at once: the logs of what runs want it, too */
		room = store_ballast_drop(g->store);
		full(g, &e);
		err_sys(&why, ENOSPC, "nothing was made or changed");
		if (!turn_away(g, &why) && !room) {
			g->stuck = true;
			answer_refused(g);
			return -1;
		}
	}
	g->stuck = false;
	g->stats.commits++;
	histogram_add(&g->stats.commit_took, clock_mono_us() - begun);
	return 0;
}

/* --- after it ----------------------------------------------------------- */

static void add_news(struct engine *g, const struct run *r)
{
	if (g->n_news == NEWS_MAX) {
		g->news_lost = true;
		return;
	}
	g->news[g->n_news++] = (struct engine_news){
		.run = r->row.ulid,
		.event_id = r->last_event,
		.ended = r->ended,
	};
}

/* For who asks how it stands.  The lock is held. */
static void show_stats(struct engine *g)
{
	g->stats.ready = g->recovered;
	g->stats.disk_full = g->disk_full;
	g->stats.maintenance = g->maintenance;
	g->stats.monitor_up = g->monitor != NULL;
	g->stats.live_runs = g->n_runs;
	g->stats.running_attempts = g->n_running;
	g->stats.parallel = g->o.parallel;
	g->shown = g->stats;
}

/* For the owner's thread; wakes it only when there is something for it. */
static void publish(struct engine *g)
{
	struct command *c;
	bool wake;

	pthread_mutex_lock(&g->lock);
	while ((c = commands_pop(&g->waiting)))
		commands_push(&g->out, c);
	LIST_FOR(l, &g->put)
	add_news(g, LIST_ENTRY(l, struct run, put));
	show_stats(g);
	wake = g->out.n || g->n_news || g->news_lost;
	pthread_mutex_unlock(&g->lock);
	if (wake)
		wake_owner(g);
}

static void end_run(struct engine *g, struct run *r)
{
	enum run_state s = r->row.state;
	int64_t begun = r->row.started_us;

	if (begun) {
		histogram_add(&g->stats.run_wait, begun - r->row.created_us);
		histogram_add(&g->stats.run_took, r->row.finished_us - begun);
	}
	if (s >= STATE_SUCCEEDED && s <= STATE_CANCELLED)
		g->stats.runs_ended[s - STATE_SUCCEEDED]++;
	monitor_release(r);
	if (r->has_slot)
		live_room_came(g);
	gate_ended(r);
	live_free(r);
}

static void after_save(struct engine *g)
{
	struct run **all = mem_array(g->n_runs + 1, sizeof(struct run *));
	size_t n = 0;

	timetable_saved(g);
	for (struct command *c = g->waiting.head; c; c = c->next)
		if (c->to_save)
			command_after(g, c);
	LIST_FOR(l, &g->put)
	{
		struct run *r = LIST_ENTRY(l, struct run, put);

		if (r->create && !r->passed)
			live_look(r); /* now others may end for it */
		r->create = NULL;     /* its command is answered now */
		save_done(r);
		result_tidy(r);
	}
	CRASH_POINT("engine.before-publish");
	publish(g);
	CRASH_POINT("engine.after-publish");
	LIST_FOR(l, &g->put)
	{
		all[n++] = LIST_ENTRY(l, struct run, put);
		list_del(l);
	}
	/* what cannot be launched marks its run again */
	for (size_t i = 0; i < n; i++) {
		if (all[i]->has_prepared)
			launch_all(all[i]);
		if (all[i]->ended)
			end_run(g, all[i]);
	}
	mem_free(all);
}

void turn_soon(struct engine *g)
{
	loop_timer_set(g->turn_timer, 0);
}

/* --- a turn ------------------------------------------------------------- */

void turn(struct engine *g)
{
	do_commands(g);
	do {
		g->turns++;
		timetable_run(g);
		do {
			look_at_starved(g);
			do_runs(g);
		} while (g->room_came);
		if (save(g))
			break;
		after_save(g);
	} while (g->room_came || !list_empty(&g->look) ||
		 !list_empty(&g->put) || (g->timetable_due && g->recovered));
	pthread_mutex_lock(&g->lock);
	show_stats(g);
	pthread_mutex_unlock(&g->lock);
}

/* Is there room again? */
void turn_retry(struct engine *g)
{
	struct err e;

	if (g->stuck)
		turn(g);
	if (!g->stuck && g->disk_full && !store_ballast_make(g->store, &e)) {
		g->disk_full = false;
		log_info("there is room on the disk again");
		LIST_FOR(l, &g->runs)
		live_look(LIST_ENTRY(l, struct run, link));
		turn(g);
	}
	if (g->disk_full)
		loop_timer_set(g->full_timer, clock_mono_us() + FULL_RETRY_US);
}

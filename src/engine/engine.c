/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The engine's life, and what the owner's thread calls; see engine.h. */
#include "engine/engine.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PARALLEL = 64,
	SHARED_RUNS = 64,
	LIVE_RUNS = 2000,
	COMMANDS = 1024,
	MONITOR_BURST = 256, /* of its messages share a commit */
};

#define ARTIFACT_MAX ((uint64_t)10 << 30)

/* --- the thread --------------------------------------------------------- */

static void on_wake(void *ctx)
{
	struct engine *g = ctx;
	bool stop;

	pthread_mutex_lock(&g->lock);
	stop = g->stop;
	pthread_mutex_unlock(&g->lock);
	collect_done(g);
	if (stop) {
		turn(g);
		loop_stop(g->loop);
	} else {
		turn_soon(g);
	}
}

static void on_turn(void *ctx)
{
	turn(ctx);
}

static void on_full_timer(void *ctx)
{
	turn_retry(ctx);
}

static void on_timetable(void *ctx)
{
	struct engine *g = ctx;

	g->timetable_due = true;
	turn_soon(g);
}

static void on_sweep_timer(void *ctx)
{
	sweep(ctx);
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
	int r;

	if (collect_start(g, e))
		return -1;
	r = pthread_create(&g->thread, NULL, thread_main, g);
	if (r)
		return err_sys(e, r, "thread");
	g->started = true;
	return 0;
}

/* --- life --------------------------------------------------------------- */

static void defaults(struct engine_opts *o)
{
	o->parallel = o->parallel ? o->parallel : PARALLEL;
	if (o->uid_slots <= o->parallel)
		o->uid_slots = o->parallel + SHARED_RUNS;
	o->live_runs = o->live_runs ? o->live_runs : LIVE_RUNS;
	o->commands = o->commands ? o->commands : COMMANDS;
	o->artifact_max_bytes =
		o->artifact_max_bytes ? o->artifact_max_bytes : ARTIFACT_MAX;
}

static void init(struct engine *g)
{
	pthread_mutex_init(&g->lock, NULL);
	pthread_mutex_init(&g->worker.lock, NULL);
	pthread_cond_init(&g->worker.wake, NULL);
	g->worker.in_tail = &g->worker.in;
	g->worker.out_tail = &g->worker.out;
	commands_init(&g->in);
	commands_init(&g->out);
	commands_init(&g->waiting);
	list_init(&g->runs);
	list_init(&g->look);
	list_init(&g->starved);
	list_init(&g->put);
	g->by_attempt = map_new();
	g->by_run = map_new();
	g->retain = retain_new();
	g->n_slots = g->o.uid_slots;
	g->slots = mem_alloc(g->n_slots);
	g->policy_digest = policy_set_digest(g->o.policies);
	g->out_fd = g->empty_fd = -1;
}

/* A directory that stands for those where nothing will be. */
static int open_empty(struct engine *g, struct err *e)
{
	if (mkdirat(g->o.state_fd, "empty", 0500) && errno != EEXIST)
		return err_sys(e, errno, "empty");
	g->empty_fd = openat(g->o.state_fd, "empty",
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return g->empty_fd < 0 ? err_sys(e, errno, "empty") : 0;
}

static int set_up(struct engine *g, struct err *e)
{
	int fd = g->o.monitor_fd;

	g->o.monitor_fd = -1;
	g->out_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->out_fd < 0 || loop_new(&g->loop, e)) {
		fd_close(&fd);
		return g->out_fd < 0 ? err_sys(e, errno, "eventfd") : -1;
	}
	g->monitor = chan_new(g->loop, fd, &monitor_ops, g); /* takes fd */
	if (!g->monitor)
		return err_set(e, ERR_INTERNAL, "no channel to the monitor");
	chan_burst(g->monitor, MONITOR_BURST);
	g->turn_timer = loop_timer_new(g->loop, on_turn, g);
	g->full_timer = loop_timer_new(g->loop, on_full_timer, g);
	g->timetable_timer = loop_timer_new(g->loop, on_timetable, g);
	g->sweep_timer = loop_timer_new(g->loop, on_sweep_timer, g);
	if (!store_ballast_held(g->store)) {
		g->disk_full = true;
		loop_timer_set(g->full_timer, clock_mono_us());
	}
	return open_empty(g, e) || sweep_start(g, e) ||
			       loop_on_wake(g->loop, on_wake, g, e) ||
			       recover_load(g, e) ?
		       -1 :
		       0;
}

int engine_new(const struct engine_opts *opts, struct engine **ret,
	       struct err *e)
{
	struct engine *g = mem_alloc(sizeof(*g));

	g->o = *opts;
	defaults(&g->o);
	g->store = opts->store;
	init(g);
	if (set_up(g, e)) {
		engine_free(g);
		return -1;
	}
	if (opts->monitor_is_new)
		monitor_alive_end(g);
	*ret = g;
	return 0;
}

/* Those whose command never reached the engine, or whose answer never came. */
static void fail_commands(struct commands *q)
{
	struct command *c;

	while ((c = commands_pop(q))) {
		err_set(&c->reply.err, ERR_UNAVAILABLE,
			"the server is stopping");
		c->fn(c->ctx, &c->reply);
		command_free(c);
	}
}

void engine_free(struct engine *g)
{
	if (!g)
		return;
	if (g->started) {
		pthread_mutex_lock(&g->lock);
		g->stop = true;
		pthread_mutex_unlock(&g->lock);
		loop_wake(g->loop);
		pthread_join(g->thread, NULL);
	}
	collect_stop(g);
	sweep_stop(g);
	engine_drain(g, NULL, NULL);
	LIST_FOR(l, &g->runs)
	live_free(LIST_ENTRY(l, struct run, link));
	fail_commands(&g->in);
	fail_commands(&g->waiting);
	chan_free(g->monitor);
	loop_timer_free(g->turn_timer);
	loop_timer_free(g->full_timer);
	loop_timer_free(g->sweep_timer);
	loop_timer_free(g->timetable_timer);
	timetable_free(g);
	loop_free(g->loop);
	store_close(g->store);
	map_free(g->by_attempt, NULL);
	map_free(g->by_run, NULL);
	map_free(g->projects, mem_free);
	mem_free(g->slots);
	mem_free(g->retain);
	fd_close(&g->out_fd);
	fd_close(&g->empty_fd);
	pthread_cond_destroy(&g->worker.wake);
	pthread_mutex_destroy(&g->worker.lock);
	pthread_mutex_destroy(&g->lock);
	mem_free(g);
}

/* --- commands ----------------------------------------------------------- */

static int post(struct engine *g, struct command *c, struct err *e)
{
	int bad = 0;

	pthread_mutex_lock(&g->lock);
	if (g->stop)
		bad = err_set(e, ERR_UNAVAILABLE, "the server is stopping");
	else if (c->type == COMMAND_RUN && g->shown.disk_full)
		bad = err_sys(e, ENOSPC, "no new runs");
	else if (g->in.n >= g->o.commands)
		bad = err_set(e, ERR_LIMIT, "too many requests are waiting");
	else
		commands_push(&g->in, c);
	pthread_mutex_unlock(&g->lock);
	if (bad)
		command_free(c);
	else
		loop_wake(g->loop);
	return bad;
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

static void copy(char *to, size_t size, struct str s)
{
	size_t n = s.len < size ? s.len : size - 1;

	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
}

int engine_decide(struct engine *g, const struct engine_decision *x,
		  engine_reply_fn *fn, void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_DECIDE, x->who, fn, ctx);
	struct decision *d = mem_alloc(sizeof(*d));

	c->decision = d;
	c->run = x->run;
	d->approves = x->approves;
	copy(d->task, sizeof(d->task), x->task);
	copy(d->person, sizeof(d->person), x->person);
	copy(d->digest, sizeof(d->digest), x->digest);
	copy(d->comment, sizeof(d->comment), x->comment);
	return post(g, c, e);
}

int engine_edit(struct engine *g, struct str who, struct str action,
		struct str what, engine_edit_fn *edit, engine_reply_fn *fn,
		void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_EDIT, who, fn, ctx);

	c->edit = edit;
	c->action = mem_strndup(action.p, action.len);
	c->what = mem_strndup(what.p, what.len);
	return post(g, c, e);
}

int engine_audit(struct engine *g, struct str who, struct str action,
		 struct str what, engine_reply_fn *fn, void *ctx, struct err *e)
{
	return engine_edit(g, who, action, what, NULL, fn, ctx, e);
}

/* --- answers and news --------------------------------------------------- */

int engine_fd(const struct engine *g)
{
	return g->out_fd;
}

void engine_drain(struct engine *g, engine_news_fn *news_fn, void *ctx)
{
	const struct engine_news lost = {.event_id = 0};
	CLEANUP_MEM struct engine_news *news = NULL;
	struct commands mine;
	struct command *c;
	size_t n;
	bool all;
	uint64_t count;

	if (fd_read(g->out_fd, &count, sizeof(count)) < 0)
		count = 0;
	pthread_mutex_lock(&g->lock);
	mine = g->out;
	if (!mine.head)
		mine.tail = &mine.head;
	commands_init(&g->out);
	n = g->n_news;
	news = mem_array(n + 1, sizeof(*news));
	memcpy(news, g->news, n * sizeof(*news));
	g->n_news = 0;
	all = g->news_lost;
	g->news_lost = false;
	pthread_mutex_unlock(&g->lock);
	while ((c = commands_pop(&mine))) {
		CRASH_POINT("reply.before");
		c->fn(c->ctx, &c->reply);
		CRASH_POINT("reply.after");
		command_free(c);
	}
	for (size_t i = 0; news_fn && i < n; i++)
		news_fn(ctx, &news[i]);
	if (news_fn && all)
		news_fn(ctx, &lost);
}

struct engine_stats engine_stats(struct engine *g)
{
	struct engine_stats s;

	pthread_mutex_lock(&g->lock);
	s = g->shown;
	pthread_mutex_unlock(&g->lock);
	return s;
}

uint64_t engine_version(const struct engine *g)
{
	return store_version(g->store);
}

void engine_hold_files(struct engine *g, bool hold)
{
	pthread_mutex_lock(&g->lock);
	g->held += hold ? 1 : -1;
	pthread_mutex_unlock(&g->lock);
}

bool engine_files_held(struct engine *g)
{
	bool held;

	pthread_mutex_lock(&g->lock);
	held = g->held > 0;
	pthread_mutex_unlock(&g->lock);
	return held;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * An engine in a directory of its own, with the test at the other end of the
 * monitor's channel: it gets LAUNCH with its descriptors and says how each
 * attempt ended, as the monitor and the runner would.
 */
#pragma once

#include "base/chan.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/paths.h"
#include "engine/view.h"
#include "job/job.h"
#include "job/result.h"
#include "policy/builtin.h"
#include "store/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	char path[256];
	int state_fd, monitor;
	struct engine *g;
	struct store_reader *reader;
	struct policy_set *policies;
	struct engine_opts opts; /* what a test wants to be different */
	struct err e;
	struct engine_reply reply;
	int n_replies, n_news;
	struct ulid ended; /* of the last news that said so */
};

/* One attempt, as the monitor sees it. */
struct launch {
	struct grant g;
	int fds[N_LAUNCH_FDS];
	struct job_attempt *job;
};

#define HEAD "nfo: 1\nname: x\n"
#define ONE  HEAD "tasks: {a: {run: x}}\n"

enum {
	PATIENCE_MS = 10000
};

static inline void ok(int r, const struct err *e)
{
	if (r)
		print_error("%s\n", e->text);
	assert_int_equal(r, 0);
}

/* --- the world ---------------------------------------------------------- */

static inline int world_make(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));

	(void)snprintf(w->path, sizeof(w->path), "/tmp/nfo-engine.XXXXXX");
	assert_non_null(mkdtemp(w->path));
	w->state_fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->state_fd >= 0);
	ok(policy_set_new(&w->policies, &w->e), &w->e);
	ok(policy_set_add(w->policies, STR("default.yaml"),
			  policy_builtin_default(), ps),
	   &w->e);
	w->monitor = -1;
	*state = w;
	return 0;
}

/* The engine and its store, in an empty or a known directory. */
static inline void world_start(struct world *w, bool monitor_is_new)
{
	struct engine_opts o = w->opts;
	struct store *store;
	int fds[2];

	ok(paths_init(w->state_fd, &w->e), &w->e);
	ok(store_open(w->path, &store, &w->e), &w->e);
	ok(store_reader_open(store_path(store), &w->reader, &w->e), &w->e);
	ok(chan_pair(fds, &w->e), &w->e);
	w->monitor = fds[0];
	o.state_fd = w->state_fd;
	o.store = store;
	o.policies = w->policies;
	o.monitor_fd = fds[1];
	o.monitor_is_new = monitor_is_new;
	o.stay_without_monitor = true;
	ok(engine_new(&o, &w->g, &w->e), &w->e);
	ok(engine_start(w->g, &w->e), &w->e);
}

static inline void world_stop(struct world *w)
{
	engine_free(w->g);
	w->g = NULL;
	store_reader_close(w->reader);
	w->reader = NULL;
	fd_close(&w->monitor);
}

static inline int world_drop(void **state)
{
	struct world *w = *state;

	world_stop(w);
	policy_set_free(w->policies);
	fd_close(&w->state_fd);
	ok(fd_remove_tree(AT_FDCWD, w->path, &w->e), &w->e);
	mem_free(w);
	*state = NULL;
	return 0;
}

/* --- the owner's side --------------------------------------------------- */

static inline void on_reply(void *ctx, const struct engine_reply *r)
{
	struct world *w = ctx;

	w->reply = *r;
	w->n_replies++;
}

static inline void on_news(void *ctx, const struct engine_news *n)
{
	struct world *w = ctx;

	w->n_news++;
	if (n->ended)
		w->ended = n->run;
}

static inline void hear(struct world *w, int timeout_ms)
{
	struct pollfd p = {.fd = engine_fd(w->g), .events = POLLIN};

	if (poll(&p, 1, timeout_ms) == 1)
		engine_drain(w->g, on_news, w);
	else if (timeout_ms)
		fail_msg("the engine says nothing");
}

static inline void world_wait(struct world *w)
{
	int before = w->n_replies;

	while (w->n_replies == before)
		hear(w, PATIENCE_MS);
}

/* Ask for a run; the answer is in w->reply.  key may be NULL. */
static inline void world_ask(struct world *w, const char *yaml, const char *key)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf canonical = BUF_INIT(1 << 20);
	struct engine_ask ask = {.project = STR("default"),
				 .submitter = STR("uid:0"),
				 .trigger = STR("api"),
				 .priority = -1,
				 .idempotency_key = str_from(key),
				 .request = hash_sha256(yaml, strlen(yaml))};
	struct engine_order *o;
	struct job *j;

	memset(&w->reply, 0, sizeof(w->reply));
	if (job_parse(str_from(yaml), DOC_YAML, &j, ps))
		fail_msg("%s", ps->items[0].message);
	ok(job_canonical(j, &canonical, &w->e), &w->e);
	ask.canonical = buf_view(&canonical);
	if (engine_order_new(w->policies, &ask, j, &o, ps, &w->reply.err))
		return;
	if (!engine_run(w->g, o, on_reply, w, &w->reply.err))
		world_wait(w);
}

static inline struct ulid world_run(struct world *w, const char *yaml)
{
	world_ask(w, yaml, NULL);
	if (w->reply.err.code)
		print_error("%s\n", w->reply.err.text);
	assert_int_equal(w->reply.err.code, ERR_NONE);
	return w->reply.run;
}

static inline void world_cancel(struct world *w, const struct ulid *run)
{
	ok(engine_cancel(w->g, run, STR("uid:0"), on_reply, w, &w->e), &w->e);
	world_wait(w);
}

static inline void world_delete(struct world *w, const struct ulid *run)
{
	ok(engine_delete(w->g, run, STR("uid:0"), on_reply, w, &w->e), &w->e);
	world_wait(w);
}

/* --- the monitor's side ------------------------------------------------- */

static inline void receive(struct world *w, void *raw, struct chan_msg *msg)
{
	struct pollfd p = {.fd = w->monitor, .events = POLLIN};

	if (poll(&p, 1, PATIENCE_MS) != 1)
		fail_msg("no message for the monitor");
	assert_int_equal(chan_recv(w->monitor, raw, msg, &w->e), 1);
}

/* The next LAUNCH. */
static inline void world_launch(struct world *w, struct launch *l)
{
	CLEANUP_BUF struct buf json = BUF_INIT(ATTEMPT_JSON_MAX);
	unsigned char raw[WIRE_MAX + 2];
	struct wire_reader r;
	struct chan_msg msg;

	receive(w, raw, &msg);
	assert_int_equal(msg.type, MSG_LAUNCH);
	assert_int_equal(msg.n_fds, N_LAUNCH_FDS);
	r = wire_reader(msg.body, msg.body_len);
	assert_int_equal(grant_decode(&r, &l->g), 0);
	assert_true(wire_end(&r));
	for (size_t i = 0; i < N_LAUNCH_FDS; i++)
		l->fds[i] = chan_msg_take(&msg, i);
	ok(fd_memfd_read(l->fds[LAUNCH_JOB], &json, &w->e), &w->e);
	ok(job_attempt_decode(buf_view(&json), &l->job, &w->e), &w->e);
}

/* Nothing is there and nothing comes: a turn of the engine has passed. */
static inline void world_quiet(struct world *w)
{
	struct pollfd p = {.fd = w->monitor, .events = POLLIN};

	/* an audit row goes through the engine's thread: what it had to do
	 * before is done when the answer comes */
	ok(engine_audit(w->g, STR("test"), STR("quiet"), STR(""), on_reply, w,
			&w->e),
	   &w->e);
	world_wait(w);
	assert_int_equal(poll(&p, 1, 0), 0);
}

/* The next CANCEL: whose. */
static inline struct attempt_id world_cancelled(struct world *w)
{
	unsigned char raw[WIRE_MAX + 2];
	struct wire_reader r;
	struct chan_msg msg;
	struct attempt_id id;

	receive(w, raw, &msg);
	assert_int_equal(msg.type, MSG_CANCEL);
	r = wire_reader(msg.body, msg.body_len);
	assert_int_equal(attempt_id_decode(&r, &id), 0);
	assert_true(wire_end(&r));
	return id;
}

static inline void say(struct world *w, uint16_t type,
		       const struct wire_writer *m)
{
	assert_int_equal(chan_send(w->monitor, type, m, NULL, 0, &w->e), 1);
}

static inline void world_started(struct world *w, const struct launch *l)
{
	struct attempt_id id = {l->g.attempt, l->g.fence};
	struct wire_writer m = {.len = 0};

	attempt_id_encode(&id, &m);
	wire_i64(&m, clock_real_us());
	say(w, MSG_STARTED, &m);
}

static inline void world_alive(struct world *w, const struct grant *g)
{
	struct attempt_id id = {g->attempt, g->fence};
	struct wire_writer m = {.len = 0};

	attempt_id_encode(&id, &m);
	say(w, MSG_ALIVE, &m);
}

static inline void world_alive_end(struct world *w)
{
	say(w, MSG_ALIVE_END, NULL);
}

static inline void say_ended(struct world *w, const struct launch *l,
			     enum run_state state, enum fail_kind kind,
			     int exit_code)
{
	struct ended end = {
		.id = {l->g.attempt, l->g.fence},
		.state = (uint8_t)state,
		.kind = (uint8_t)kind,
		.exit_code = exit_code
        };
	struct wire_writer m = {.len = 0};

	ended_encode(&end, &m);
	say(w, MSG_ENDED, &m);
}

static inline void launch_done(struct launch *l)
{
	for (size_t i = 0; i < N_LAUNCH_FDS; i++)
		fd_close(&l->fds[i]);
	job_attempt_free(l->job);
	l->job = NULL;
}

/* Write a result of the test's making, say ENDED; x->id is filled in. */
static inline void world_end_with(struct world *w, struct launch *l,
				  struct job_result *x)
{
	CLEANUP_BUF struct buf b = BUF_INIT(RESULT_JSON_MAX);

	x->id = (struct attempt_id){l->g.attempt, l->g.fence};
	x->started_us = x->finished_us = clock_real_us();
	assert_true(job_result_encode(x, &b));
	assert_int_equal(fd_write_all(l->fds[LAUNCH_RESULT], b.data, b.len), 0);
	say_ended(w, l, x->state, x->kind, x->exit_code);
	launch_done(l);
}

static inline void world_end(struct world *w, struct launch *l,
			     enum run_state state, enum fail_kind kind,
			     int exit_code)
{
	struct job_result x = {
		.state = state, .kind = kind, .exit_code = exit_code};

	world_end_with(w, l, &x);
}

/* ENDED without a result. */
static inline void world_end_bare(struct world *w, struct launch *l,
				  enum run_state state, enum fail_kind kind)
{
	say_ended(w, l, state, kind, -1);
	launch_done(l);
}

/* --- what the store says ------------------------------------------------ */

static inline int see_run(void *ctx, const struct store_run *r, struct err *e)
{
	(void)e;
	*(struct store_run *)ctx = *r;
	return 0;
}

static inline struct store_run row(struct world *w, const struct ulid *run)
{
	struct store_run r = {0};

	ok(store_read_run(w->reader, run, see_run, &r, &w->e), &w->e);
	return r;
}

/* Wait until the run has ended. */
static inline enum run_state world_ended(struct world *w,
					 const struct ulid *run)
{
	while (!state_final(row(w, run).state))
		hear(w, PATIENCE_MS);
	hear(w, 0);
	return row(w, run).state;
}

static inline enum fail_kind world_kind(struct world *w, const struct ulid *run)
{
	return row(w, run).kind;
}

static inline int see_task(void *ctx, const struct store_task *t, struct err *e)
{
	char *out = ctx;

	(void)e;
	out[t->index] = "qbrsfck"[t->state];
	out[t->index + 1] = '\0';
	return 0;
}

/* Its tasks as letters in plan order: q b r s f c k. */
static inline void world_tasks(struct world *w, const struct ulid *run,
			       char *out)
{
	ok(store_read_tasks(w->reader, row(w, run).id, see_task, out, &w->e),
	   &w->e);
}

static inline void ok_view(struct world *w, const struct ulid *run,
			   struct buf *b)
{
	ok(view_run(w->reader, run, b, &w->e), &w->e);
}

static inline void assert_tasks(struct world *w, const struct ulid *run,
				const char *want)
{
	char got[1001] = "";

	world_tasks(w, run, got);
	assert_string_equal(got, want);
}

/* Launch and end one attempt of the task named. */
static inline void pass(struct world *w, const char *name)
{
	struct launch l;

	world_launch(w, &l);
	assert_true(str_is(l.job->task, name));
	world_end(w, &l, STATE_SUCCEEDED, KIND_NONE, 0);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The engine and its store without HTTP and without sandboxes, beside SQLite
 * alone in the same run: runs made durable a second, and attempts that are
 * started and ended a second (the other end of the monitor's channel says at
 * once that each has succeeded).
 *
 *   store_bench [DIR]      a directory on the disk that is meant; /var/tmp
 */
#include "base/chan.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/paths.h"
#include "floor.h"
#include "job/job.h"
#include "job/result.h"
#include "policy/builtin.h"
#include "proto/edges.h"
#include "store/resources.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PRODUCERS = 64,
	BATCH = 32,
	RUNS = 1500, /* alive at once; the engine takes 2000 */
	ROUNDS = 4
};

#define SECONDS 2.0

static const char empty_job[] =
	"nfo: 1\nname: empty\ntasks: { one: { argv: [/bin/true] } }\n";

struct world {
	struct engine *g;
	struct policy_set *policies;
	int monitor;
	bool on; /* maintenance */
	size_t answered;
};

static void must(int bad, const struct err *e)
{
	if (!bad)
		return;
	fprintf(stderr, "store_bench: %s\n", e->text);
	exit(1);
}

static void start(struct world *w, const char *dir)
{
	struct engine_opts o = {.stay_without_monitor = true};
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct err e;
	int fds[2];

	must(policy_set_new(&w->policies, &e), &e);
	must(policy_set_add(w->policies, STR("default.yaml"),
			    policy_builtin_default(), ps),
	     &e);
	mem_free(ps);
	o.state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(paths_init(o.state_fd, &e) || store_open(dir, &o.store, &e) ||
		     chan_pair(fds, &e),
	     &e);
	o.policies = w->policies;
	w->monitor = fds[0];
	must(fd_set_nonblock(fds[0], true), &e);
	o.monitor_fd = fds[1];
	o.monitor_is_new = true;
	must(engine_new(&o, &w->g, &e) || engine_start(w->g, &e), &e);
}

static void on_reply(void *ctx, const struct engine_reply *r)
{
	struct world *w = ctx;

	must(r->err.code != ERR_NONE, &r->err);
	w->answered++;
}

static void ask(struct world *w)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf canonical = BUF_INIT(1 << 20);
	struct engine_ask what = {.project = STR("default"),
				  .submitter = STR("uid:0"),
				  .trigger = STR("api"),
				  .priority = -1};
	struct engine_order *o;
	struct job *j;
	struct err e;

	if (job_parse(str_from(empty_job), DOC_YAML, &j, ps))
		exit(1);
	must(job_canonical(j, &canonical, &e), &e);
	what.canonical = buf_view(&canonical);
	must(engine_order_new(w->policies, &what, j, &o, ps, &e) ||
		     engine_run(w->g, o, on_reply, w, &e),
	     &e);
}

static void tell(struct world *w, uint16_t type, const struct wire_writer *m)
{
	struct pollfd p = {.fd = w->monitor, .events = POLLOUT};
	struct err e;
	int r;

	while (!(r = chan_send(w->monitor, type, m, NULL, 0, &e)))
		(void)poll(&p, 1, 1000);
	must(r < 0, &e);
}

/* Says of whatever was launched that it has succeeded. */
static void play_monitor(struct world *w)
{
	unsigned char raw[WIRE_MAX + 2];
	struct chan_msg msg;
	struct err e;

	while (chan_recv(w->monitor, raw, &msg, &e) == 1) {
		struct wire_reader r = wire_reader(msg.body, msg.body_len);
		struct job_result x = {.state = STATE_SUCCEEDED};
		CLEANUP_BUF struct buf b = BUF_INIT(RESULT_JSON_MAX);
		struct wire_writer m = {.len = 0};
		struct ended end;
		struct grant g;

		if (msg.type != MSG_LAUNCH || grant_decode(&r, &g))
			continue;
		x.id = (struct attempt_id){g.attempt, g.fence};
		x.started_us = x.finished_us = clock_real_us();
		end = (struct ended){.id = x.id, .state = STATE_SUCCEEDED};
		(void)job_result_encode(&x, &b);
		must(fd_write_all(msg.fds[LAUNCH_RESULT], b.data, b.len), &e);
		for (size_t i = 0; i < msg.n_fds; i++)
			fd_close(&msg.fds[i]);
		ended_encode(&end, &m);
		tell(w, MSG_ENDED, &m);
	}
}

/* While it is on runs are taken and wait, so that making them is measured
 * without starting them. */
static int set_maintenance(void *ctx, struct store *s, struct err *refusal,
			   struct err *e)
{
	struct world *w = ctx;
	const struct store_resource x = {
		.kind = STR("system"),
		.name = STR("maintenance"),
		.body = w->on ? STR("{\"on\":true}") : STR("{\"on\":false}"),
		.changed_us = clock_real_us(),
		.changed_by = STR("bench"),
	};

	(void)refusal;
	return store_resource_put(s, &x, e);
}

static void maintenance(struct world *w, bool on)
{
	size_t before = w->answered;
	struct err e;

	w->on = on;
	must(engine_edit(w->g, STR("bench"), STR(""), STR(""), set_maintenance,
			 on_reply, w, &e),
	     &e);
	while (w->answered == before) {
		struct pollfd p = {.fd = engine_fd(w->g), .events = POLLIN};

		(void)poll(&p, 1, 1000);
		engine_drain(w->g, NULL, NULL);
	}
}

/* RUNS asked for, then all of them done; adds to both times. */
static void round_of(struct world *w, int64_t *ret_ask_us, int64_t *ret_do_us)
{
	size_t asked = 0;
	uint64_t ended = engine_stats(w->g).runs_ended[0] + RUNS;
	int64_t begun;

	maintenance(w, true);
	w->answered = 0;
	begun = clock_mono_us();
	while (w->answered < RUNS) {
		struct pollfd p = {.fd = engine_fd(w->g), .events = POLLIN};

		while (asked < RUNS && asked - w->answered < PRODUCERS) {
			ask(w);
			asked++;
		}
		(void)poll(&p, 1, 1000);
		engine_drain(w->g, NULL, NULL);
	}
	*ret_ask_us += clock_mono_us() - begun;
	maintenance(w, false);
	begun = clock_mono_us();
	while (engine_stats(w->g).runs_ended[0] < ended) {
		struct pollfd p[2] = {
			{.fd = engine_fd(w->g), .events = POLLIN},
			{.fd = w->monitor,      .events = POLLIN},
		};

		(void)poll(p, 2, 1000);
		play_monitor(w);
		engine_drain(w->g, NULL, NULL);
	}
	*ret_do_us += clock_mono_us() - begun;
}

int main(int argc, char **argv)
{
	char dir[512];
	int64_t ask_us = 0, do_us = 0;
	double grouped, cycle, asked, done;
	struct world w = {.g = NULL};
	struct err e;

	(void)snprintf(dir, sizeof(dir), "%s/nfo-bench-XXXXXX",
		       argc > 1 ? argv[1] : "/var/tmp");
	if (!mkdtemp(dir))
		return 1;
	grouped = floor_grouped(dir, PRODUCERS, SECONDS);
	cycle = floor_cycle(dir, BATCH, SECONDS);
	start(&w, dir);
	for (int i = 0; i < ROUNDS; i++)
		round_of(&w, &ask_us, &do_us);
	engine_free(w.g);
	policy_set_free(w.policies);
	asked = (double)RUNS * ROUNDS * 1e6 / (double)ask_us;
	done = (double)RUNS * ROUNDS * 1e6 / (double)do_us;
	printf("sqlite grouped=%.0f/s claim+complete=%.0f/s\n", grouped, cycle);
	printf("engine runs_made=%.0f/s (%.2f of grouped) "
	       "attempts=%.0f/s (%.2f of claim+complete)\n",
	       asked, asked / grouped, done, done / cycle);
	return fd_remove_tree(AT_FDCWD, dir, &e) ? 1 : 0;
}

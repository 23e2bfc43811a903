/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Attempts: a grant is checked, a pipe group collected, its pipes and channels
 * made, everybody told; then only fixed messages pass.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FDS = FORK_READERS + FORK_READERS_MAX
};

struct attempt {
	struct link link;
	struct monitor *m;
	struct grant g;
	int fds[FDS]; /* for FORK, gathered */
	size_t n_readers;
	bool launched, ended, waits_for_readers;
	struct chan *chan; /* to the runner */
	int pidfd;
	struct loop_timer *bury;
};

static struct attempt_id id_of(const struct attempt *a)
{
	return (struct attempt_id){a->g.attempt, a->g.fence};
}

static void on_bury(void *ctx)
{
	struct attempt *a = ctx;

	for (size_t i = 0; i < FDS; i++)
		fd_close(&a->fds[i]);
	chan_free(a->chan);
	fd_close(&a->pidfd);
	loop_timer_free(a->bury);
	list_del(&a->link);
	a->m->n_attempts--;
	mem_free(a);
}

static void bury(struct attempt *a)
{
	loop_timer_set(a->bury, clock_mono_us());
}

static void tell_server(struct monitor *m, const struct ended *end)
{
	struct wire_writer w = {.len = 0};

	ended_encode(end, &w);
	(void)roles_post(m, ROLE_SERVER, MSG_ENDED, &w, NULL, 0);
}

static void ended_as(struct attempt *a, enum run_state state,
		     enum fail_kind kind)
{
	struct ended end = {.id = id_of(a),
			    .state = (uint8_t)state,
			    .kind = (uint8_t)kind,
			    .exit_code = -1};

	if (a->ended)
		return;
	a->ended = true;
	tell_server(a->m, &end);
}

static struct attempt *find(struct monitor *m, const struct attempt_id *id)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (!strcmp(a->g.attempt.s, id->attempt.s) &&
		    a->g.fence == id->fence)
			return a;
	}
	return NULL;
}

static bool same_group(const struct attempt *a, const struct attempt *b)
{
	return !strcmp(a->g.group.s, b->g.group.s);
}

/* --- runners ------------------------------------------------------------ */

static void cancel(struct attempt *a, enum fail_kind kind)
{
	struct attempt_id id = id_of(a);
	struct wire_writer w = {.len = 0};
	struct err e;

	attempt_id_encode(&id, &w);
	wire_u8(&w, (uint8_t)kind);
	if (a->chan)
		(void)!chan_post(a->chan, MSG_RUN_CANCEL, &w, NULL, 0, &e);
}

/* Writers that failed and hold their pipes open until no reader is left. */
static void release_writers(struct monitor *m, const struct attempt *gone)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *w = LIST_ENTRY(l, struct attempt, link);
		bool left = false;
		struct err e;

		if (!w->waits_for_readers || !same_group(w, gone))
			continue;
		LIST_FOR(k, &m->attempts)
		{
			struct attempt *r = LIST_ENTRY(k, struct attempt, link);

			left |= r != gone && !r->ended && same_group(r, w) &&
				r->g.stdin_from == w->g.group_index;
		}
		if (left || !w->chan)
			continue;
		w->waits_for_readers = false;
		(void)!chan_post(w->chan, MSG_RUN_RELEASE, NULL, NULL, 0, &e);
	}
}

static void upstream_failed(struct attempt *w)
{
	w->waits_for_readers = true;
	LIST_FOR(l, &w->m->attempts)
	{
		struct attempt *r = LIST_ENTRY(l, struct attempt, link);

		if (r != w && same_group(r, w) && !r->ended &&
		    r->g.stdin_from == w->g.group_index)
			cancel(r, KIND_UPSTREAM);
	}
	release_writers(w->m, w);
}

static int run_started(struct attempt *a, struct wire_reader *r)
{
	struct wire_writer w = {.len = 0};
	struct attempt_id id;
	int64_t when;

	if (attempt_id_decode(r, &id))
		return -1;
	when = wire_get_i64(r);
	if (!wire_end(r) || find(a->m, &id) != a)
		return -1;
	attempt_id_encode(&id, &w);
	wire_i64(&w, when);
	(void)roles_post(a->m, ROLE_SERVER, MSG_STARTED, &w, NULL, 0);
	return 0;
}

static int run_ended(struct attempt *a, struct wire_reader *r)
{
	struct ended end;

	if (ended_decode(r, &end) || !wire_end(r) || find(a->m, &end.id) != a ||
	    a->ended)
		return -1;
	a->ended = true;
	tell_server(a->m, &end);
	release_writers(a->m, a);
	return 0;
}

static int on_runner(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt *a = ctx;

	switch (msg->type) {
	case MSG_RUN_STARTED:
		return run_started(a, &r);
	case MSG_RUN_ENDED:
		return run_ended(a, &r);
	case MSG_RUN_UPSTREAM:
		upstream_failed(a);
		return 0;
	default:
		return -1;
	}
}

/* A runner that leaves without a word has crashed, or was killed. */
static void on_runner_gone(void *ctx, const struct err *why)
{
	struct attempt *a = ctx;

	if (why)
		log_warn("attempt %s: %s", a->g.attempt.s, why->text);
	if (!a->ended)
		log_error("attempt %s: its runner died", a->g.attempt.s);
	ended_as(a, STATE_FAILED, KIND_LOST);
	if (a->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, a->pidfd, SIGKILL, NULL,
			      0);
	release_writers(a->m, a);
	bury(a);
}

static const struct chan_ops runner_ops = {on_runner, on_runner_gone};

/* --- launching ---------------------------------------------------------- */

/* The gate: what the server may ask for at all. */
static bool acceptable(struct monitor *m, const struct grant *g)
{
	if (m->n_attempts >= m->o.max_attempts)
		return false;
	LIST_FOR(l, &m->attempts)
	{
		const struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (!strcmp(a->g.attempt.s, g->attempt.s))
			return false;
		/* One uid, one workspace; only a shared one twice. */
		if (!a->ended && a->g.uid_slot == g->uid_slot &&
		    (g->workspace_kind != WORKSPACE_SHARED ||
		     strcmp(a->g.workspace.s, g->workspace.s) != 0))
			return false;
	}
	return true;
}

static int pair(struct attempt *a, int fork_fd, int *ret_ours)
{
	int fds[2];
	struct err e;

	if (chan_pair(fds, &e))
		return -1;
	a->fds[fork_fd] = fds[1];
	*ret_ours = fds[0];
	return 0;
}

static bool grant_to(struct attempt *a, enum role r,
		     const struct wire_writer *w, int fd)
{
	bool ok = roles_post(a->m, r, MSG_GRANT, w, &fd, 1);

	fd_close(&fd);
	return ok;
}

static int start(struct attempt *a)
{
	struct wire_writer w = {.len = 0};
	int monitor = -1, keeper = -1, spawner = -1;
	bool ok;

	grant_encode(&a->g, &w);
	if (pair(a, FORK_MONITOR, &monitor) || pair(a, FORK_KEEPER, &keeper) ||
	    pair(a, FORK_SPAWNER, &spawner))
		return -1;
	ok = grant_to(a, ROLE_KEEPER, &w, keeper);
	ok = grant_to(a, ROLE_SPAWNER, &w, spawner) && ok;
	a->chan = chan_new(a->m->loop, monitor, &runner_ops, a);
	if (a->fds[FORK_STDIN] < 0)
		a->fds[FORK_STDIN] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	wire_u8(&w, (uint8_t)a->n_readers);
	ok = ok && a->chan &&
	     roles_post(a->m, ROLE_ZYGOTE, MSG_FORK, &w, a->fds,
			FORK_READERS + a->n_readers);
	for (size_t i = 0; i < FDS; i++)
		fd_close(&a->fds[i]);
	a->launched = true;
	return ok ? 0 : -1;
}

static struct attempt *member(struct monitor *m, const struct attempt *of,
			      uint8_t index)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (same_group(a, of) && !a->launched &&
		    a->g.group_index == index)
			return a;
	}
	return NULL;
}

/* The pipe from writer to reader; both ends go to the runners. */
static int connect_pipe(struct attempt *writer, struct attempt *reader)
{
	int p[2];

	if (writer->n_readers == FORK_READERS_MAX || pipe2(p, O_CLOEXEC))
		return -1;
	(void)fcntl(p[0], F_SETPIPE_SZ, 1 << 20);
	reader->fds[FORK_STDIN] = p[0];
	writer->fds[FORK_READERS + writer->n_readers++] = p[1];
	return 0;
}

/* All or none: with one missing it waits, with one broken all end. */
static void start_group(struct monitor *m, struct attempt *a)
{
	struct attempt *all[GRANT_GROUP_MAX];
	int bad = 0;

	for (uint8_t i = 0; i < a->g.group_size; i++) {
		all[i] = member(m, a, i);
		if (!all[i] || all[i]->g.group_size != a->g.group_size)
			return;
	}
	for (uint8_t i = 0; i < a->g.group_size; i++)
		if (all[i]->g.stdin_from != GRANT_NO_STDIN)
			bad |= connect_pipe(all[all[i]->g.stdin_from], all[i]);
	for (uint8_t i = 0; i < a->g.group_size; i++)
		if (bad || start(all[i])) {
			ended_as(all[i], STATE_FAILED, KIND_LOST);
			bury(all[i]);
		}
}

static void refuse(struct monitor *m, const struct grant *g)
{
	struct ended end = {
		.id = {g->attempt, g->fence},
		.state = STATE_FAILED,
		.kind = KIND_INTERNAL,
		.exit_code = -1
        };

	log_warn("attempt %s: refused at the gate", g->attempt.s);
	tell_server(m, &end);
}

int attempts_launch(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt *a;
	struct grant g;

	if (grant_decode(&r, &g) || !wire_end(&r) || msg->n_fds != N_LAUNCH_FDS)
		return -1;
	if (!acceptable(m, &g)) {
		refuse(m, &g);
		return 0;
	}
	a = mem_alloc(sizeof(*a));
	a->m = m;
	a->g = g;
	a->pidfd = -1;
	for (size_t i = 0; i < FDS; i++)
		a->fds[i] = i < N_LAUNCH_FDS ? chan_msg_take(msg, i) : -1;
	a->bury = loop_timer_new(m->loop, on_bury, a);
	list_push(&m->attempts, &a->link);
	m->n_attempts++;
	start_group(m, a);
	return 0;
}

int attempts_cancel(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt_id id;
	struct attempt *a;

	if (attempt_id_decode(&r, &id) || !wire_end(&r))
		return -1;
	a = find(m, &id);
	if (a && a->launched) {
		cancel(a, KIND_NONE);
	} else if (a) {
		ended_as(a, STATE_CANCELLED, KIND_NONE);
		bury(a);
	}
	return 0; /* it may have ended while this was on its way */
}

int attempts_forked(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt_id id;
	struct attempt *a;

	if (attempt_id_decode(&r, &id) || !wire_end(&r) || msg->n_fds != 1)
		return -1;
	a = find(m, &id);
	if (a && a->pidfd < 0)
		a->pidfd = chan_msg_take(msg, 0);
	return 0;
}

void attempts_announce(struct monitor *m)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);
		struct attempt_id id = id_of(a);
		struct wire_writer w = {.len = 0};

		attempt_id_encode(&id, &w);
		if (!a->ended)
			(void)roles_post(m, ROLE_SERVER, MSG_ALIVE, &w, NULL,
					 0);
	}
	(void)roles_post(m, ROLE_SERVER, MSG_ALIVE_END, NULL, NULL, 0);
}

void attempts_lost(struct monitor *m)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		ended_as(a, STATE_FAILED, KIND_LOST);
		if (a->pidfd >= 0)
			(void)syscall(SYS_pidfd_send_signal, a->pidfd, SIGKILL,
				      NULL, 0);
		bury(a);
	}
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Attempts that live: what runners say and what is said to them, how they end,
 * and that a reader of a pipe never takes a failed writer's half for a whole.
 * Only fixed messages pass here.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/monitor.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From a cancel to the end of everything that a runner may still do. */
#define CANCEL_SLACK_US ((int64_t)300 * 1000000)

static struct attempt_id id_of(const struct attempt *a)
{
	return (struct attempt_id){a->g.attempt, a->g.fence};
}

static void kill_runner(const struct attempt *a)
{
	if (a->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, a->pidfd, SIGKILL, NULL,
			      0);
}

/* A keeper that began after it has no other way to know. */
static void tell_keeper(const struct attempt *a)
{
	struct attempt_id id = id_of(a);
	struct wire_writer w = {.len = 0};

	attempt_id_encode(&id, &w);
	(void)roles_post(a->m, ROLE_KEEPER, MSG_GONE, &w, NULL, 0);
}

static void on_bury(void *ctx)
{
	struct attempt *a = ctx;

	if (a->launched)
		tell_keeper(a);

	for (size_t i = 0; i < ATTEMPT_FDS; i++)
		fd_close(&a->fds[i]);
	chan_free(a->chan);
	fd_close(&a->pidfd);
	loop_timer_free(a->bury);
	loop_timer_free(a->deadline);
	list_del(&a->link);
	a->m->n_attempts--;
	a->m->n_running_helpers -= a->is_helper;
	mem_free(a);
}

/* A runner that hangs: the spawner has ended its sandbox long ago. */
static void on_deadline(void *ctx)
{
	struct attempt *a = ctx;

	log_error("attempt %s: its runner does not end, killed",
		  a->g.attempt.s);
	attempt_end(a, STATE_FAILED, KIND_LOST);
	kill_runner(a);
	if (a->pidfd < 0)
		attempt_bury(a);
}

struct attempt *attempt_new(struct monitor *m, const struct grant *g)
{
	struct attempt *a = mem_alloc(sizeof(*a));

	a->m = m;
	a->g = *g;
	a->pidfd = -1;
	a->deadline_us = INT64_MAX;
	for (size_t i = 0; i < ATTEMPT_FDS; i++)
		a->fds[i] = -1;
	a->bury = loop_timer_new(m->loop, on_bury, a);
	a->deadline = loop_timer_new(m->loop, on_deadline, a);
	list_push(&m->attempts, &a->link);
	m->n_attempts++;
	return a;
}

void attempt_bury(struct attempt *a)
{
	loop_timer_set(a->bury, clock_mono_us());
}

void attempt_deadline(struct attempt *a, int64_t mono_us)
{
	if (mono_us >= a->deadline_us)
		return;
	a->deadline_us = mono_us;
	loop_timer_set(a->deadline, mono_us);
}

void attempt_tell(struct monitor *m, const struct ended *end)
{
	struct wire_writer w = {.len = 0};

	ended_encode(end, &w);
	CRASH_POINT("monitor.before-ended");
	(void)roles_post(m, ROLE_SERVER, MSG_ENDED, &w, NULL, 0);
	CRASH_POINT("monitor.after-ended");
}

void attempt_end(struct attempt *a, enum run_state state, enum fail_kind kind)
{
	struct ended end = {.id = id_of(a),
			    .state = (uint8_t)state,
			    .kind = (uint8_t)kind,
			    .exit_code = -1};

	if (a->ended)
		return;
	a->ended = true;
	if (a->is_helper)
		helper_lost(a);
	else
		attempt_tell(a->m, &end);
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

bool attempt_same_group(const struct attempt *a, const struct attempt *b)
{
	return !strcmp(a->g.group.s, b->g.group.s);
}

static void cancel(struct attempt *a, enum fail_kind kind)
{
	struct attempt_id id = id_of(a);
	struct wire_writer w = {.len = 0};
	struct err e;

	attempt_id_encode(&id, &w);
	wire_u8(&w, (uint8_t)kind);
	if (a->chan)
		(void)!chan_post(a->chan, MSG_RUN_CANCEL, &w, NULL, 0, &e);
	attempt_deadline(a, clock_mono_us() + (int64_t)a->g.grace_us +
				    CANCEL_SLACK_US);
}

/* --- pipes -------------------------------------------------------------- */

/*
 * We hold the write ends as well as the writer's runner does.  They are closed
 * when it has said that its task succeeded; else, and if it just dies, its
 * readers are ended first, and so never see an end-of-file.
 */
static void close_pipes(struct attempt *w)
{
	for (size_t i = 0; i < FORK_READERS_MAX; i++)
		fd_close(&w->fds[FORK_READERS + i]);
}

static bool reads_from(const struct attempt *r, const struct attempt *w)
{
	return r != w && attempt_same_group(r, w) &&
	       r->g.stdin_from == w->g.group_index;
}

static bool has_readers(const struct attempt *w)
{
	LIST_FOR(l, &w->m->attempts)
	{
		struct attempt *r = LIST_ENTRY(l, struct attempt, link);

		if (!r->ended && reads_from(r, w))
			return true;
	}
	return false;
}

/* Writers that failed, and whose last reader has ended. */
static void release_writers(struct monitor *m)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *w = LIST_ENTRY(l, struct attempt, link);
		struct err e;

		if (!w->waits_for_readers || has_readers(w))
			continue;
		w->waits_for_readers = false;
		close_pipes(w);
		if (w->gone)
			attempt_bury(w);
		else if (!w->ended)
			(void)!chan_post(w->chan, MSG_RUN_RELEASE, NULL, NULL,
					 0, &e);
	}
}

static void upstream_failed(struct attempt *w)
{
	w->waits_for_readers = true;
	LIST_FOR(l, &w->m->attempts)
	{
		struct attempt *r = LIST_ENTRY(l, struct attempt, link);

		if (!r->ended && reads_from(r, w))
			cancel(r, KIND_UPSTREAM);
	}
}

/* --- runners ------------------------------------------------------------ */

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
	attempt_tell(a->m, &end);
	if (end.state == STATE_SUCCEEDED)
		close_pipes(a);
	else if (a->n_readers)
		upstream_failed(a);
	release_writers(a->m);
	return 0;
}

static int run_upstream(struct attempt *a, struct wire_reader *r)
{
	struct attempt_id id;

	if (attempt_id_decode(r, &id) || !wire_end(r) || find(a->m, &id) != a ||
	    a->ended || a->waits_for_readers)
		return -1;
	upstream_failed(a);
	release_writers(a->m);
	return 0;
}

static int on_runner(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);

	switch (msg->type) {
	case MSG_RUN_STARTED:
		return run_started(ctx, &r);
	case MSG_RUN_ENDED:
		return run_ended(ctx, &r);
	case MSG_RUN_UPSTREAM:
		return run_upstream(ctx, &r);
	default:
		return -1;
	}
}

/* A runner that leaves without a word has crashed, or was killed. */
static void on_runner_gone(void *ctx, const struct err *why)
{
	struct attempt *a = ctx;
	bool told = a->ended;

	if (why)
		log_warn("attempt %s: %s", a->g.attempt.s, why->text);
	if (!told)
		log_error("attempt %s: its runner died", a->g.attempt.s);
	attempt_end(a, STATE_FAILED, KIND_LOST);
	a->gone = true;
	kill_runner(a);
	if (!told && a->n_readers)
		upstream_failed(a);
	release_writers(a->m);
	if (!a->waits_for_readers)
		attempt_bury(a);
}

const struct chan_ops attempt_runner_ops = {on_runner, on_runner_gone};

static int on_helper(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);

	return msg->type == MSG_HELPER_DONE ? helper_done(ctx, &r) : -1;
}

const struct chan_ops attempt_helper_ops = {on_helper, on_runner_gone};

void attempts_end_helpers(struct monitor *m)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (!a->is_helper)
			continue;
		a->ended = true;
		kill_runner(a);
		attempt_bury(a);
	}
}

/* --- what roles say about them ------------------------------------------ */

int attempts_cancel(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt_id id;
	struct attempt *a;

	if (attempt_id_decode(&r, &id) || !wire_end(&r))
		return -1;
	a = find(m, &id);
	if (a && a->is_helper)
		return 0; /* none of the server's */
	if (a && a->launched) {
		cancel(a, KIND_NONE);
	} else if (a) {
		attempt_end(a, STATE_CANCELLED, KIND_NONE);
		attempt_bury(a);
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
	if (!a) /* it was given up meanwhile */
		(void)syscall(SYS_pidfd_send_signal, msg->fds[0], SIGKILL, NULL,
			      0);
	else if (a->pidfd < 0)
		a->pidfd = chan_msg_take(msg, 0);
	return 0;
}

/* A shared workspace goes when none of its attempts lives: the server knows,
 * and here it is checked. */
int attempts_release(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct wire_writer w = {.len = 0};
	struct ulid id = {.s = ""};

	wire_get_bytes(&r, id.s, ULID_LEN);
	(void)wire_get_u32(&r);
	if (!wire_end(&r) || !ulid_valid(str_n(id.s, ULID_LEN)))
		return -1;
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (!a->ended && !strcmp(a->g.workspace.s, id.s)) {
			log_warn("workspace %s: still in use", id.s);
			return 0;
		}
	}
	wire_bytes(&w, msg->body, msg->body_len);
	(void)roles_post(m, ROLE_SPAWNER, MSG_RELEASE, &w, NULL, 0);
	return 0;
}

void attempts_announce(struct monitor *m, enum role to)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);
		struct attempt_id id = id_of(a);
		struct wire_writer w = {.len = 0};

		attempt_id_encode(&id, &w);
		if (!a->ended && !a->is_helper)
			(void)roles_post(m, to, MSG_ALIVE, &w, NULL, 0);
	}
	(void)roles_post(m, to, MSG_ALIVE_END, NULL, NULL, 0);
}

void attempts_forget(struct monitor *m)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (a->launched)
			continue;
		a->ended = true; /* a new server does not hear of it */
		attempt_bury(a);
	}
}

void attempts_lost(struct monitor *m)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		attempt_end(a, STATE_FAILED, KIND_LOST);
		kill_runner(a);
		attempt_bury(a);
	}
}

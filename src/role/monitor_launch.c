/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * From LAUNCH to a runner: a grant is checked, a pipe group collected, its
 * pipes and channels made, everybody told.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "role/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* After the task's own time: outputs, artifacts, the log's last bytes. */
#define RUNNER_SLACK_US ((int64_t)900 * 1000000)

/* --- launching ---------------------------------------------------------- */

/* The gate: what the server may ask for at all.  NULL: this; else why not.
 * Whether policy allows it the runner decides, by its own copy. */
static const char *gate(const struct monitor *m, const struct grant *g)
{
	if (m->n_attempts - m->n_running_helpers >= m->o.max_attempts)
		return "too many at once";
	if (g->uid_slot >= HELPER_UID_FIRST)
		return "its uid is for helpers";
	LIST_FOR(l, &m->attempts)
	{
		const struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (!strcmp(a->g.attempt.s, g->attempt.s))
			return "it exists";
		/* One uid, one workspace; only a shared one twice. */
		if (!a->ended && a->g.uid_slot == g->uid_slot &&
		    (g->workspace_kind != WORKSPACE_SHARED ||
		     a->g.workspace_kind != WORKSPACE_SHARED ||
		     strcmp(a->g.workspace.s, g->workspace.s) != 0))
			return "its uid is taken";
		/* And the contrary: a workspace has one uid. */
		if (!a->ended && a->g.uid_slot != g->uid_slot &&
		    !strcmp(a->g.workspace.s, g->workspace.s))
			return "its workspace has another uid";
	}
	return NULL;
}

/* A directory that the server made for this attempt; not one that it keeps
 * for all and nobody may write to (0500). */
static int for_the_runner(const struct monitor *m, int fd, uid_t uid,
			  mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISDIR(st.st_mode) ||
	    st.st_uid != m->users.server)
		return -1;
	if (!(st.st_mode & S_IWUSR))
		return 0;
	/* In this order the server is never without it. */
	return fchmod(fd, mode) || fchown(fd, uid, m->users.server) ? -1 : 0;
}

/*
 * As root the runner has another uid than the server: it gets the staging
 * directory, which the server's group may go on using, and may pass through
 * the one with its files.  Only what the server owned is given away.
 */
static int hand_over(const struct monitor *m, const struct chan_msg *msg)
{
	const struct monitor_users *u = &m->users;

	if (!u->server)
		return 0;
	return for_the_runner(m, msg->fds[LAUNCH_STAGING], u->runner, 02770) ||
			       for_the_runner(m, msg->fds[LAUNCH_FILES],
					      u->server, 0755) ?
		       -1 :
		       0;
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

static int start(struct attempt *a)
{
	struct wire_writer w = {.len = 0};
	CLEANUP_FD int monitor = -1, keeper = -1, spawner = -1;
	bool ok;

	grant_encode(&a->g, &w);
	if (pair(a, FORK_MONITOR, &monitor) || pair(a, FORK_KEEPER, &keeper) ||
	    pair(a, FORK_SPAWNER, &spawner))
		return -1;
	ok = roles_post(a->m, ROLE_KEEPER, MSG_GRANT, &w, &keeper, 1) &&
	     roles_post(a->m, ROLE_SPAWNER, MSG_GRANT, &w, &spawner, 1);
	a->chan =
		chan_new(a->m->loop, fd_take(&monitor), &attempt_runner_ops, a);
	if (a->fds[FORK_STDIN] < 0)
		a->fds[FORK_STDIN] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	wire_u8(&w, (uint8_t)a->n_readers);
	CRASH_POINT("monitor.before-fork");
	ok = ok && a->chan &&
	     roles_post(a->m, ROLE_ZYGOTE, MSG_FORK, &w, a->fds,
			FORK_READERS + a->n_readers);
	/* The pipes' write ends stay here too: see monitor_attempts.c. */
	for (size_t i = 0; i < FORK_READERS; i++)
		fd_close(&a->fds[i]);
	CRASH_POINT("monitor.after-fork");
	a->launched = true;
	attempt_deadline(a, clock_mono_us() + (int64_t)a->g.timeout_us +
				    (int64_t)a->g.grace_us + RUNNER_SLACK_US);
	roles_forked(a->m);
	return ok ? 0 : -1;
}

static struct attempt *member(struct monitor *m, const struct attempt *of,
			      uint8_t index)
{
	LIST_FOR(l, &m->attempts)
	{
		struct attempt *a = LIST_ENTRY(l, struct attempt, link);

		if (attempt_same_group(a, of) && !a->launched &&
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
	for (uint8_t i = 0; !bad && i < a->g.group_size; i++)
		bad = start(all[i]);
	/* Those that were started find their channels closed, and end. */
	for (uint8_t i = 0; bad && i < a->g.group_size; i++) {
		attempt_end(all[i], STATE_FAILED, KIND_LOST);
		attempt_bury(all[i]);
	}
}

static void refuse(struct monitor *m, const struct grant *g, const char *why)
{
	struct ended end = {
		.id = {g->attempt, g->fence},
		.state = STATE_FAILED,
		.kind = KIND_INTERNAL,
		.exit_code = -1
        };

	log_warn("attempt %s: refused: %s", g->attempt.s, why);
	attempt_tell(m, &end);
}

int attempts_launch(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	const char *why;
	struct attempt *a;
	struct grant g;

	if (grant_decode(&r, &g) || !wire_end(&r) || msg->n_fds != N_LAUNCH_FDS)
		return -1;
	why = gate(m, &g);
	if (!why && hand_over(m, msg))
		why = "its directories are not the server's own";
	if (why) {
		refuse(m, &g, why);
		return 0;
	}
	a = attempt_new(m, &g);
	for (size_t i = 0; i < N_LAUNCH_FDS; i++)
		a->fds[i] = chan_msg_take(msg, i);
	start_group(m, a);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The monitor: starts the roles, makes every channel, passes grants, and
 * parses nothing of variable length but its own command line.
 *
 *   monitor.c          main: options, state directory, sockets, policies
 *   monitor_roles.c    starting, restarting, stopping roles
 *   monitor_attempts.c attempts: gates, groups, pipes, ends
 */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "proto/edges.h"

enum {
	SOCKETS_MAX = 4,
	STOP_MS = 5000
};

struct monitor;

/* One role's process. */
struct role_process {
	struct monitor *m;
	enum role role;
	struct chan *chan;
	int pid, pidfd;
	bool ready;
	unsigned failures; /* in a row */
	struct loop_watch *watch;
	struct loop_timer *restart;
	int64_t started_us;
};

struct monitor_opts {
	const char *state, *policy;
	const char *sockets[SOCKETS_MAX], *listens[SOCKETS_MAX];
	size_t n_sockets, n_listens;
	bool cgroups_required;
	uint32_t idle_exit_s, max_attempts;
	int ready_fd;
};

struct monitor {
	struct monitor_opts o;
	struct loop *loop;
	char state[INIT_PATH_MAX + 1], dir[INIT_PATH_MAX + 1];
	int lock, policies;
	int listeners[2 * SOCKETS_MAX];
	size_t n_listeners;
	struct role_process roles[N_ROLES];
	struct link attempts;
	uint32_t n_attempts;
	bool stopping, announced, server_started;
	uint32_t uid_server, uid_keeper; /* 0: as we are */
	int exit_code;
};

/* monitor_roles.c */
MUST_USE int roles_start(struct monitor *m, struct err *e);
void roles_stop(struct monitor *m);
/* To a role; a role that is away hears nothing. */
bool roles_post(struct monitor *m, enum role r, uint16_t type,
		const struct wire_writer *w, const int *fds, size_t n_fds);

/* monitor_attempts.c */
int attempts_launch(struct monitor *m, struct chan_msg *msg);
int attempts_cancel(struct monitor *m, struct chan_msg *msg);
int attempts_forked(struct monitor *m, struct chan_msg *msg);
/* A new server hears who is alive. */
void attempts_announce(struct monitor *m);
/* A role died that all attempts need: they are lost. */
void attempts_lost(struct monitor *m);

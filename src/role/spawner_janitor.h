/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A process of the spawner's that removes workspaces: a large tree takes as
 * long as many launches, and none of them waits for it.  It holds the
 * directory of the workspaces and nothing else.
 */
#pragma once

#include "base/id.h"
#include "base/loop.h"

struct janitor {
	int names; /* the pipe to it */
	int work;  /* borrowed */
	pid_t pid;
};

/* Before the first attempt, so that it inherits no channel.  work_fd stays
 * the caller's. */
MUST_USE int janitor_start(struct janitor *j, int work_fd, struct err *e);
/* An empty workspace goes at once, another soon. */
void janitor_remove(struct janitor *j, const struct ulid *name);
/* Wait until it has removed what it was told to. */
void janitor_finish(struct janitor *j);

/* Everything in the directory: what a life before left, or this one. */
void janitor_sweep(int work_fd);

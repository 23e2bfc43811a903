/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The runner: one process, one attempt.  It decides policy again, fetches the
 * attempt's secrets, asks for a sandbox, writes them straight into it, says
 * go, captures, redacts and records, and leaves.  It has no path rights: all
 * it can touch came as a descriptor.
 */
#pragma once

#include "policy/policy.h"
#include "proto/edges.h"

struct runner_host {
	const struct policy_set *policies; /* the zygote's, parsed once */
	const char *agent;                 /* "local" */
};

/*
 * Carry out the attempt; called in the zygote's child after it closed what is
 * not its own and confined itself.  fds: enum launch_fd and enum fork_fd, with
 * n_readers write ends from FORK_READERS on; all are the runner's.  Returns
 * the exit code of the process, 0 when a result was written.
 */
int runner_main(const struct runner_host *host, const struct grant *g, int *fds,
		size_t n_readers);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Giving birth to a sandbox, here or in a slot's zygote (cgroup v1). */
#pragma once

#include "sandbox/internal.h"

/* Clone; *ret_pidfd is the caller's.  The new process runs child_main(). */
MUST_USE int slot_clone(struct child *c, int cgroup_fd, pid_t *ret_pid,
			int *ret_pidfd, struct err *e);
/* The same through the slot's zygote, which is made when it is missing. */
MUST_USE int slot_clone_parked(struct child *c, struct cgroup_slot *slot,
			       pid_t *ret_pid, int *ret_pidfd, struct err *e);

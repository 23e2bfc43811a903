/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Limits by control groups, v2 or v1.
 *
 * v2: a group per sandbox in our own delegated subtree, entered at birth by
 * CLONE_INTO_CGROUP.  v1: attaching a process waits for an RCU grace period
 * (9 ms when launches are sparse), so each slot has a zygote that is parked in
 * its groups already, and sandboxes are its siblings born there.
 */
#pragma once

#include "base/err.h"
#include "sandbox/sandbox.h"

enum cgroup_kind {
	CGROUP_NONE,
	CGROUP_V1,
	CGROUP_V2
};

struct cgroups;

/*
 * Find what may be used.  With CGROUPS_REQUIRE a machine without is an error;
 * with CGROUPS_PREFER it gives CGROUP_NONE.  Removes what dead hosts left.
 */
MUST_USE int cgroups_new(enum sandbox_cgroups mode, struct cgroups **ret,
			 struct err *e);
void cgroups_free(struct cgroups *c);
enum cgroup_kind cgroups_kind(const struct cgroups *c);
/* Which limits have no controller here: SANDBOX_NO_* bits. */
uint32_t cgroups_missing(const struct cgroups *c);

struct cgroup_slot;

/*
 * A slot with these limits set.
 *
 * ret_fd  v2: directory for CLONE_INTO_CGROUP (the slot's); else -1
 */
MUST_USE int cgroup_acquire(struct cgroups *c, const struct sandbox_limits *l,
			    struct cgroup_slot **ret, int *ret_fd,
			    uint32_t *ret_not_enforced, struct err *e);
/* v1: who is parked in the slot (slot.c); -1: nobody yet. */
struct cgroup_zygote {
	int sock, pidfd;
};
struct cgroup_zygote *cgroup_slot_zygote(struct cgroup_slot *s);
/* Kill it, reap it, close both. */
void cgroup_zygote_end(struct cgroup_zygote *z);
/* v1: park this process in the slot's groups. */
MUST_USE int cgroup_slot_attach(struct cgroup_slot *s, pid_t pid,
				struct err *e);
/* The counters; then kill what is left and give the slot back. */
void cgroup_release(struct cgroup_slot *s, struct sandbox_usage *u);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the files of sandbox/ share; nobody else includes it. */
#pragma once

#include "sandbox/cgroup.h"
#include "sandbox/guard.h"
#include "sandbox/profile.h"
#include "sandbox/sandbox.h"

enum {
	CLONES = 4
};

/* Where the template namespace keeps things. */
#define TEMPLATE_ROOT  "/root"  /* what becomes a sandbox's root */
#define TEMPLATE_ROOTS "/roots" /* the bind roots, by number */
#define TEMPLATE_NAMES "/names" /* for the host's network: its names */
#define TEMPLATE_STAGE "/stage" /* where a mount is filled */
#define TEMPLATE_PROC  "/proc"  /* rootless: a full proc (see template.c) */

/* The uid a task sees where it has a user namespace of its own. */
enum {
	INNER_UID = 1000
};

struct sandbox_host {
	bool rootless;
	uint32_t uid_base;
	enum sandbox_cgroups cgroup_mode;
	int proc_fd;                  /* the host's /proc, for id maps */
	int roots[SANDBOX_ROOTS_MAX]; /* in the template namespace */
	bool root_writable[SANDBOX_ROOTS_MAX];
	size_t n_roots;
	struct cgroups *cgroups;
	struct profile_set *profiles;
	int landlock_abi;
	struct sock_filter pid1_filter[GUARD_MAX];
	size_t pid1_filter_len;
};

/* All that a new PID 1 needs; copied to it. */
struct child {
	const struct sandbox_host *host;
	const struct profile *profile;
	struct sandbox_spec spec;
	uint32_t uid; /* root: the task's; rootless: INNER_UID */
	int sock;     /* to the parent: READY or the step that failed */
	int ctl;      /* PID 1's end of the control socket */
	int binds[SANDBOX_BINDS_MAX]; /* detached mounts */
	int secrets; /* where they can be written; -1: there are none */
};

/* What a child says once: a step that failed, or READY (step ""). */
struct child_report {
	char step[32];
	int sys;
	uint32_t not_enforced;
};

/* template.c: build the namespace and pivot into it. */
MUST_USE int template_enter(struct sandbox_host *h,
			    const struct sandbox_host_opts *o, struct err *e);
/* A new tmpfs as a detached mount; size and inodes as text. */
int mount_tmpfs(const char *size, const char *inodes, const char *mode,
		unsigned attr, bool noswap);
/* child.c: nothing that is executed from now on gains a capability. */
int bounding_drop(void);
/* Never returns. */
void child_main(struct child *c) NORETURN;
/* pid1.c: what PID 1 does once it is confined; never returns. */
void pid1_main(struct child *c) NORETURN;
/* landlock.c: the highest ABI, 0 without Landlock. */
int landlock_abi(void);
int landlock_confine(const struct child *c);
/* unpack.c: a plain tar below the current directory, in a process of its own.
 * Returns 0, or -1 with e. */
MUST_USE int unpack_tar(int tar_fd, int dir_fd, bool read_only, struct err *e);

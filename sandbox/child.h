/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Between child.c (the order) and child_mounts.c (the mounts).  Each step
 * returns -1 with errno. */
#pragma once

#include "sandbox/internal.h"

/* What the steps made, for the report to the parent. */
struct child_made {
	int fds[1 + SANDBOX_FILES_MAX]; /* the script, then the secrets */
	size_t n_fds;
	uint32_t not_enforced; /* SANDBOX_NO_* */
	char failed_on[256];   /* what the step was about */
};

extern struct child_made child_made;

int child_mount_proc(struct child *c);
int child_mount_tmp(struct child *c);
int child_mount_work(struct child *c);
int child_mount_binds(struct child *c);
int child_mount_names(struct child *c);
int child_make_control(struct child *c);
int child_make_secrets(struct child *c);
int child_pivot(struct child *c);

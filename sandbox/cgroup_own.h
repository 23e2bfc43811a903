/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Between cgroup.c (slots) and cgroup_find.c (the hierarchies). */
#pragma once

#include "sandbox/cgroup.h"

enum {
	MEMORY,
	PIDS,
	CPU,
	N_CONTROLLERS
};

#define CGROUP_PREFIX "nfo-"

struct cgroups {
	enum cgroup_kind kind;
	int dirs[N_CONTROLLERS]; /* v1: hierarchy roots; v2: [0] alone */
	bool have[N_CONTROLLERS];
	struct cgroup_slot *idle;
	uint64_t pid_ns;
};

/* Files of a group: 0 or -1 with errno; numbers that cannot be read are 0. */
int cgroup_put(int dir, const char *name, const char *text);
int cgroup_put_u64(int dir, const char *name, uint64_t v);
/* A number alone ("123\n"), or behind "key " at the start of a line. */
uint64_t cgroup_get_u64(int dir, const char *name, const char *key);
/* At most len - 1 bytes, and a NUL. */
bool cgroup_get(int dir, const char *name, char *out, size_t len);

/* Fill c->dirs and c->have, sweep; true when memory and pids can be used. */
bool cgroup_find_v1(struct cgroups *c);
bool cgroup_find_v2(struct cgroups *c);
/* The number of our pid namespace: pids mean nothing in another. */
uint64_t cgroup_pid_namespace(void);

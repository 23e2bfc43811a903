/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Control groups, v1 and v2; see cgroup.h. */
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/cgroup_own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	REMOVE_TRIES = 200 /* of a millisecond each */
};

struct cgroup_slot {
	struct cgroups *owner;
	struct cgroup_slot *next;
	char name[64];
	int dirs[N_CONTROLLERS];
	bool made[N_CONTROLLERS]; /* by us: only these are removed */
	struct cgroup_zygote zygote;
	uint64_t oom_before; /* v1: the group's count is never reset */
	bool limited;        /* v1: as in `limits` */
	struct sandbox_limits limits;
};

int cgroups_new(enum sandbox_cgroups mode, struct cgroups **ret, struct err *e)
{
	struct cgroups *c = mem_alloc(sizeof(*c));

	c->pid_ns = cgroup_pid_namespace();
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		c->dirs[i] = -1;
	if (mode != CGROUPS_NONE && cgroup_find_v2(c))
		c->kind = CGROUP_V2;
	else if (mode != CGROUPS_NONE && cgroup_find_v1(c))
		c->kind = CGROUP_V1;
	if (c->kind == CGROUP_NONE && mode == CGROUPS_REQUIRE) {
		cgroups_free(c);
		return err_set(e, ERR_UNAVAILABLE,
			       "cgroups: no memory and pids controller that "
			       "this user may use (nfo doctor tells more)");
	}
	*ret = c;
	return 0;
}

void cgroup_zygote_end(struct cgroup_zygote *z)
{
	fd_close(&z->sock);
	if (z->pidfd < 0)
		return;
	(void)syscall(SYS_pidfd_send_signal, z->pidfd, SIGKILL, NULL, 0);
	while (waitid((idtype_t)P_PIDFD, (id_t)z->pidfd, NULL, WEXITED) &&
	       errno == EINTR)
		;
	fd_close(&z->pidfd);
}

/* A group is busy for a moment after its last process was reaped. */
static void remove_group(int dir, const char *name)
{
	for (int i = 0; i < REMOVE_TRIES; i++) {
		if (!unlinkat(dir, name, AT_REMOVEDIR) || errno != EBUSY)
			return;
		(void)poll(NULL, 0, 1);
	}
}

static void slot_free(struct cgroup_slot *s)
{
	struct cgroups *c = s->owner;

	cgroup_zygote_end(&s->zygote);
	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		fd_close(&s->dirs[i]);
		if (s->made[i])
			remove_group(c->dirs[i], s->name);
	}
	mem_free(s);
}

void cgroups_free(struct cgroups *c)
{
	if (!c)
		return;
	while (c->idle) {
		struct cgroup_slot *s = c->idle;

		c->idle = s->next;
		slot_free(s);
	}
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		fd_close(&c->dirs[i]);
	mem_free(c);
}

enum cgroup_kind cgroups_kind(const struct cgroups *c)
{
	return c->kind;
}

uint32_t cgroups_missing(const struct cgroups *c)
{
	return (c->have[MEMORY] && c->kind ? 0 : SANDBOX_NO_MEMORY) |
	       (c->have[PIDS] && c->kind ? 0 : SANDBOX_NO_PIDS) |
	       (c->have[CPU] && c->kind ? 0 : SANDBOX_NO_CPU);
}

/* --- slots -------------------------------------------------------------- */

static int make_slot(struct cgroups *c, struct cgroup_slot **ret, struct err *e)
{
	struct cgroup_slot *s = mem_alloc(sizeof(*s));
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
		mem_free(s);
		return err_sys(e, errno, "getrandom");
	}
	s->owner = c;
	s->zygote = (struct cgroup_zygote){.sock = -1, .pidfd = -1};
	(void)snprintf(s->name, sizeof(s->name),
		       CGROUP_PREFIX "%" PRIu64 "-%d-%016" PRIx64, c->pid_ns,
		       (int)getpid(), random);
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		s->dirs[i] = -1;
	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		if (c->dirs[i] < 0)
			continue;
		s->made[i] = !mkdirat(c->dirs[i], s->name, 0755);
		if (s->made[i])
			s->dirs[i] = openat(c->dirs[i], s->name,
					    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->dirs[i] < 0) {
			err_sys(e, errno, "cgroup %s", s->name);
			slot_free(s);
			return -1;
		}
	}
	*ret = s;
	return 0;
}

static bool same_limits(const struct sandbox_limits *a,
			const struct sandbox_limits *b)
{
	return a->memory_bytes == b->memory_bytes && a->pids == b->pids &&
	       a->cpu_milli == b->cpu_milli;
}

/* One more process than asked for: PID 1; on v1 the zygote too. */
static int write_limits_v1(struct cgroup_slot *s,
			   const struct sandbox_limits *l)
{
	/* The outer limit first: memory may never be above it. */
	(void)cgroup_put(s->dirs[MEMORY], "memory.memsw.limit_in_bytes", "-1");
	if (cgroup_put(s->dirs[MEMORY], "memory.limit_in_bytes", "-1"))
		return -1;
	if (l->memory_bytes) {
		if (cgroup_put_u64(s->dirs[MEMORY], "memory.limit_in_bytes",
				   l->memory_bytes))
			return -1;
		(void)cgroup_put_u64(s->dirs[MEMORY],
				     "memory.memsw.limit_in_bytes",
				     l->memory_bytes);
	}
	if (l->pids ?
		    cgroup_put_u64(s->dirs[PIDS], "pids.max", l->pids + 2ULL) :
		    cgroup_put(s->dirs[PIDS], "pids.max", "max"))
		return -1;
	if (s->dirs[CPU] < 0)
		return 0;
	(void)cgroup_put(s->dirs[CPU], "cpu.cfs_quota_us", "-1");
	return l->cpu_milli ? cgroup_put_u64(s->dirs[CPU], "cpu.cfs_quota_us",
					     l->cpu_milli * 100ULL) :
			      0;
}

/* A slot mostly serves tasks that are alike. */
static int limit_v1(struct cgroup_slot *s, const struct sandbox_limits *l)
{
	if (!s->limited || !same_limits(&s->limits, l)) {
		s->limited = false;
		if (write_limits_v1(s, l))
			return -1;
		s->limits = *l;
		s->limited = true;
	}
	(void)cgroup_put(s->dirs[MEMORY], "memory.max_usage_in_bytes", "0");
	return 0;
}

static int limit_v2(struct cgroup_slot *s, const struct sandbox_limits *l)
{
	char text[48];

	if (l->memory_bytes) {
		if (cgroup_put_u64(s->dirs[0], "memory.max", l->memory_bytes))
			return -1;
		(void)cgroup_put(s->dirs[0], "memory.swap.max", "0");
		(void)cgroup_put(s->dirs[0], "memory.oom.group", "1");
	}
	if (l->pids && cgroup_put_u64(s->dirs[0], "pids.max", l->pids + 1ULL))
		return -1;
	if (!l->cpu_milli || !s->owner->have[CPU])
		return 0;
	(void)snprintf(text, sizeof(text), "%llu 100000",
		       l->cpu_milli * 100ULL);
	return cgroup_put(s->dirs[0], "cpu.max", text);
}

static uint64_t oom_kills_v1(const struct cgroup_slot *s)
{
	return s->owner->kind == CGROUP_V1 ?
		       cgroup_get_u64(s->dirs[MEMORY], "memory.oom_control",
				      "oom_kill") :
		       0;
}

int cgroup_acquire(struct cgroups *c, const struct sandbox_limits *l,
		   struct cgroup_slot **ret, int *ret_fd,
		   uint32_t *ret_not_enforced, struct err *e)
{
	uint32_t missing = cgroups_missing(c);
	struct cgroup_slot *s = c->idle;

	*ret_fd = -1;
	*ret_not_enforced =
		(l->memory_bytes ? missing & SANDBOX_NO_MEMORY : 0) |
		(l->pids ? missing & SANDBOX_NO_PIDS : 0) |
		(l->cpu_milli ? missing & SANDBOX_NO_CPU : 0);
	*ret = NULL;
	if (c->kind == CGROUP_NONE)
		return 0;
	if (s)
		c->idle = s->next;
	else if (make_slot(c, &s, e))
		return -1;
	if (c->kind == CGROUP_V2 ? limit_v2(s, l) : limit_v1(s, l)) {
		err_sys(e, errno, "cgroup limits");
		slot_free(s);
		return -1;
	}
	s->oom_before = oom_kills_v1(s);
	*ret_fd = c->kind == CGROUP_V2 ? s->dirs[0] : -1;
	*ret = s;
	return 0;
}

struct cgroup_zygote *cgroup_slot_zygote(struct cgroup_slot *s)
{
	return &s->zygote;
}

int cgroup_slot_attach(struct cgroup_slot *s, pid_t pid, struct err *e)
{
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		if (s->dirs[i] >= 0 &&
		    cgroup_put_u64(s->dirs[i], "cgroup.procs", (uint64_t)pid))
			return err_sys(e, errno, "cgroup.procs");
	return 0;
}

static void kill_all(int dir)
{
	char text[4096], *at = text, *end;

	if (!cgroup_get(dir, "cgroup.procs", text, sizeof(text)))
		return;
	for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end)
		(void)kill((pid_t)pid, SIGKILL);
}

static void count(struct cgroup_slot *s, struct sandbox_usage *u)
{
	int mem = s->dirs[MEMORY];

	if (s->owner->kind == CGROUP_V2) {
		u->memory_peak_bytes = cgroup_get_u64(mem, "memory.peak", NULL);
		u->pids_peak = (uint32_t)cgroup_get_u64(mem, "pids.peak", NULL);
		u->oom = cgroup_get_u64(mem, "memory.events", "oom_kill") > 0;
		return;
	}
	u->memory_peak_bytes =
		cgroup_get_u64(mem, "memory.max_usage_in_bytes", NULL);
	u->oom = oom_kills_v1(s) > s->oom_before;
}

void cgroup_release(struct cgroup_slot *s, struct sandbox_usage *u)
{
	struct cgroups *c;

	if (!s)
		return;
	c = s->owner;
	count(s, u);
	if (c->kind == CGROUP_V2) {
		if (cgroup_put(s->dirs[0], "cgroup.kill", "1"))
			kill_all(s->dirs[0]);
		slot_free(s);
		return;
	}
	s->next = c->idle;
	c->idle = s;
}

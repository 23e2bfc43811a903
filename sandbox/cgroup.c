/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Control groups, v1 and v2; see cgroup.h. */
#include "sandbox/cgroup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MEMORY,
	PIDS,
	CPU,
	N_CONTROLLERS
};

#define PREFIX "nfo-"

enum {
	ORPHAN_S = 60, /* before a group of another pid namespace is swept */
	REMOVE_TRIES = 200 /* of a millisecond each */
};

struct cgroups {
	enum cgroup_kind kind;
	int dirs[N_CONTROLLERS]; /* v1: hierarchy roots; v2: [0] alone */
	bool have[N_CONTROLLERS];
	struct cgroup_slot *idle;
	uint64_t pid_ns;
};

struct cgroup_slot {
	struct cgroups *owner;
	struct cgroup_slot *next;
	char name[64];
	int dirs[N_CONTROLLERS];
	bool made[N_CONTROLLERS]; /* by us: only these are removed */
	struct cgroup_zygote zygote;
	uint64_t oom_before; /* v1: the group's count is never reset */
};

static const char *const v1_roots[N_CONTROLLERS] = {
	"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu"};

static int put(int dir, const char *name, const char *text)
{
	CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fd_write_all(fd, text, strlen(text));
}

static int put_u64(int dir, const char *name, uint64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	return put(dir, name, text);
}

static bool get(int dir, const char *name, char *out, size_t len)
{
	CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, out, len - 1);

	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

/* A number alone ("123\n"), or behind "key " at the start of a line. */
static uint64_t get_u64(int dir, const char *name, const char *key)
{
	char text[4096], *at = text;

	if (!get(dir, name, text, sizeof(text)))
		return 0;
	if (key) {
		size_t len = strlen(key);

		while (at && (strncmp(at, key, len) || at[len] != ' ')) {
			at = strchr(at, '\n');
			at += at != NULL;
		}
		if (!at)
			return 0;
		at += len + 1;
	}
	return strtoull(at, NULL, 10);
}

/* --- finding ------------------------------------------------------------ */

/* The number of our pid namespace: pids mean nothing in another. */
static uint64_t pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : (uint64_t)st.st_ino;
}

/* "nfo-NAMESPACE-PID-RANDOM": whose it is; random, so that nobody meets it. */
static bool is_ours(const char *name, uint64_t *ns, pid_t *pid)
{
	char *end;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	*ns = strtoull(name + strlen(PREFIX), &end, 10);
	if (!*ns || *end != '-')
		return false;
	*pid = (pid_t)strtol(end + 1, &end, 10);
	return *pid > 0 && *end == '-';
}

/* Its host is dead, as far as that can be seen from here. */
static bool is_orphan(int dir, const char *name, uint64_t our_ns)
{
	struct stat st;
	uint64_t ns;
	pid_t pid;

	if (!is_ours(name, &ns, &pid))
		return false;
	if (ns == our_ns)
		return kill(pid, 0) && errno == ESRCH;
	return !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) &&
	       time(NULL) - st.st_ctime > ORPHAN_S;
}

static void kill_all(int dir)
{
	char text[4096], *at = text, *end;

	if (!get(dir, "cgroup.procs", text, sizeof(text)))
		return;
	for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end)
		(void)kill((pid_t)pid, SIGKILL);
}

/* Groups of hosts that died: their sandboxes died with them.  Only by rmdir,
 * which refuses while there is a process in it. */
static void sweep(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t ns = pid_namespace();
	struct dirent *ent;

	while (d && (ent = readdir(d)))
		if (is_orphan(dir, ent->d_name, ns))
			(void)unlinkat(dir, ent->d_name, AT_REMOVEDIR);
	if (d)
		closedir(d);
}

static bool writable_dir(int dir)
{
	return dir >= 0 && !faccessat(dir, ".", W_OK, 0);
}

static bool find_v1(struct cgroups *c)
{
	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		c->dirs[i] =
			open(v1_roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		c->have[i] =
			writable_dir(c->dirs[i]) &&
			!faccessat(c->dirs[i], "cgroup.procs", W_OK, 0) &&
			faccessat(c->dirs[i], "cgroup.controllers", F_OK, 0);
		if (c->have[i])
			sweep(c->dirs[i]);
		else
			fd_close(&c->dirs[i]);
	}
	return c->have[MEMORY] && c->have[PIDS];
}

/* Our own group in the unified hierarchy, from /proc/self/cgroup "0::/PATH". */
static int open_own_v2(void)
{
	char text[4096], path[4200], *at, *end;

	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) ||
	    !get(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)))
		return -1;
	at = strstr(text, "0::/");
	end = at ? strchr(at, '\n') : NULL;
	if (!end)
		return -1;
	*end = '\0';
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s", at + 3);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool has_word(const char *list, const char *word)
{
	const char *at = strstr(list, word);

	return at && (at == list || at[-1] == ' ');
}

/*
 * The "no processes in inner groups" rule: our processes go to a leaf, then
 * the controllers are given to the siblings that sandboxes will be.
 */
static bool find_v2(struct cgroups *c)
{
	static const char *const names[] = {"memory", "pids", "cpu"};
	char have[512], pid[16];
	int dir = open_own_v2();

	if (!writable_dir(dir) ||
	    !get(dir, "cgroup.controllers", have, sizeof(have))) {
		fd_close(&dir);
		return false;
	}
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if ((mkdirat(dir, "nfo", 0755) && errno != EEXIST) ||
	    put(dir, "nfo/cgroup.procs", pid)) {
		fd_close(&dir);
		return false;
	}
	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		char on[16];

		(void)snprintf(on, sizeof(on), "+%s", names[i]);
		c->have[i] = has_word(have, names[i]) &&
			     !put(dir, "cgroup.subtree_control", on);
	}
	c->dirs[0] = dir;
	sweep(dir);
	return c->have[MEMORY] && c->have[PIDS];
}

int cgroups_new(enum sandbox_cgroups mode, struct cgroups **ret, struct err *e)
{
	struct cgroups *c = mem_alloc(sizeof(*c));

	c->pid_ns = pid_namespace();
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		c->dirs[i] = -1;
	if (mode != CGROUPS_NONE && find_v2(c))
		c->kind = CGROUP_V2;
	else if (mode != CGROUPS_NONE && find_v1(c))
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
		       PREFIX "%" PRIu64 "-%d-%016" PRIx64, c->pid_ns,
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

/* One more process than asked for: PID 1; on v1 the zygote too. */
static int limit_v1(struct cgroup_slot *s, const struct sandbox_limits *l)
{
	if (put(s->dirs[MEMORY], "memory.limit_in_bytes", "-1"))
		return -1;
	(void)put(s->dirs[MEMORY], "memory.memsw.limit_in_bytes", "-1");
	if (l->memory_bytes) {
		if (put_u64(s->dirs[MEMORY], "memory.limit_in_bytes",
			    l->memory_bytes))
			return -1;
		(void)put_u64(s->dirs[MEMORY], "memory.memsw.limit_in_bytes",
			      l->memory_bytes);
	}
	(void)put(s->dirs[MEMORY], "memory.max_usage_in_bytes", "0");
	if (l->pids ? put_u64(s->dirs[PIDS], "pids.max", l->pids + 2ULL) :
		      put(s->dirs[PIDS], "pids.max", "max"))
		return -1;
	if (s->dirs[CPU] < 0)
		return 0;
	(void)put(s->dirs[CPU], "cpu.cfs_quota_us", "-1");
	return l->cpu_milli ? put_u64(s->dirs[CPU], "cpu.cfs_quota_us",
				      l->cpu_milli * 100ULL) :
			      0;
}

static int limit_v2(struct cgroup_slot *s, const struct sandbox_limits *l)
{
	char text[48];

	if (l->memory_bytes) {
		if (put_u64(s->dirs[0], "memory.max", l->memory_bytes))
			return -1;
		(void)put(s->dirs[0], "memory.swap.max", "0");
		(void)put(s->dirs[0], "memory.oom.group", "1");
	}
	if (l->pids && put_u64(s->dirs[0], "pids.max", l->pids + 1ULL))
		return -1;
	if (!l->cpu_milli || !s->owner->have[CPU])
		return 0;
	(void)snprintf(text, sizeof(text), "%llu 100000",
		       l->cpu_milli * 100ULL);
	return put(s->dirs[0], "cpu.max", text);
}

static uint64_t oom_kills_v1(const struct cgroup_slot *s)
{
	return s->owner->kind == CGROUP_V1 ?
		       get_u64(s->dirs[MEMORY], "memory.oom_control",
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
		    put_u64(s->dirs[i], "cgroup.procs", (uint64_t)pid))
			return err_sys(e, errno, "cgroup.procs");
	return 0;
}

static void count(struct cgroup_slot *s, struct sandbox_usage *u)
{
	int mem = s->dirs[MEMORY];

	if (s->owner->kind == CGROUP_V2) {
		u->memory_peak_bytes = get_u64(mem, "memory.peak", NULL);
		u->pids_peak = (uint32_t)get_u64(mem, "pids.peak", NULL);
		u->oom = get_u64(mem, "memory.events", "oom_kill") > 0;
		return;
	}
	u->memory_peak_bytes = get_u64(mem, "memory.max_usage_in_bytes", NULL);
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
		if (put(s->dirs[0], "cgroup.kill", "1"))
			kill_all(s->dirs[0]);
		slot_free(s);
		return;
	}
	s->next = c->idle;
	c->idle = s;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The host process: set up once, then one sandbox after another. */
#include "base/chan.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/ctl.h"
#include "sandbox/internal.h"
#include "sandbox/kernel.h"
#include "sandbox/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int write_proc(int proc, pid_t pid, const char *name, const char *text)
{
	CLEANUP_FD int fd = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
	fd = openat(proc, path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -1 : fd_write_all(fd, text, strlen(text));
}

/* One id, in and out; setgroups must be given up first. */
static int map_ids(int proc, pid_t pid, uint32_t inside, uint32_t uid,
		   uint32_t gid, struct err *e)
{
	char u[48], g[48];

	(void)snprintf(u, sizeof(u), "%u %u 1", inside, uid);
	(void)snprintf(g, sizeof(g), "%u %u 1", inside, gid);
	if (write_proc(proc, pid, "uid_map", u) ||
	    write_proc(proc, pid, "setgroups", "deny") ||
	    write_proc(proc, pid, "gid_map", g))
		return err_sys(e, errno, "id maps");
	return 0;
}

/* An ordinary user gets the capabilities for mounts in a namespace of its
 * own; nothing of it reaches the host. */
static int enter_user_namespace(struct sandbox_host *h, struct err *e)
{
	uint32_t uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWUSER)) {
		err_sys(e, errno, "user namespace");
		return err_wrap(e, "sandbox (nfo doctor tells more)");
	}
	return map_ids(h->proc_fd, getpid(), 0, uid, gid, e);
}

int sandbox_host_new(const struct sandbox_host_opts *o,
		     struct sandbox_host **ret, struct err *e)
{
	struct sandbox_host *h = mem_alloc(sizeof(*h));

	for (size_t i = 0; i < SANDBOX_ROOTS_MAX; i++)
		h->roots[i] = -1;
	h->rootless = geteuid() != 0;
	h->uid_base = o->uid_base ? o->uid_base : SANDBOX_UID_BASE;
	h->cgroup_mode = o->cgroups;
	h->landlock_abi = landlock_abi();
	h->pid1_filter_len = guard_pid1(h->pid1_filter);
	if (!h->landlock_abi && !o->allow_no_landlock) {
		err_set(e, ERR_UNAVAILABLE,
			"Landlock: this kernel has none, or it is off (nfo "
			"doctor tells more; it can be done without only where "
			"that is said)");
		h->proc_fd = -1;
		goto fail;
	}
	h->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->proc_fd < 0) {
		err_sys(e, errno, "/proc");
		goto fail;
	}
	for (size_t i = 0; i < o->n_roots && i < SANDBOX_ROOTS_MAX; i++)
		h->root_writable[i] = o->roots[i].writable;
	if (o->n_roots > SANDBOX_ROOTS_MAX) {
		err_set(e, ERR_LIMIT, "more than %d bind roots",
			SANDBOX_ROOTS_MAX);
		goto fail;
	}
	if (profile_set_new(o->profile_dir, &h->profiles, e) ||
	    cgroups_new(o->cgroups, &h->cgroups, e))
		goto fail;
	if (h->rootless && enter_user_namespace(h, e))
		goto fail;
	if (template_enter(h, o, e))
		goto fail;
	if (prctl(PR_SET_DUMPABLE, h->rootless) || bounding_drop()) {
		err_sys(e, errno, "bounding set");
		goto fail;
	}
	*ret = h;
	return 0;
fail:
	sandbox_host_free(h);
	return -1;
}

void sandbox_host_free(struct sandbox_host *h)
{
	if (!h)
		return;
	cgroups_free(h->cgroups);
	profile_set_free(h->profiles);
	for (size_t i = 0; i < SANDBOX_ROOTS_MAX; i++)
		fd_close(&h->roots[i]);
	fd_close(&h->proc_fd);
	mem_free(h);
}

bool sandbox_host_landlock(const struct sandbox_host *h)
{
	return h->landlock_abi > 0;
}

bool sandbox_host_rootless(const struct sandbox_host *h)
{
	return h->rootless;
}

int sandbox_host_root_fd(const struct sandbox_host *h, size_t i)
{
	return i < h->n_roots ? h->roots[i] : -1;
}

bool sandbox_host_has_profile(const struct sandbox_host *h, const char *name)
{
	return profile_find(h->profiles, name) != NULL;
}

/* --- one sandbox -------------------------------------------------------- */

/* Clean, and in none of the places that are the sandbox's own. */
static bool bind_target_ok(const struct sandbox_bind *b)
{
	static const char *const own[] = {"proc", "dev", "run"};
	struct str rest =
		str_from_at(str_n(b->to, strnlen(b->to, sizeof(b->to))), 1);
	bool first = true;

	if (b->to[0] != '/' || rest.len == sizeof(b->to) - 1 || !rest.len)
		return false;
	while (rest.len) {
		struct str part = str_cut(&rest, '/');

		if (!part.len || str_is(part, ".") || str_is(part, ".."))
			return false;
		for (size_t i = 0; first && i < ARRAY_LEN(own); i++)
			if (str_is(part, own[i]))
				return false;
		first = false;
	}
	return true;
}

/* A detached mount of a part of a root, found beneath it without links. */
static int open_bind(const struct sandbox_host *h, const struct sandbox_bind *b,
		     int *ret, struct err *e)
{
	uint64_t attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	CLEANUP_FD int at = -1, fd = -1;

	if (b->root >= h->n_roots)
		return err_set(e, ERR_DENIED, "bind: no such root");
	if (!bind_target_ok(b))
		return err_set(e, ERR_DENIED,
			       "bind: nothing can be bound to \"%.*s\"",
			       SANDBOX_NAME_MAX, b->to);
	if (!b->read_only && !h->root_writable[b->root])
		return err_set(e, ERR_DENIED, "bind: the root is read-only");
	at = b->path[0] ?
		     fd_open_beneath(h->roots[b->root], b->path, O_PATH, 0) :
		     fcntl(h->roots[b->root], F_DUPFD_CLOEXEC, 3);
	if (at < 0)
		return err_sys(e, errno, "bind: %s", b->path);
	fd = kernel_open_tree(at, "",
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				      AT_EMPTY_PATH | AT_RECURSIVE);
	if (fd < 0)
		return err_sys(e, errno, "bind: clone");
	if (b->read_only)
		attr |= MOUNT_ATTR_RDONLY;
	if (kernel_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, attr))
		return err_sys(e, errno, "bind: attributes");
	*ret = fd_take(&fd);
	return 0;
}

static int prepare(struct sandbox_host *h, const struct sandbox_spec *spec,
		   struct child *c, struct err *e)
{
	*c = (struct child){.host = h, .spec = *spec, .sock = -1, .ctl = -1};
	for (size_t i = 0; i < SANDBOX_BINDS_MAX; i++)
		c->binds[i] = -1;
	c->profile = profile_find(h->profiles, spec->profile);
	if (!c->profile)
		return err_set(e, ERR_NOT_FOUND, "no profile \"%s\"",
			       spec->profile);
	if (spec->network != SANDBOX_NET_NONE && !c->profile->inet)
		return err_set(e, ERR_DENIED,
			       "profile \"%s\" has no network (use `net`)",
			       spec->profile);
	if (spec->n_binds > SANDBOX_BINDS_MAX ||
	    spec->n_secrets > SANDBOX_FILES_MAX)
		return err_set(e, ERR_LIMIT, "too many binds or secrets");
	c->uid = h->rootless ? INNER_UID : h->uid_base + spec->uid_slot;
	for (uint32_t i = 0; i < spec->n_binds; i++)
		if (open_bind(h, &spec->binds[i], &c->binds[i], e))
			return -1;
	return 0;
}

/* READY with the files' descriptors, or the step that failed. */
static int wait_ready(int sock, struct sandbox *s, size_t want, struct err *e)
{
	static unsigned char room[WIRE_MAX + 2];
	size_t got = 0;

	do {
		struct wire_reader r;
		struct chan_msg msg;
		struct str step, what;
		uint32_t sys, bits;

		if (chan_recv(sock, room, &msg, e) <= 0)
			return err_set(e, ERR_INTERNAL,
				       "the sandbox died while it was made");
		r = wire_reader(msg.body, msg.body_len);
		step = wire_get_str(&r, 32);
		sys = wire_get_u32(&r);
		bits = wire_get_u32(&r);
		what = wire_get_str(&r, 255);
		if (!wire_end(&r) || step.len) {
			err_sys(e, (int)sys, "step " STR_FMT "%s" STR_FMT,
				STR_ARG(step), what.len ? ": " : "",
				STR_ARG(what));
			chan_msg_done(&msg);
			return -1;
		}
		s->not_enforced |= bits;
		for (size_t i = 0; i < msg.n_fds && got < want; i++, got++) {
			int fd = chan_msg_take(&msg, i);

			if (!got)
				s->script = fd;
			else
				s->secrets[s->n_secrets++] = fd;
		}
		chan_msg_done(&msg);
	} while (got < want);
	return 0;
}

static void sandbox_init(struct sandbox *s)
{
	*s = (struct sandbox){.pidfd = -1, .ctl = -1, .script = -1};
	for (size_t i = 0; i < SANDBOX_FILES_MAX; i++)
		s->secrets[i] = -1;
	s->alive = -1;
}

static int give_birth(struct sandbox_host *h, struct child *c,
		      struct sandbox *s, int cgroup_fd, struct err *e)
{
	bool parked = cgroups_kind(h->cgroups) == CGROUP_V1;

	if (parked ? slot_clone_parked(c, s->slot, &s->pid, &s->pidfd, e) :
		     slot_clone(c, cgroup_fd, &s->pid, &s->pidfd, e))
		return -1;
	/* As user: the parent's id 0 is the user. */
	if (h->rootless) {
		if (map_ids(h->proc_fd, s->pid, INNER_UID, 0, 0, e))
			return -1;
		if (fd_write_all(s->alive, "g", 1))
			return err_sys(e, errno, "the sandbox died at once");
	}
	return wait_ready(s->alive, s, 1 + c->spec.n_secrets, e);
}

int sandbox_launch(struct sandbox_host *h, const struct sandbox_spec *spec,
		   struct sandbox *ret, struct err *e)
{
	return sandbox_launch_now(h, spec, NULL, ret, e);
}

/* GO may lie in the socket from the start: PID 1 reads it when it is bare. */
int sandbox_launch_now(struct sandbox_host *h, const struct sandbox_spec *spec,
		       const struct sandbox_go *go, struct sandbox *ret,
		       struct err *e)
{
	int sock[2] = {-1, -1}, ctl[2] = {-1, -1}, cgroup_fd = -1, bad;
	struct sandbox_usage unused;
	struct sandbox s;
	struct child c;

	sandbox_init(&s);
	bad = prepare(h, spec, &c, e) ||
	      cgroup_acquire(h->cgroups, &spec->limits, &s.slot, &cgroup_fd,
			     &s.not_enforced, e) ||
	      chan_pair(sock, e) || chan_pair(ctl, e);
	s.alive = sock[0];
	s.ctl = ctl[0];
	c.sock = sock[1];
	c.ctl = ctl[1];
	if (!bad && go)
		bad = ctl_go(s.ctl, go->argv, go->env, go->stdio, e);
	bad = bad || give_birth(h, &c, &s, cgroup_fd, e);
	fd_close(&c.sock);
	fd_close(&c.ctl);
	for (size_t i = 0; i < SANDBOX_BINDS_MAX; i++)
		fd_close(&c.binds[i]);
	if (bad) {
		sandbox_kill(&s);
		sandbox_reap(h, &s, &unused);
		return -1;
	}
	*ret = s;
	return 0;
}

void sandbox_kill(struct sandbox *s)
{
	if (s->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL,
			      0);
}

void sandbox_reap(struct sandbox_host *h, struct sandbox *s,
		  struct sandbox_usage *ret)
{
	struct rusage u = {0};

	(void)h;
	*ret = (struct sandbox_usage){0};
	fd_close(&s->ctl);
	fd_close(&s->alive);
	if (s->pid > 0) {
		while (wait4(s->pid, &ret->wait_status, __WALL, &u) < 0 &&
		       errno == EINTR)
			;
		ret->cpu_us =
			(uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) *
				1000000 +
			(uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
		ret->memory_peak_bytes = (uint64_t)u.ru_maxrss * 1024;
	}
	cgroup_release(s->slot, ret);
	s->slot = NULL;
	fd_close(&s->pidfd);
	fd_close(&s->script);
	for (uint32_t i = 0; i < SANDBOX_FILES_MAX; i++)
		fd_close(&s->secrets[i]);
	s->pid = 0;
}

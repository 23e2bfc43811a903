/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Cloning; see slot.h.  A zygote is a copy of the host process that waits in
 * the slot's groups and clones siblings of itself (CLONE_PARENT), so that the
 * host stays their parent. */
#include "sandbox/slot.h"
#include "base/chan.h"
#include "base/mem.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

static uint64_t flags_of(const struct child *c)
{
	return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
	       CLONE_NEWCGROUP | CLONE_PIDFD | CLONE_CLEAR_SIGHAND |
	       (c->host->rootless ? CLONE_NEWUSER : 0) |
	       (c->spec.network == SANDBOX_NET_NONE ? CLONE_NEWNET : 0);
}

static int clone_child(struct child *c, uint64_t more, int cgroup_fd,
		       int *ret_pidfd)
{
	int pidfd = -1;
	struct kernel_clone a = {
		.flags = flags_of(c) | more,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		/* With CLONE_PARENT the kernel takes the zygote's. */
		.exit_signal = more & CLONE_PARENT ? 0 : SIGCHLD,
	};
	int pid;

	if (cgroup_fd >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup_fd;
	}
	pid = kernel_clone3(&a);
	if (!pid)
		child_main(c);
	*ret_pidfd = pidfd;
	return pid;
}

int slot_clone(struct child *c, int cgroup_fd, pid_t *ret_pid, int *ret_pidfd,
	       struct err *e)
{
	*ret_pid = clone_child(c, 0, cgroup_fd, ret_pidfd);
	return *ret_pid < 0 ? err_sys(e, errno, "clone") : 0;
}

/* --- the zygote --------------------------------------------------------- */

static void receive_fds(struct child *c, struct chan_msg *msg)
{
	c->sock = chan_msg_take(msg, 0);
	c->ctl = chan_msg_take(msg, 1);
	for (uint32_t i = 0; i < c->spec.n_binds && i < SANDBOX_BINDS_MAX; i++)
		c->binds[i] = chan_msg_take(msg, 2 + i);
}

static void zygote_main(int sock) NORETURN;

static void zygote_main(int sock)
{
	static unsigned char room[WIRE_MAX + 2];
	struct chan_msg msg;
	struct err e;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (chan_recv(sock, room, &msg, &e) > 0) {
		struct wire_writer w = {.len = 0};
		struct child c;
		int pid, pidfd = -1;

		if (msg.body_len != sizeof(c))
			_exit(1);
		memcpy(&c, msg.body, sizeof(c));
		receive_fds(&c, &msg);
		pid = clone_child(&c, CLONE_PARENT, -1, &pidfd);
		wire_u32(&w, (uint32_t)(pid < 0 ? 0 : pid));
		wire_u32(&w, (uint32_t)(pid < 0 ? errno : 0));
		if (chan_send(sock, 2, &w, &pidfd, pid > 0, &e) <= 0)
			_exit(1);
		fd_close(&pidfd);
		fd_close(&c.sock);
		fd_close(&c.ctl);
		for (uint32_t i = 0; i < c.spec.n_binds; i++)
			fd_close(&c.binds[i]);
	}
	_exit(0);
}

static int make_zygote(struct cgroup_slot *slot, struct err *e)
{
	struct cgroup_zygote *z = cgroup_slot_zygote(slot);
	int pair[2];
	pid_t pid;

	if (chan_pair(pair, e))
		return -1;
	pid = fork();
	if (!pid) {
		/* Others' sockets would keep others' sandboxes alive. */
		if (pair[1] > 3)
			close_range(3, (unsigned)pair[1] - 1, 0);
		close_range((unsigned)pair[1] + 1, ~0U, 0);
		zygote_main(pair[1]);
	}
	fd_close(&pair[1]);
	if (pid < 0) {
		fd_close(&pair[0]);
		return err_sys(e, errno, "fork");
	}
	z->sock = pair[0];
	z->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (z->pidfd < 0) {
		err_sys(e, errno, "pidfd");
		fd_close(&z->sock); /* it leaves, and is reaped here */
		(void)waitpid(pid, NULL, 0);
		return -1;
	}
	if (cgroup_slot_attach(slot, pid, e)) {
		cgroup_zygote_end(z);
		return -1;
	}
	return 0;
}

/* Its memory limit may have killed a zygote in the task before. */
static int ask_zygote(struct child *c, struct cgroup_slot *slot,
		      unsigned char *room, struct chan_msg *msg, struct err *e)
{
	struct cgroup_zygote *z = cgroup_slot_zygote(slot);
	struct wire_writer w = {.len = 0};
	int fds[2 + SANDBOX_BINDS_MAX], n = 0;

	if (z->sock < 0 && make_zygote(slot, e))
		return -1;
	fds[n++] = c->sock;
	fds[n++] = c->ctl;
	for (uint32_t i = 0; i < c->spec.n_binds; i++)
		fds[n++] = c->binds[i];
	wire_bytes(&w, c, sizeof(*c));
	if (chan_send(z->sock, 1, &w, fds, (size_t)n, e) > 0 &&
	    chan_recv(z->sock, room, msg, e) > 0)
		return 0;
	cgroup_zygote_end(z);
	return err_set(e, ERR_INTERNAL, "clone: the slot is gone");
}

int slot_clone_parked(struct child *c, struct cgroup_slot *slot, pid_t *ret_pid,
		      int *ret_pidfd, struct err *e)
{
	static unsigned char room[WIRE_MAX + 2];
	bool used = cgroup_slot_zygote(slot)->sock >= 0;
	struct wire_reader r;
	struct chan_msg msg;
	uint32_t sys;

	_Static_assert(sizeof(struct child) <= WIRE_MAX, "fits a message");
	if (ask_zygote(c, slot, room, &msg, e) &&
	    (!used || ask_zygote(c, slot, room, &msg, e)))
		return -1;
	r = wire_reader(msg.body, msg.body_len);
	*ret_pid = (pid_t)wire_get_u32(&r);
	sys = wire_get_u32(&r);
	if (!wire_end(&r) || sys || !*ret_pid) {
		chan_msg_done(&msg);
		return err_sys(e, (int)sys, "clone");
	}
	*ret_pidfd = chan_msg_take(&msg, 0);
	chan_msg_done(&msg);
	return 0;
}

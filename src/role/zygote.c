/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The zygote: holds the policies and nothing else, and forks one runner for
 * each attempt.  A runner keeps only its own descriptors.
 */
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/role.h"
#include "runner/runner.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	POLICIES_MAX = 16 << 20,
	FDS_MAX = FORK_READERS + FORK_READERS_MAX
};

static void become_runner(const struct runner_host *host, const struct grant *g,
			  int *fds, size_t n_readers) NORETURN;

static void become_runner(const struct runner_host *host, const struct grant *g,
			  int *fds, size_t n_readers)
{
	log_init("runner", LOG_LEVEL_INFO);
	if (prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(1);
	close(ROLE_FD);
	_exit(runner_main(host, g, fds, n_readers));
}

static int fork_one(const struct runner_host *host, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct kernel_clone a = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
	struct wire_writer w = {.len = 0};
	int fds[FDS_MAX], pidfd = -1, pid;
	struct attempt_id id;
	struct grant g;
	uint8_t n_readers;
	struct err e;

	if (grant_decode(&r, &g))
		return -1;
	n_readers = wire_get_u8(&r);
	if (!wire_end(&r) || n_readers > FORK_READERS_MAX ||
	    msg->n_fds != (size_t)FORK_READERS + n_readers)
		return -1;
	for (size_t i = 0; i < msg->n_fds; i++)
		fds[i] = msg->fds[i];
	a.pidfd = (uint64_t)(uintptr_t)&pidfd;
	pid = kernel_clone3(&a);
	if (!pid)
		become_runner(host, &g, fds, n_readers);
	if (pid < 0) {
		log_error("fork: %s", strerror(errno));
		return 0; /* the channels close: the monitor sees it */
	}
	id = (struct attempt_id){g.attempt, g.fence};
	attempt_id_encode(&id, &w);
	if (chan_send(ROLE_FD, MSG_FORKED, &w, &pidfd, 1, &e) <= 0)
		_exit(1);
	fd_close(&pidfd);
	return 0;
}

static void serve(const struct runner_host *host)
{
	static unsigned char room[WIRE_MAX + 2];
	struct chan_msg msg;
	struct err e;

	while (chan_recv(ROLE_FD, room, &msg, &e) > 0) {
		int bad = 0;

		if (msg.type == MSG_STOP) {
			chan_msg_done(&msg);
			return;
		}
		bad = msg.type == MSG_FORK ? fork_one(host, &msg) : -1;
		chan_msg_done(&msg);
		if (bad) {
			log_error("a message that must not come");
			return;
		}
	}
}

int main(void)
{
	CLEANUP_BUF struct buf text = BUF_INIT(POLICIES_MAX);
	struct runner_host host = {.agent = "local"};
	struct policy_set *policies;
	struct role_start start;
	struct err e;

	role_begin(ROLE_ZYGOTE, &start);
	role_harden();
	signal(SIGCHLD, SIG_IGN); /* runners are not waited for */
	if (start.n_fds != 1 || fd_memfd_read(start.fds[0], &text, &e) ||
	    policy_set_decode(buf_view(&text), &policies, &e)) {
		if (start.n_fds != 1)
			err_set(&e, ERR_INTERNAL, "INIT without policies");
		role_failed(&e);
	}
	fd_close(&start.fds[0]);
	host.policies = policies;
	role_ready();
	serve(&host);
	return 0;
}

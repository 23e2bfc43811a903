/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The zygote: holds the policies and nothing else, and forks one runner for
 * each attempt.  A runner keeps only its own descriptors.
 */
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/confine.h"
#include "role/role.h"
#include "runner/helper.h"
#include "runner/runner.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	POLICIES_MAX = 16 << 20,
	FDS_MAX = FORK_READERS + FORK_READERS_MAX
};

struct zygote {
	struct runner_host host;
	struct role_init init;
	pid_t pid;
	char *name; /* argv[0] */
};

/* ps and its like show what it is: the names are of one length. */
static void show_as_runner(char *name)
{
	static const char old[] = "zygote", new[] = "runner";
	char *at = strstr(name, old);

	_Static_assert(sizeof(old) == sizeof(new), "in place");
	if (at)
		memcpy(at, new, sizeof(new) - 1);
	(void)prctl(PR_SET_NAME, "nfo-runner");
}

static void become_runner(const struct zygote *z, const struct grant *g,
			  int *fds, size_t n_readers) NORETURN;

static void become_runner(const struct zygote *z, const struct grant *g,
			  int *fds, size_t n_readers)
{
	struct err e = {.text = "the zygote has gone"};

	log_role("runner");
	show_as_runner(z->name);
	close(ROLE_FD);
	/* It dies with us; if it did before we said so, we see it here. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != z->pid ||
	    confine_runner(&z->init, fds[LAUNCH_STAGING], fds[LAUNCH_FILES],
			   &e)) {
		log_error("attempt %s: %s", g->attempt.s, e.text);
		_exit(1);
	}
	_exit(runner_main(&z->host, g, fds, n_readers));
}

static int fork_one(const struct zygote *z, struct chan_msg *msg)
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
		become_runner(z, &g, fds, n_readers);
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

static void become_helper(const struct zygote *z,
			  const struct helper_order *o) NORETURN;

static void become_helper(const struct zygote *z, const struct helper_order *o)
{
	struct err e = {.text = "the zygote has gone"};

	log_role("runner");
	show_as_runner(z->name);
	close(ROLE_FD);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != z->pid ||
	    confine_runner(&z->init, -1, -1, &e)) {
		log_error("helper %s: %s", o->g->attempt.s, e.text);
		_exit(1);
	}
	_exit(helper_main(o));
}

static int read_helper(struct chan_msg *msg, struct grant *g,
		       char *args[HELPER_ARGS_MAX + 1])
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint8_t n;

	if (grant_decode(&r, g))
		return -1;
	n = wire_get_u8(&r);
	if (!n || n > HELPER_ARGS_MAX || msg->n_fds != N_HELPER_FDS)
		return -1;
	for (uint8_t i = 0; i < n; i++) {
		struct str s = wire_get_str(&r, WIRE_MAX);

		args[i] = mem_strndup(s.p, s.len);
	}
	return wire_end(&r) ? 0 : -1;
}

static int fork_helper(const struct zygote *z, struct chan_msg *msg)
{
	struct kernel_clone a = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
	char *args[HELPER_ARGS_MAX + 1] = {NULL};
	struct wire_writer w = {.len = 0};
	struct helper_order o = {.args = args};
	int fds[N_HELPER_FDS], pidfd = -1, pid;
	struct grant g;
	struct err e;

	if (read_helper(msg, &g, args))
		return -1;
	memcpy(fds, msg->fds, sizeof(fds));
	o.g = &g;
	o.fds = fds;
	a.pidfd = (uint64_t)(uintptr_t)&pidfd;
	pid = kernel_clone3(&a);
	if (!pid)
		become_helper(z, &o);
	for (size_t i = 0; args[i]; i++)
		mem_free(args[i]);
	if (pid < 0) {
		log_error("fork: %s", strerror(errno));
		return 0; /* the channels close: the monitor sees it */
	}
	attempt_id_encode(&(struct attempt_id){g.attempt, g.fence}, &w);
	if (chan_send(ROLE_FD, MSG_FORKED, &w, &pidfd, 1, &e) <= 0)
		_exit(1);
	fd_close(&pidfd);
	return 0;
}

/* Until the monitor says STOP: then no runner is made any more, but those
 * that live are ours until they end.  When it has gone, all end. */
static void serve(const struct zygote *z)
{
	static unsigned char room[WIRE_MAX + 2];
	struct chan_msg msg;
	struct err e;

	while (chan_recv(ROLE_FD, room, &msg, &e) > 0) {
		uint16_t type = msg.type;
		int bad = type == MSG_FORK        ? fork_one(z, &msg) :
			  type == MSG_FORK_HELPER ? fork_helper(z, &msg) :
						    type != MSG_STOP;

		chan_msg_done(&msg);
		if (bad) {
			log_error("a message that must not come");
			return;
		}
		/* SIGCHLD is ignored: wait() returns when none is left. */
		while (type == MSG_STOP && (wait(NULL) > 0 || errno == EINTR))
			;
		if (type == MSG_STOP)
			return;
	}
}

int main(int argc, char **argv)
{
	CLEANUP_BUF struct buf text = BUF_INIT(POLICIES_MAX);
	struct zygote z = {.host = {.agent = "local"}, .pid = getpid()};
	struct policy_set *policies;
	struct role_start start;
	struct err e;

	if (argc < 1)
		return 1;
	z.name = argv[0];
	role_begin(ROLE_ZYGOTE, &start);
	crash_begin(-1);
	(void)hash_sha256("", 0); /* libcrypto reads its configuration now */
	role_confine(ROLE_ZYGOTE, &start);
	umask(027); /* what a runner makes, its group may read: the server */
	signal(SIGCHLD, SIG_IGN);
	if (start.n_fds != 1 || fd_memfd_read(start.fds[0], &text, &e) ||
	    policy_set_decode(buf_view(&text), &policies, &e)) {
		if (start.n_fds != 1)
			err_set(&e, ERR_INTERNAL, "INIT without policies");
		role_failed(&e);
	}
	fd_close(&start.fds[0]);
	z.host.policies = policies;
	z.init = start.init;
	role_ready();
	serve(&z);
	return 0;
}

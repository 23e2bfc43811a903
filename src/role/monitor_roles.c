/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Starting roles, hearing them, restarting the dead; see monitor.h. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/monitor.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BACKOFF_MAX_US = 30000000,
	STABLE_US = 10000000,
	FAILURES_MAX = 5
};

static const char *const programs[N_ROLES] = {
	[ROLE_SERVER] = "nfo-server",
	[ROLE_KEEPER] = "nfo-keeper",
	[ROLE_SPAWNER] = "nfo-spawner",
	[ROLE_ZYGOTE] = "nfo-runner",
};

/* Who may say what to the monitor.  Absent means the peer is killed. */
static const struct {
	uint16_t type;
	enum role from;
	int (*gate)(struct monitor *m, struct chan_msg *msg);
} gates[] = {
	{MSG_LAUNCH, ROLE_SERVER, attempts_launch},
	{MSG_CANCEL, ROLE_SERVER, attempts_cancel},
	{MSG_FORKED, ROLE_ZYGOTE, attempts_forked},
};

bool roles_post(struct monitor *m, enum role r, uint16_t type,
		const struct wire_writer *w, const int *fds, size_t n_fds)
{
	struct role_process *p = &m->roles[r];
	struct err e;

	if (!p->chan)
		return false;
	if (!chan_post(p->chan, type, w, fds, n_fds, &e))
		return true;
	log_warn("%s: %s", role_name(r), e.text);
	return false;
}

static void all_ready(struct monitor *m)
{
	for (int r = ROLE_SERVER; r <= ROLE_ZYGOTE; r++)
		if (!m->roles[r].ready)
			return;
	if (m->announced)
		return;
	m->announced = true;
	log_info("ready");
	if (m->o.ready_fd >= 0) {
		if (fd_write_all(m->o.ready_fd, "ready\n", 6))
			log_warn("nobody waits for us");
		fd_close(&m->o.ready_fd);
	}
}

static int release(struct monitor *m, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct wire_writer w = {.len = 0};
	struct ulid id = {.s = ""};

	wire_get_bytes(&r, id.s, ULID_LEN);
	(void)wire_get_u32(&r);
	if (!wire_end(&r) || !ulid_valid(str_n(id.s, ULID_LEN)))
		return -1;
	wire_bytes(&w, msg->body, msg->body_len);
	(void)roles_post(m, ROLE_SPAWNER, MSG_RELEASE, &w, NULL, 0);
	return 0;
}

static int on_role(void *ctx, struct chan_msg *msg)
{
	struct role_process *p = ctx;
	struct monitor *m = p->m;

	for (size_t i = 0; i < ARRAY_LEN(gates); i++)
		if (gates[i].type == msg->type && gates[i].from == p->role)
			return gates[i].gate(m, msg);
	if (msg->type == MSG_RELEASE && p->role == ROLE_SERVER)
		return release(m, msg);
	if (msg->type == MSG_STOP && p->role == ROLE_SERVER) {
		roles_stop(m);
		return 0;
	}
	if (msg->type == MSG_READY) {
		p->ready = true;
		if (p->role == ROLE_SERVER)
			attempts_announce(m);
		all_ready(m);
		return 0;
	}
	/* FAILED: it has said why on standard error, and leaves. */
	return msg->type == MSG_FAILED ? 0 : -1;
}

static void on_role_gone(void *ctx, const struct err *why)
{
	struct role_process *p = ctx;

	if (why)
		log_error("%s: %s", role_name(p->role), why->text);
	chan_free(p->chan);
	p->chan = NULL;
	if (p->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL,
			      0);
}

static const struct chan_ops role_ops = {on_role, on_role_gone};

/* --- starting ----------------------------------------------------------- */

static int become(uint32_t uid)
{
	if (!uid)
		return 0;
	return setgroups(0, NULL) || setresgid(uid, uid, uid) ||
			       setresuid(uid, uid, uid) ?
		       -1 :
		       0;
}

static uint32_t uid_of(const struct monitor *m, enum role r)
{
	switch (r) {
	case ROLE_SERVER:
	case ROLE_ZYGOTE:
		return m->uid_server;
	case ROLE_KEEPER:
		return m->uid_keeper;
	case ROLE_MONITOR:
	case ROLE_SPAWNER:
	case ROLE_RUNNER:
	case N_ROLES:
		break;
	}
	return 0;
}

static void exec_role(const struct monitor *m, enum role r, int chan) NORETURN;

static void exec_role(const struct monitor *m, enum role r, int chan)
{
	static char *const env[] = {
		(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)"LANG=C.UTF-8", NULL};
	char path[INIT_PATH_MAX + 64], name[32];
	char *argv[] = {name, NULL};
	int program;
	sigset_t none;

	(void)snprintf(path, sizeof(path), "%s/%s", m->dir, programs[r]);
	(void)snprintf(name, sizeof(name), "nfo: %s", role_name(r));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Opened as we are: the role's user may not reach the path. */
	program = open(path, O_PATH | O_CLOEXEC);
	if (program >= 0 && program <= ROLE_FD + 1)
		program = fcntl(program, F_DUPFD_CLOEXEC, ROLE_FD + 2);
	if (dup2(chan, ROLE_FD) < 0 || program < 0 ||
	    dup3(program, ROLE_FD + 1, O_CLOEXEC) < 0 ||
	    close_range(ROLE_FD + 2, ~0U, 0) || fcntl(ROLE_FD, F_SETFD, 0) ||
	    become(uid_of(m, r)) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(126);
	(void)syscall(SYS_execveat, ROLE_FD + 1, "", argv, env, AT_EMPTY_PATH);
	log_error("%s: %s", path, strerror(errno));
	_exit(127);
}

/* What a role is told, and the descriptors it gets. */
static int send_init(struct role_process *p, struct err *e)
{
	struct monitor *m = p->m;
	struct role_init init = {
		.owner_uid = (uint32_t)geteuid(),
		.max_attempts = m->o.max_attempts,
		.idle_exit_s = m->o.idle_exit_s,
		.cgroups_required = m->o.cgroups_required,
		.first_start = p->role == ROLE_SERVER && !m->server_started,
	};
	int fds[2 + 2 * SOCKETS_MAX], pair[2] = {-1, -1}, bad;
	struct wire_writer w = {.len = 0};
	size_t n = 0;

	memcpy(init.state, m->state, sizeof(init.state));
	role_init_encode(&init, &w);
	if (p->role == ROLE_ZYGOTE || p->role == ROLE_SERVER)
		fds[n++] = m->policies;
	if (p->role == ROLE_SERVER) {
		if (chan_pair(pair, e))
			return -1;
		fds[n++] = pair[0];
		for (size_t i = 0; i < m->n_listeners; i++)
			fds[n++] = m->listeners[i];
		(void)roles_post(m, ROLE_KEEPER, MSG_SERVER, NULL, &pair[1], 1);
		m->server_started = true;
	}
	bad = chan_post(p->chan, MSG_INIT, &w, fds, n, e);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return bad;
}

static void on_role_dead(void *ctx, int fd, uint32_t events);

static int start(struct role_process *p, struct err *e)
{
	struct kernel_clone a = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
	int pair[2];

	if (chan_pair(pair, e))
		return -1;
	a.pidfd = (uint64_t)(uintptr_t)&p->pidfd;
	p->pid = kernel_clone3(&a);
	if (!p->pid)
		exec_role(p->m, p->role, pair[1]);
	fd_close(&pair[1]);
	if (p->pid < 0) {
		fd_close(&pair[0]);
		return err_sys(e, errno, "fork");
	}
	p->started_us = clock_mono_us();
	p->chan = chan_new(p->m->loop, pair[0], &role_ops, p);
	if (loop_add_fd(p->m->loop, p->pidfd, EPOLLIN, on_role_dead, p,
			&p->watch, e))
		return -1;
	return send_init(p, e);
}

static void on_restart(void *ctx)
{
	struct role_process *p = ctx;
	struct err e;

	if (!p->m->stopping && p->pid <= 0 && start(p, &e))
		log_error("%s: %s", role_name(p->role), e.text);
}

/* The server talks to one keeper: with a new keeper it starts anew. */
static void after_death(struct role_process *p)
{
	struct monitor *m = p->m;
	struct role_process *server = &m->roles[ROLE_SERVER];

	if (p->role == ROLE_SPAWNER || p->role == ROLE_ZYGOTE)
		attempts_lost(m);
	if (p->role == ROLE_KEEPER && server->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, server->pidfd, SIGTERM,
			      NULL, 0);
}

static void on_role_dead(void *ctx, int fd, uint32_t events)
{
	struct role_process *p = ctx;
	struct monitor *m = p->m;
	int64_t delay = 0;
	int status = 0;

	(void)fd;
	(void)events;
	loop_watch_free(p->watch);
	p->watch = NULL;
	(void)waitpid(p->pid, &status, 0);
	fd_close(&p->pidfd);
	chan_free(p->chan);
	p->chan = NULL;
	p->pid = 0;
	if (m->stopping)
		return;
	log_error("%s died (%s %d)%s", role_name(p->role),
		  WIFSIGNALED(status) ? "signal" : "exit code",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		  p->ready ? ", starting it again" : "");
	if (clock_mono_us() - p->started_us > STABLE_US)
		p->failures = 0;
	after_death(p);
	/* What never came up will not come up by trying for ever. */
	if (!p->ready && (!m->announced || p->failures >= FAILURES_MAX)) {
		m->exit_code = 1;
		roles_stop(m);
		return;
	}
	p->ready = false;
	for (unsigned i = 0; i < p->failures && delay < BACKOFF_MAX_US; i++)
		delay = delay ? delay * 2 : 50000;
	p->failures++;
	loop_timer_set(p->restart, clock_mono_us() + delay);
}

int roles_start(struct monitor *m, struct err *e)
{
	static const enum role order[] = {ROLE_KEEPER, ROLE_SPAWNER,
					  ROLE_ZYGOTE, ROLE_SERVER};

	for (size_t i = 0; i < N_ROLES; i++) {
		struct role_process *p = &m->roles[i];

		p->m = m;
		p->role = (enum role)i;
		p->pidfd = -1;
		p->restart = loop_timer_new(m->loop, on_restart, p);
	}
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (start(&m->roles[order[i]], e))
			return -1;
	return 0;
}

/* The server first, so that it takes nothing new; then the rest. */
void roles_stop(struct monitor *m)
{
	static const enum role order[] = {ROLE_SERVER, ROLE_ZYGOTE,
					  ROLE_SPAWNER, ROLE_KEEPER};

	if (m->stopping)
		return;
	m->stopping = true;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct role_process *p = &m->roles[order[i]];
		struct pollfd f = {.fd = p->pidfd, .events = POLLIN};

		if (p->pidfd < 0)
			continue;
		if (order[i] == ROLE_SERVER) /* its engine has the channel */
			(void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGTERM,
				      NULL, 0);
		else
			(void)roles_post(m, order[i], MSG_STOP, NULL, NULL, 0);
		if (poll(&f, 1, STOP_MS) <= 0)
			(void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL,
				      NULL, 0);
		(void)waitpid(p->pid, NULL, 0);
	}
	loop_stop(m->loop);
}

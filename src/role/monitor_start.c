/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One role's birth: a fresh program with its channel and nothing else, as its
 * own user, and the first message that it gets.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "role/monitor.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNSEAL_CREDENTIAL "nfo-unseal-key"

static const char *const programs[N_ROLES] = {
	[ROLE_SERVER] = "nfo-server",   [ROLE_KEEPER] = "nfo-keeper",
	[ROLE_SPAWNER] = "nfo-spawner", [ROLE_ZYGOTE] = "nfo-runner",
	[ROLE_FETCHER] = "nfo-fetcher",
};

/* With a list of providers it is the keeper that can ask them. */
static const char *program_of(const struct monitor *m, enum role r)
{
	return r == ROLE_KEEPER && m->providers.list >= 0 ? "nfo-keeper-vault" :
							    programs[r];
}

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
		return m->users.server;
	case ROLE_ZYGOTE:
		return m->users.runner;
	case ROLE_KEEPER:
		return m->users.keeper;
	case ROLE_FETCHER:
		return m->users.fetcher;
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
	static char *env[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
			      (char *)"LANG=C.UTF-8", NULL, NULL};
	char path[INIT_PATH_MAX + 64], name[32];
	char *argv[] = {name, NULL};
#ifdef NFO_CRASH_POINTS
	char crash[128];
#endif
	int program;
	sigset_t none;

	(void)snprintf(path, sizeof(path), "%s/%s", m->dir, program_of(m, r));
	(void)snprintf(name, sizeof(name), "nfo: %s", role_name(r));
#ifdef NFO_CRASH_POINTS
	if (getenv("NFO_CRASH") && r == ROLE_ZYGOTE) {
		(void)snprintf(crash, sizeof(crash), "NFO_CRASH=%s",
			       getenv("NFO_CRASH"));
		env[2] = crash;
	}
#endif
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

/* LoadCredential= of systemd: what opens the secret store; -1: there is none.
 * Opened here, as the keeper's user may not reach it. */
static int unseal_credential(void)
{
	const char *path = getenv("CREDENTIALS_DIRECTORY");
	CLEANUP_FD int dir = -1;
	struct stat st;
	int fd;

	if (!path)
		return -1;
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, UNSEAL_CREDENTIAL,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		log_warn("%s/%s: %s", path, UNSEAL_CREDENTIAL, strerror(errno));
	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		log_warn("%s/%s is no regular file", path, UNSEAL_CREDENTIAL);
		fd_close(&fd);
	}
	return fd;
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
		.landlock_optional = m->o.landlock_optional,
		.identity_rotate_s = m->o.identity_rotate_s,
		.tls_listeners = m->tls_listeners,
		.log_format = (uint8_t)m->o.log_format,
		.log_level = (uint8_t)m->o.log_level,
		.log_journal = m->o.log_journal,
	};
	int fds[CHAN_FDS_MAX], pair[2] = {-1, -1}, control = -1, bad;
	CLEANUP_FD int unseal = -1;
	struct wire_writer w = {.len = 0};
	size_t n = 0;

	memcpy(init.state, m->state, sizeof(init.state));
	memcpy(init.issuer, m->o.issuer, strlen(m->o.issuer));
	for (; init.n_export_to < m->o.export_to.n; init.n_export_to++)
		memcpy(init.export_to[init.n_export_to],
		       m->o.export_to.items[init.n_export_to],
		       strlen(m->o.export_to.items[init.n_export_to]));
	while (init.n_tls_fds < N_TLS_FDS && m->tls.fds[init.n_tls_fds] >= 0)
		init.n_tls_fds++;
	if (p->role == ROLE_KEEPER)
		unseal = unseal_credential();
	init.unseal_credential = unseal >= 0;
	role_init_encode(&init, &w);
	if (p->role == ROLE_ZYGOTE || p->role == ROLE_SERVER)
		fds[n++] = m->policies;
	if (p->role == ROLE_KEEPER && m->providers.list >= 0)
		fds[n++] = m->providers.list;
	if (unseal >= 0)
		fds[n++] = unseal;
	if (p->role == ROLE_FETCHER) {
		fds[n++] = m->fetches;
		fds[n++] = m->fetch[1];
	}
	if (p->role == ROLE_SERVER) {
		if (chan_pair(pair, e) || reload_channel(m, &control, e))
			return -1;
		fds[n++] = pair[0];
		fds[n++] = m->config;
		fds[n++] = control;
		fds[n++] = m->fetch[0];
		for (size_t i = 0; i < init.n_tls_fds; i++)
			fds[n++] = m->tls.fds[i];
		for (size_t i = 0; i < m->n_listeners; i++)
			fds[n++] = m->listeners[i];
		(void)roles_post(m, ROLE_KEEPER, MSG_SERVER, NULL, &pair[1], 1);
		m->server_started = true;
	}
	bad = chan_post(p->chan, MSG_INIT, &w, fds, n, e);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	fd_close(&control);
	return bad;
}

int role_exec(struct role_process *p, const struct chan_ops *ops,
	      loop_fd_fn *on_dead, struct err *e)
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
	p->chan = chan_new(p->m->loop, pair[0], ops, p);
	if (loop_add_fd(p->m->loop, p->pidfd, EPOLLIN, on_dead, p, &p->watch,
			e))
		return -1;
	return send_init(p, e);
}

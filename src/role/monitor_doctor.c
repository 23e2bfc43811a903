/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * `nfo doctor` for the server, which may make no sandbox itself: run as we are,
 * one at a time, its report handed on as it is.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "role/monitor.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	DOCTOR_MS = 30000
};

/* Beside us, or where it is when we are in PREFIX/libexec/nfo. */
static int open_program(const struct monitor *m)
{
	static const char *const places[] = {"nfo", "../../bin/nfo"};
	char path[INIT_PATH_MAX + 64];
	int fd = -1;

	for (size_t i = 0; i < ARRAY_LEN(places) && fd < 0; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", m->dir, places[i]);
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	return fd;
}

static void exec_doctor(int program, int report) NORETURN;

static void exec_doctor(int program, int report)
{
	static char *const env[] = {
		(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)"LANG=C.UTF-8", NULL};
	static char *const argv[] = {(char *)"nfo", (char *)"doctor",
				     (char *)"--output", (char *)"json", NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	program = fcntl(program, F_DUPFD_CLOEXEC, 10);
	if (null < 0 || program < 0 || dup2(report, 1) < 0 ||
	    dup2(null, 0) < 0 || dup2(null, 2) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC))
		_exit(126);
	(void)syscall(SYS_execveat, program, "", argv, env, AT_EMPTY_PATH);
	_exit(127);
}

/* fd -1: there is none. */
static void answer(struct monitor *m, int fd)
{
	struct err e;

	if (m->control &&
	    chan_post(m->control, MSG_DOCTORED, NULL, &fd, fd >= 0, &e))
		log_error("server: %s", e.text);
}

static void on_ended(void *ctx, int fd, uint32_t events)
{
	struct monitor *m = ctx;
	struct doctor *d = &m->doctor;
	int status = 0;

	(void)fd;
	(void)events;
	loop_watch_free(d->watch);
	loop_timer_free(d->timer);
	(void)waitpid(d->pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1 ||
	    fcntl(d->report, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		fd_close(&d->report);
	answer(m, d->report);
	fd_close(&d->report);
	fd_close(&d->pidfd);
	d->pid = 0;
}

static void on_timeout(void *ctx)
{
	struct doctor *d = &((struct monitor *)ctx)->doctor;

	log_warn("doctor: it does not end, killed");
	(void)syscall(SYS_pidfd_send_signal, d->pidfd, SIGKILL, NULL, 0);
}

static int begin(struct monitor *m, struct err *e)
{
	struct kernel_clone a = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
	CLEANUP_FD int program = open_program(m);
	struct doctor *d = &m->doctor;

	d->report = d->pidfd = -1;
	if (program < 0)
		return err_sys(e, errno, "nfo");
	d->report = memfd_create("doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (d->report < 0)
		return err_sys(e, errno, "memfd");
	a.pidfd = (uint64_t)(uintptr_t)&d->pidfd;
	d->pid = kernel_clone3(&a);
	if (!d->pid)
		exec_doctor(program, d->report);
	if (d->pid < 0)
		return err_sys(e, errno, "fork");
	d->timer = loop_timer_new(m->loop, on_timeout, m);
	loop_timer_set(d->timer, clock_mono_us() + DOCTOR_MS * INT64_C(1000));
	return loop_add_fd(m->loop, d->pidfd, EPOLLIN, on_ended, m, &d->watch,
			   e);
}

void doctor_begin(struct monitor *m)
{
	struct err e;

	if (m->doctor.pid > 0) /* who asks meanwhile gets the same report */
		return;
	if (!begin(m, &e))
		return;
	log_error("doctor: %s", e.text);
	m->doctor.pid = 0;
	fd_close(&m->doctor.report);
	answer(m, -1);
}

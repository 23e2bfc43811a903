/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * PID 1 of a sandbox, with the task's identity and no privilege: starts the
 * payload on GO, reaps, ends everything when the payload has ended, and opens
 * files for whoever holds the control socket.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/ctl.h"
#include "sandbox/disk.h"
#include "sandbox/internal.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct pid1 {
	struct child *c;
	int ctl, signals;
	pid_t payload;   /* 0: not started; -1: ended */
	bool leave;      /* as soon as it has ended */
	int64_t look_at; /* monotonic: at the size of /work; 0: never */
	unsigned char room[WIRE_MAX + 2];
};

static void say(struct pid1 *p, enum ctl_type type, const struct wire_writer *w,
		int fd)
{
	struct err e;

	if (chan_send(p->ctl, (uint16_t)type, w, &fd, fd >= 0, &e) <= 0)
		_exit(125);
}

/* --- the size of /work --------------------------------------------------- */

enum {
	LOOK_US = 500000,
	LOOK_SHARE = 20 /* of the time, looking takes one in so many */
};

static void look_first(struct pid1 *p)
{
	if (p->c->spec.limits.file_bytes && !p->c->spec.work_in_memory)
		p->look_at = clock_mono_us() + LOOK_US;
}

static int look_wait_ms(const struct pid1 *p)
{
	int64_t left;

	if (!p->look_at || p->payload <= 0)
		return -1;
	left = p->look_at - clock_mono_us();
	return left > 0 ? (int)(left / 1000) + 1 : 0;
}

static void look(struct pid1 *p)
{
	uint64_t most = p->c->spec.limits.file_bytes;
	CLEANUP_FD int dir =
		open(SANDBOX_WORK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t begun = clock_mono_us(), took;

	if (disk_used(dir, most) > most) {
		p->look_at = 0;
		say(p, CTL_DISK_FULL, NULL, -1);
		(void)kill(-1, SIGKILL);
		return;
	}
	took = clock_mono_us() - begun;
	p->look_at = begun + (took * LOOK_SHARE > LOOK_US ? took * LOOK_SHARE :
							    LOOK_US);
}

/* --- the payload -------------------------------------------------------- */

/* Written by the payload's process while PID 1 waits in vfork(2): memory is
 * shared until the program is executed. */
struct exec_failure {
	const char *step; /* NULL: none */
	int sys;
};

static void exec_failed(volatile struct exec_failure *f,
			const char *step) NORETURN;

static void exec_failed(volatile struct exec_failure *f, const char *step)
{
	f->sys = errno;
	f->step = step;
	_exit(127);
}

/* One of the host's would be a way out. */
static int not_a_directory(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	errno = EISDIR;
	return S_ISDIR(st.st_mode) ? -1 : 0;
}

/* What the program inherits beside its stdio: out of the way of each other
 * first, then from 3 on. */
static void pass_on(const struct chan_msg *msg, volatile struct exec_failure *f)
{
	size_t n = msg->n_fds - CTL_STDIO;
	int fds[CTL_PASS_MAX];

	for (size_t i = 0; i < n; i++) {
		int fd = msg->fds[CTL_STDIO + i];

		if (not_a_directory(fd))
			exec_failed(f, "descriptors");
		fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3 + (int)n);
		if (fds[i] < 0)
			exec_failed(f, "descriptors");
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(fds[i], 3 + (int)i) < 0)
			exec_failed(f, "descriptors");
}

/*
 * The process that becomes the program: seccomp last, it forbids the rest.
 * Until then it borrows PID 1's memory, so it must change nothing there.
 */
static void payload(const struct pid1 *p, const struct chan_msg *msg,
		    const struct ctl_exec *x, volatile struct exec_failure *f)
{
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || setpgid(0, 0))
		exec_failed(f, "session");
	for (int i = 0; i < 3; i++)
		if (not_a_directory(msg->fds[i]) || dup2(msg->fds[i], i) < 0)
			exec_failed(f, "stdio");
	/* All others are close-on-exec; make it certain. */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC))
		exec_failed(f, "descriptors");
	pass_on(msg, f);
	if (chdir(SANDBOX_WORK))
		exec_failed(f, "work directory");
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
		    &p->c->profile->filter))
		exec_failed(f, "seccomp");
	execvpe(x->argv[0], x->argv, x->env);
	exec_failed(f, "execve");
}

/* The environment may hold a secret: nothing of it stays in PID 1. */
static void forget(struct ctl_exec *x, char **env_before)
{
	environ = env_before;
	explicit_bzero(x->text, x->text_len);
	mem_free(x->text);
	mem_free(x->argv);
	mem_free(x->env);
}

/* A copy of our memory would cost more than all the rest of it: vfork. */
static void start(struct pid1 *p, struct chan_msg *msg)
{
	volatile struct exec_failure f = {.step = NULL};
	struct wire_writer w = {.len = 0};
	char **env_before = environ;
	struct ctl_exec x;
	struct err e;

	if (p->payload || msg->n_fds < CTL_STDIO ||
	    ctl_exec_read(msg->fds[3], &x, &e))
		_exit(125);
	environ = x.env; /* execvpe looks for PATH here */
	p->payload = vfork();
	if (!p->payload)
		payload(p, msg, &x, &f);
	if (p->payload < 0) {
		f.sys = errno;
		f.step = "fork";
	}
	forget(&x, env_before);
	chan_msg_done(msg);
	if (!f.step) {
		look_first(p);
		say(p, CTL_STARTED, NULL, -1);
		return;
	}
	wire_str(&w, str_from(f.step));
	wire_u32(&w, (uint32_t)f.sys);
	say(p, CTL_EXEC_FAILED, &w, -1);
}

/* The payload has ended: so does everything it left behind. */
static void ended(struct pid1 *p, int status)
{
	struct wire_writer w = {.len = 0};
	struct rusage u;
	uint64_t cpu;

	p->payload = -1;
	(void)kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	getrusage(RUSAGE_CHILDREN, &u);
	cpu = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	      (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	wire_u32(&w, (uint32_t)status);
	wire_u64(&w, cpu);
	say(p, CTL_EXITED, &w, -1);
	if (p->leave)
		_exit(0);
}

static void reap(struct pid1 *p)
{
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	if (fd_read(p->signals, &si, sizeof(si)) < 0)
		return;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == p->payload) {
			ended(p, status);
			return;
		}
}

/* --- files -------------------------------------------------------------- */

/* Below /work, or below the outputs: never through a link. */
static int open_for(struct str path, unsigned flags)
{
	bool outputs = (flags & CTL_OPEN_OUTPUTS) != 0;
	CLEANUP_FD int dir =
		open(outputs ? SANDBOX_CONTROL "/outputs" : SANDBOX_WORK,
		     O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[CTL_PATH_MAX + 1];

	if (dir < 0)
		return -1;
	if (!ctl_path_ok(path)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(name, path.p, path.len);
	name[path.len] = '\0';
	if (flags & CTL_OPEN_LINK)
		return fd_open_beneath(dir, name, O_PATH | O_NOFOLLOW, 0);
	return fd_open_beneath(
		dir, name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			(flags & CTL_OPEN_DIRECTORY ? O_DIRECTORY : 0),
		0);
}

static void open_file(struct pid1 *p, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct wire_writer w = {.len = 0};
	unsigned flags = wire_get_u8(&r);
	struct str path = wire_get_str(&r, 4095);
	CLEANUP_FD int fd = -1;

	errno = EINVAL;
	if (wire_end(&r) && p->payload == -1)
		fd = open_for(path, flags);
	wire_u32(&w, fd < 0 ? (uint32_t)errno : 0);
	say(p, CTL_OPENED, &w, fd);
}

/* A directory below /work, made where it is missing. */
static int open_below(struct str below)
{
	int dir = open(SANDBOX_WORK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (dir >= 0 && below.len) {
		struct str part = str_cut(&below, '/');
		char name[256];
		int next;

		if (!part.len || part.len >= sizeof(name) ||
		    str_is(part, "..")) {
			close(dir);
			errno = EINVAL;
			return -1;
		}
		memcpy(name, part.p, part.len);
		name[part.len] = '\0';
		(void)mkdirat(dir, name, 0755);
		next = openat(dir, name,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		dir = next;
	}
	return dir;
}

static void unpack(struct pid1 *p, struct chan_msg *msg)
{
	struct wire_writer w = {.len = 0};
	struct ctl_unpack_body body;
	CLEANUP_FD int dir = -1;
	struct err e = {.text = ""};

	if (ctl_unpack_read(msg, &body) || p->payload)
		_exit(125);
	dir = open_below(body.below);
	if (dir < 0)
		err_sys(&e, errno, "the workspace");
	else if (!unpack_tar(msg->fds[0], dir, body.read_only, &e))
		e.text[0] = '\0';
	wire_str(&w, str_from(e.text));
	say(p, CTL_UNPACKED, &w, -1);
}

/* --- secrets that change -------------------------------------------------- */

#define FRESH ".new"

static int copy_all(int from, int to)
{
	char room[4096];
	ssize_t n;
	off_t at = 0;
	int bad = 0;

	while (!bad && (n = pread(from, room, sizeof(room), at)) != 0) {
		bad = n < 0 ? -1 : fd_write_all(to, room, (size_t)n);
		at += n;
	}
	explicit_bzero(room, sizeof(room));
	return bad;
}

/* Whole, or not at all: who has the old one open goes on reading that. */
static int put_in_place(int dir, struct str name, int content)
{
	char file[SANDBOX_NAME_MAX + 1];
	CLEANUP_FD int fd = -1;

	memcpy(file, name.p, name.len);
	file[name.len] = '\0';
	(void)unlinkat(dir, FRESH, 0);
	fd = openat(dir, FRESH,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd < 0 || copy_all(content, fd))
		return -1;
	return renameat(dir, FRESH, dir, file);
}

static int replace_in(const struct pid1 *p, const struct ctl_replace_body *body,
		      int content)
{
	char sub[SANDBOX_NAME_MAX + 1];
	CLEANUP_FD int dir = -1;

	if (!body->dir.len)
		return put_in_place(p->c->secrets, body->file, content);
	memcpy(sub, body->dir.p, body->dir.len);
	sub[body->dir.len] = '\0';
	dir = openat(p->c->secrets, sub,
		     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? -1 : put_in_place(dir, body->file, content);
}

static void replace(struct pid1 *p, struct chan_msg *msg)
{
	struct wire_writer w = {.len = 0};
	struct ctl_replace_body body;
	int bad;

	if (ctl_replace_read(msg, &body) || p->c->secrets < 0)
		_exit(125);
	bad = replace_in(p, &body, msg->fds[0]);
	wire_u32(&w, bad ? (uint32_t)errno : 0);
	say(p, CTL_REPLACED, &w, -1);
}

/* --- the loop ----------------------------------------------------------- */

static void on_ctl(struct pid1 *p)
{
	struct chan_msg msg;
	struct err e;

	if (chan_recv(p->ctl, p->room, &msg, &e) <= 0)
		_exit(0); /* nobody holds us any more: all dies with us */
	switch (msg.type) {
	case CTL_GO:
		start(p, &msg);
		break;
	case CTL_TERM:
		if (p->payload > 0)
			(void)kill(-p->payload, SIGTERM);
		break;
	case CTL_LEAVE:
		p->leave = true;
		if (p->payload == -1)
			_exit(0);
		break;
	case CTL_OPEN:
		open_file(p, &msg);
		break;
	case CTL_REPLACE:
		replace(p, &msg);
		break;
	case CTL_UNPACK:
		unpack(p, &msg);
		break;
	default:
		_exit(125);
	}
	chan_msg_done(&msg);
}

void pid1_main(struct child *c)
{
	struct pid1 p = {.c = c, .ctl = c->ctl};
	struct pollfd fds[3];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	p.signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (p.signals < 0)
		_exit(125);
	fds[0] = (struct pollfd){.fd = p.ctl, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = p.signals, .events = POLLIN};
	/* The parent's socket: we leave when it goes. */
	fds[2] = (struct pollfd){.fd = c->sock, .events = POLLIN};
	for (;;) {
		if (poll(fds, 3, look_wait_ms(&p)) < 0 && errno != EINTR)
			_exit(125);
		if (fds[2].revents)
			_exit(0);
		if (fds[1].revents)
			reap(&p);
		if (fds[0].revents)
			on_ctl(&p);
		if (!look_wait_ms(&p))
			look(&p);
	}
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo sandbox`: one program confined, from the command line. */
#include "sandbox/command.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/ctl.h"
#include "sandbox/delegate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EXIT_TIMEOUT = 124,
	EXIT_SANDBOX = 125
};

/* --- waiting ------------------------------------------------------------ */

struct wait {
	int64_t term_at, kill_at; /* 0: never */
	bool timed_out, exec_failed, ended;
	int status;
	int signals, signo; /* a signalfd; the signal that ended it */
};

/* Asked to leave: nothing may be left behind, so they are read, not taken. */
static int block_signals(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "signalfd") : fd;
}

static void on_signal(struct wait *w, struct sandbox *s)
{
	struct signalfd_siginfo si;

	if (fd_read(w->signals, &si, sizeof(si)) != sizeof(si))
		return;
	w->signo = (int)si.ssi_signo;
	sandbox_kill(s);
}

static int on_message(struct wait *w, int ctl, const char *program)
{
	static unsigned char room[WIRE_MAX + 2];
	struct wire_reader r;
	struct chan_msg msg;
	struct err e;

	if (chan_recv(ctl, room, &msg, &e) <= 0)
		return -1;
	r = wire_reader(msg.body, msg.body_len);
	if (msg.type == CTL_EXEC_FAILED) {
		struct str step = wire_get_str(&r, 32);
		uint32_t sys = wire_get_u32(&r);

		fprintf(stderr, "nfo sandbox: %s: " STR_FMT ": %s\n", program,
			STR_ARG(step), strerror((int)sys));
		w->exec_failed = true;
		w->status = str_is(step, "execve") ?
				    (sys == ENOENT ? 127 : 126) :
				    EXIT_SANDBOX;
	} else if (msg.type == CTL_EXITED) {
		w->ended = true;
		if (!w->exec_failed)
			w->status = (int)wire_get_u32(&r);
	}
	chan_msg_done(&msg);
	return 0;
}

static void check_time(struct wait *w, struct sandbox *s)
{
	int64_t now = clock_mono_us();
	struct err e;

	if (w->kill_at && now >= w->kill_at) {
		w->kill_at = 0;
		sandbox_kill(s);
	} else if (w->term_at && now >= w->term_at) {
		w->timed_out = true;
		w->term_at = 0;
		w->kill_at = now + 1000000;
		if (ctl_term(s->ctl, &e))
			sandbox_kill(s);
	}
}

static void wait_for_end(struct wait *w, struct sandbox *s, const char *program)
{
	while (!w->ended && !w->signo) {
		struct pollfd p[] = {
			{.fd = s->ctl,     .events = POLLIN},
			{.fd = w->signals, .events = POLLIN}
                };
		int64_t next = w->term_at ? w->term_at : w->kill_at;
		int64_t left = next ? next - clock_mono_us() : -1;
		int ms =
			left < 0 ? (next ? 0 : -1) : (int)((left + 999) / 1000);

		if (poll(p, 2, ms) > 0) {
			if (p[1].revents)
				on_signal(w, s);
			else if (on_message(w, s->ctl, program))
				return; /* PID 1 is gone */
		}
		check_time(w, s);
	}
}

static int exit_code(const struct wait *w, const struct sandbox_usage *u)
{
	if (w->signo)
		return 128 + w->signo;
	if (u->oom)
		fputs("nfo sandbox: the memory limit was reached\n", stderr);
	if (w->timed_out) {
		fputs("nfo sandbox: the time ran out\n", stderr);
		return EXIT_TIMEOUT;
	}
	if (w->exec_failed)
		return w->status;
	if (!w->ended) /* all of it was killed */
		return 128 + SIGKILL;
	return WIFSIGNALED(w->status) ? 128 + WTERMSIG(w->status) :
					WEXITSTATUS(w->status);
}

static bool wants_limits(const struct command *c)
{
	const struct sandbox_limits *l = &c->spec.limits;

	return c->host.cgroups == CGROUPS_REQUIRE ||
	       (c->host.cgroups == CGROUPS_PREFER &&
		(l->memory_bytes || l->pids || l->cpu_milli));
}

/* What cannot be enforced is said before the program runs. */
static int launch(struct sandbox_host *h, const struct command *c,
		  struct sandbox *s, struct err *e)
{
	const struct sandbox_go go = {
		c->argv, c->env, {0, 1, 2}
        };
	struct sandbox_usage unused;

	if (!wants_limits(c))
		return sandbox_launch_now(h, &c->spec, &go, s, e);
	if (sandbox_launch(h, &c->spec, s, e))
		return -1;
	if (s->not_enforced)
		fprintf(stderr, "nfo sandbox: not enforced here:%s%s%s\n",
			s->not_enforced & SANDBOX_NO_MEMORY ? " memory" : "",
			s->not_enforced & SANDBOX_NO_PIDS ? " pids" : "",
			s->not_enforced & SANDBOX_NO_CPU ? " cpu" : "");
	if (!ctl_go(s->ctl, go.argv, go.env, go.stdio, e))
		return 0;
	sandbox_kill(s);
	sandbox_reap(h, s, &unused);
	return -1;
}

static int run(struct command *c, struct err *e)
{
	struct wait w = {.status = EXIT_SANDBOX};
	struct sandbox_usage u;
	struct sandbox_host *h;
	struct sandbox s;

	w.signals = block_signals(e);
	if (w.signals < 0 || sandbox_host_new(&c->host, &h, e))
		return -1;
	if (c->host.allow_no_landlock && !sandbox_host_landlock(h))
		fputs("nfo sandbox: without Landlock, as asked for\n", stderr);
	if (launch(h, c, &s, e)) {
		sandbox_host_free(h);
		return -1;
	}
	fd_close(&s.script);
	(void)!ctl_leave(s.ctl, e); /* it may have ended already */
	if (c->timeout_us)
		w.term_at = clock_mono_us() + c->timeout_us;
	wait_for_end(&w, &s, c->argv[0]);
	sandbox_reap(h, &s, &u);
	sandbox_host_free(h);
	return exit_code(&w, &u);
}

/* A directory of the host is a way out, as descriptor 0 too.  And a closed one
 * would be filled by the next file opened, which is ours. */
static int check_stdio(void)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;

		if (fstat(fd, &st)) {
			if (errno != EBADF || open("/dev/null", O_RDWR) != fd)
				return command_usage(
					"standard input, output and error "
					"are wanted",
					strerror(errno));
		} else if (S_ISDIR(st.st_mode)) {
			return command_usage(
				"a directory is standard input, output "
				"or error",
				NULL);
		}
	}
	return 0;
}

/* As root each sandbox has a uid of its own; nobody keeps count of those made
 * from the command line. */
static int choose_uid(struct command *c)
{
	uint16_t slot;

	if (getrandom(&slot, sizeof(slot), 0) != sizeof(slot))
		return command_usage("getrandom", strerror(errno));
	c->spec.uid_slot = slot;
	return 0;
}

int sandbox_command(int argc, char **argv)
{
	struct command *c = mem_alloc(sizeof(*c));
	struct err e = {.text = ""};
	int r = check_stdio() || choose_uid(c) ? -1 :
						 command_parse(c, argc, argv);

	if (r) {
		mem_free(c);
		return r > 0 ? 0 : EXIT_SANDBOX;
	}
	if (wants_limits(c))
		sandbox_delegate(argv);
	command_default_env(c);
	r = run(c, &e);
	mem_free(c);
	if (r >= 0)
		return r;
	fprintf(stderr, "nfo sandbox: %s\n", e.text);
	return EXIT_SANDBOX;
}

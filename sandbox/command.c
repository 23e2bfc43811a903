/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo sandbox`: one program confined, from the command line. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/ctl.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EXIT_TIMEOUT = 124,
	EXIT_SANDBOX = 125,
	ENV_MAX = 256
};

static const char help[] =
	"nfo sandbox [OPTION...] -- COMMAND [ARG...]\n\n"
	"Run one program confined: its own namespaces, no network, a read-only\n"
	"system, no privileges, a seccomp filter.  Needs no server and no root.\n\n"
	"  --profile NAME        strict, default (this), net, build\n"
	"  --profiles DIR        read the profiles from DIR\n"
	"  --net none|host       none (this): only a loopback of its own\n"
	"  --bind-ro SRC[:DST]   show a file or directory of the host\n"
	"  --bind SRC[:DST]      the same, writable; DST defaults to /work\n"
	"                        (DST must exist: /mnt, /srv, /opt are for that)\n"
	"  --env NAME=VALUE      nothing is inherited but this\n"
	"  --memory SIZE         512M, 2G, ...\n"
	"  --pids N              at most N processes and threads\n"
	"  --cpu N               CPUs, such as 1.5\n"
	"  --open-files N        descriptors a process; 1024\n"
	"  --timeout TIME        10s, 5m, ...: SIGTERM, 1 s later SIGKILL\n"
	"  --cgroups MODE        prefer (this), require, none\n"
	"  --allow-no-landlock   go on where the kernel has no Landlock\n\n"
	"Exit code: that of the program; 128 + signal; 124 when the time ran out;\n"
	"125 when the sandbox itself could not be made (it says at which step).\n\n"
	"  nfo sandbox -- id\n"
	"  nfo sandbox --profile build --bind .:/work --memory 2G -- make -j2\n";

struct command {
	struct sandbox_host_opts host;
	struct sandbox_root roots[SANDBOX_ROOTS_MAX];
	char paths[SANDBOX_ROOTS_MAX][PATH_MAX];
	struct sandbox_spec spec;
	char *env[ENV_MAX + 4];
	size_t n_env;
	int64_t timeout_us;
	char **argv;
	bool has_work;
};

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "nfo sandbox: %s%s%s (see nfo sandbox --help)\n", what,
		value ? ": " : "", value ? value : "");
	return -1;
}

/* "512M": a number and one of the units, each worth `step` of the one before. */
static int scaled(const char *s, const char *units, uint64_t step,
		  uint64_t *ret)
{
	struct str t = str_from(s);
	uint64_t scale = 1, v;
	const char *u;

	if (t.len && (u = strchr(units, t.p[t.len - 1])) && *u) {
		for (const char *p = units; p <= u; p++)
			scale *= step;
		t.len--;
	}
	if (str_to_u64(t, UINT64_MAX / scale, &v) || !v)
		return -1;
	*ret = v * scale;
	return 0;
}

static int duration(const char *s, int64_t *ret_us)
{
	static const struct {
		char unit;
		int64_t us;
	} units[] = {
		{'s', 1000000   },
                {'m', 60000000  },
                {'h', 3600000000}
        };
	struct str t = str_from(s);
	int64_t v;

	for (size_t i = 0; t.len && i < ARRAY_LEN(units); i++)
		if (t.p[t.len - 1] == units[i].unit &&
		    !str_to_i64(str_n(t.p, t.len - 1), 1, 1000000, &v)) {
			*ret_us = v * units[i].us;
			return 0;
		}
	return -1;
}

static int cpus(const char *s, uint32_t *ret_milli)
{
	char *end;
	double v = strtod(s, &end);

	if (*end || !(v >= 0.01) || v > 1024)
		return -1;
	*ret_milli = (uint32_t)(v * 1000);
	return 0;
}

static int add_bind(struct command *c, const char *arg, bool writable)
{
	const char *colon = strchr(arg, ':');
	struct sandbox_bind *b = &c->spec.binds[c->spec.n_binds];
	char *path = c->paths[c->host.n_roots];
	char src[PATH_MAX];

	if (c->spec.n_binds == SANDBOX_BINDS_MAX)
		return usage("too many binds", NULL);
	(void)snprintf(src, sizeof(src), "%.*s",
		       colon ? (int)(colon - arg) : (int)strlen(arg), arg);
	if (!realpath(src, path))
		return usage(strerror(errno), src);
	if (colon && (colon[1] != '/' || strlen(colon) > SANDBOX_NAME_MAX))
		return usage("an absolute path is wanted", colon + 1);
	(void)snprintf(b->to, sizeof(b->to), "%s",
		       colon ? colon + 1 : SANDBOX_WORK);
	b->root = (uint32_t)c->host.n_roots;
	b->read_only = !writable;
	c->has_work |= !strcmp(b->to, SANDBOX_WORK);
	c->roots[c->host.n_roots++] = (struct sandbox_root){path, writable};
	c->spec.n_binds++;
	return 0;
}

static const struct option options[] = {
	{"profile",          required_argument, NULL, 'p'},
	{"profiles",              required_argument, NULL, 'P'},
	{"net",		  required_argument, NULL, 'n'},
	{"bind-ro",required_argument, NULL, 'r'},
	{"bind",               required_argument, NULL, 'w'},
	{"env",              required_argument, NULL, 'e'},
	{"memory",              required_argument, NULL, 'm'},
	{"pids",		  required_argument, NULL, 'i'},
	{"cpu",              required_argument, NULL, 'c'},
	{"open-files",               required_argument, NULL, 'f'},
	{"timeout",             required_argument, NULL, 't'},
	{"cgroups",              required_argument, NULL, 'g'},
	{"allow-no-landlock",                  no_argument, NULL, 'L'},
	{"help",no_argument, NULL, 'h'},
	{0	      },
};

static int count(const char *s, uint32_t *ret)
{
	uint64_t v;

	if (str_to_u64(str_from(s), 1 << 22, &v) || !v)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

static int choose_net(struct command *c, const char *s)
{
	if (strcmp(s, "none") && strcmp(s, "host"))
		return -1;
	c->spec.network = s[0] == 'h' ? SANDBOX_NET_HOST : SANDBOX_NET_NONE;
	return 0;
}

static int choose_cgroups(struct command *c, const char *s)
{
	static const char *const modes[] = {"require", "prefer", "none"};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (!strcmp(s, modes[i])) {
			c->host.cgroups = (enum sandbox_cgroups)i;
			return 0;
		}
	return -1;
}

static int option(struct command *c, int letter, char *arg)
{
	struct sandbox_limits *l = &c->spec.limits;

	switch (letter) {
	case 'p':
		(void)snprintf(c->spec.profile, sizeof(c->spec.profile), "%s",
			       arg);
		return 0;
	case 'P':
		c->host.profile_dir = arg;
		return 0;
	case 'r':
	case 'w':
		return add_bind(c, arg, letter == 'w');
	case 'e':
		if (!strchr(arg, '=') || arg[0] == '=' || c->n_env == ENV_MAX)
			return usage("NAME=VALUE is wanted", arg);
		c->env[c->n_env++] = arg;
		return 0;
	case 'L':
		c->host.allow_no_landlock = true;
		return 0;
	case 'n':
		return choose_net(c, arg) ? usage("--net none or host", arg) :
					    0;
	case 'm':
		return scaled(arg, "KMGT", 1024, &l->memory_bytes) ?
			       usage("a size such as 512M is wanted", arg) :
			       0;
	case 'i':
		return count(arg, &l->pids) ? usage("not a count", arg) : 0;
	case 'f':
		return count(arg, &l->open_files) ? usage("not a count", arg) :
						    0;
	case 'c':
		return cpus(arg, &l->cpu_milli) ? usage("not a number", arg) :
						  0;
	case 't':
		return duration(arg, &c->timeout_us) ?
			       usage("a time such as 10s is wanted", arg) :
			       0;
	case 'g':
		return choose_cgroups(c, arg) ?
			       usage("--cgroups prefer, require or none", arg) :
			       0;
	default:
		return usage("wrong option", NULL);
	}
}

/* 0: go on; 1: help was printed; -1: a mistake was said. */
static int parse(struct command *c, int argc, char **argv)
{
	int letter;

	c->host.roots = c->roots;
	c->host.cgroups = CGROUPS_PREFER;
	(void)snprintf(c->spec.profile, sizeof(c->spec.profile), "default");
	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (letter == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (letter == '?')
			return usage("wrong option", argv[optind - 1]);
		if (option(c, letter, optarg))
			return -1;
	}
	c->argv = argv + optind;
	if (!*c->argv)
		return usage("no command", NULL);
	if (!c->has_work) {
		c->spec.work_in_memory = true;
		c->spec.work_bytes = 256 << 20;
	}
	return 0;
}

static void add_default_env(struct command *c)
{
	static char *const fixed[] = {
		(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			"/usr/bin:/sbin:/bin",
		(char *)"HOME=" SANDBOX_WORK, (char *)"LANG=C.UTF-8"};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		size_t name = (size_t)(strchr(fixed[i], '=') - fixed[i]) + 1;
		bool given = false;

		for (size_t k = 0; k < c->n_env; k++)
			given |= !strncmp(c->env[k], fixed[i], name);
		if (!given)
			c->env[c->n_env++] = fixed[i];
	}
}

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

static int run(struct command *c, struct err *e)
{
	const int stdio[3] = {0, 1, 2};
	struct wait w = {.status = EXIT_SANDBOX};
	struct sandbox_usage u;
	struct sandbox_host *h;
	struct sandbox s;

	w.signals = block_signals(e);
	if (w.signals < 0 || sandbox_host_new(&c->host, &h, e))
		return -1;
	if (c->host.allow_no_landlock && !sandbox_host_landlock(h))
		fputs("nfo sandbox: without Landlock, as asked for\n", stderr);
	if (sandbox_launch(h, &c->spec, &s, e)) {
		sandbox_host_free(h);
		return -1;
	}
	if (s.not_enforced)
		fprintf(stderr, "nfo sandbox: not enforced here:%s%s%s\n",
			s.not_enforced & SANDBOX_NO_MEMORY ? " memory" : "",
			s.not_enforced & SANDBOX_NO_PIDS ? " pids" : "",
			s.not_enforced & SANDBOX_NO_CPU ? " cpu" : "");
	fd_close(&s.script);
	if (ctl_go(s.ctl, c->argv, c->env, stdio, e)) {
		sandbox_kill(&s);
		sandbox_reap(h, &s, &u);
		sandbox_host_free(h);
		return -1;
	}
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
				return usage("standard input, output and error "
					     "are wanted",
					     strerror(errno));
		} else if (S_ISDIR(st.st_mode)) {
			return usage("a directory is standard input, output "
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
		return usage("getrandom", strerror(errno));
	c->spec.uid_slot = slot;
	return 0;
}

int sandbox_command(int argc, char **argv)
{
	struct command *c = mem_alloc(sizeof(*c));
	struct err e = {.text = ""};
	int r = check_stdio() || choose_uid(c) ? -1 : parse(c, argc, argv);

	if (r) {
		mem_free(c);
		return r > 0 ? 0 : EXIT_SANDBOX;
	}
	add_default_env(c);
	r = run(c, &e);
	mem_free(c);
	if (r >= 0)
		return r;
	fprintf(stderr, "nfo sandbox: %s\n", e.text);
	return EXIT_SANDBOX;
}

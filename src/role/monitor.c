/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * nfo-monitor: its command line (which `nfo serve` makes), its signals, its
 * main loop.
 */
#include "role/monitor.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct option options[] = {
	{"state",            required_argument, NULL, 's'},
	{"socket",              required_argument, NULL, 'u'},
	{"listen",                  required_argument, NULL, 'l'},
	{"policy",required_argument, NULL, 'p'},
	{"cgroups",               required_argument, NULL, 'c'},
	{"idle-exit",           required_argument, NULL, 'i'},
	{"max-attempts",              required_argument, NULL, 'm'},
	{"ready-fd",                  required_argument, NULL, 'r'},
	{"allow-no-landlock",              no_argument, NULL, 'n'},
	{"config",               required_argument, NULL, 'f'},
	{"set",          required_argument, NULL, 'o'},
	{0	     },
};

static void die(const struct err *e) NORETURN;

/* As `nfo` does: 2 for what was asked wrongly, 4 for a server that is none. */
static void die(const struct err *e)
{
	log_error("%s", e->text);
	exit(e->code == ERR_INVALID ? 2 : 4);
}

static uint32_t number(const char *s, const char *what)
{
	struct err e;
	uint64_t v;

	if (str_to_u64(str_from(s), INT32_MAX, &v)) {
		err_set(&e, ERR_INVALID, "--%s %s: not a number", what, s);
		die(&e);
	}
	return (uint32_t)v;
}

static void parse(struct monitor_opts *o, int argc, char **argv)
{
	struct err e;
	int c;

	o->ready_fd = -1;
	o->max_attempts = 256;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			o->state = optarg;
			break;
		case 'u':
			if (o->n_sockets < SOCKETS_MAX)
				o->sockets[o->n_sockets++] = optarg;
			break;
		case 'l':
			if (o->n_listens < SOCKETS_MAX)
				o->listens[o->n_listens++] = optarg;
			break;
		case 'p':
			o->policy = optarg;
			break;
		case 'c':
			o->cgroups_required = !strcmp(optarg, "require");
			if (!o->cgroups_required && strcmp(optarg, "prefer")) {
				err_set(&e, ERR_INVALID,
					"--cgroups is require or prefer");
				die(&e);
			}
			break;
		case 'n':
			o->landlock_optional = true;
			break;
		case 'i':
			o->idle_exit_s = number(optarg, "idle-exit");
			break;
		case 'm':
			o->max_attempts = number(optarg, "max-attempts");
			break;
		case 'f':
			o->config = optarg;
			break;
		case 'o':
			if (o->n_settings < SETTINGS_MAX)
				o->settings[o->n_settings++] = optarg;
			break;
		case 'r':
			o->ready_fd = (int)number(optarg, "ready-fd");
			break;
		default:
			exit(2);
		}
	}
	if (!o->state || !o->policy || (!o->n_sockets && !o->n_listens)) {
		err_set(&e, ERR_INVALID,
			"--state, --policy and --socket or --listen are "
			"needed (start it with `nfo serve`)");
		die(&e);
	}
	if (o->ready_fd >= 0)
		(void)fcntl(o->ready_fd, F_SETFD, FD_CLOEXEC);
}

/* --- main --------------------------------------------------------------- */

/* HUP reads the policies anew; the others end everything in order, and so
 * does HUP when it means that our terminal has gone. */
static void on_signal(void *ctx, int signo)
{
	struct monitor *m = ctx;
	struct err e;

	if (signo != SIGHUP || m->has_terminal)
		roles_stop(m);
	else if (setup_policies(m, &e))
		log_error("the policies stay as they were: %s", e.text);
	else
		roles_reload(m);
}

static int find_programs(struct monitor *m, struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", m->dir, sizeof(m->dir) - 1);
	char *slash;

	if (n <= 0)
		return err_sys(e, errno, "/proc/self/exe");
	m->dir[n] = '\0';
	slash = strrchr(m->dir, '/');
	if (slash)
		*slash = '\0';
	return 0;
}

int main(int argc, char **argv)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct monitor *m = mem_alloc(sizeof(*m));
	struct err e;
	int tty;

	log_init("monitor", LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	parse(&m->o, argc, argv);
	list_init(&m->attempts);
	list_init(&m->retired);
	m->policies = m->config = -1;
	tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	m->has_terminal = tty >= 0;
	fd_close(&tty);
	if (find_programs(m, &e) || confine_monitor(&e) || setup_state(m, &e) ||
	    setup_policies(m, &e) || config_bundle(m, &m->config, &e) ||
	    setup_sockets(m, &e) || loop_new(&m->loop, &e) ||
	    loop_signals(m->loop, signals, ARRAY_LEN(signals), on_signal, m,
			 &e) ||
	    roles_start(m, &e))
		die(&e);
	(void)prctl(PR_SET_NAME, "nfo-monitor");
	if (loop_run(m->loop, &e))
		die(&e);
	for (size_t i = 0; i < m->o.n_sockets; i++)
		(void)unlink(m->o.sockets[i]);
	return m->exit_code;
}

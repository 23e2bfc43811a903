/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * nfo-monitor: its signals, its main loop.
 */
#include "role/monitor.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const struct err *e) NORETURN;

/* As `nfo` does: 2 for what was asked wrongly, 4 for a server that is none. */
static void die(const struct err *e)
{
	log_error("%s", e->text);
	exit(e->code == ERR_INVALID ? 2 : 4);
}

/* --- main --------------------------------------------------------------- */

/* HUP reads settings, policies and certificate anew; the others end everything in order,
 * and so does HUP when it means that our terminal has gone. */
static void on_signal(void *ctx, int signo)
{
	struct monitor *m = ctx;

	if (signo != SIGHUP || m->has_terminal)
		roles_stop(m);
	else
		reload_begin(m, false);
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
	bool changed;
	int tty;

	log_init("monitor", LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	crash_begin(-1);
	umask(077);
	options_parse(&m->o, argc, argv);
	log_configure(m->o.log_format, m->o.log_level, m->o.log_journal);
	list_init(&m->attempts);
	list_init(&m->retired);
	m->policies = m->config = -1;
	reload_init(m);
	tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	m->has_terminal = tty >= 0;
	fd_close(&tty);
	if (find_programs(m, &e) || confine_monitor(&e) || setup_state(m, &e) ||
	    policies_read(m, &m->policies, &changed, &e) ||
	    config_bundle(m, &m->config, &e) || providers_setup(m, &e) ||
	    fetch_list(m, &m->fetches, &e) || chan_pair(m->fetch, &e) ||
	    tls_files_read(m, &m->tls, &e) || setup_sockets(m, &e) ||
	    loop_new(&m->loop, &e) || notify_begin(m, &e) ||
	    loop_signals(m->loop, signals, ARRAY_LEN(signals), on_signal, m,
			 &e) ||
	    roles_start(m, &e))
		die(&e);
	(void)prctl(PR_SET_NAME, "nfo-monitor");
	if (loop_run(m->loop, &e))
		die(&e);
	sockets_remove(m);
	return m->exit_code;
}

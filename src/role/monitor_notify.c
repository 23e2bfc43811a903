/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What systemd is told (sd_notify(3)): ready, reloading, stopping, and for its
 * watchdog that we and the server are alive.  The server's two threads are
 * asked; only when both have answered is the watchdog fed, so that a server
 * that hangs is ended with everything and started anew.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "role/monitor.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or an abstract name behind '@'. */
static socklen_t address(const char *where, struct sockaddr_un *sa)
{
	size_t len = strlen(where);

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if ((where[0] != '/' && where[0] != '@') || len < 2 ||
	    len >= sizeof(sa->sun_path))
		return 0;
	memcpy(sa->sun_path, where, len);
	if (where[0] == '@')
		sa->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void notify_say(struct monitor *m, const char *fmt, ...)
{
	struct sockaddr_un sa;
	char text[256];
	socklen_t len;
	va_list ap;
	int n;

	if (m->notify.fd < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = address(m->notify.where, &sa);
	if (n > 0 &&
	    sendto(m->notify.fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&sa, len) < 0)
		log_warn("NOTIFY_SOCKET: %s", strerror(errno));
}

void notify_reloading(struct monitor *m)
{
	notify_say(m, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)clock_mono_us());
}

/* --- the watchdog ------------------------------------------------------- */

static void on_beat(void *ctx)
{
	struct monitor *m = ctx;
	struct notify *n = &m->notify;
	struct wire_writer w = {.len = 0};

	loop_timer_set(n->timer, clock_mono_us() + n->period_us);
	n->answered = 0;
	wire_u64(&w, ++n->beat);
	/* One that is away answers nothing, and so is missed. */
	(void)roles_post(m, ROLE_SERVER, MSG_PING, &w, NULL, 0);
	control_ping(m, &w);
}

int notify_pong(struct monitor *m, struct chan_msg *msg, unsigned who)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct notify *n = &m->notify;
	uint64_t beat = wire_get_u64(&r);

	if (!wire_end(&r))
		return -1;
	if (beat != n->beat) /* late: it answers, but not in time */
		return 0;
	n->answered |= who;
	if (n->answered == (NOTIFY_ENGINE | NOTIFY_HTTP))
		notify_say(m, "WATCHDOG=1");
	return 0;
}

/* Ours to feed?  WATCHDOG_PID names who is; none: whoever has it. */
static uint64_t watchdog_us(void)
{
	struct str usec = str_from(getenv("WATCHDOG_USEC"));
	struct str pid = str_from(getenv("WATCHDOG_PID"));
	uint64_t us, who;

	if (str_to_u64(usec, INT64_MAX, &us) ||
	    (pid.len &&
	     (str_to_u64(pid, INT32_MAX, &who) || who != (uint64_t)getpid())))
		return 0;
	return us;
}

int notify_begin(struct monitor *m, struct err *e)
{
	struct notify *n = &m->notify;
	const char *where = getenv("NOTIFY_SOCKET");
	uint64_t us = watchdog_us();
	struct sockaddr_un sa;

	n->fd = -1;
	if (!where || !*where)
		return 0;
	if (!address(where, &sa))
		return err_set(e, ERR_INVALID, "NOTIFY_SOCKET %s: no address",
			       where);
	n->where = where;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return err_sys(e, errno, "NOTIFY_SOCKET");
	if (!us)
		return 0;
	n->period_us = (int64_t)(us / 3);
	n->timer = loop_timer_new(m->loop, on_beat, m);
	loop_timer_set(n->timer, clock_mono_us() + n->period_us);
	return 0;
}

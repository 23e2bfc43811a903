/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Listening sockets: those that were asked for, and those that systemd made and
 * handed down (sd_listen_fds(3)).  What speaks no TLS listens on loopback, or on
 * a path, unless somebody said that it may listen anywhere.
 */
#include "base/fd.h"
#include "base/log.h"
#include "role/monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BACKLOG = 1024,
	HANDED_FIRST = 3, /* SD_LISTEN_FDS_START */
	ADDRESS_TEXT = 80
};

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

static const char *const options[] = {
	[LISTEN_UNIX] = "--socket",
	[LISTEN_TCP] = "--listen",
	[LISTEN_TLS] = "--tls-listen",
};

/* --- Unix --------------------------------------------------------------- */

/* A socket that nobody listens on goes; anything else stays, and is said. */
static int make_way(const struct sockaddr_un *sa, struct err *e)
{
	CLEANUP_FD int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *path = sa->sun_path;
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFLICT,
			       "%s: is there, and is no socket", path);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	/* Of another type, or too busy to take us: it is somebody's. */
	if (!connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ||
	    errno != ECONNREFUSED)
		return err_set(e, ERR_CONFLICT,
			       "%s: somebody serves there already", path);
	return unlink(path) ? err_sys(e, errno, "%s", path) : 0;
}

static int listen_unix(const char *path, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char dir[INIT_PATH_MAX + 1];
	char *slash;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(e, ERR_LIMIT, "%s: too long for a socket", path);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	(void)snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = '\0';
		(void)mkdir(dir, 0755);
	}
	if (make_way(&sa, e))
		return -1;
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    chmod(path, 0666) || listen(fd, BACKLOG))
		return err_sys(e, errno, "%s", path);
	return fd_take(&fd);
}

/* --- TCP ---------------------------------------------------------------- */

static bool is_loopback(const union address *a)
{
	if (a->sa.sa_family == AF_INET)
		return (ntohl(a->in.sin_addr.s_addr) >> 24) == 127;
	return a->sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

/* "127.0.0.1:80", "[::1]:80". */
static int parse_address(const struct listen_opt *o, union address *ret,
			 socklen_t *ret_len, struct err *e)
{
	struct str host = str_from(o->where);
	const char *colon = host.len ? memrchr(host.p, ':', host.len) : NULL;
	char text[INET6_ADDRSTRLEN];
	uint64_t port = 0;
	bool v6;

	memset(ret, 0, sizeof(*ret));
	if (!colon || str_to_u64(str_from(colon + 1), 65535, &port))
		goto bad;
	host.len = (size_t)(colon - host.p);
	v6 = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
	if (v6)
		host = str_n(host.p + 1, host.len - 2);
	if (host.len >= sizeof(text))
		goto bad;
	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(host));
	ret->sa.sa_family = v6 ? AF_INET6 : AF_INET;
	if (inet_pton(ret->sa.sa_family, text,
		      v6 ? (void *)&ret->in6.sin6_addr :
			   (void *)&ret->in.sin_addr) != 1)
		goto bad;
	*ret_len = v6 ? sizeof(ret->in6) : sizeof(ret->in);
	if (v6)
		ret->in6.sin6_port = htons((uint16_t)port);
	else
		ret->in.sin_port = htons((uint16_t)port);
	return 0;
bad:
	return err_set(e, ERR_INVALID,
		       "%s %s: ADDRESS:PORT is wanted, as 127.0.0.1:7070 or "
		       "[::1]:7070",
		       options[o->kind], o->where);
}

static int may_be_plain(const struct monitor *m, const union address *a,
			const char *what, struct err *e)
{
	if (is_loopback(a) || m->o.plain_anywhere)
		return 0;
	return err_set(e, ERR_DENIED,
		       "%s: only loopback addresses without TLS; give it a "
		       "certificate (--tls-listen), put a proxy in front, or "
		       "set plain_listen_anywhere",
		       what);
}

static int listen_tcp(const struct monitor *m, const struct listen_opt *o,
		      struct err *e)
{
	CLEANUP_FD int fd = -1;
	char what[ADDRESS_TEXT];
	union address a;
	socklen_t len;
	int one = 1;

	(void)snprintf(what, sizeof(what), "%s %s", options[o->kind], o->where);
	if (parse_address(o, &a, &len, e) ||
	    (o->kind == LISTEN_TCP && may_be_plain(m, &a, what, e)))
		return -1;
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    (a.sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
	    bind(fd, &a.sa, len) || listen(fd, BACKLOG))
		return err_sys(e, errno, "%s", what);
	return fd_take(&fd);
}

/* --- both --------------------------------------------------------------- */

static void say(int fd, bool tls)
{
	char text[INET6_ADDRSTRLEN];
	union address a;
	socklen_t len = sizeof(a);
	bool v6;

	if (getsockname(fd, &a.sa, &len) || a.sa.sa_family == AF_UNIX)
		return;
	v6 = a.sa.sa_family == AF_INET6;
	if (inet_ntop(a.sa.sa_family,
		      v6 ? (void *)&a.in6.sin6_addr : (void *)&a.in.sin_addr,
		      text, sizeof(text)))
		log_info(v6 ? "listens on %s://[%s]:%d" :
			      "listens on %s://%s:%d",
			 tls ? "https" : "http", text,
			 ntohs(v6 ? a.in6.sin6_port : a.in.sin_port));
}

static int add(struct monitor *m, int fd, bool tls, struct err *e)
{
	if (m->n_listeners == INIT_LISTENERS_MAX) {
		fd_close(&fd);
		return err_set(e, ERR_LIMIT,
			       "more than %d sockets to listen on",
			       INIT_LISTENERS_MAX);
	}
	if (tls)
		m->tls_listeners |= 1u << m->n_listeners;
	m->listeners[m->n_listeners++] = fd;
	say(fd, tls);
	return 0;
}

/* --- handed down -------------------------------------------------------- */

/* A stream that listens, with TLS or of a kind that needs none. */
static int check_handed(const struct monitor *m, int fd, bool tls,
			struct err *e)
{
	int on = 0, type = 0;
	union address a;
	socklen_t len = sizeof(a), on_len = sizeof(on), type_len = sizeof(type);
	char what[ADDRESS_TEXT];

	(void)snprintf(what, sizeof(what), "handed down socket %d", fd);
	if (getsockname(fd, &a.sa, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &on_len) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) || !on ||
	    type != SOCK_STREAM ||
	    (a.sa.sa_family != AF_UNIX && a.sa.sa_family != AF_INET &&
	     a.sa.sa_family != AF_INET6))
		return err_set(e, ERR_INVALID,
			       "%s: no stream socket that listens "
			       "(Accept=no, ListenStream=)",
			       what);
	if (tls && !m->o.tls[TLS_CERT])
		return err_set(e, ERR_INVALID,
			       "%s is called tls: --tls-cert and --tls-key are "
			       "needed",
			       what);
	if (a.sa.sa_family == AF_UNIX && tls)
		return err_set(e, ERR_INVALID, "%s: no TLS on a path", what);
	return tls || a.sa.sa_family == AF_UNIX ? 0 :
						  may_be_plain(m, &a, what, e);
}

static int take_handed(struct monitor *m, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	struct str names = str_from(getenv("LISTEN_FDNAMES"));
	uint64_t n = 0, who = 0;

	if (!pid || !fds || str_to_u64(str_from(pid), INT32_MAX, &who) ||
	    who != (uint64_t)getpid())
		return 0;
	if (str_to_u64(str_from(fds), INIT_LISTENERS_MAX, &n))
		return err_set(e, ERR_INVALID, "LISTEN_FDS is over %d",
			       INIT_LISTENERS_MAX);
	for (int fd = HANDED_FIRST; fd < HANDED_FIRST + (int)n; fd++) {
		bool tls = str_is(str_cut(&names, ':'), "tls");

		if (fcntl(fd, F_SETFD, FD_CLOEXEC) ||
		    check_handed(m, fd, tls, e) || add(m, fd, tls, e))
			return -1;
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return 0;
}

int setup_sockets(struct monitor *m, struct err *e)
{
	for (size_t i = 0; i < m->o.n_listens; i++) {
		const struct listen_opt *o = &m->o.listens[i];
		int fd = o->kind == LISTEN_UNIX ? listen_unix(o->where, e) :
						  listen_tcp(m, o, e);

		if (fd < 0 || add(m, fd, o->kind == LISTEN_TLS, e))
			return -1;
	}
	if (take_handed(m, e))
		return -1;
	return m->n_listeners ? 0 :
				err_set(e, ERR_INVALID,
					"nothing to listen on: --socket, "
					"--listen or --tls-listen");
}

void sockets_remove(const struct monitor *m)
{
	for (size_t i = 0; i < m->o.n_listens; i++)
		if (m->o.listens[i].kind == LISTEN_UNIX)
			(void)unlink(m->o.listens[i].where);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who asks: on the Unix socket the peer's uid, on TCP a bearer token.  Host
 * and Origin are checked on TCP, so that no web page can reach a loopback
 * server through a name of its own (DNS rebinding).
 */
#include "api/auth.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/hash.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	OVERFLOW_UID = 65534
};

static int peer_fd(const struct request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static bool is_unix(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
	       domain == AF_UNIX;
}

/* The name in front of a port: "localhost:80", "[::1]:80". */
static struct str host_name(struct str host)
{
	const char *colon = host.len ? memrchr(host.p, ':', host.len) : NULL;

	if (colon && !memchr(colon, ']', host.len - (size_t)(colon - host.p)))
		host.len = (size_t)(colon - host.p);
	return host;
}

static bool loopback_name(struct str host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

	host = host_name(host);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(host, names[i]))
			return true;
	return false;
}

/* An Origin is what browsers send: only our own pages may. */
static bool origin_ok(const struct request *r, struct str host)
{
	struct str origin = request_header(r, "Origin");

	if (!origin.p)
		return true;
	if (str_starts(origin, STR("http://")))
		origin = str_from_at(origin, 7);
	else if (str_starts(origin, STR("https://")))
		origin = str_from_at(origin, 8);
	else
		return false;
	return str_eq(origin, host);
}

static int check_host(struct request *r)
{
	struct str host = request_header(r, "Host");

	if (!loopback_name(host))
		return reply_problem(r, 403, "wrong-host",
				     "this server answers to localhost only"),
		       -1;
	if (!origin_ok(r, host))
		return reply_problem(r, 403, "wrong-origin",
				     "requests from other origins are refused"),
		       -1;
	return 0;
}

static int from_unix(struct request *r, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return reply_problem(r, 401, "no-peer", "who are you?"), -1;
	if (!cred.pid || cred.uid == OVERFLOW_UID || cred.uid == (uid_t)-1)
		return reply_problem(r, 403, "foreign-namespace",
				     "the peer lives in another pid or user "
				     "namespace"),
		       -1;
	r->who.kind = WHO_UID;
	r->who.uid = cred.uid;
	r->who.admin = cred.uid == r->api->auth.owner_uid || !cred.uid;
	(void)snprintf(r->who.name, sizeof(r->who.name), "uid:%u", cred.uid);
	return 0;
}

static int from_token(struct request *r)
{
	struct str auth = request_header(r, "Authorization");
	struct hash h;

	if (!auth.p || auth.len < 7 || strncasecmp(auth.p, "Bearer ", 7) != 0)
		return 0; /* nobody */
	auth = str_trim(str_from_at(auth, 7));
	h = hash_sha256(auth.p, auth.len);
	if (!r->api->auth.has_token ||
	    !mem_eq_ct(h.b, r->api->auth.token_hash, HASH_LEN)) {
		reply_problem(r, 401, "bad-token", "the token is not known");
		reply_header(r, "WWW-Authenticate", "Bearer realm=\"nfo\"");
		return -1;
	}
	r->who.kind = WHO_TOKEN;
	r->who.admin = true;
	(void)snprintf(r->who.name, sizeof(r->who.name), "token:local");
	return 0;
}

int auth_check(struct request *r)
{
	enum permission may = r->route ? r->route->may : MAY_READ;
	int fd = peer_fd(r);

	if (fd < 0)
		return reply_problem(r, 401, "no-peer", "who are you?"), -1;
	if (is_unix(fd)) {
		if (from_unix(r, fd))
			return -1;
	} else if (check_host(r) || from_token(r)) {
		return -1;
	}
	if (may == MAY_ANYBODY)
		return 0;
	if (r->who.kind == WHO_NOBODY) {
		reply_problem(r, 401, "login-needed",
			      "a bearer token is needed (Authorization: "
			      "Bearer ...)");
		reply_header(r, "WWW-Authenticate", "Bearer realm=\"nfo\"");
		return -1;
	}
	if (!r->who.admin) /* roles come with users; now: the owner, root */
		return reply_problem(r, 403, "forbidden",
				     "%s may not use this server", r->who.name),
		       -1;
	return 0;
}

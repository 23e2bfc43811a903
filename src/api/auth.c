/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who asks: on the Unix socket the peer's uid, on TCP a bearer token, with TLS
 * also a certificate; and may they: the role that the route wants, in the
 * project that it is about.  Host and Origin are checked on TCP, so that no web
 * page can reach a loopback server through a name of its own (DNS rebinding).
 */
#include "api/auth.h"
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/nearby.h"
#include "api/oidc.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/hash.h"
#include "config/config.h"
#include "oidc/jwt.h"
#include "store/caches.h"
#include "store/reader.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	OVERFLOW_UID = 65534
};

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

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(host, names[i]))
			return true;
	return false;
}

/* No name, so nobody can point one of theirs here. */
static bool is_address(struct str host)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char out[16];
	bool v6 =
		host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';

	if (v6)
		host = str_n(host.p + 1, host.len - 2);
	if (!host.len || host.len >= sizeof(text))
		return false;
	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(host));
	return inet_pton(v6 ? AF_INET6 : AF_INET, text, out) == 1;
}

static bool is_configured(const struct config *c, struct str host)
{
	for (size_t i = 0; i < c->hosts.n; i++)
		if (str_eq(c->hosts.items[i], host))
			return true;
	return false;
}

/* With TLS the certificate is the name's. */
static bool our_name(const struct request *r, struct str host)
{
	host = host_name(host);
	return r->peer->creds || loopback_name(host) ||
	       is_configured(r->api->config, host) ||
	       (!r->peer->on_loopback && is_address(host));
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
	struct str seen = r->from.host[0] ? str_from(r->from.host) : host;

	if (!our_name(r, host))
		return reply_problem(r, 403, "wrong-host",
				     "this server has another name (localhost, "
				     "or what `hosts` says)"),
		       -1;
	if (!origin_ok(r, seen)) /* by a browser, in front of a proxy */
		return reply_problem(r, 403, "wrong-origin",
				     "requests from other origins are refused"),
		       -1;
	return 0;
}

/* A user with that uid, else the uid itself. */
static void name_uid(struct request *r)
{
	const struct access *set = r->api->identity.set;
	struct str user = access_user_of_uid(set, r->who.uid);
	char *name = r->who.name;

	(void)snprintf(name, sizeof(r->who.name), "uid:%u", r->who.uid);
	/* an owner stays one, whatever users there are */
	if (user.len && !access_best(set, str_from(name), STR("")))
		(void)snprintf(name, sizeof(r->who.name), STR_FMT,
			       STR_ARG(user));
}

/* Asked once of each connection: it stays with who made it. */
static bool is_near(const struct request *r, pid_t pid)
{
	struct peer *p = r->peer;

	if (p->near == NEAR_UNKNOWN)
		p->near = nearby(r->api->fdinfo_fd, pid) ? NEAR : FAR;
	return p->near == NEAR;
}

static int from_unix(struct request *r)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(r->peer->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return reply_problem(r, 401, "no-peer", "who are you?"), -1;
	if (!cred.pid || cred.uid == OVERFLOW_UID || cred.uid == (uid_t)-1 ||
	    !is_near(r, cred.pid))
		return reply_problem(r, 403, "foreign-namespace",
				     "the peer lives in another pid or user "
				     "namespace"),
		       -1;
	r->who.kind = WHO_UID;
	r->who.uid = cred.uid;
	name_uid(r);
	return 0;
}

int auth_bad_token(struct request *r, const char *why)
{
	if (slow_wrong(r))
		return -1;
	reply_problem(r, 401, "bad-token", "the token %s", why);
	reply_header(r, "WWW-Authenticate",
		     "Bearer realm=\"nfo\", error=\"invalid_token\"");
	return -1;
}

/* The one of the server's own file. */
static bool is_local(const struct request *r, const struct hash *h)
{
	return r->api->auth.has_token &&
	       mem_eq_ct(h->b, r->api->auth.token_hash, HASH_LEN);
}

static int from_token(struct request *r)
{
	struct str auth = request_header(r, "Authorization");
	int64_t now = clock_real_us();
	struct access_token *t;
	struct hash h;

	if (!auth.p || auth.len < 7 || strncasecmp(auth.p, "Bearer ", 7) != 0)
		return 0; /* nobody */
	auth = str_trim(str_from_at(auth, 7));
	h = hash_sha256(auth.p, auth.len);
	r->who.kind = WHO_TOKEN;
	if (is_local(r, &h)) {
		(void)snprintf(r->who.name, sizeof(r->who.name), "token:local");
		return 0;
	}
	t = access_token_find(r->api->identity.set, &h);
	if (!t && jwt_looks_like(auth))
		return oidc_login(r, auth, &h);
	if (!t)
		return auth_bad_token(r, "is not known");
	if (t->expires_us <= now)
		return auth_bad_token(r, "has run out");
	r->who.expires_us = t->expires_us;
	t->used_us = now;
	t->used = true;
	(void)snprintf(r->who.name, sizeof(r->who.name), STR_FMT,
		       STR_ARG(t->subject));
	(void)snprintf(r->who.token, sizeof(r->who.token), STR_FMT,
		       STR_ARG(t->id));
	return 0;
}

/* The first of its names that is a user's; a list of texts, see tls_client(). */
static void name_cert(struct request *r, struct str ids)
{
	struct who *w = &r->who;

	w->kind = WHO_CERT;
	(void)snprintf(w->name, sizeof(w->name), "%s", ids.p);
	while (ids.len) {
		struct str user = access_user_of_certificate(
			r->api->identity.set, str_cut(&ids, '\0'));

		if (!user.len)
			continue;
		(void)snprintf(w->name, sizeof(w->name), STR_FMT,
			       STR_ARG(user));
		return;
	}
}

/* Where a token is shown as well it is the token's subject who asks. */
static int from_certificate(struct request *r)
{
	struct str ids = STR("");
	struct err e;

	if (http_client_ids(r->api->http, r->peer, &ids, &e))
		return reply_problem(r, 401, "bad-certificate", "%s", e.text),
		       -1;
	if (ids.len && r->who.kind == WHO_NOBODY)
		name_cert(r, ids);
	return 0;
}

/* A stream's: its certificate may be somebody else's by now. */
static bool same_certificate(struct request *r)
{
	struct who was = r->who;
	struct str ids = STR("");
	struct err e;

	if (was.kind != WHO_CERT)
		return true;
	if (http_client_ids(r->api->http, r->peer, &ids, &e) || !ids.len)
		return false;
	name_cert(r, ids);
	return !strcmp(was.name, r->who.name);
}

/* --- may they? ---------------------------------------------------------- */

static int see_project(void *ctx, const struct store_run *run, struct err *e)
{
	struct request *r = ctx;

	(void)e;
	(void)snprintf(r->project, sizeof(r->project), STR_FMT,
		       STR_ARG(run->project));
	return 0;
}

static int see_cache(void *ctx, const struct store_cache *c, struct err *e)
{
	struct request *r = ctx;

	(void)e;
	(void)snprintf(r->project, sizeof(r->project), STR_FMT,
		       STR_ARG(c->project));
	return 0;
}

/* Whose role counts; -1: there is no such run. */
static int find_project(struct request *r)
{
	struct ulid run;
	struct err e;

	switch (r->route->of) {
	case OF_SERVER:
	case OF_ANY:
		return 0;
	case OF_PROJECT:
		if (r->params[0].len >= sizeof(r->project))
			return reply_problem(r, 404, "not-found",
					     "no such project"),
			       -1;
		(void)snprintf(r->project, sizeof(r->project), STR_FMT,
			       STR_ARG(r->params[0]));
		return 0;
	case OF_CACHE:
		if (param_cache(r, 0, &run))
			return -1;
		if (store_read_cache(r->api->reader, &run, see_cache, r, &e))
			return reply_err(r, &e), -1;
		return 0;
	case OF_RUN:
		if (param_run(r, 0, &run))
			return -1;
		if (store_read_run(r->api->reader, &run, see_project, r, &e))
			return reply_err(r, &e), -1;
		return 0;
	}
	return -1;
}

static enum access_level role_of(const struct request *r)
{
	const struct access *set = r->api->identity.set;
	struct str who = str_from(r->who.name), token = str_from(r->who.token);

	if (r->route->of == OF_ANY)
		return access_best(set, who, token);
	return access_role(set, who, token, str_from(r->project));
}

static enum access_level wanted(const struct request *r)
{
	static const enum access_level roles[] = {
		[MAY_VIEW] = ACCESS_VIEWER,
		[MAY_OPERATE] = ACCESS_OPERATOR,
		[MAY_DEVELOP] = ACCESS_DEVELOPER,
		[MAY_ADMIN] = ACCESS_ADMIN,
	};

	return r->route->may < MAY_VIEW ? ACCESS_NONE : roles[r->route->may];
}

static bool is_known(const struct request *r)
{
	return r->who.kind != WHO_NOBODY &&
	       access_is_known(r->api->identity.set, str_from(r->who.name),
			       str_from(r->who.token));
}

static int refuse(struct request *r, enum access_level have,
		  enum access_level want)
{
	static const char *const hidden[] = {[OF_PROJECT] = "project",
					     [OF_RUN] = "run",
					     [OF_CACHE] = "cache",
					     [OF_ANY] = NULL};
	const char *what = hidden[r->route->of];

	if (what && have == ACCESS_NONE) /* that it is there is a secret */
		return reply_problem(r, 404, "not-found", "no such %s", what),
		       -1;
	return reply_problem(r, 403, "forbidden",
			     "%s is %s %s%s; this takes %s", r->who.name,
			     have ? access_role_name(have) : "nothing",
			     r->project[0] ? "in project " : "here", r->project,
			     access_role_name(want)),
	       -1;
}

static int login_needed(struct request *r)
{
	reply_problem(r, 401, "login-needed",
		      "a bearer token is needed (Authorization: Bearer ...)");
	reply_header(r, "WWW-Authenticate", "Bearer realm=\"nfo\"");
	return -1;
}

/* The one decision. */
static int decide(struct request *r)
{
	enum access_level have, want = wanted(r);

	if (r->who.kind == WHO_NOBODY)
		return login_needed(r);
	if (!is_known(r) || r->route->may == MAY_NOBODY)
		return reply_problem(r, 403, "forbidden",
				     "%s may not use this server", r->who.name),
		       -1;
	/* who is enough for all projects needs none looked up */
	if (r->route->of != OF_ANY &&
	    access_role(r->api->identity.set, str_from(r->who.name),
			str_from(r->who.token), STR("")) >= want)
		return 0;
	if (find_project(r))
		return -1;
	have = role_of(r);
	return have < want ? refuse(r, have, want) : 0;
}

struct str auth_own_token(const struct request *r)
{
	struct str id = str_from(r->who.token);

	return logins_id(r->api->identity.logins, id) ? STR("") : id;
}

bool auth_still(struct request *r)
{
	if (r->who.expires_us && clock_real_us() >= r->who.expires_us)
		return false;
	if (r->decided == r->api->identity.generation)
		return true;
	r->decided = r->api->identity.generation;
	return r->route->may == MAY_ANYBODY ||
	       (same_certificate(r) && is_known(r) && role_of(r) >= wanted(r));
}

int auth_again(struct request *r)
{
	if (auth_still(r))
		return 0;
	reply_problem(r, 403, "forbidden", "%s may not any more", r->who.name);
	return -1;
}

int auth_check(struct request *r)
{
	int bad;

	r->decided = r->api->identity.generation;
	if (r->peer->is_unix)
		bad = from_unix(r);
	else
		bad = check_host(r) ? -1 : from_token(r);
	if (!bad && !r->peer->is_unix)
		bad = from_certificate(r);
	if (bad)
		return bad;
	if (r->route)
		return r->route->may == MAY_ANYBODY ? 0 : decide(r);
	/* nothing is there: but strangers do not learn that */
	if (r->who.kind == WHO_NOBODY)
		return login_needed(r);
	return is_known(r) ? 0 :
			     (reply_problem(r, 403, "forbidden",
					    "%s may not use this server",
					    r->who.name),
			      -1);
}

bool auth_visible(struct request *r, struct buf *b)
{
	return access_projects(r->api->identity.set, str_from(r->who.name),
			       str_from(r->who.token), ACCESS_VIEWER, b);
}

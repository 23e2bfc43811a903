/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accepting, counting and cutting connections; see door.h. */
#include "api/door.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPT_BURST = 64,
	LISTENERS_MAX = INIT_LISTENERS_MAX,
	/* Descriptors that connections leave to others; each may have a file
	 * open besides its own. */
	FDS_LEFT = 128,
	KEY_MAX = 16,
	SWEEP_MIN_US = 100000,
	SWEEP_MAX_US = 5000000,
};

/* An address, a network or a local user, while connections of it are open. */
struct client {
	size_t n;
	size_t key_len;
	char key[KEY_MAX];
};

struct listener {
	struct door *door;
	struct MHD_Daemon *mhd;
	struct loop_watch *watch;
	loop_timer_fn *turned;
	void *ctx;
	bool tls;
};

struct door {
	struct loop *loop;
	struct http_limits limits;
	struct tls *tls;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners, n_peers;
	struct link peers;
	struct map *clients;
	struct loop_timer *sweep;
	struct peer *entering; /* between accept and MHD's notice of it */
};

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/* --- who is it ---------------------------------------------------------- */

static bool v4_in_v6(const union address *a)
{
	return a->sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

static bool loopback(const union address *a)
{
	if (a->sa.sa_family == AF_INET)
		return (ntohl(a->in.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
	if (v4_in_v6(a))
		return a->in6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
	return a->sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

/* IPv4: the address; IPv6: the network that one house has; else the user. */
static struct str client_key(int fd, const union address *a, char key[KEY_MAX])
{
	struct ucred cred = {.uid = 0};
	socklen_t len = sizeof(cred);

	if (a->sa.sa_family == AF_INET) {
		memcpy(key, &a->in.sin_addr, 4);
		return str_n(key, 4);
	}
	if (a->sa.sa_family == AF_INET6) {
		const unsigned char *b = a->in6.sin6_addr.s6_addr;

		memcpy(key, v4_in_v6(a) ? b + 12 : b, v4_in_v6(a) ? 4 : 8);
		return str_n(key, v4_in_v6(a) ? 4 : 8);
	}
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	memcpy(key, "u", 1);
	memcpy(key + 1, &cred.uid, sizeof(cred.uid));
	return str_n(key, 1 + sizeof(cred.uid));
}

static size_t client_max(const struct door *d, const union address *a)
{
	if (d->limits.per_client)
		return d->limits.per_client;
	if ((a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6) &&
	    !loopback(a))
		return HTTP_PER_CLIENT;
	return d->limits.connections / 2;
}

/* NULL: it has as many as it may. */
static struct client *client_enter(struct door *d, int fd,
				   const union address *a)
{
	char key[KEY_MAX];
	struct str k = client_key(fd, a, key);
	struct client *c = map_get(d->clients, k);

	if (c && c->n >= client_max(d, a))
		return NULL;
	if (!c) {
		c = mem_alloc(sizeof(*c));
		memcpy(c->key, k.p, k.len);
		c->key_len = k.len;
		(void)map_put(d->clients, k, c);
	}
	c->n++;
	return c;
}

static void client_leave(struct door *d, struct client *c)
{
	if (!c || --c->n)
		return;
	(void)map_del(d->clients, str_n(c->key, c->key_len));
	mem_free(c);
}

/* --- peers -------------------------------------------------------------- */

static int64_t sweep_every(const struct door *d)
{
	const struct http_limits *l = &d->limits;
	uint32_t s = l->header_s < l->idle_s ? l->header_s : l->idle_s;
	int64_t us = (int64_t)(l->body_s < s ? l->body_s : s) * 1000000 / 4;

	if (us < SWEEP_MIN_US)
		return SWEEP_MIN_US;
	return us < SWEEP_MAX_US ? us : SWEEP_MAX_US;
}

static struct peer *peer_new(struct door *d, struct client *client, int fd)
{
	struct peer *p = mem_alloc(sizeof(*p));

	p->door = d;
	p->client = client;
	p->fd = fd;
	p->phase = PEER_NEW;
	p->since_us = clock_mono_us();
	if (list_empty(&d->peers))
		loop_timer_set(d->sweep, p->since_us + sweep_every(d));
	list_push(&d->peers, &p->link);
	d->n_peers++;
	return p;
}

static void peer_free(struct peer *p)
{
	if (!p)
		return;
	p->door->n_peers--;
	list_del(&p->link);
	client_leave(p->door, p->client);
	tls_creds_put(p->creds);
	mem_free(p->cert_ids);
	mem_free(p);
}

void peer_enter(struct peer *p, enum peer_phase phase)
{
	p->phase = phase;
	p->since_us = clock_mono_us();
}

/* MHD sees the end of it, and cleans up. */
void peer_cut(struct peer *p)
{
	(void)shutdown(p->fd, SHUT_RDWR);
}

struct peer *peer_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return i ? i->socket_context : NULL;
}

void *peer_session(const struct peer *p)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(
		p->conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return i ? i->tls_session : NULL;
}

void door_notify(void *cls, struct MHD_Connection *c, void **socket_context,
		 enum MHD_ConnectionNotificationCode code)
{
	struct door *d = cls;
	struct peer *p = *socket_context;
	void *session;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		*socket_context = NULL;
		peer_free(p);
		return;
	}
	p = d->entering;
	d->entering = NULL;
	*socket_context = p;
	p->conn = c;
	session = peer_session(p);
	if (!session)
		return;
	p->creds = tls_begin(d->tls, session);
	if (!p->creds)
		peer_cut(p);
}

/* --- who takes too long ------------------------------------------------- */

static bool too_slow(const struct door *d, const struct peer *p, int64_t now)
{
	int64_t s = (now - p->since_us) / 1000000;
	uint64_t got;

	switch (p->phase) {
	case PEER_NEW:
	case PEER_HEADERS:
		return s >= d->limits.header_s;
	case PEER_IDLE:
		return s >= d->limits.idle_s;
	case PEER_BODY:
		got = p->request ?
			      p->request->body_bytes + p->request->discarded :
			      0;
		return s > d->limits.body_s &&
		       got < (uint64_t)(s - d->limits.body_s) * HTTP_BODY_RATE;
	case PEER_ANSWER:
		break;
	}
	return false;
}

static void on_sweep(void *ctx)
{
	struct door *d = ctx;
	int64_t now = clock_mono_us();

	LIST_FOR(l, &d->peers)
	{
		struct peer *p = LIST_ENTRY(l, struct peer, link);

		if (too_slow(d, p, now))
			peer_cut(p);
	}
	if (!list_empty(&d->peers))
		loop_timer_set(d->sweep, now + sweep_every(d));
}

/* --- accepting ---------------------------------------------------------- */

/* It hears why, where it would understand it. */
static void turn_away(int fd, bool tls, bool all)
{
	static const char busy[] =
		"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
		"Connection: close\r\nContent-Length: 0\r\n\r\n";
	static const char many[] =
		"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n"
		"Connection: close\r\nContent-Length: 0\r\n\r\n";
	char sink[4096];

	if (!tls)
		(void)!send(fd, all ? busy : many,
			    all ? sizeof(busy) - 1 : sizeof(many) - 1,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	/* what is unread would make a reset of the close */
	(void)!recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
	fd_close(&fd);
}

static void let_in(struct listener *l, int fd, const union address *a,
		   socklen_t len)
{
	struct door *d = l->door;
	bool full = d->n_peers >= d->limits.connections;
	struct client *client = full ? NULL : client_enter(d, fd, a);
	union address own = {.sa.sa_family = AF_UNSPEC};
	socklen_t own_len = sizeof(own);
	struct peer *p;
	int one = 1;

	if (!client) {
		turn_away(fd, l->tls, full);
		return;
	}
	p = peer_new(d, client, fd);
	(void)getsockname(fd, &own.sa, &own_len);
	p->is_unix = own.sa.sa_family == AF_UNIX;
	p->on_loopback = loopback(&own);
	if (!p->is_unix)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				 sizeof(one));
	d->entering = p;
	/* Unix peers have no address MHD could use; the length 0 is what it
	 * takes for "none".  On failure it closes the descriptor. */
	if (MHD_add_connection(l->mhd, fd, &a->sa, len) != MHD_YES &&
	    d->entering)
		peer_free(p);
	d->entering = NULL;
}

static void on_accept(void *ctx, int fd, uint32_t events)
{
	struct listener *l = ctx;

	(void)events;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		union address a = {.sa.sa_family = AF_UNSPEC};
		socklen_t len = sizeof(a);
		int c = accept4(fd, &a.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (c < 0)
			break; /* EAGAIN, or out of descriptors: later */
		let_in(l, c, &a, len);
	}
	l->turned(l->ctx);
}

/* --- the door ----------------------------------------------------------- */

/* What there are descriptors for. */
static uint32_t possible(uint32_t connections)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur > UINT32_MAX ||
	    r.rlim_cur <= 2 * FDS_LEFT)
		return connections;
	r.rlim_cur = (r.rlim_cur - FDS_LEFT) / 2;
	return connections < r.rlim_cur ? connections : (uint32_t)r.rlim_cur;
}

struct door *door_new(struct loop *l, const struct http_limits *limits,
		      struct tls *tls)
{
	struct door *d = mem_alloc(sizeof(*d));

	d->loop = l;
	d->tls = tls;
	d->limits = *limits;
	d->limits.connections = possible(limits->connections);
	list_init(&d->peers);
	d->clients = map_new();
	d->sweep = loop_timer_new(l, on_sweep, d);
	return d;
}

void door_free(struct door *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_listeners; i++)
		loop_watch_free(d->listeners[i].watch);
	LIST_FOR(l, &d->peers)
	peer_free(LIST_ENTRY(l, struct peer, link));
	loop_timer_free(d->sweep);
	map_free(d->clients, NULL);
	mem_free(d);
}

void door_close(struct door *d)
{
	for (size_t i = 0; i < d->n_listeners; i++) {
		loop_watch_free(d->listeners[i].watch);
		d->listeners[i].watch = NULL;
	}
}

int door_listen(struct door *d, int fd, struct MHD_Daemon *mhd, bool tls,
		loop_timer_fn *turned, void *ctx, struct err *e)
{
	struct listener *l = &d->listeners[d->n_listeners];

	if (d->n_listeners == LISTENERS_MAX)
		return err_set(e, ERR_LIMIT, "too many listening sockets");
	*l = (struct listener){.door = d,
			       .mhd = mhd,
			       .turned = turned,
			       .ctx = ctx,
			       .tls = tls};
	if (fd_set_nonblock(fd, true))
		return err_sys(e, errno, "listening socket");
	if (loop_add_fd(d->loop, fd, EPOLLIN, on_accept, l, &l->watch, e))
		return -1;
	d->n_listeners++;
	return 0;
}

const struct http_limits *door_limits(const struct door *d)
{
	return &d->limits;
}

void door_wake(struct door *d)
{
	LIST_FOR(l, &d->peers)
	{
		struct peer *p = LIST_ENTRY(l, struct peer, link);

		if (p->request)
			request_resume(p->request);
	}
}

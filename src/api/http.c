/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * libmicrohttpd on our loop: its daemons, accepting, waking.  What becomes of a
 * request is exchange.c's.
 */
#include "api/http.h"
#include "api/exchange.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"

#include <microhttpd.h>
#include <sys/epoll.h>

enum {
	/* Holds a request's line and headers, or an answer's.  MHD touches
	 * all of it, so that it is most of what an idle connection costs. */
	CONNECTION_MEMORY = 10 * 1024,
	CERT_IDS_MAX = 8192,
};

/* One of libmicrohttpd's daemons: it does TLS for all of its connections or
 * for none. */
struct wheel {
	struct http *http;
	struct MHD_Daemon *mhd;
	struct loop_watch *watch; /* of MHD's epoll descriptor */
	struct loop_timer *timer; /* MHD's own timeouts */
};

enum {
	WHEEL_PLAIN,
	WHEEL_TLS,
	N_WHEELS
};

struct http {
	struct api *api;
	struct loop *loop;
	struct door *door;
	struct tls *tls; /* NULL: none */
	struct wheel wheels[N_WHEELS];
};

/* --- turning MHD's wheels ------------------------------------------------ */

static void turn(struct wheel *w)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(w->mhd);
	if (MHD_get_timeout(w->mhd, &ms) == MHD_YES)
		loop_timer_set(w->timer, clock_mono_us() + (int64_t)ms * 1000);
	else
		loop_timer_set(w->timer, -1);
}

static void on_ready(void *ctx, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	turn(ctx);
}

static void on_timer(void *ctx)
{
	turn(ctx);
}

void http_kick(struct http *h)
{
	int64_t now = clock_mono_us();

	for (size_t i = 0; i < N_WHEELS; i++)
		if (h->wheels[i].mhd)
			loop_timer_set(h->wheels[i].timer, now);
}

static void on_mhd_log(void *cls, const char *fmt, va_list ap)
{
	/* Messages of MHD quote what clients sent: not for the log. */
	(void)cls;
	(void)fmt;
	(void)ap;
}

static int start_wheel(struct http *h, struct wheel *w, bool tls, struct err *e)
{
	const struct http_limits *l = door_limits(h->door);
	const struct MHD_OptionItem secure[] = {
		{MHD_OPTION_HTTPS_PRIORITIES,    0,
		 (void *)(uintptr_t)tls_priorities      },
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0,
		 (void *)(uintptr_t)tls_no_callback()   },
		{MHD_OPTION_END,                 0, NULL},
	};
	const union MHD_DaemonInfo *info;

	w->http = h;
	w->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			(tls ? MHD_USE_TLS : 0u),
		0, NULL, NULL, exchange_step, h->api,
		MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, exchange_done, h->api,
		MHD_OPTION_NOTIFY_CONNECTION, door_notify, h->door,
		MHD_OPTION_URI_LOG_CALLBACK, exchange_line, h->api,
		MHD_OPTION_UNESCAPE_CALLBACK, exchange_unescape, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)l->connections,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)l->idle_s,
		MHD_OPTION_ARRAY, tls ? secure : &secure[2], MHD_OPTION_END);
	if (!w->mhd)
		return err_set(e, ERR_INTERNAL, "libmicrohttpd did not start");
	info = MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || info->epoll_fd < 0)
		return err_set(e, ERR_INTERNAL, "libmicrohttpd has no epoll");
	w->timer = loop_timer_new(h->loop, on_timer, w);
	return loop_add_fd(h->loop, info->epoll_fd, EPOLLIN, on_ready, w,
			   &w->watch, e);
}

/* --- TLS ---------------------------------------------------------------- */

int http_tls_change(struct http *h, const int *fds, size_t n, struct err *e)
{
	if (!h->tls)
		return err_set(e, ERR_CONFLICT, "no TLS is served");
	return tls_change(h->tls, fds, n, e);
}

int http_client_ids(struct http *h, struct peer *p, struct str *ret,
		    struct err *e)
{
	CLEANUP_BUF struct buf ids = BUF_INIT(CERT_IDS_MAX);

	if (!p->creds)
		return 0;
	if (!p->cert_ids || !tls_is_now(h->tls, p->creds)) {
		if (tls_client(h->tls, p->creds, peer_session(p), &ids, e))
			return -1;
		mem_free(p->cert_ids);
		p->cert_ids_len = ids.len;
		p->cert_ids = ids.len ? buf_take(&ids) : NULL;
	}
	*ret = str_n(p->cert_ids, p->cert_ids_len);
	return 0;
}

/* --- all together ------------------------------------------------------- */

static struct http_limits limits_of(const struct config *c)
{
	return (struct http_limits){
		.connections = (uint32_t)c->limits.connections,
		.per_client = (uint32_t)c->limits.connections_per_client,
		.header_s = (uint32_t)(c->timeouts.header_us / 1000000),
		.body_s = (uint32_t)(c->timeouts.body_us / 1000000),
		.idle_s = (uint32_t)(c->timeouts.idle_us / 1000000),
	};
}

static int start_tls(struct http *h, const struct http_options *o,
		     struct err *e)
{
	enum client_certs certs = CLIENT_CERTS_NONE;

	if (!o->n_tls_fds)
		return 0;
	if (o->n_tls_fds == N_TLS_FDS)
		certs = h->api->config->tls.client == CONFIG_CLIENT_REQUIRED ?
				CLIENT_CERTS_REQUIRED :
				CLIENT_CERTS_OPTIONAL;
	return tls_new(o->tls_fds, o->n_tls_fds, certs, &h->tls, e);
}

static int start(struct http *h, const struct http_options *o, struct err *e)
{
	const struct http_limits limits = limits_of(h->api->config);

	if (start_tls(h, o, e))
		return -1;
	h->door = door_new(h->loop, &limits, h->tls);
	if (start_wheel(h, &h->wheels[WHEEL_PLAIN], false, e) ||
	    (h->tls && start_wheel(h, &h->wheels[WHEEL_TLS], true, e)))
		return -1;
	for (size_t i = 0; i < o->n_listeners; i++) {
		bool tls = o->tls_listeners >> i & 1;
		struct wheel *w = &h->wheels[tls ? WHEEL_TLS : WHEEL_PLAIN];

		if (!w->mhd)
			return err_set(e, ERR_INTERNAL, "TLS without a key");
		if (door_listen(h->door, o->listeners[i], w->mhd, tls, on_timer,
				w, e))
			return -1;
	}
	return 0;
}

int http_new(struct api *api, struct loop *loop, const struct http_options *o,
	     struct http **ret, struct err *e)
{
	struct http *h = mem_alloc(sizeof(*h));

	h->api = api;
	h->loop = loop;
	if (start(h, o, e)) {
		http_free(h);
		return -1;
	}
	*ret = h;
	return 0;
}

void http_close_door(struct http *h)
{
	door_close(h->door);
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->door)
		door_wake(h->door); /* MHD stops with none that sleeps */
	for (size_t i = 0; i < N_WHEELS; i++) {
		struct wheel *w = &h->wheels[i];

		loop_watch_free(w->watch);
		if (w->mhd)
			MHD_stop_daemon(w->mhd);
		loop_timer_free(w->timer);
	}
	door_free(h->door);
	tls_free(h->tls);
	mem_free(h);
}

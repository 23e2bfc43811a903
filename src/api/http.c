/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * libmicrohttpd on our loop: accepting, the life of a request, waking.  Knows
 * nothing of runs or jobs.
 */
#include "api/http.h"
#include "api/auth.h"
#include "api/conform.h"
#include "api/conventions.h"
#include "api/drain.h"
#include "api/internal.h"
#include "api/oidc.h"
#include "api/once.h"
#include "api/origin.h"
#include "api/reply.h"
#include "api/route.h"
#include "api/slow.h"
#include "api/upload.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	/* Holds a request's line and headers, or an answer's.  MHD touches
	 * all of it, so that it is most of what an idle connection costs. */
	CONNECTION_MEMORY = 10 * 1024,
	CERT_IDS_MAX = 8192,
	/* Of a body whose request is refused already: closing at once would
	 * reset the connection under a sender that has not read the answer. */
	DISCARD_MAX = 16 << 20,
	DISCARD_S = 10,
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

/* --- the life of a request ---------------------------------------------- */

static void request_free(struct request *r)
{
	if (!r)
		return;
	slow_forget(r);
	if (r->peer) {
		r->peer->request = NULL;
		peer_enter(r->peer, PEER_IDLE);
	}
	oidc_forget(r);
	buf_done(&r->allow);
	upload_free(r->upload);
	once_leave(r);
	once_free(r->once);
	if (r->state_free)
		r->state_free(r->state);
	if (r->reply)
		MHD_destroy_response(r->reply);
	buf_wipe(&r->body); /* it may have carried a secret */
	arena_free(r->decoded);
	mem_free(r->path);
	mem_free(r->asked);
	mem_free(r);
}

static uint64_t request_body_max(const struct request *r)
{
	if (r->route->body == BODY_NONE)
		return 0;
	return r->route->body_max ? r->route->body_max : REQUEST_BODY_MAX;
}

static void set_idle(struct request *r, unsigned seconds)
{
	(void)MHD_set_connection_option(r->conn, MHD_CONNECTION_OPTION_TIMEOUT,
					seconds);
}

/* The length that the headers claim; -1 refused. */
static int claimed_length(struct request *r, uint64_t *ret)
{
	struct str length = request_header(r, "Content-Length");
	uint64_t max = request_body_max(r);

	*ret = 0;
	if (length.p && str_to_u64(length, UINT64_MAX, ret))
		return reply_problem(r, 400, "bad-length",
				     "Content-Length: not a number"),
		       -1;
	if (*ret > max)
		return reply_problem(r, 413, "too-large",
				     "the body is over %llu bytes",
				     (unsigned long long)max),
		       -1;
	return 0;
}

/* Everything that can be refused before the body is read.  Who asks may take
 * a while to find out: then the phase stays, and we are called again. */
static void begin(struct request *r, const char *method, const char *version)
{
	int refused;
	unsigned status;
	uint64_t len;

	if (!r->allow.max) { /* once */
		r->allow = BUF_INIT(256);
		if (conform_check(r, method, version, r->peer->line_ok) ||
		    origin_read(r))
			return;
		r->found = route_find(r, method, &r->allow);
	}
	status = r->found;
	/* before existence: a stranger learns nothing */
	refused = auth_check(r);
	if (refused > 0)
		return;
	if (r->phase == REQUEST_NEW)
		r->phase = REQUEST_BODY;
	if (refused)
		return;
	if (status == 404) {
		reply_problem(r, 404, "not-found", "no such resource");
	} else if (status == 405) {
		reply_problem(r, 405, "method-not-allowed",
			      "%s is not done here; allowed: %s", method,
			      buf_cstr(&r->allow));
		reply_header(r, "Allow", buf_cstr(&r->allow));
	} else if (status == 204) { /* OPTIONS */
		reply_empty(r, 204);
		reply_header(r, "Allow", buf_cstr(&r->allow));
	} else if (!drain_refuses(r) && !conventions_check(r) &&
		   !claimed_length(r, &len) && r->route->body != BODY_NONE) {
		upload_begin(r); /* only where it is multipart */
		if (r->phase != REQUEST_ANSWERED && r->route->begin)
			(void)r->route->begin(r);
	}
}

/* --- a body that nobody wants ------------------------------------------- */

/* Is what is on its way worth reading to its end, so that its sender sees the
 * answer?  Not of one that waits for "100 Continue".  Also where nothing is: MHD
 * keeps no connection that is answered before the end of its request. */
static bool discards(struct request *r)
{
	struct str length = request_header(r, "Content-Length");
	bool chunked = request_header(r, "Transfer-Encoding").p != NULL;
	uint64_t len = 0;

	if (r->closes || request_header(r, "Expect").p)
		return false;
	if (length.p && str_to_u64(length, UINT64_MAX, &len))
		return false;
	return chunked || len <= DISCARD_MAX;
}

/* MHD_NO: enough, the connection is cut. */
static enum MHD_Result discard(struct request *r, size_t len)
{
	int64_t now = clock_mono_us();

	if (!r->discard_until_us) {
		r->discard_until_us = now + DISCARD_S * INT64_C(1000000);
		set_idle(r, DISCARD_S);
	}
	r->discarded += len;
	return r->discarded > DISCARD_MAX || now > r->discard_until_us ?
		       MHD_NO :
		       MHD_YES;
}

static void take_body(struct request *r, const char *data, size_t len)
{
	r->body_bytes += len;
	if (r->body_bytes > request_body_max(r))
		reply_problem(r, 413, "too-large", "the body is too large");
	else if (r->feed)
		r->feed(r, data, len);
	else if (r->upload)
		upload_feed(r, data, len);
	else if (!buf_put(&r->body, data, len)) /* half a job is none */
		reply_problem(
			r, 413, "too-large",
			"a body that is not multipart is at most %u bytes",
			(unsigned)REQUEST_BODY_MAX);
}

static enum MHD_Result sleep_on(struct request *r)
{
	peer_enter(r->peer, PEER_ANSWER);
	r->suspended = true;
	MHD_suspend_connection(r->conn);
	return MHD_YES;
}

static enum MHD_Result send_reply(struct request *r)
{
	if (slow_waits(r)) /* we are called again when it may go */
		return sleep_on(r);
	if (r->discard_until_us)
		set_idle(r, door_limits(r->peer->door)->idle_s);
	peer_enter(r->peer, PEER_ANSWER);
	return MHD_queue_response(r->conn, r->status, r->reply);
}

static void dispatch(struct request *r)
{
	if (r->upload && upload_end(r))
		return;
	if (r->route->handle(r) && r->phase != REQUEST_ANSWERED)
		reply_problem(r, 500, "internal", "no answer was made");
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *len, void **ctx)
{
	struct http *h = cls;
	struct request *r = *ctx;

	if (!r) {
		r = mem_alloc(sizeof(*r));
		r->api = h->api;
		r->conn = c;
		r->id = ulid_new();
		conventions_id(r);
		r->begun_us = clock_mono_us();
		r->path = mem_strdup(url);
		(void)snprintf(r->method, sizeof(r->method), "%s", method);
		r->head = !strcmp(method, "HEAD");
		r->body = BUF_INIT(REQUEST_BODY_MAX);
		r->peer = peer_of(c);
		r->peer->request = r;
		h->api->n_open++;
		*ctx = r;
	}
	if (r->phase == REQUEST_NEW) {
		peer_enter(r->peer, PEER_BODY);
		begin(r, method, version);
		if (r->phase == REQUEST_NEW)
			return sleep_on(r);
		return r->phase == REQUEST_ANSWERED && !discards(r) ?
			       send_reply(r) :
			       MHD_YES;
	}
	if (*len) {
		size_t n = *len;

		*len = 0;
		if (r->phase == REQUEST_ANSWERED)
			return discard(r, n);
		take_body(r, data, n);
		return MHD_YES;
	}
	if (r->phase == REQUEST_BODY)
		dispatch(r);
	if (r->phase == REQUEST_ANSWERED)
		return send_reply(r);
	return sleep_on(r);
}

/* The first line is there: from now on the headers have to come. */
static void *on_line(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct peer *p = peer_of(c);

	(void)cls;
	p->line_ok = conform_line(uri);
	peer_enter(p, PEER_HEADERS);
	return NULL;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **ctx,
			 enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)c;
	(void)code;
	if (!*ctx)
		return;
	origin_log(*ctx);
	drain_one_less(((struct request *)*ctx)->api);
	request_free(*ctx);
	*ctx = NULL;
}

/* MHD would decode %2F into '/', and with it split a name: leave %XX alone
 * here, route_find() decodes segment by segment, request_query() values. */
static size_t keep_escapes(void *cls, struct MHD_Connection *c, char *s)
{
	(void)cls;
	(void)c;
	return strlen(s);
}

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
		0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER,
		on_mhd_log, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_NOTIFY_CONNECTION, door_notify, h->door,
		MHD_OPTION_URI_LOG_CALLBACK, on_line, h,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
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

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * libmicrohttpd on our loop: accepting, the life of a request, waking.  Knows
 * nothing of runs or jobs.
 */
#include "api/http.h"
#include "api/auth.h"
#include "api/reply.h"
#include "api/route.h"
#include "api/slow.h"
#include "api/upload.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 1024,
	CONNECTION_MEMORY = 24 * 1024,
	CONNECTION_IDLE_S = 120,
	ACCEPT_BURST = 64,
	/* Of a body whose request is refused already: closing at once would
	 * reset the connection under a sender that has not read the answer. */
	DISCARD_MAX = 16 << 20,
	DISCARD_S = 10,
};

struct listener {
	struct http *http;
	int fd;
	struct loop_watch *watch;
};

struct http {
	struct api *api;
	struct loop *loop;
	struct MHD_Daemon *mhd;
	struct loop_watch *watch; /* of MHD's epoll descriptor */
	struct loop_timer *timer; /* MHD's own timeouts */
	struct listener *listeners;
	size_t n_listeners;
};

/* --- the life of a request ---------------------------------------------- */

static void request_free(struct request *r)
{
	if (!r)
		return;
	slow_forget(r);
	upload_free(r->upload);
	if (r->state_free)
		r->state_free(r->state);
	if (r->reply)
		MHD_destroy_response(r->reply);
	buf_wipe(&r->body); /* it may have carried a secret */
	arena_free(r->decoded);
	mem_free(r->path);
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

/* Where only JSON is taken. */
static int check_type(struct request *r)
{
	struct str type = request_header(r, "Content-Type");

	if (r->route->body != BODY_JSON ||
	    str_starts(type, STR("application/json")))
		return 0;
	return reply_problem(r, 415, "unsupported-type",
			     "application/json is wanted"),
	       -1;
}

/* Everything that can be refused before the body is read. */
static void begin(struct request *r, const char *method)
{
	CLEANUP_BUF struct buf allow = BUF_INIT(256);
	unsigned status = route_find(r, method, &allow);
	uint64_t len;

	if (auth_check(r)) /* before existence: a stranger learns nothing */
		return;
	if (status == 404) {
		reply_problem(r, 404, "not-found", "no such resource");
	} else if (status == 405) {
		reply_problem(r, 405, "method-not-allowed",
			      "%s is not done here; allowed: %s", method,
			      buf_cstr(&allow));
		reply_header(r, "Allow", buf_cstr(&allow));
	} else if (status == 204) { /* OPTIONS */
		reply_empty(r, 204);
		reply_header(r, "Allow", buf_cstr(&allow));
	} else if (!request_query_check(r) && !check_type(r) &&
		   !claimed_length(r, &len) && r->route->body != BODY_NONE) {
		upload_begin(r); /* only where it is multipart */
	}
}

/* --- a body that nobody wants ------------------------------------------- */

/* Is a body on its way that is worth reading to its end, so that its sender
 * sees the answer?  Not of one that waits for "100 Continue". */
static bool discards(struct request *r)
{
	struct str length = request_header(r, "Content-Length");
	bool chunked = request_header(r, "Transfer-Encoding").p != NULL;
	uint64_t len = 0;

	if (request_header(r, "Expect").p)
		return false;
	if (length.p && str_to_u64(length, UINT64_MAX, &len))
		return false;
	return chunked || (len && len <= DISCARD_MAX);
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
	r->suspended = true;
	MHD_suspend_connection(r->conn);
	return MHD_YES;
}

static enum MHD_Result send_reply(struct request *r)
{
	if (slow_waits(r)) /* we are called again when it may go */
		return sleep_on(r);
	if (r->discard_until_us)
		set_idle(r, CONNECTION_IDLE_S);
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

	(void)version;
	if (!r) {
		r = mem_alloc(sizeof(*r));
		r->api = h->api;
		r->conn = c;
		r->id = ulid_new();
		r->path = mem_strdup(url);
		r->head = !strcmp(method, "HEAD");
		r->body = BUF_INIT(REQUEST_BODY_MAX);
		*ctx = r;
		begin(r, method);
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

static void on_completed(void *cls, struct MHD_Connection *c, void **ctx,
			 enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)c;
	(void)code;
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

/* --- turning MHD's wheel ------------------------------------------------ */

static void turn(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(h->mhd);
	if (MHD_get_timeout(h->mhd, &ms) == MHD_YES)
		loop_timer_set(h->timer, clock_mono_us() + (int64_t)ms * 1000);
	else
		loop_timer_set(h->timer, -1);
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
	loop_timer_set(h->timer, clock_mono_us());
}

static void on_accept(void *ctx, int fd, uint32_t events)
{
	struct listener *l = ctx;
	union {
		struct sockaddr sa;
		struct sockaddr_storage storage;
	} peer;

	(void)events;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		socklen_t len = sizeof(peer);
		int one = 1;
		int c = accept4(fd, &peer.sa, &len,
				SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (c < 0)
			break; /* EAGAIN, or out of descriptors: later */
		if (peer.sa.sa_family != AF_UNIX)
			(void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one,
					 sizeof(one));
		/* Unix peers have no address MHD could use; the length 0 is
		 * what it takes for "none". */
		if (MHD_add_connection(l->http->mhd, c, &peer.sa, len) !=
		    MHD_YES)
			continue; /* over the limit; MHD closed it */
	}
	turn(l->http);
}

static void on_mhd_log(void *cls, const char *fmt, va_list ap)
{
	/* Messages of MHD quote what clients sent: not for the log. */
	(void)cls;
	(void)fmt;
	(void)ap;
}

static int start_mhd(struct http *h, struct err *e)
{
	const union MHD_DaemonInfo *info;

	h->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER,
		on_mhd_log, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_IDLE_S,
		MHD_OPTION_END);
	if (!h->mhd)
		return err_set(e, ERR_INTERNAL, "libmicrohttpd did not start");
	info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || info->epoll_fd < 0)
		return err_set(e, ERR_INTERNAL, "libmicrohttpd has no epoll");
	h->timer = loop_timer_new(h->loop, on_timer, h);
	return loop_add_fd(h->loop, info->epoll_fd, EPOLLIN, on_ready, h,
			   &h->watch, e);
}

int http_new(struct api *api, struct loop *loop, const int *listeners, size_t n,
	     struct http **ret, struct err *e)
{
	struct http *h = mem_alloc(sizeof(*h));

	h->api = api;
	h->loop = loop;
	h->listeners = mem_array(n, sizeof(*h->listeners));
	if (start_mhd(h, e))
		goto fail;
	for (size_t i = 0; i < n; i++) {
		struct listener *l = &h->listeners[h->n_listeners++];

		*l = (struct listener){.http = h, .fd = listeners[i]};
		if (fd_set_nonblock(l->fd, true) ||
		    loop_add_fd(loop, l->fd, EPOLLIN, on_accept, l, &l->watch,
				e))
			goto fail;
	}
	*ret = h;
	return 0;
fail:
	http_free(h);
	return -1;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n_listeners; i++)
		loop_watch_free(h->listeners[i].watch);
	loop_watch_free(h->watch);
	if (h->mhd)
		MHD_stop_daemon(h->mhd);
	loop_timer_free(h->timer);
	mem_free(h->listeners);
	mem_free(h);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The life of a request, as libmicrohttpd calls us: its headers, its body, the
 * answer now or later, its end.  Knows nothing of runs or jobs.
 */
#include "api/exchange.h"
#include "api/auth.h"
#include "api/conform.h"
#include "api/conventions.h"
#include "api/door.h"
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
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
	/* Of a body whose request is refused already: closing at once would
	 * reset the connection under a sender that has not read the answer. */
	DISCARD_MAX = 16 << 20,
	DISCARD_S = 10,
};

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

/* Octets may be a secret: at once as much as is claimed, so that none of it is
 * left behind where the buffer grows. */
static void reserve(struct request *r, uint64_t claimed)
{
	enum {
		UNKNOWN = 128 << 10 /* of a body in chunks */
	};

	r->body.max = request_body_max(r);
	(void)buf_room(&r->body, claimed ? (size_t)claimed : UNKNOWN);
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
		if (r->route->body == BODY_BYTES)
			reserve(r, len);
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

enum MHD_Result exchange_step(void *cls, struct MHD_Connection *c,
			      const char *url, const char *method,
			      const char *version, const char *data,
			      size_t *len, void **ctx)
{
	struct api *a = cls;
	struct request *r = *ctx;

	if (!r) {
		r = mem_alloc(sizeof(*r));
		r->api = a;
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
		a->n_open++;
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
		if (r->route->body == BODY_BYTES) /* theirs, and read */
			mem_wipe((char *)(uintptr_t)data, n);
		return MHD_YES;
	}
	if (r->phase == REQUEST_BODY)
		dispatch(r);
	if (r->phase == REQUEST_ANSWERED)
		return send_reply(r);
	return sleep_on(r);
}

/* The first line is there: from now on the headers have to come. */
void *exchange_line(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct peer *p = peer_of(c);

	(void)cls;
	p->line_ok = conform_line(uri);
	peer_enter(p, PEER_HEADERS);
	return NULL;
}

void exchange_done(void *cls, struct MHD_Connection *c, void **ctx,
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
size_t exchange_unescape(void *cls, struct MHD_Connection *c, char *s)
{
	(void)cls;
	(void)c;
	return strlen(s);
}

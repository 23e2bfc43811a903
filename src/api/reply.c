/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Answers; see reply.h.  Also the one table from errors to HTTP. */
#include "api/reply.h"
#include "api/headers.h"
#include "api/internal.h"
#include "api/metrics.h"
#include "api/negotiate.h"
#include "api/origin.h"
#include "api/stream.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	unsigned status;
	const char *code;
} statuses[] = {
	[ERR_NONE] = {500, "internal"             },
	[ERR_INVALID] = {422, "invalid"              },
	[ERR_DENIED] = {403, "denied"               },
	[ERR_NOT_FOUND] = {404, "not-found"            },
	[ERR_CONFLICT] = {409, "conflict"             },
	[ERR_LIMIT] = {429, "limit"                },
	[ERR_UNAVAILABLE] = {503, "unavailable"          },
	[ERR_INTERNAL] = {500, "internal"             },
	[ERR_STALE] = {412, "stale"                },
	[ERR_UNGUARDED] = {428, "precondition-required"},
};

static void answer(struct request *r, unsigned status,
		   struct MHD_Response *reply, const char *type)
{
	if (r->reply || r->phase == REQUEST_ANSWERED) {
		MHD_destroy_response(reply);
		return;
	}
	r->reply = reply;
	r->status = status;
	r->phase = REQUEST_ANSWERED;
	if (type)
		reply_header(r, "Content-Type", type);
	reply_header(r, "X-Request-Id", r->shown_id);
	reply_header(r, "Cache-Control", "no-store");
	reply_header(r, "X-Content-Type-Options", "nosniff");
	if (r->api->draining)
		reply_header(r, "Connection", "close");
	r->api->n_requests++;
	metrics_answered(r->api->metrics, r);
}

void reply_header(struct request *r, const char *name, const char *value)
{
	if (r->reply)
		(void)MHD_add_response_header(r->reply, name, value);
}

void reply_cached(struct request *r, unsigned seconds)
{
	char value[48];

	if (!r->reply)
		return;
	(void)MHD_del_response_header(r->reply, "Cache-Control", "no-store");
	(void)snprintf(value, sizeof(value), "public, max-age=%u", seconds);
	reply_header(r, "Cache-Control", value);
}

void reply_location(struct request *r, const char *path)
{
	CLEANUP_BUF struct buf b = BUF_INIT(8192);

	buf_printf(&b, "%s%s", origin_base(r), path);
	if (!b.failed)
		reply_header(r, "Location", buf_cstr(&b));
}

/* One that may be, or is, compressed. */
static void answer_coded(struct request *r, unsigned status,
			 struct MHD_Response *reply, const char *type,
			 enum coding coding, bool worth)
{
	answer(r, status, reply, type);
	if (r->reply != reply)
		return;
	if (worth)
		reply_header(r, "Vary", "Accept-Encoding");
	if (coding != CODING_NONE)
		reply_header(r, "Content-Encoding", coding_name(coding));
}

int reply_text(struct request *r, unsigned status, const char *type,
	       struct buf *b)
{
	struct MHD_Response *reply;
	size_t len = b->len;
	bool worth;
	enum coding c = stream_coding(r, status, type, len, &worth);

	if (!r->reply)
		r->sent_bytes = r->head || c != CODING_NONE ? 0 : len;
	if (c != CODING_NONE)
		reply = stream_of_buf(r, c, b);
	else
		reply = MHD_create_response_from_buffer(len, buf_take(b),
							MHD_RESPMEM_MUST_FREE);
	answer_coded(r, status, reply, type, c, worth);
	return 0;
}

int reply_json(struct request *r, unsigned status, struct buf *b)
{
	if (b->failed)
		return reply_problem(r, 500, "too-large",
				     "the answer would be too large");
	return reply_text(r, status, "application/json", b);
}

int reply_empty(struct request *r, unsigned status)
{
	answer(r, status,
	       MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT),
	       NULL);
	return 0;
}

/* Everything of a problem but the list of errors and the last brace. */
static void problem_head(struct request *r, struct buf *b, unsigned status,
			 const char *code, struct str detail)
{
	buf_printf(b,
		   "{\"type\":\"about:blank\",\"status\":%u,\"code\":\"%s\","
		   "\"title\":\"%s\",\"request_id\":\"%s\",\"detail\":\"",
		   status, code, MHD_get_reason_phrase_for(status),
		   r->shown_id);
	buf_json(b, detail);
	buf_putc(b, '"');
}

static int problem_reply(struct request *r, unsigned status, struct buf *b)
{
	reply_text(r, status, "application/problem+json", b);
	if (status == 429 || status == 503)
		reply_header(r, "Retry-After", "1");
	return 0;
}

int reply_problem(struct request *r, unsigned status, const char *code,
		  const char *fmt, ...)
{
	CLEANUP_BUF struct buf b = BUF_INIT(8192), text = BUF_INIT(2048);
	char detail[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	problem_head(r, &b, status, code, str_from(detail));
	buf_putc(&b, '}');
	return problem_reply(r, status, &b);
}

int reply_err(struct request *r, const struct err *e)
{
	size_t i =
		(size_t)e->code < ARRAY_LEN(statuses) ? e->code : ERR_INTERNAL;
	bool full =
		e->code == ERR_LIMIT && (e->sys == ENOSPC || e->sys == EDQUOT);

	return reply_problem(r, full ? 507 : statuses[i].status,
			     full ? "disk-full" : statuses[i].code, "%s",
			     e->text);
}

int reply_problems(struct request *r, unsigned status, const char *code,
		   const struct problems *ps)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 18);
	char detail[64];

	(void)snprintf(detail, sizeof(detail), "%zu problem%s in the document",
		       ps->n + ps->n_dropped,
		       ps->n + ps->n_dropped == 1 ? "" : "s");
	problem_head(r, &b, status, code, str_from(detail));
	buf_puts(&b, ",\"errors\":");
	problems_json(ps, &b);
	buf_putc(&b, '}');
	return problem_reply(r, status, &b);
}

/* --- files -------------------------------------------------------------- */

int reply_file(struct request *r, int fd, const char *type, const char *etag,
	       const char *disposition)
{
	struct str match = request_header(r, "If-None-Match");
	struct str range = request_header(r, "Range");
	enum range part = RANGE_ALL;
	struct MHD_Response *reply;
	enum coding c;
	bool worth;
	uint64_t from = 0, len;
	struct stat st;
	char text[96];

	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		fd_close(&fd);
		return reply_problem(r, 500, "internal", "not a file");
	}
	len = (uint64_t)st.st_size;
	if (etag && match.p && etag_weakly_in(match, str_from(etag))) {
		fd_close(&fd);
		reply_empty(r, 304);
		reply_header(r, "ETag", etag);
		return 0;
	}
	/* of a part that may be of an older one, all is sent (RFC 9110) */
	if (!r->head && range.p &&
	    if_range_holds(request_header(r, "If-Range"), etag))
		part = range_parse(range, len, &from, &len);
	if (part == RANGE_NONE) {
		fd_close(&fd);
		reply_problem(r, 416, "range", "the file has %lld bytes",
			      (long long)st.st_size);
		(void)snprintf(text, sizeof(text), "bytes */%lld",
			       (long long)st.st_size);
		reply_header(r, "Content-Range", text);
		return 0;
	}
	c = stream_coding(r, part == RANGE_PART ? 206 : 200, type, len, &worth);
	if (!r->reply)
		r->sent_bytes = r->head || c != CODING_NONE ? 0 : len;
	if (c != CODING_NONE)
		reply = stream_of_file(r, c, fd);
	else
		reply = MHD_create_response_from_fd_at_offset64(len, fd, from);
	answer_coded(r, part == RANGE_PART ? 206 : 200, reply, type, c, worth);
	reply_header(r, "Accept-Ranges", "bytes");
	if (part == RANGE_PART) {
		(void)snprintf(text, sizeof(text), "bytes %llu-%llu/%lld",
			       (unsigned long long)from,
			       (unsigned long long)(from + len - 1),
			       (long long)st.st_size);
		reply_header(r, "Content-Range", text);
	}
	if (etag)
		reply_header(r, "ETag", etag);
	if (disposition)
		reply_header(r, "Content-Disposition", disposition);
	return 0;
}

/* --- waiting and streams ------------------------------------------------ */

void request_wait(struct request *r)
{
	if (r->phase == REQUEST_BODY)
		r->phase = REQUEST_WAITING;
}

void request_resume(struct request *r)
{
	if (!r->suspended)
		return; /* answered before it was suspended */
	r->suspended = false;
	MHD_resume_connection(r->conn);
	http_kick(api_http(r->api));
}

int reply_stream(struct request *r, const char *type, reply_more_fn *more,
		 void *ctx, void (*free_ctx)(void *))
{
	bool worth;
	enum coding c = stream_coding(r, 200, type, UINT64_MAX, &worth);

	answer_coded(r, 200, stream_new(r, c, more, ctx, free_ctx), type, c,
		     worth);
	reply_header(r, "X-Accel-Buffering", "no");
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Answers.  Each of these sets the request's one answer; the first wins.
 * They return 0, so that a handler can end with `return reply_...`.
 */
#pragma once

#include "api/request.h"

/* Takes the buffer's bytes. */
int reply_json(struct request *r, unsigned status, struct buf *b);
int reply_text(struct request *r, unsigned status, const char *type,
	       struct buf *b);
int reply_empty(struct request *r, unsigned status);
/* application/problem+json (RFC 9457). */
int reply_problem(struct request *r, unsigned status, const char *code,
		  const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The status that an error means: one table (see reply.c). */
int reply_err(struct request *r, const struct err *e);
/* 422 with all of them, or 400 for a syntax error. */
int reply_problems(struct request *r, unsigned status, const char *code,
		   const struct problems *ps);
/* A file, with Range (one range), HEAD and an ETag; takes fd.  etag and
 * disposition may be NULL. */
int reply_file(struct request *r, int fd, const char *type, const char *etag,
	       const char *disposition);
/* A header of the answer that is set already. */
void reply_header(struct request *r, const char *name, const char *value);
/* It may be kept by anybody for so long (RFC 9111); else nobody keeps one. */
void reply_cached(struct request *r, unsigned seconds);
/* Location, of a path that begins with /v1: as whoever asks has to write it. */
void reply_location(struct request *r, const char *path);

/*
 * A stream of Server-Sent Events or NDJSON: `more` is asked for the next bytes
 * (append to b, return 1), may have nothing yet (0: the stream sleeps until
 * request_resume) or be at its end (-1).  It may also let others have their
 * turn and be asked again at once, or in a moment.  ctx is freed with free_ctx.
 */
enum {
	STREAM_AGAIN = 2,
	STREAM_SOON = 3
};
typedef int reply_more_fn(void *ctx, struct buf *b);
int reply_stream(struct request *r, const char *type, reply_more_fn *more,
		 void *ctx, void (*free_ctx)(void *));

/* For code that answers later: first request_wait(), then, in the loop's
 * thread, a reply and request_resume(). */
void request_wait(struct request *r);
void request_resume(struct request *r);

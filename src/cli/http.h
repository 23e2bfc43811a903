/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Requests to the server, by libcurl: over its Unix socket or TCP. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
	HTTP_ANSWER_MAX = 32 << 20,
	SERVER_TOKEN_MAX = 8193,
	SERVER_PATH_MAX = 1024,
	HTTP_ETAG_MAX = 128
};

struct server {
	char socket[256]; /* a Unix socket's path; "" for TCP */
	char base[256];   /* "http://localhost" or what --server says */
	char token[SERVER_TOKEN_MAX]; /* bearer token; "" for none */
	/* PEM files: who signed the server's certificate ("": whom the system
	 * trusts), our own certificate and its key ("": none). */
	char ca[SERVER_PATH_MAX], cert[SERVER_PATH_MAX], key[SERVER_PATH_MAX];
};

struct http_answer {
	long status;
	char etag[HTTP_ETAG_MAX]; /* "" for none */
	struct buf body;          /* the caller's buf_done() */
};

/* Bytes of an answer as they come; -1 ends it. */
typedef int http_stream_fn(void *ctx, const char *p, size_t len);

/* What is sent: one of body (with its type) or a multipart form. */
struct http_part {
	const char *name, *type, *file_name;
	struct str data; /* or, when data.p is NULL: */
	int fd;          /* read to its end */
};

struct http_call {
	const char *method, *path;
	const char *type, *accept; /* NULL: none, application/json */
	struct str body;
	const struct http_part *parts;
	size_t n_parts;
	const char *header; /* one more, "Name: value"; NULL */
	/* Takes the body of a good answer, however long; NULL: ret->body. */
	http_stream_fn *sink;
	void *sink_ctx;
	const char *progress; /* what a terminal is told of it; NULL */
	/* An interrupt that is held (blocked) ends it: ERR_UNAVAILABLE. */
	bool stoppable;
};

/* ERR_UNAVAILABLE: no server answered, or it stopped in the middle.  ERR_LIMIT:
 * more than HTTP_ANSWER_MAX, or the sink had enough. */
MUST_USE int http_do(const struct server *s, const struct http_call *c,
		     struct http_answer *ret, struct err *e);
void http_answer_done(struct http_answer *a);

/*
 * Several streams of events at once: each gives its bytes to fn as they come,
 * from after last_id on (NULL: from the start).  end is told the status; 0 when
 * there was no answer.  http_streams_turn() waits at most timeout_ms.
 */
struct http_streams;
typedef void http_stream_end_fn(void *ctx, long status);

MUST_USE int http_streams_new(const struct server *s, struct http_streams **ret,
			      struct err *e);
void http_streams_free(struct http_streams *h);
MUST_USE int http_stream_add(struct http_streams *h, const char *path,
			     const char *last_id, http_stream_fn *fn,
			     http_stream_end_fn *end, void *ctx, struct err *e);
MUST_USE int http_streams_turn(struct http_streams *h, int timeout_ms,
			       size_t *ret_open, struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Answers that are made piece by piece: streams of events, logs, and whatever
 * is compressed on its way out.  Knows libmicrohttpd and no route.
 */
#pragma once

#include "api/negotiate.h"
#include "api/reply.h"

/* The response; its reader suspends and is resumed as reply.h says. */
struct MHD_Response *stream_new(struct request *r, enum coding coding,
				reply_more_fn *more, void *ctx,
				void (*free_ctx)(void *));
/* The bytes of a buffer, taken, or of a file, taken, compressed. */
struct MHD_Response *stream_of_buf(struct request *r, enum coding coding,
				   struct buf *b);
struct MHD_Response *stream_of_file(struct request *r, enum coding coding,
				    int fd);
/* How this answer may be coded: its type and size are worth it, and the client
 * wants it.  worth: whether it would depend on that (Vary). */
enum coding stream_coding(struct request *r, unsigned status, const char *type,
			  uint64_t bytes, bool *worth);

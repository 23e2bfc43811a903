/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Server-sent events out of the bytes of a stream. */
#pragma once

#include "base/buf.h"

/* One event; data is borrowed. */
struct sse_event {
	struct str type, id, data;
};
typedef void sse_fn(void *ctx, const struct sse_event *ev);

/* Adds bytes to b and calls fn for each event that is whole; -1 when one is
 * larger than b may be. */
MUST_USE int sse_feed(struct buf *b, const char *p, size_t len, sse_fn *fn,
		      void *ctx);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who wants to know that a log grew: inotify on log.idx (the runner appends to
 * log.data first, then to the index).  One per loop, used in that loop's
 * thread; its descriptor goes into the loop's epoll.  That a log is at its
 * end is said by the engine's news, not here.
 */
#pragma once

#include "base/err.h"

struct logwatch;
struct logwatch_item;
typedef void logwatch_fn(void *ctx);

MUST_USE int logwatch_new(struct logwatch **ret, struct err *e);
void logwatch_free(struct logwatch *w);
int logwatch_fd(const struct logwatch *w); /* readable: logwatch_drain() */
void logwatch_drain(struct logwatch *w);   /* calls fn of every log that grew */

/*
 * idx_fd  borrowed for the call: an open log.idx
 * Several may watch one log.  ERR_LIMIT when the system's watches ran out.
 * fn may remove its own item and no other.
 */
MUST_USE int logwatch_add(struct logwatch *w, int idx_fd, logwatch_fn *fn,
			  void *ctx, struct logwatch_item **ret, struct err *e);
void logwatch_del(struct logwatch_item *i); /* NULL is fine */

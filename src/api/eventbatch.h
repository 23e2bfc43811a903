/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The next events of a stream, as text.  A thousand followers that wait at the
 * same place for the same read them once: the last answers are kept until
 * something is committed.  In the loop's thread only.
 */
#pragma once

#include "base/buf.h"
#include "base/id.h"
#include "store/reader.h"

struct eventbatch;

/* What is asked for: of one run, or of those that may be seen. */
struct eventbatch_ask {
	uint64_t version;       /* engine_version() */
	const struct ulid *run; /* NULL: of all */
	struct str visible;     /* as store_read_events() wants it */
	uint32_t types;         /* bits; 0: all */
	int64_t after;          /* an id */
};

struct eventbatch *eventbatch_new(void) MUST_USE;
void eventbatch_free(struct eventbatch *x);
/* Appends frames of Server-Sent Events.  *ret_last: the last id looked at
 * (after, when there was none), *ret_n: not 0 when there may be more. */
MUST_USE int eventbatch_read(struct eventbatch *x, struct store_reader *reader,
			     const struct eventbatch_ask *ask, struct buf *b,
			     int64_t *ret_last, size_t *ret_n, struct err *e);

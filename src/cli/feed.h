/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Streams of events that outlive their connection: one that breaks off (the
 * server was restarted) is asked for again from after the last event's id.
 */
#pragma once

#include "cli/http.h"
#include "cli/sse.h"

struct feeds {
	struct http_streams *streams;
	bool lost;                  /* one broke off */
	int64_t heard_us, again_us; /* the last byte; when to try again */
};

struct feed {
	struct feeds *all;
	char *path;
	struct buf sse;
	char last[512]; /* the id of the last event; "": none yet */
	bool open;
	bool over; /* set by fn: there is nothing more to wait for */
	bool gone; /* 410: no longer kept */
	sse_fn *fn;
	void *ctx;
};

MUST_USE int feeds_make(struct feeds *all, const struct server *s,
			struct err *e);
void feeds_done(struct feeds *all);
void feed_make(struct feed *f, struct feeds *all, const char *path, sse_fn *fn,
	       void *ctx);
void feed_done(struct feed *f);
/* Is it the time to open what is not?  A moment after one broke off. */
bool feeds_may_open(struct feeds *all);
/* Opens it if it is neither open nor over.  True when it is open. */
bool feed_open(struct feed *f);
/* Waits for bytes, at most timeout_ms; ERR_UNAVAILABLE when there was none for
 * a minute and none can be opened. */
MUST_USE int feeds_turn(struct feeds *all, int timeout_ms, struct err *e);

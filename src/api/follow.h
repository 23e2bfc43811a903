/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Streams that stay open: who waits for news of a run, and what they wait
 * with.  A stream that has nothing to say sleeps in MHD; news, a log that grew
 * and the heartbeat wake it.
 */
#pragma once

#include "api/request.h"
#include "base/list.h"
#include "engine/engine.h"

struct follower;
typedef void follower_news_fn(struct follower *f);

struct follower {
	struct link link;
	struct api *api; /* while it is one of the list's */
	struct request *r;
	struct ulid run;        /* all zero: of every run */
	follower_news_fn *news; /* instead of waking; NULL */
	bool beat;  /* a comment is due, so that proxies keep the line */
	bool heard; /* there was news; for its owner, who forgets it */
};

void follower_add(struct api *a, struct follower *f, struct request *r,
		  const struct ulid *run);
/* Is there room for one more?  Answers 503 and returns -1 when there is not: others
 * want to ask something, too. */
MUST_USE int follower_room(struct request *r);
void follower_del(struct follower *f);

/* For engine_drain(): wakes whom it concerns. */
void follow_news(void *ctx, const struct engine_news *n);
/* Wakes all, so that they look again. */
void follow_wake(struct api *a);
/* The server ends: streams too, and who waits is answered now. */
void follow_end(struct api *a);
/* Every 15 s: the same, with a comment. */
void follow_beat(struct api *a);

/* The run named by the path; answers 404 and returns -1 when it is none. */
MUST_USE int param_run(struct request *r, unsigned i, struct ulid *ret);

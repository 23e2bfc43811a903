/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The server's side of the edge to the fetcher, which alone may connect to
 * others: it fetches what is at a URL of the settings, and of no other.
 */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

struct fetcher;

/* err.code ERR_NONE: body is what was there. */
struct fetched {
	struct err err;
	struct str body;
	int64_t max_age_s; /* 0: not said */
};
typedef void fetcher_fn(void *ctx, const struct fetched *f);

/* Takes fd; -1: there is none, and nothing can be fetched. */
struct fetcher *fetcher_new(struct loop *l, int fd);
void fetcher_free(struct fetcher *f); /* what waits gets ERR_UNAVAILABLE */

/* Calls fn exactly once, later, within half a minute; -1: not, see e. */
MUST_USE int fetcher_ask(struct fetcher *f, struct str url, fetcher_fn *fn,
			 void *ctx, struct err *e);

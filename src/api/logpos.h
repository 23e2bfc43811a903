/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How far a follower of a whole run's log has got: the id of its events.
 * Attempts are numbered in the order in which they were made, from 1.  "5" is
 * all of the first five; "5-3.17" all of them, but of the third only 17 frames.
 * Pure.
 */
#pragma once

#include "base/buf.h"

enum {
	LOGPOS_OPEN_MAX = 256,
	LOGPOS_TEXT_MAX = LOGPOS_OPEN_MAX * 32 + 16
};

struct logpos {
	uint32_t last; /* none above it was begun; 0: nothing was read */
	size_t n;
	struct logpos_open {
		uint32_t attempt; /* ascending, at most last */
		uint64_t seq;     /* frames of it that were read */
	} open[LOGPOS_OPEN_MAX];
};

MUST_USE int logpos_parse(struct str s, struct logpos *ret);
void logpos_write(const struct logpos *p, struct buf *b);
/* How many frames of that attempt were read; UINT64_MAX: all of them. */
uint64_t logpos_of(const struct logpos *p, uint32_t attempt);

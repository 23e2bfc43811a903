/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The last so many of what is put in.  Bounded by bytes, too: then they are
 * fewer.  Pure.
 */
#pragma once

#include "base/buf.h"

enum {
	LOGTAIL_MAX = 10000,
	LOGTAIL_BYTES = 8 << 20
};

struct logtail {
	struct logtail_item {
		char *p;
		size_t len;
	} * items;
	size_t max, first, n, bytes;
};

void logtail_init(struct logtail *t, size_t max); /* 1..LOGTAIL_MAX */
void logtail_done(struct logtail *t);
void logtail_put(struct logtail *t, struct str s);
/* Move the oldest ones to b until it has so many bytes; true when none is left.
 */
bool logtail_take(struct logtail *t, struct buf *b, size_t bytes);

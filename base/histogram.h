/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How long things took: counts below fixed bounds, from 0.1 ms to an hour. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_BOUNDS = 16
};

extern const int64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram {
	uint64_t n[HISTOGRAM_BOUNDS + 1]; /* the last: beyond all bounds */
	uint64_t sum_us, count;
};

void histogram_add(struct histogram *h, int64_t us); /* negative counts as 0 */

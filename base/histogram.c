/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How long things took; see histogram.h. */
#include "base/histogram.h"

#define MS 1000
#define S  1000000

const int64_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
	MS / 10,    MS / 4,   MS / 2,   MS,
	MS * 5 / 2, 5 * MS,   10 * MS,  25 * MS,
	50 * MS,    100 * MS, 250 * MS, S,
	5 * S,      30 * S,   300 * S,  (int64_t)3600 * S,
};

void histogram_add(struct histogram *h, int64_t us)
{
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (i < HISTOGRAM_BOUNDS && us > histogram_bounds_us[i])
		i++;
	h->n[i]++;
	h->count++;
	h->sum_us += (uint64_t)us;
}

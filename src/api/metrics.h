/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What was answered, by route; and all metrics as Prometheus' text. */
#pragma once

#include "base/buf.h"
#include "base/histogram.h"

struct api;
struct request;

enum {
	METRICS_ROUTES_MAX = 256,
	METRICS_CLASSES = 6 /* of status: 0 is none */
};

/* One for each route; the first is of what was no route. */
struct metrics {
	struct {
		uint64_t n[METRICS_CLASSES];
		struct histogram took;
	} routes[METRICS_ROUTES_MAX + 1];
};

struct metrics *metrics_new(void);
/* Its answer begins now. */
void metrics_answered(struct metrics *m, const struct request *r);
void metrics_write(struct api *a, struct buf *b);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Cron lines: five fields, each a set of numbers.  Pure. */
#pragma once

#include "doc/doc.h"

struct cron {
	uint64_t minute, hour, day, month, weekday; /* bits */
	bool any_day, any_weekday;                  /* were "*" */
};

/* minute hour day month weekday; names (jan, mon), ranges, steps, lists; 7 is
 * Sunday too.  -1: ret_field says which field (1..5) is wrong. */
MUST_USE int cron_parse(struct str s, struct cron *ret, int *ret_field);
void cron_check(const struct doc_node *n, struct str s, struct problems *ps);

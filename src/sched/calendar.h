/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * When a cron line comes next, in a time zone.
 *
 * A line whose hour is "*" goes by real time: each hour that passes, also the
 * one that comes twice.  Any other goes by the clock on the wall: a time that
 * comes twice is taken once, the first; one that is left out comes at the
 * first instant after the gap, once.  Day of the month and day of the week are
 * "or" where both are given, as cron has always had it.
 */
#pragma once

#include "job/cron.h"
#include "sched/tz.h"

/* The first instant (seconds) strictly after; -1: none in nine years. */
MUST_USE int calendar_next(const struct cron *c, const struct tz *z,
			   int64_t after, int64_t *ret);

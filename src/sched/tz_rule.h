/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The rule at the end of a zone's file, for the years after its table: POSIX
 * TZ, as in "CET-1CEST,M3.5.0,M10.5.0/3".  For src/sched alone. */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum tz_day {
	TZ_JULIAN, /* Jn: 1..365, without 29 February */
	TZ_ZERO,   /* n: 0..365 */
	TZ_WEEK,   /* Mm.w.d */
};

struct tz_change {
	enum tz_day kind;
	int32_t month, week, day;
	int32_t time; /* seconds from local midnight; -167..167 hours */
};

struct tz_rule {
	int32_t std, dst; /* seconds east of UTC */
	bool has_dst;
	struct tz_change start, end;
};

MUST_USE int tz_rule_parse(struct str s, struct tz_rule *ret);
int32_t tz_rule_offset(const struct tz_rule *r, int64_t utc);

/* Days since 1970 of a date, and back; months from 1. */
int64_t tz_days(int64_t year, int month, int day);
void tz_date(int64_t days, int64_t *year, int *month, int *day);
int tz_weekday(int64_t days); /* 0: Sunday */

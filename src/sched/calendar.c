/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* When a cron line comes next; see calendar.h. */
#include "sched/calendar.h"
#include "sched/tz_rule.h"

enum {
	DAY = 86400,
	HOUR = 3600,
	MINUTE = 60,
	DAYS_MAX = 9 * 366
};

static bool has(uint64_t set, int v)
{
	return set >> v & 1;
}

static bool day_fits(const struct cron *c, int64_t days)
{
	int64_t year;
	int month, day;
	bool of_month, of_week;

	tz_date(days, &year, &month, &day);
	if (!has(c->month, month))
		return false;
	of_month = has(c->day, day);
	of_week = has(c->weekday, tz_weekday(days));
	return c->any_day || c->any_weekday ? of_month && of_week :
					      of_month || of_week;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* --- by the wall -------------------------------------------------------- */

/* The first time of a day that is after; 0: none. */
static bool of_day(const struct cron *c, const struct tz *z, int64_t days,
		   int64_t after, int64_t *ret)
{
	for (int h = 0; h < 24; h++) {
		if (!has(c->hour, h))
			continue;
		for (int m = 0; m < 60; m++) {
			if (!has(c->minute, m))
				continue;
			*ret = tz_from_local(z, days * DAY + h * HOUR +
							m * MINUTE);
			if (*ret > after)
				return true;
		}
	}
	return false;
}

static int by_wall(const struct cron *c, const struct tz *z, int64_t after,
		   int64_t *ret)
{
	int64_t today = floor_div(after + tz_offset(z, after), DAY);

	/* a change of the zone may have put the clock back over midnight */
	for (int64_t d = today - 1; d < today + DAYS_MAX; d++)
		if (day_fits(c, d) && of_day(c, z, d, after, ret))
			return 0;
	return -1;
}

/* --- by real time ------------------------------------------------------- */

static int by_hours(const struct cron *c, const struct tz *z, int64_t after,
		    int64_t *ret)
{
	int64_t t = after + 1, end = after + (int64_t)DAYS_MAX * DAY;

	while (t < end) {
		int64_t local = t + tz_offset(z, t);
		int64_t in_hour = local - floor_div(local, HOUR) * HOUR;

		if (local % MINUTE) {
			t += MINUTE - (in_hour % MINUTE);
		} else if (!day_fits(c, floor_div(local, DAY))) {
			t += HOUR - in_hour;
		} else if (!has(c->minute, (int)(in_hour / MINUTE))) {
			t += MINUTE;
		} else {
			*ret = t;
			return 0;
		}
	}
	return -1;
}

int calendar_next(const struct cron *c, const struct tz *z, int64_t after,
		  int64_t *ret)
{
	bool every_hour = (c->hour & 0xffffff) == 0xffffff;

	return every_hour ? by_hours(c, z, after, ret) :
			    by_wall(c, z, after, ret);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* POSIX TZ rules, and the calendar they need; see tz_rule.h. */
#include "sched/tz_rule.h"

enum {
	DAY = 86400,
	HOUR = 3600
};

/* --- the calendar (civil days, Gregorian for ever) ---------------------- */

int64_t tz_days(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year =
		(153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

void tz_date(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y =
		(of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) /
		365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

int tz_weekday(int64_t days)
{
	int64_t d = (days + 4) % 7;

	return (int)(d < 0 ? d + 7 : d);
}

static bool leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* --- parsing ------------------------------------------------------------ */

static int take_char(struct str *s, char c)
{
	if (!s->len || s->p[0] != c)
		return -1;
	*s = str_from_at(*s, 1);
	return 0;
}

static int take_number(struct str *s, int32_t max, int32_t *ret)
{
	int32_t v = 0;
	size_t n = 0;

	while (n < s->len && n < 4 && s->p[n] >= '0' && s->p[n] <= '9')
		v = v * 10 + (s->p[n++] - '0');
	if (!n || v > max)
		return -1;
	*s = str_from_at(*s, n);
	*ret = v;
	return 0;
}

/* [+-]hh[:mm[:ss]] */
static int take_time(struct str *s, int32_t max_hours, int32_t *ret)
{
	int32_t sign = 1, v, part;

	if (!take_char(s, '-'))
		sign = -1;
	else
		(void)!take_char(s, '+');
	if (take_number(s, max_hours, &v))
		return -1;
	v *= HOUR;
	for (int32_t unit = 60; unit; unit = unit == 60) {
		if (take_char(s, ':'))
			break;
		if (take_number(s, 59, &part))
			return -1;
		v += part * unit;
	}
	*ret = sign * v;
	return 0;
}

/* CET or <+0330> */
static int take_name(struct str *s)
{
	size_t n = 0;

	if (!take_char(s, '<')) {
		while (n < s->len && s->p[n] != '>')
			n++;
		if (n == s->len)
			return -1;
		*s = str_from_at(*s, n + 1);
		return n ? 0 : -1;
	}
	while (n < s->len && ((s->p[n] >= 'A' && s->p[n] <= 'Z') ||
			      (s->p[n] >= 'a' && s->p[n] <= 'z')))
		n++;
	*s = str_from_at(*s, n);
	return n >= 3 ? 0 : -1;
}

static int take_change(struct str *s, struct tz_change *c)
{
	*c = (struct tz_change){.kind = TZ_ZERO, .time = 2 * HOUR};
	if (!take_char(s, 'M')) {
		c->kind = TZ_WEEK;
		if (take_number(s, 12, &c->month) || !c->month ||
		    take_char(s, '.') || take_number(s, 5, &c->week) ||
		    !c->week || take_char(s, '.') || take_number(s, 6, &c->day))
			return -1;
	} else {
		if (!take_char(s, 'J'))
			c->kind = TZ_JULIAN;
		if (take_number(s, 365, &c->day) ||
		    (c->kind == TZ_JULIAN && !c->day))
			return -1;
	}
	return take_char(s, '/') ? 0 : take_time(s, 167, &c->time);
}

int tz_rule_parse(struct str s, struct tz_rule *ret)
{
	*ret = (struct tz_rule){0};
	if (take_name(&s) || take_time(&s, 24, &ret->std))
		return -1;
	ret->std = -ret->std; /* POSIX counts westwards */
	if (!s.len)
		return 0;
	ret->has_dst = true;
	ret->dst = ret->std + HOUR;
	if (take_name(&s))
		return -1;
	if (s.len && s.p[0] != ',') {
		if (take_time(&s, 24, &ret->dst))
			return -1;
		ret->dst = -ret->dst;
	}
	return take_char(&s, ',') || take_change(&s, &ret->start) ||
			       take_char(&s, ',') ||
			       take_change(&s, &ret->end) || s.len ?
		       -1 :
		       0;
}

/* --- asking ------------------------------------------------------------- */

/* The local second of a change in a year. */
static int64_t when(const struct tz_change *c, int64_t year)
{
	int64_t first, days;
	int wday;

	switch (c->kind) {
	case TZ_JULIAN:
		days = tz_days(year, 1, 1) + c->day - 1 +
		       (leap(year) && c->day >= 60);
		break;
	case TZ_ZERO:
		days = tz_days(year, 1, 1) + c->day;
		break;
	case TZ_WEEK:
	default:
		first = tz_days(year, c->month, 1);
		wday = tz_weekday(first);
		days = first + (c->day - wday + 7) % 7 + 7 * (c->week - 1);
		if (days >= (c->month == 12 ? tz_days(year + 1, 1, 1) :
					      tz_days(year, c->month + 1, 1)))
			days -= 7; /* the fifth is the last */
		break;
	}
	return days * DAY + c->time;
}

int32_t tz_rule_offset(const struct tz_rule *r, int64_t utc)
{
	int64_t year, days = (utc + r->std) / DAY;
	int64_t start, end;
	int month, day;

	if (!r->has_dst)
		return r->std;
	if ((utc + r->std) % DAY < 0)
		days--;
	tz_date(days, &year, &month, &day);
	start = when(&r->start, year) - r->std;
	end = when(&r->end, year) - r->dst;
	if (start < end)
		return utc >= start && utc < end ? r->dst : r->std;
	return utc >= end && utc < start ? r->std : r->dst;
}

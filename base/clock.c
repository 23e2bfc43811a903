/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Time; see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

int64_t clock_real_us(void)
{
	return now_us(CLOCK_REALTIME);
}

void clock_format(int64_t real_us, char out[CLOCK_TEXT_LEN + 1])
{
	time_t sec = (time_t)(real_us / 1000000);
	int us = (int)(real_us % 1000000);
	char text[64];
	struct tm tm;

	if (us < 0) {
		us += 1000000;
		sec--;
	}
	gmtime_r(&sec, &tm);
	(void)snprintf(text, sizeof(text),
		       "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
		       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		       tm.tm_sec, us);
	memcpy(out, text, CLOCK_TEXT_LEN);
	out[CLOCK_TEXT_LEN] = '\0';
}

/* n digits at the front of s, within the bounds, then the byte after (0: none) */
static int number(struct str *s, size_t n, int64_t min, int64_t max, int *ret)
{
	int64_t v;

	if (s->len < n || str_to_i64(str_n(s->p, n), min, max, &v))
		return -1;
	*ret = (int)v;
	*s = str_from_at(*s, n);
	return 0;
}

static int expect(struct str *s, char c)
{
	if (!s->len || (s->p[0] | 0x20) != (c | 0x20))
		return -1;
	*s = str_from_at(*s, 1);
	return 0;
}

static int fraction(struct str *s, int64_t *ret_us)
{
	int64_t us = 0, unit = 100000;

	*ret_us = 0;
	if (!s->len || s->p[0] != '.')
		return 0;
	*s = str_from_at(*s, 1);
	if (!s->len || s->p[0] < '0' || s->p[0] > '9')
		return -1;
	while (s->len && s->p[0] >= '0' && s->p[0] <= '9') {
		us += (s->p[0] - '0') * unit;
		unit /= 10;
		*s = str_from_at(*s, 1);
	}
	*ret_us = us;
	return 0;
}

static int offset(struct str *s, int64_t *ret_sec)
{
	int sign, h, m;

	*ret_sec = 0;
	if (!expect(s, 'Z'))
		return 0;
	sign = s->len && s->p[0] == '-' ? -1 : 1;
	if (expect(s, '+') && expect(s, '-'))
		return -1;
	if (number(s, 2, 0, 23, &h) || expect(s, ':') ||
	    number(s, 2, 0, 59, &m))
		return -1;
	*ret_sec = sign * (h * 3600 + m * 60);
	return 0;
}

int clock_parse(struct str s, int64_t *ret_us)
{
	struct tm tm = {0}, back;
	int64_t us, off;
	time_t sec;

	if (number(&s, 4, 1970, 9999, &tm.tm_year) || expect(&s, '-') ||
	    number(&s, 2, 1, 12, &tm.tm_mon) || expect(&s, '-') ||
	    number(&s, 2, 1, 31, &tm.tm_mday) || expect(&s, 'T') ||
	    number(&s, 2, 0, 23, &tm.tm_hour) || expect(&s, ':') ||
	    number(&s, 2, 0, 59, &tm.tm_min) || expect(&s, ':') ||
	    number(&s, 2, 0, 59, &tm.tm_sec) || fraction(&s, &us) ||
	    offset(&s, &off) || s.len)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	sec = timegm(&back);
	if (back.tm_mday != tm.tm_mday)
		return -1;
	*ret_us = ((int64_t)sec - off) * 1000000 + us;
	return 0;
}

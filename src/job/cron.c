/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Cron lines; see cron.h. */
#include "job/cron.h"

#include <strings.h>

static const struct field {
	unsigned min, max;
	const char *names; /* three letters each */
} fields[] = {
	{0, 59, NULL				  },
	{0, 23, NULL				  },
	{1, 31, NULL				  },
	{1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{0, 7,  "sunmontuewedthufrisat"               },
};

static const char *const field_names[] = {"minute", "hour", "day of the month",
					  "month", "day of the week"};

static int number(struct str s, const struct field *f, unsigned *ret)
{
	uint64_t v;

	if (f->names && s.len == 3)
		for (unsigned i = 0; f->names[3 * i]; i++)
			if (!strncasecmp(s.p, f->names + 3 * i, 3)) {
				*ret = f->min + i;
				return 0;
			}
	if (str_to_u64(s, f->max, &v) || v < f->min)
		return -1;
	*ret = (unsigned)v;
	return 0;
}

/* "*", "5", "1-5", each with "/2". */
static int part(struct str s, const struct field *f, uint64_t *set)
{
	struct str step = s, range = str_cut(&step, '/'), to = range;
	struct str from = str_cut(&to, '-');
	unsigned a, z;
	uint64_t by = 1;

	if (step.p && (str_to_u64(step, f->max, &by) || !by))
		return -1;
	if (str_is(range, "*")) {
		a = f->min;
		z = f->max;
	} else {
		if (number(from, f, &a))
			return -1;
		z = step.p && !to.p ? f->max : a;
		if (to.p && number(to, f, &z))
			return -1;
	}
	if (z < a)
		return -1;
	for (unsigned v = a; v <= z; v += (unsigned)by)
		*set |= 1ULL << v;
	return 0;
}

int cron_parse(struct str s, struct cron *ret, int *ret_field)
{
	struct cron c = {0};
	uint64_t *sets[] = {&c.minute, &c.hour, &c.day, &c.month, &c.weekday};
	size_t n = 0;

	s = str_trim(s);
	while (s.len && n < ARRAY_LEN(sets)) {
		struct str word = str_cut(&s, ' ');

		*ret_field = (int)n + 1;
		s = str_trim(s);
		if (n == 2)
			c.any_day = str_is(word, "*");
		if (n == 4)
			c.any_weekday = str_is(word, "*");
		while (word.p)
			if (part(str_cut(&word, ','), &fields[n], sets[n]))
				return -1;
		n++;
	}
	*ret_field = 0;
	if (n != ARRAY_LEN(sets) || s.len)
		return -1;
	if (c.weekday >> 7 & 1)
		c.weekday = (c.weekday | 1) & 0x7f;
	*ret = c;
	return 0;
}

void cron_check(const struct doc_node *n, struct str s, struct problems *ps)
{
	struct cron c;
	int field = 0;

	if (s.len < 200 && !cron_parse(s, &c, &field))
		return;
	if (field)
		problem_at(ps, n, "bad-cron", NULL,
			   "cron: the %s (field %d) is wrong",
			   field_names[field - 1], field);
	else
		problem_at(ps, n, "bad-cron", "such as \"0 2 * * 1-5\"",
			   "cron: five fields are wanted");
}

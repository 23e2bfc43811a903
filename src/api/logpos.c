/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The place in a run's log; see logpos.h. */
#include "api/logpos.h"

#include <inttypes.h>

static int parse_open(struct str s, struct logpos *p)
{
	struct logpos_open *o = &p->open[p->n];
	uint64_t attempt, least = p->n ? p->open[p->n - 1].attempt + 1 : 1;

	if (p->n == LOGPOS_OPEN_MAX || !str_has(s, '.') ||
	    str_to_u64(str_cut(&s, '.'), p->last, &attempt) ||
	    attempt < least || str_to_u64(s, INT64_MAX, &o->seq))
		return -1;
	o->attempt = (uint32_t)attempt;
	p->n++;
	return 0;
}

int logpos_parse(struct str s, struct logpos *ret)
{
	uint64_t last;

	ret->n = 0;
	if (s.len > LOGPOS_TEXT_MAX ||
	    str_to_u64(str_cut(&s, '-'), UINT32_MAX - 1, &last))
		return -1;
	ret->last = (uint32_t)last;
	while (s.p)
		if (parse_open(str_cut(&s, '-'), ret))
			return -1;
	return 0;
}

void logpos_write(const struct logpos *p, struct buf *b)
{
	buf_printf(b, "%" PRIu32, p->last);
	for (size_t i = 0; i < p->n; i++)
		buf_printf(b, "-%" PRIu32 ".%" PRIu64, p->open[i].attempt,
			   p->open[i].seq);
}

uint64_t logpos_of(const struct logpos *p, uint32_t attempt)
{
	if (attempt > p->last)
		return 0;
	for (size_t i = 0; i < p->n; i++)
		if (p->open[i].attempt == attempt)
			return p->open[i].seq;
	return UINT64_MAX;
}

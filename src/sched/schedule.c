/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a schedule does now; see schedule.h. */
#include "sched/schedule.h"
#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

#define SECOND_US ((int64_t)1000000)
/* Further back nothing is looked for: a clock that was wrong by years must not
 * cost an hour of work. */
#define LOOK_BACK_S ((int64_t)400 * 86400)

int64_t schedule_due_us(const struct schedule *s, int64_t time)
{
	struct hash_ctx *c;
	struct hash h;
	uint64_t v;

	if (!s->jitter_us)
		return time * SECOND_US;
	c = hash_begin();
	hash_update(c, s->seed.p, s->seed.len);
	hash_update(c, &time, sizeof(time));
	h = hash_end(c);
	memcpy(&v, h.b, sizeof(v));
	return time * SECOND_US + (int64_t)(v % (uint64_t)s->jitter_us);
}

static void add(struct schedule_answer *a, int64_t time)
{
	if (a->n == SCHEDULE_FIRE_MAX)
		memmove(a->fire, a->fire + 1,
			--a->n * sizeof(a->fire[0])); /* the oldest goes */
	a->fire[a->n++] = time;
}

void schedule_decide(const struct schedule *s, int64_t last, int64_t now_us,
		     struct schedule_answer *ret)
{
	int64_t oldest = now_us / SECOND_US - LOOK_BACK_S, time, due, late = -1;

	*ret = (struct schedule_answer){.last = last, .next_us = INT64_MAX};
	if (ret->last < oldest)
		ret->last = oldest;
	while (!calendar_next(s->cron, s->tz, ret->last, &time)) {
		due = schedule_due_us(s, time);
		if (due > now_us) {
			ret->next_us = due;
			break;
		}
		ret->last = time;
		if (now_us - due <= SCHEDULE_GRACE_S * SECOND_US ||
		    s->missed == MISSED_ALL)
			add(ret, time);
		else if (s->missed == MISSED_LATEST)
			late = time;
	}
	if (late >= 0 && !ret->n)
		add(ret, late);
}

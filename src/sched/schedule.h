/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a schedule does now: pure, from the last time that was dealt with, which
 * never goes back.  So a clock that is set back fires nothing twice, and one
 * that is set forward leaves out only what `missed` allows.
 */
#pragma once

#include "sched/calendar.h"

enum schedule_missed {
	MISSED_LATEST, /* of those that were missed the newest */
	MISSED_SKIP,
	MISSED_ALL, /* each, but no more than SCHEDULE_FIRE_MAX */
};

enum {
	SCHEDULE_FIRE_MAX = 100,
	SCHEDULE_GRACE_S = 60 /* so late is not missed */
};

struct schedule {
	const struct cron *cron;
	const struct tz *tz;
	enum schedule_missed missed;
	int64_t jitter_us; /* at most so much later, the same for a time */
	struct str seed;   /* who it is, for the jitter */
};

struct schedule_answer {
	int64_t fire[SCHEDULE_FIRE_MAX]; /* times, seconds, oldest first */
	size_t n;
	int64_t last;    /* dealt with up to here, seconds */
	int64_t next_us; /* look again then; INT64_MAX: never */
};

void schedule_decide(const struct schedule *s, int64_t last, int64_t now_us,
		     struct schedule_answer *ret);
/* When a time is due, jitter and all. */
int64_t schedule_due_us(const struct schedule *s, int64_t time);

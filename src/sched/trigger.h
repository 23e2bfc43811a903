/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A job's schedules, read from its document: lines, zones and rules. */
#pragma once

#include "job/job.h"
#include "sched/schedule.h"

/* When the run of an earlier time has not ended. */
enum trigger_overlap {
	OVERLAP_QUEUE,
	OVERLAP_SKIP,
	OVERLAP_REPLACE,
};

struct trigger {
	struct str name, timezone, line; /* borrowed from the document */
	struct cron cron;
	struct tz *tz; /* owned */
	enum schedule_missed missed;
	enum trigger_overlap overlap;
	int64_t jitter_us;
	const struct doc_node *inputs; /* NULL: none */
};

/* root: of a checked job's document. */
const struct doc_node *trigger_list(const struct doc_node *root);
const struct doc_node *trigger_find(const struct doc_node *root,
				    struct str name);
/* ERR_NOT_FOUND: its zone is not on this machine. */
MUST_USE int trigger_read(const struct doc_node *n, struct trigger *ret,
			  struct err *e);
void trigger_done(struct trigger *t);
/* For a job that is to be stored: zones that are not there, times that never
 * come. */
void trigger_check(const struct job *j, struct problems *ps);

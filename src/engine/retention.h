/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How long ended runs are kept; pure.  retain.c carries it out. */
#pragma once

#include "doc/doc.h"
#include "store/store.h"

enum {
	RETENTION_DAYS_MAX = 36500,
	RETENTION_RUNS_MAX = 1000000
};

/* 0: for ever, however many. */
struct retention {
	uint32_t keep_days;        /* since its end */
	uint32_t keep_failed_days; /* of one that did not succeed; 0: the same
				    */
	uint32_t keep_runs;        /* ended ones of each job */
	uint32_t keep_log_days;    /* logs, where the run itself stays */
	uint32_t artifact_days;    /* where an artifact does not say */
	bool drop_last;            /* also the last one that succeeded */
};

/* What a project says over what it would be otherwise; map may be NULL. */
void retention_read(const struct doc_node *map, struct retention *of);
/* Is anything ever removed? */
bool retention_any(const struct retention *r);
/*
 * May this ended run go?  newer is whether keep_runs newer ones of its job
 * have ended, too.
 */
bool retention_over(const struct retention *r, enum run_state state,
		    int64_t finished_us, bool newer, int64_t now_us);
/* May its logs go, though it stays? */
bool retention_logs_over(const struct retention *r, enum run_state state,
			 int64_t finished_us, int64_t now_us);

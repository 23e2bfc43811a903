/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the engine asks to find runs whose time is over; in a transaction. */
#pragma once

#include "store/store.h"

/* The job after this one that has runs, in the order of their names; "", ""
 * is before the first.  1: they hold it; 0 no more, -1 error. */
MUST_USE int store_job_next(struct store *s, char project[STORE_NAME_MAX + 1],
			    char job[STORE_NAME_MAX + 1], struct err *e);
/* Its runs with a larger id, the oldest first: only id, ulid, state,
 * finished_us, parent and logs_gone are filled. */
MUST_USE int store_job_runs(struct store *s, struct str project, struct str job,
			    int64_t after, uint32_t limit, store_run_fn *fn,
			    void *ctx, struct err *e);
/* The id that `keep` ended ones are newer than; 0: there are not so many. */
MUST_USE int store_job_boundary(struct store *s, struct str project,
				struct str job, uint32_t keep, int64_t *ret,
				struct err *e);
MUST_USE int store_job_succeeded_after(struct store *s, struct str project,
				       struct str job, int64_t after, bool *ret,
				       struct err *e);

MUST_USE int store_run_logs_gone(struct store *s, int64_t run, struct err *e);
/* Is there such a run, and are its logs kept? */
MUST_USE int store_run_has_logs(struct store *s, const struct ulid *run,
				bool *ret, struct err *e);
/* Rows of the audit before this time go, some at once.  Returns how many went;
 * -1 error. */
MUST_USE int store_audit_expire(struct store *s, int64_t before_us,
				uint32_t limit, struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How long ended runs are kept; see retention.h. */
#include "engine/retention.h"

#define DAY_US ((int64_t)24 * 3600 * 1000000)

static void number(const struct doc_node *map, const char *name, int64_t max,
		   uint32_t *to)
{
	int64_t v;

	if (!doc_as_i64(doc_get(map, name), &v) && v >= 0 && v <= max)
		*to = (uint32_t)v;
}

void retention_read(const struct doc_node *map, struct retention *of)
{
	bool keep;

	if (!map)
		return;
	number(map, "keep_days", RETENTION_DAYS_MAX, &of->keep_days);
	number(map, "keep_failed_days", RETENTION_DAYS_MAX,
	       &of->keep_failed_days);
	number(map, "keep_runs", RETENTION_RUNS_MAX, &of->keep_runs);
	number(map, "keep_log_days", RETENTION_DAYS_MAX, &of->keep_log_days);
	number(map, "artifact_days", RETENTION_DAYS_MAX, &of->artifact_days);
	if (!doc_as_bool(doc_get(map, "keep_last_success"), &keep))
		of->drop_last = !keep;
}

bool retention_any(const struct retention *r)
{
	return r->keep_days || r->keep_failed_days || r->keep_runs ||
	       r->keep_log_days;
}

/* A clock that was set back makes nothing older. */
static bool older(uint32_t days, int64_t finished_us, int64_t now_us)
{
	return days && finished_us && now_us - finished_us >= days * DAY_US;
}

bool retention_over(const struct retention *r, enum run_state state,
		    int64_t finished_us, bool newer, int64_t now_us)
{
	uint32_t days = r->keep_days;

	if (!state_final(state))
		return false;
	if (state != STATE_SUCCEEDED && r->keep_failed_days)
		days = r->keep_failed_days;
	if (older(days, finished_us, now_us))
		return true;
	return r->keep_runs && newer;
}

bool retention_logs_over(const struct retention *r, enum run_state state,
			 int64_t finished_us, int64_t now_us)
{
	return state_final(state) &&
	       older(r->keep_log_days, finished_us, now_us);
}

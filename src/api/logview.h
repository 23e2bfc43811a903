/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt's log: where it is, and its frames as JSON. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "proto/logidx.h"
#include "store/reader.h"

struct logview {
	struct ulid run;
	int64_t run_id; /* of the store */
	uint32_t index, attempt;
	char task[STORE_NAME_MAX + 1];
	int data_fd, idx_fd;  /* -1: not there (yet) */
	struct ulid rerun_of; /* the run's; all zero: none */
	uint64_t seq;         /* the next frame to read, from 1 */
	/* how the attempt stands, as last asked */
	enum run_state state;
	enum fail_kind kind;
	int32_t exit_code;
};

void logview_init(struct logview *v);
void logview_done(struct logview *v);
/* attempt 0: the last one made.  ERR_NOT_FOUND: no such task or attempt. */
MUST_USE int logview_find(struct logview *v, struct store_reader *reader,
			  const struct ulid *run, struct str task,
			  uint32_t attempt, struct err *e);
/* State, kind and exit code anew. */
MUST_USE int logview_refresh(struct logview *v, struct store_reader *reader,
			     struct err *e);
/* Open the files; 0 also when they are not there yet. */
MUST_USE int logview_open(struct logview *v, int state_fd, struct err *e);
/* What was kept from an earlier run left its log there; fine without one. */
MUST_USE int logview_earlier(struct logview *v, struct store_reader *reader,
			     int state_fd, struct err *e);
/*
 * Append frames as JSON until max_bytes are there: each line "PREFIX{...}\n",
 * with `prefix` "" for NDJSON; sse adds event and id lines.  *ret_n counts.
 */
MUST_USE int logview_frames(struct logview *v, bool sse, size_t max_bytes,
			    struct buf *b, size_t *ret_n, struct err *e);

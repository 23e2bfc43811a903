/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt's log: where it is, and its frames one by one. */
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
	int data_fd, idx_fd;      /* -1: not there (yet) */
	struct ulid rerun_of;     /* the run's; all zero: none */
	bool logs_gone, gone;     /* of the run; and of this there was one */
	uint64_t seq;             /* the next frame to read, from 1 */
	struct logidx_rec *batch; /* records from seq on, read ahead */
	size_t n_batch, at;
	struct buf lines[LOGIDX_SYSTEM]; /* unended, for who makes lines: of a
				     stream each */
	uint64_t log_bytes; /* as the attempt's row has it, once it ended */
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
/* Close the files until they are opened again; the place is kept. */
void logview_close(struct logview *v);
/* Go on with this frame. */
void logview_seek(struct logview *v, uint64_t seq);
/* The next frame without its bytes: 1, 0 there is none (yet), -1. */
MUST_USE int logview_peek(struct logview *v, struct logidx_rec *ret,
			  struct err *e);
/* The bytes of the frame that was peeked at, LOGIDX_FRAME_MAX at most; the one
 * behind it is next. */
MUST_USE int logview_take(struct logview *v, char *data, struct err *e);
/* Frames there are now. */
uint64_t logview_count(const struct logview *v);
/* Go back from the end to where the last so many lines begin, or so many
 * bytes, if there are that many. */
MUST_USE int logview_back(struct logview *v, uint64_t lines, uint64_t bytes,
			  struct err *e);
/* One frame as a JSON object. */
void logview_frame(const struct logview *v, uint64_t seq,
		   const struct logidx_rec *rec, struct str data,
		   struct buf *b);

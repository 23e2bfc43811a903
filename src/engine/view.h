/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Rows of the store as the JSON of the API (REST v1: a run, a task, an event),
 * written by hand: reading is what clients do most. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/reader.h"

/* {"id":"run_...",...,"tasks":[...]}; ERR_NOT_FOUND. */
MUST_USE int view_run(struct store_reader *r, const struct ulid *run,
		      struct buf *b, struct err *e);
/* A run without its tasks, as lists show it. */
bool view_run_row(const struct store_run *run, struct buf *b);
/*
 * One page, [...]: the caller puts it into its envelope.
 * ret_cursor  the next page's, 0 when this is the last
 */
MUST_USE int view_runs(struct store_reader *r, const struct store_filter *f,
		       struct buf *b, int64_t *ret_cursor, struct err *e);
/* [{...}]: all of a run's tasks. */
MUST_USE int view_tasks(struct store_reader *r, const struct ulid *run,
			struct buf *b, struct err *e);
/* One task by the instance's name; ERR_NOT_FOUND. */
MUST_USE int view_task(struct store_reader *r, const struct ulid *run,
		       struct str name, struct buf *b, struct err *e);
/* One attempt of it. */
MUST_USE int view_attempt(struct store_reader *r, const struct ulid *run,
			  struct str name, uint32_t attempt, struct buf *b,
			  struct err *e);
/* [{...}]: every attempt of it that was made, the first one first. */
MUST_USE int view_attempts(struct store_reader *r, const struct ulid *run,
			   struct str name, struct buf *b, struct err *e);
/* An attempt as it ended, without braces: state, kind, times, usage, ... */
void view_attempt_inside(const struct store_attempt *a, struct buf *b);
/* {"items":[{"name":"build.bin","file":...,"size":...,"sha256":...}]} */
MUST_USE int view_artifacts(struct store_reader *r, const struct ulid *run,
			    struct buf *b, struct err *e);
/* {"run_id","task","attempt","state","kind","ts"} */
bool view_event(const struct store_event *ev, struct buf *b);
/* The same without its braces, for who says more. */
void view_event_inside(const struct store_event *ev, struct buf *b);
/* "run", "task", "artifact", "approval"; "" for what is none. */
const char *view_event_type(unsigned type);

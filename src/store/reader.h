/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Reading beside the writer, on a connection of its own: a reader belongs to
 * one thread and never holds anything up.  Rows are handed to functions with
 * borrowed text (see store.h); a function that returns -1 ends the call.
 */
#pragma once

#include "base/buf.h"
#include "store/store.h"

struct store_reader;

/* path: store_path().  The database must exist. */
MUST_USE int store_reader_open(const char *path, struct store_reader **ret,
			       struct err *e);
void store_reader_close(struct store_reader *r); /* NULL is fine */
/*
 * One state of the database for several reads (nests not): without it two
 * reads may see a commit between them.
 */
MUST_USE int store_reader_begin(struct store_reader *r, struct err *e);
void store_reader_end(struct store_reader *r);

/* What a list is narrowed to; zero is no filter. */
enum {
	STORE_FILTER_LABELS = 8
};

struct store_filter {
	uint32_t states; /* bit 1 << enum run_state; 0: all */
	uint32_t kinds;  /* bit 1 << enum fail_kind; 0: all */
	struct str project, job, trigger;
	/* One of several, as JSON lists, where that above is "". */
	struct str projects, jobs, triggers;
	struct str parent;  /* ULID of the run that has called them */
	struct str visible; /* only of these: a JSON list; "": all */
	struct {
		struct str key, value;
	} labels[STORE_FILTER_LABELS]; /* all keys, of each one value */
	size_t n_labels;
	int64_t since_us, until_us; /* on created_at; until is exclusive */
	int64_t before;             /* cursor: ids below; 0: from the newest */
	uint32_t limit;             /* at most 500; 0: 50 */
};

/* ERR_NOT_FOUND; fn sees the one row (without canonical). */
MUST_USE int store_read_run(struct store_reader *r, const struct ulid *ulid,
			    store_run_fn *fn, void *ctx, struct err *e);
/* Newest first. */
MUST_USE int store_read_runs(struct store_reader *r,
			     const struct store_filter *f, store_run_fn *fn,
			     void *ctx, struct err *e);
/* The job that it was made of, RFC 8785; appended. */
MUST_USE int store_read_canonical(struct store_reader *r,
				  const struct ulid *run, struct buf *b,
				  struct err *e);
/* What waits, in the order in which it will be looked at; visible as in a
 * filter. */
MUST_USE int store_read_queue(struct store_reader *r, struct str visible,
			      uint32_t limit, store_run_fn *fn, void *ctx,
			      struct err *e);
/* Those of a concurrency group that have not ended. */
MUST_USE int store_read_group(struct store_reader *r, struct str project,
			      struct str group, store_run_fn *fn, void *ctx,
			      struct err *e);
/* In plan order; run is store_run.id. */
MUST_USE int store_read_tasks(struct store_reader *r, int64_t run,
			      store_task_fn *fn, void *ctx, struct err *e);
/* By task and number. */
MUST_USE int store_read_attempts(struct store_reader *r, int64_t run,
				 store_attempt_fn *fn, void *ctx,
				 struct err *e);
/* Those whose fence is at least that, in the order of being made. */
MUST_USE int store_read_attempts_from(struct store_reader *r, int64_t run,
				      uint64_t fence, store_attempt_fn *fn,
				      void *ctx, struct err *e);
/* One of them; fn is not called when it is not there, and the call fails with
 * ERR_NOT_FOUND. */
MUST_USE int store_read_attempt(struct store_reader *r, int64_t run,
				uint32_t index, uint32_t number,
				store_attempt_fn *fn, void *ctx, struct err *e);
MUST_USE int store_read_artifacts(struct store_reader *r, int64_t run,
				  store_artifact_fn *fn, void *ctx,
				  struct err *e);

/* Events above an id, oldest first; run NULL: of all runs of the projects in a
 * JSON list, "" for every project, and up to an id: those of others are looked
 * at as well, and there may be many. */
typedef int store_event_fn(void *ctx, const struct store_event *ev,
			   struct err *e);
MUST_USE int store_read_events(struct store_reader *r, const struct ulid *run,
			       struct str visible, int64_t after, int64_t to,
			       uint32_t limit, store_event_fn *fn, void *ctx,
			       struct err *e);
/* The same, newest first, narrowed; zero is no filter. */
struct store_event_filter {
	const struct ulid *run;     /* NULL: of all that are visible */
	struct str visible;         /* as above */
	uint32_t types;             /* bit 1 << enum store_event_type; 0: all */
	int64_t since_us, until_us; /* until is exclusive */
	int64_t after, before;      /* ids, exclusive */
	uint32_t limit;             /* at most 501 */
};
MUST_USE int store_read_event_page(struct store_reader *r,
				   const struct store_event_filter *f,
				   store_event_fn *fn, void *ctx,
				   struct err *e);
/* The first id that is still kept; 0: there is none. */
MUST_USE int store_read_first_event(struct store_reader *r, int64_t *ret,
				    struct err *e);
/* The last id given; the place from which a new listener starts. */
MUST_USE int store_read_last_event(struct store_reader *r, int64_t *ret,
				   struct err *e);

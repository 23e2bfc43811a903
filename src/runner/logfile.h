/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The log of one attempt: redacted bytes into log.data, then a record into
 * log.idx, so that a reader never sees a frame without its bytes.  What is
 * written is gathered until logfile_flush(): pieces that follow one another on
 * one stream are one frame, and frames go out together.
 */
#pragma once

#include "base/err.h"
#include "base/redacted.h"
#include "proto/logidx.h"

#include <stdbool.h>

enum {
	LOGFILE_SAY_MAX = 1024
};

struct logfile {
	int data_fd, idx_fd; /* borrowed, opened for appending */
	uint64_t bytes;      /* so far, with what is gathered */
	uint64_t whole;      /* of those, with their records in the files */
	uint64_t idx_whole;  /* bytes of their records in log.idx */
	uint64_t max_bytes;  /* 0: no limit */
	bool cut;            /* the limit was reached: the rest is dropped */
	bool failed;         /* the disk is full or broken; said once */
	struct err why;
	char *batch; /* owned; not yet in log.data */
	size_t batch_len;
	unsigned char *recs; /* owned; not yet in log.idx */
	size_t n_recs;
	struct logidx_rec last; /* the last of them, which may yet grow */
	bool unsynced;          /* something was written since */
};

void logfile_init(struct logfile *l, int data_fd, int idx_fd,
		  uint64_t max_bytes);
void logfile_done(struct logfile *l); /* what is gathered is lost */
/* Append what the redactor let through.  Never fails: see l->failed. */
void logfile_write(struct logfile *l, enum logidx_stream stream,
		   struct redacted_str s);
/* A line of ours without its end ("nfo: ..."), of at most LOGFILE_SAY_MAX
 * bytes; not counted against the limit. */
void logfile_say(struct logfile *l, struct redacted_str line);
/* Let readers see all of it; no error, see l->failed. */
void logfile_flush(struct logfile *l);
/* Flushed and durable; of an empty log nothing has to be. */
MUST_USE int logfile_sync(struct logfile *l, struct err *e);

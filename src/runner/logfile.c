/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Writing the log of an attempt; see logfile.h. */
#include "runner/logfile.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	BATCH = 4 * LOGIDX_FRAME_MAX,
	DIRECT = 16 << 10, /* so much is worth a write of its own */
	RECS = 256
};

void logfile_init(struct logfile *l, int data_fd, int idx_fd,
		  uint64_t max_bytes)
{
	*l = (struct logfile){
		.data_fd = data_fd, .idx_fd = idx_fd, .max_bytes = max_bytes};
	l->batch = mem_alloc(BATCH);
	l->recs = mem_alloc(RECS * LOGIDX_LEN);
}

void logfile_done(struct logfile *l)
{
	mem_free(l->batch);
	mem_free(l->recs);
	l->batch = NULL;
	l->recs = NULL;
}

/* What was not whole is not there: readers never see it, and its room is free
 * for others.  The records go first, so that none is without its bytes. */
static void fail(struct logfile *l)
{
	l->failed = true;
	err_sys(&l->why, errno, "the log");
	l->bytes = l->whole;
	if (ftruncate(l->idx_fd, (off_t)l->idx_whole) ||
	    ftruncate(l->data_fd, (off_t)l->whole))
		return; /* they stay a little longer than they should be */
}

static int put_data(struct logfile *l)
{
	if (l->batch_len && fd_write_all(l->data_fd, l->batch, l->batch_len))
		return -1;
	l->batch_len = 0;
	return 0;
}

void logfile_flush(struct logfile *l)
{
	if (l->failed || !l->n_recs)
		return;
	CRASH_POINT("runner.before-log");
	if (put_data(l)) {
		fail(l);
		return;
	}
	CRASH_POINT("runner.half-log");
	if (fd_write_all(l->idx_fd, l->recs, l->n_recs * LOGIDX_LEN)) {
		fail(l);
		return;
	}
	l->idx_whole += l->n_recs * LOGIDX_LEN;
	l->n_recs = 0;
	l->unsynced = true;
	l->whole = l->bytes;
}

/* A record for len more bytes, or a longer last one. */
static void add_record(struct logfile *l, enum logidx_stream stream, size_t len,
		       uint8_t flags)
{
	struct logidx_rec *r = &l->last;

	if (l->n_recs && !flags && !r->flags && r->stream == stream &&
	    r->len + len <= LOGIDX_FRAME_MAX) {
		r->len += (uint32_t)len;
	} else {
		*r = (struct logidx_rec){.time_us = clock_real_us(),
					 .offset = l->bytes,
					 .len = (uint32_t)len,
					 .stream = (uint8_t)stream,
					 .flags = flags};
		l->n_recs++;
	}
	logidx_encode(r, l->recs + (l->n_recs - 1) * LOGIDX_LEN);
	l->bytes += len;
}

static void frame(struct logfile *l, enum logidx_stream stream, const void *p,
		  size_t len, uint8_t flags)
{
	bool direct = len >= DIRECT;

	if (l->n_recs == RECS || l->batch_len + len > BATCH)
		logfile_flush(l);
	if (l->failed)
		return;
	if (direct && (put_data(l) || fd_write_all(l->data_fd, p, len))) {
		fail(l);
		return;
	}
	if (!direct) {
		memcpy(l->batch + l->batch_len, p, len);
		l->batch_len += len;
	}
	add_record(l, stream, len, flags);
}

static void frames(struct logfile *l, enum logidx_stream stream, const char *p,
		   size_t len)
{
	while (len) {
		size_t n = len < LOGIDX_FRAME_MAX ? len : LOGIDX_FRAME_MAX;

		frame(l, stream, p, n, 0);
		p += n;
		len -= n;
	}
}

void logfile_write(struct logfile *l, enum logidx_stream stream,
		   struct redacted_str s)
{
	const char *p = s.clean.p;
	size_t len = s.clean.len;

	if (l->cut || !len)
		return;
	if (!l->max_bytes || len <= l->max_bytes - l->bytes) {
		frames(l, stream, p, len);
		return;
	}
	frames(l, stream, p, l->max_bytes - l->bytes);
	l->cut = true;
	frame(l, LOGIDX_SYSTEM, "", 0, LOGIDX_CUT);
}

void logfile_say(struct logfile *l, struct redacted_str line)
{
	char text[LOGFILE_SAY_MAX + 1];
	size_t n = line.clean.len;

	if (n > LOGFILE_SAY_MAX)
		n = LOGFILE_SAY_MAX;
	memcpy(text, line.clean.p, n);
	text[n++] = '\n';
	frame(l, LOGIDX_SYSTEM, text, n, 0);
}

int logfile_sync(struct logfile *l, struct err *e)
{
	logfile_flush(l);
	if (l->failed) {
		*e = l->why;
		return -1;
	}
	if (!l->unsynced)
		return 0;
	l->unsynced = false;
	if (fdatasync(l->data_fd) || fdatasync(l->idx_fd))
		return err_sys(e, errno, "sync of the log");
	return 0;
}

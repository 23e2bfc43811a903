/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Writing the log of an attempt; see logfile.h. */
#include "runner/logfile.h"
#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void logfile_init(struct logfile *l, int data_fd, int idx_fd,
		  uint64_t max_bytes)
{
	*l = (struct logfile){
		.data_fd = data_fd, .idx_fd = idx_fd, .max_bytes = max_bytes};
}

/* A half-written frame has no record, so readers never see it. */
static void frame(struct logfile *l, enum logidx_stream stream, const void *p,
		  size_t len, uint8_t flags)
{
	struct logidx_rec rec = {
		.time_us = clock_real_us(),
		.offset = l->bytes,
		.len = (uint32_t)len,
		.stream = (uint8_t)stream,
		.flags = flags,
	};
	unsigned char raw[LOGIDX_LEN];

	if (l->failed)
		return;
	logidx_encode(&rec, raw);
	if (fd_write_all(l->data_fd, p, len) ||
	    fd_write_all(l->idx_fd, raw, sizeof(raw))) {
		l->failed = true;
		err_sys(&l->why, errno, "the log");
		return;
	}
	l->bytes += len;
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

void logfile_write(struct logfile *l, enum logidx_stream stream, const void *p,
		   size_t len)
{
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

void logfile_say(struct logfile *l, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	frame(l, LOGIDX_SYSTEM, line, (size_t)n, 0);
}

int logfile_sync(struct logfile *l, struct err *e)
{
	if (l->failed) {
		*e = l->why;
		return -1;
	}
	if (fdatasync(l->data_fd) || fdatasync(l->idx_fd))
		return err_sys(e, errno, "sync of the log");
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading an attempt's log; see logview.h. */
#include "api/logview.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"
#include "engine/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BATCH = 64,
	EARLIER_MAX = 100 /* reruns of reruns */
};

void logview_init(struct logview *v)
{
	*v = (struct logview){.data_fd = -1, .idx_fd = -1, .seq = 1};
}

void logview_done(struct logview *v)
{
	fd_close(&v->data_fd);
	fd_close(&v->idx_fd);
}

struct find {
	struct logview *v;
	struct str task;
	bool found;
	uint32_t last;
};

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	struct logview *v = ctx;

	(void)e;
	v->run_id = run->id;
	if (run->rerun_of.len == ULID_LEN)
		memcpy(v->rerun_of.s, run->rerun_of.p, ULID_LEN);
	return 0;
}

static int see_task(void *ctx, const struct store_task *t, struct err *e)
{
	struct find *f = ctx;

	(void)e;
	if (!str_eq(t->name, f->task))
		return 0;
	f->found = true;
	f->last = t->attempt;
	f->v->index = t->index;
	f->v->state = t->state;
	f->v->kind = t->kind;
	return 0;
}

static int see_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct logview *v = ctx;

	(void)e;
	v->state = a->state;
	v->kind = a->kind;
	v->exit_code = a->exit_code;
	return 0;
}

int logview_refresh(struct logview *v, struct store_reader *reader,
		    struct err *e)
{
	struct find f = {.v = v, .task = str_from(v->task)};

	if (!v->attempt) { /* was one made meanwhile, or never will be? */
		if (store_read_tasks(reader, v->run_id, see_task, &f, e))
			return -1;
		v->attempt = f.last;
		if (!v->attempt)
			return 0;
	}
	return store_read_attempt(reader, v->run_id, v->index, v->attempt,
				  see_attempt, v, e);
}

int logview_find(struct logview *v, struct store_reader *reader,
		 const struct ulid *run, struct str task, uint32_t attempt,
		 struct err *e)
{
	struct find f = {.v = v, .task = task};

	v->run = *run;
	v->exit_code = -1;
	if (task.len > STORE_NAME_MAX)
		return err_set(e, ERR_NOT_FOUND, "no such task");
	if (store_read_run(reader, run, see_run, v, e) ||
	    store_read_tasks(reader, v->run_id, see_task, &f, e))
		return -1;
	if (!f.found)
		return err_set(e, ERR_NOT_FOUND, "no such task in this run");
	(void)snprintf(v->task, sizeof(v->task), STR_FMT, STR_ARG(task));
	v->attempt = attempt ? attempt : f.last;
	return v->attempt ? logview_refresh(v, reader, e) : 0;
}

static int open_one(struct logview *v, int state_fd, const char *file,
		    int *ret_fd, struct err *e)
{
	if (*ret_fd >= 0)
		return 0;
	if (!paths_open(state_fd, &v->run, v->index, str_from(v->task),
			v->attempt, file, ret_fd, e))
		return 0;
	return e->code == ERR_NOT_FOUND ? 0 : -1;
}

int logview_open(struct logview *v, int state_fd, struct err *e)
{
	if (!v->attempt)
		return 0;
	return open_one(v, state_fd, "log.data", &v->data_fd, e) ||
			       open_one(v, state_fd, "log.idx", &v->idx_fd, e) ?
		       -1 :
		       0;
}

int logview_earlier(struct logview *v, struct store_reader *reader,
		    int state_fd, struct err *e)
{
	struct ulid run = v->rerun_of;

	for (int i = 0; i < EARLIER_MAX && run.s[0] && v->data_fd < 0 &&
			state_final(v->state);
	     i++) {
		struct logview w;

		logview_init(&w);
		if (logview_find(&w, reader, &run, str_from(v->task), 0, e)) {
			logview_done(&w);
			return e->code == ERR_NOT_FOUND ? 0 : -1;
		}
		if (logview_open(&w, state_fd, e)) {
			logview_done(&w);
			return -1;
		}
		v->data_fd = w.data_fd;
		v->idx_fd = w.idx_fd;
		run = w.rerun_of;
	}
	return 0;
}

static const char *stream_name(uint8_t s)
{
	switch (s) {
	case LOGIDX_STDOUT:
		return "stdout";
	case LOGIDX_STDERR:
		return "stderr";
	default:
		return "system";
	}
}

static void frame(struct logview *v, const struct logidx_rec *rec,
		  struct str data, bool sse, struct buf *b)
{
	char ts[CLOCK_TEXT_LEN + 1];
	bool text = str_utf8_valid(data);

	clock_format(rec->time_us, ts);
	if (sse)
		buf_printf(b, "event: log\nid: %" PRIu64 "\ndata: ", v->seq);
	buf_printf(b, "{\"seq\":%" PRIu64 ",\"ts\":\"%s\",\"task\":\"", v->seq,
		   ts);
	buf_json(b, str_from(v->task));
	buf_printf(b, "\",\"attempt\":%" PRIu32 ",\"stream\":\"%s\",",
		   v->attempt, stream_name(rec->stream));
	if (rec->flags & LOGIDX_CUT)
		buf_puts(b, "\"cut\":true,");
	buf_puts(b, text ? "\"data\":\"" : "\"data_b64\":\"");
	if (text)
		buf_json(b, data);
	else
		b64_encode(b, data.p, data.len);
	buf_puts(b, sse ? "\"}\n\n" : "\"}\n");
}

static int read_at(int fd, char *to, size_t len, uint64_t at, struct err *e)
{
	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, n ? errno : EIO, "log.data");
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int logview_frames(struct logview *v, bool sse, size_t max_bytes, struct buf *b,
		   size_t *ret_n, struct err *e)
{
	struct logidx_rec recs[BATCH];
	CLEANUP_MEM char *data = mem_alloc(LOGIDX_FRAME_MAX);
	struct stat st;
	size_t n = 1;

	*ret_n = 0;
	if (v->idx_fd < 0 || v->data_fd < 0)
		return 0;
	while (n && b->len < max_bytes) {
		if (fstat(v->data_fd, &st))
			return err_sys(e, errno, "log.data");
		if (logidx_read(v->idx_fd, v->seq, (uint64_t)st.st_size, recs,
				BATCH, &n, e))
			return -1;
		for (size_t i = 0; i < n && b->len < max_bytes; i++) {
			if (read_at(v->data_fd, data, recs[i].len,
				    recs[i].offset, e))
				return -1;
			frame(v, &recs[i], str_n(data, recs[i].len), sse, b);
			v->seq++;
			(*ret_n)++;
		}
	}
	return 0;
}

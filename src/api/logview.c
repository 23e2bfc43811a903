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
	BATCH = 32,
	EARLIER_MAX = 100 /* reruns of reruns */
};

void logview_init(struct logview *v)
{
	*v = (struct logview){.data_fd = -1, .idx_fd = -1, .seq = 1};
	for (size_t i = 0; i < ARRAY_LEN(v->lines); i++)
		v->lines[i] = BUF_INIT(LOGIDX_FRAME_MAX);
}

void logview_close(struct logview *v)
{
	fd_close(&v->data_fd);
	fd_close(&v->idx_fd);
}

void logview_done(struct logview *v)
{
	logview_close(v);
	for (size_t i = 0; i < ARRAY_LEN(v->lines); i++)
		buf_done(&v->lines[i]);
	mem_free(v->batch);
	v->batch = NULL;
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
	v->logs_gone = run->logs_gone;
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
	v->log_bytes = a->log_bytes;
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
	v->gone = v->logs_gone && v->attempt;
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
			!v->gone && state_final(v->state);
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
		v->gone = w.gone;
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

void logview_frame(const struct logview *v, uint64_t seq,
		   const struct logidx_rec *rec, struct str data, struct buf *b)
{
	char ts[CLOCK_TEXT_LEN + 1];
	bool text = str_utf8_valid(data);

	clock_format(rec->time_us, ts);
	buf_printf(b, "{\"seq\":%" PRIu64 ",\"ts\":\"%s\",\"task\":\"", seq,
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
	buf_puts(b, "\"}");
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

/* --- frame by frame ----------------------------------------------------- */

uint64_t logview_count(const struct logview *v)
{
	struct stat st;

	return v->idx_fd >= 0 && !fstat(v->idx_fd, &st) ?
		       (uint64_t)st.st_size / LOGIDX_LEN :
		       0;
}

void logview_seek(struct logview *v, uint64_t seq)
{
	v->seq = seq;
	v->n_batch = v->at = 0;
}

static int read_ahead(struct logview *v, struct err *e)
{
	struct stat st;

	v->n_batch = v->at = 0;
	if (v->idx_fd < 0 || v->data_fd < 0)
		return 0;
	if (!v->batch)
		v->batch = mem_array(BATCH, sizeof(*v->batch));
	if (fstat(v->data_fd, &st))
		return err_sys(e, errno, "log.data");
	return logidx_read(v->idx_fd, v->seq, (uint64_t)st.st_size, v->batch,
			   BATCH, &v->n_batch, e);
}

int logview_peek(struct logview *v, struct logidx_rec *ret, struct err *e)
{
	if (v->at == v->n_batch && read_ahead(v, e))
		return -1;
	if (v->at == v->n_batch)
		return 0;
	*ret = v->batch[v->at];
	return 1;
}

int logview_take(struct logview *v, char *data, struct err *e)
{
	const struct logidx_rec *rec = &v->batch[v->at];

	if (read_at(v->data_fd, data, rec->len, rec->offset, e))
		return -1;
	v->at++;
	v->seq++;
	return 0;
}

static uint64_t count_lines(struct str s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.p[i] == '\n';
	return n;
}

int logview_back(struct logview *v, uint64_t lines, uint64_t bytes,
		 struct err *e)
{
	CLEANUP_MEM char *data = mem_alloc(LOGIDX_FRAME_MAX);
	uint64_t seq = logview_count(v), have = 0, read = 0;
	struct logidx_rec rec;
	int there;

	for (; seq && have <= lines && read < bytes; seq--) {
		logview_seek(v, seq);
		there = logview_peek(v, &rec, e);
		if (there < 0)
			return -1;
		if (!there) /* what a crash left behind it */
			continue;
		if (logview_take(v, data, e))
			return -1;
		have += count_lines(str_n(data, rec.len));
		read += rec.len;
	}
	logview_seek(v, seq + 1);
	return 0;
}

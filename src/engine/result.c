/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The end of an attempt: its result file, its artifacts, and what follows. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/blob.h"
#include "engine/internal.h"
#include "engine/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the runner wrote; NULL when there is nothing to believe. */
static struct job_result *read_result(struct run *r, size_t i)
{
	CLEANUP_BUF struct buf b = BUF_INIT(RESULT_JSON_MAX);
	CLEANUP_FD int fd = -1;
	struct job_result *x;
	struct err e;

	if (paths_open(r->g->o.state_fd, &r->row.ulid, (uint32_t)i,
		       r->plan->instances[i].name, r->inst[i].attempt, "result",
		       &fd, &e) ||
	    fd_read_buf(fd, &b, &e) || !b.len ||
	    job_result_decode(buf_view(&b), &x, &e))
		return NULL;
	if (strcmp(x->id.attempt.s, r->inst[i].ulid.s) != 0 ||
	    x->id.fence != r->inst[i].fence) {
		job_result_free(x);
		return NULL;
	}
	return x;
}

/* Out of staging into the blobs; the runner's own hash is only a check. */
static int take_artifact(struct run *r, size_t i,
			 const struct job_result_artifact *a, struct err *e)
{
	char dir[PATHS_MAX], path[2 * PATHS_MAX], hex[HASH_HEX_LEN + 1];
	struct store_artifact row = {.index = (uint32_t)i,
				     .attempt = r->inst[i].attempt};
	CLEANUP_BUF struct buf name = BUF_INIT(400);
	CLEANUP_FD int fd = -1;
	struct stat st;
	struct hash h;
	uint64_t bytes;

	paths_attempt(dir, &r->row.ulid, (uint32_t)i,
		      r->plan->instances[i].name, r->inst[i].attempt);
	(void)snprintf(path, sizeof(path), "%s/staging/%.*s", dir,
		       (int)(a->staged.len < 100 ? a->staged.len : 100),
		       a->staged.p);
	fd = fd_open_beneath(r->g->o.state_fd, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    st.st_nlink != 1)
		return err_set(e, ERR_INVALID, "artifact: not a file");
	if (blob_put(r->g->o.state_fd, fd, r->g->o.artifact_max_bytes, &h,
		     &bytes, e))
		return -1;
	hash_hex(&h, hex);
	if (strcmp(hex, a->sha256) != 0)
		return err_set(e, ERR_INVALID, "artifact: another hash");
	buf_printf(&name, STR_FMT "." STR_FMT,
		   STR_ARG(r->plan->instances[i].name), STR_ARG(a->name));
	row.name = buf_view(&name);
	row.file = a->file;
	row.bytes = bytes;
	row.created_us = clock_real_us();
	memcpy(row.sha256, hex, sizeof(row.sha256));
	live_keep(r, row.name, a->file, hex);
	return store_artifact_put(r->g->store, r->row.id, &row, e) ||
			       live_event(r, STORE_EVENT_ARTIFACT, (int32_t)i,
					  row.name, e) ?
		       -1 :
		       0;
}

static void keep_outputs(struct run *r, size_t i, const struct job_result *x)
{
	struct instance *in = &r->inst[i];

	in->outputs = arena_alloc(r->arena,
				  (x->n_outputs + 1) * sizeof(*in->outputs));
	for (size_t k = 0; in->outputs && k < x->n_outputs; k++) {
		in->outputs[k].name = live_str(r, x->outputs[k].name);
		in->outputs[k].value = live_str(r, x->outputs[k].value);
		in->n_outputs = k + 1;
	}
}

static void outputs_json(const struct job_result *x, struct buf *b)
{
	buf_putc(b, '{');
	for (size_t k = 0; x && k < x->n_outputs; k++) {
		buf_puts(b, k ? ",\"" : "\"");
		buf_json(b, x->outputs[k].name);
		buf_puts(b, "\":\"");
		buf_json(b, x->outputs[k].value);
		buf_putc(b, '"');
	}
	buf_putc(b, '}');
}

static int save_attempt(struct run *r, size_t i, const struct job_result *x,
			enum run_state state, enum fail_kind kind,
			const struct ended *end, struct err *e)
{
	CLEANUP_BUF struct buf outputs = BUF_INIT(4 << 20);
	struct instance *in = &r->inst[i];
	struct store_attempt row = {
		.index = (uint32_t)i,
		.number = in->attempt,
		.ulid = in->ulid,
		.fence = in->fence,
		.state = state,
		.kind = kind,
		.exit_code = x ? x->exit_code : end->exit_code,
		.signo = x ? x->signo : end->signo,
		.uid_slot = r->has_slot ? r->slot : in->slot,
		.shared = r->has_slot,
		.workspace = r->has_slot ? r->row.ulid : in->ulid,
		.started_us =
			x && x->started_us ? x->started_us : in->started_us,
		.finished_us = clock_real_us(),
	};

	outputs_json(x, &outputs);
	row.outputs = buf_view(&outputs);
	row.error = x ? x->error :
		    kind == KIND_LOST ?
			STR("the attempt was lost: a part of the server died") :
			STR("");
	row.hint = x ? x->hint : STR("");
	if (x) {
		row.cpu_us = x->usage.cpu_us;
		row.memory_peak_bytes = x->usage.memory_peak_bytes;
		row.pids_peak = x->usage.pids_peak;
		row.not_enforced = x->usage.not_enforced;
		row.log_bytes = x->log_bytes;
		row.redactions = x->redactions;
		row.log_truncated = x->log_truncated;
	}
	return store_attempt_put(r->g->store, r->row.id, &row, e);
}

/* Staged copies and links are no longer needed; the log and result stay. */
static void tidy(struct run *r, size_t i)
{
	char dir[PATHS_MAX];
	CLEANUP_FD int fd = -1;
	struct err e;

	paths_attempt(dir, &r->row.ulid, (uint32_t)i,
		      r->plan->instances[i].name, r->inst[i].attempt);
	fd = openat(r->g->o.state_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && (fd_remove_tree(fd, "staging", &e) ||
			fd_remove_tree(fd, "files", &e)))
		log_warn("%s: %s", dir, e.text);
}

static void let_go(struct run *r, size_t i)
{
	struct instance *in = &r->inst[i];

	if (in->running)
		r->g->n_running--;
	in->running = false;
	if (in->has_slot)
		slot_give(r->g, in->slot);
	in->has_slot = false;
	(void)map_del(r->g->by_attempt, str_from(in->ulid.s));
}

int result_take(struct run *r, size_t i, const struct ended *end, struct err *e)
{
	struct job_result *x = read_result(r, i);
	struct instance *in = &r->inst[i];
	enum run_state state = x ? x->state : (enum run_state)end->state;
	enum fail_kind kind = x ? x->kind : (enum fail_kind)end->kind;
	uint64_t delay = 0;
	struct err why;
	int bad = 0;

	/* Success without a result is none. */
	if (!x && state == STATE_SUCCEEDED) {
		state = STATE_FAILED;
		kind = KIND_INTERNAL;
	}
	for (size_t k = 0; x && k < x->n_artifacts; k++)
		if (take_artifact(r, i, &x->artifacts[k], &why)) {
			log_error("attempt %s: %s", in->ulid.s, why.text);
			if (why.code == ERR_LIMIT)
				bad = err_set(e, ERR_LIMIT, "%s", why.text);
			state = STATE_FAILED;
			kind = KIND_ARTIFACT;
			break;
		}
	if (x && !bad)
		keep_outputs(r, i, x);
	bad = bad || save_attempt(r, i, x, state, kind, end, e);
	let_go(r, i);
	tidy(r, i);
	job_result_free(x);
	if (bad)
		return -1;
	if (state == STATE_FAILED && !r->row.cancelled && !r->row.timed_out &&
	    job_plan_retry(r->plan, i, in->attempt, kind, end->exit_code,
			   &delay)) {
		in->due_us = clock_real_us() + (int64_t)delay;
		return live_task_state(r, i, STATE_QUEUED, kind, e);
	}
	return live_task_state(r, i, state, kind, e);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What nobody uses any more.  Content: artifacts past their time, and what a
 * deleted run left; the store remembers what to look at, so that a restart
 * forgets nothing.  Directories: those of runs whose deletion, or that of their
 * logs, was committed when the server was killed; looked for once after each
 * start.  Rows of the audit that are older than they are kept.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/blob.h"
#include "engine/internal.h"
#include "store/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	SWEEP_MAX = 64, /* at once: the thread has other work */
	AUDIT_MAX = 256
};

static const int64_t every_us = (int64_t)60 * 1000000;
static const int64_t held_us = 500000;
static const int64_t day_us = (int64_t)24 * 3600 * 1000000;

/* --- content ------------------------------------------------------------ */

/* Somebody may be about to use what was put a moment ago: then later. */
static int drop_one(struct engine *g, const char *sha256, bool used,
		    int64_t now_us, struct err *e)
{
	if (used || !blob_drop(g->o.state_fd, sha256))
		return store_garbage_done(g->store, sha256, e);
	return store_garbage_later(g->store, sha256,
				   now_us + BLOB_FRESH_S * INT64_C(1000000), e);
}

/* Returns how many it looked at. */
static int drop_due(struct engine *g, int64_t now_us, struct err *e)
{
	char sha256[HASH_HEX_LEN + 1];
	bool used;
	int n, r = 1;

	for (n = 0; n < SWEEP_MAX; n++) {
		r = store_garbage_next(g->store, now_us, sha256, &used, e);
		if (r <= 0)
			break;
		if (drop_one(g, sha256, used, now_us, e))
			return -1;
	}
	return r < 0 ? -1 : n;
}

static int sweep_now(struct engine *g, struct err *e)
{
	int64_t now_us = clock_real_us();
	bool due;
	int n;

	if (store_garbage_due(g->store, now_us, &due, e))
		return -1;
	if (!due)
		return 0;
	if (store_begin(g->store, e))
		return -1;
	n = store_expire(g->store, now_us, e) ? -1 : drop_due(g, now_us, e);
	CRASH_POINT("sweep.before-commit");
	if (n < 0 || store_commit(g->store, e)) {
		store_rollback(g->store);
		return -1;
	}
	return n;
}

/* --- directories -------------------------------------------------------- */

static bool forgotten(struct engine *g, const char *name)
{
	struct ulid run;
	struct err e;
	bool has;

	if (!ulid_valid(str_from(name)))
		return false;
	memcpy(run.s, name, sizeof(run.s));
	return !store_run_has_logs(g->store, &run, &has, &e) && !has;
}

/* Some of runs/ at a time.  A directory is made after its run is stored: one
 * without is nobody's. */
static int look_for_forgotten(struct engine *g)
{
	const struct dirent *d = NULL;
	int n;

	for (n = 0; n < SWEEP_MAX && (d = readdir(g->old_runs)); n++)
		if (forgotten(g, d->d_name))
			collect_remove_run(g, d->d_name);
	if (d)
		return n;
	(void)closedir(g->old_runs);
	g->old_runs = NULL;
	return 0;
}

int sweep_start(struct engine *g, struct err *e)
{
	int fd = openat(g->o.state_fd, "runs",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_sys(e, errno, "runs");
	g->old_runs = fdopendir(fd);
	if (!g->old_runs) {
		fd_close(&fd);
		return err_sys(e, errno, "runs");
	}
	loop_timer_set(g->sweep_timer, clock_mono_us());
	return 0;
}

void sweep_stop(struct engine *g)
{
	if (g->old_runs)
		(void)closedir(g->old_runs);
	g->old_runs = NULL;
}

/* --- the audit ---------------------------------------------------------- */

/* 1: there may be more. */
static int audit_some(struct engine *g, int64_t now_us, struct err *e)
{
	int n;

	if (!g->o.audit_days || g->disk_full || g->stuck)
		return 0;
	n = store_audit_expire(g->store, now_us - g->o.audit_days * day_us,
			       AUDIT_MAX, e);
	return n < 0 ? -1 : n > 0;
}

/* --- all of it ---------------------------------------------------------- */

void sweep(struct engine *g)
{
	struct err e;
	bool again;
	int n, more, audit;

	if (engine_files_held(g)) {
		loop_timer_set(g->sweep_timer, clock_mono_us() + held_us);
		return;
	}
	pthread_mutex_lock(&g->lock);
	again = g->missed;
	g->missed = false;
	pthread_mutex_unlock(&g->lock);
	if (again && !g->old_runs && sweep_start(g, &e))
		log_warn("directories of runs: %s", e.text);
	n = g->disk_full || g->stuck ? 0 : sweep_now(g, &e);

	if (n < 0)
		log_warn("content that nobody uses: %s", e.text);
	more = g->disk_full || g->stuck ? 0 :
					  retain_some(g, clock_real_us(), &e);
	if (more < 0)
		log_warn("runs whose time is over: %s", e.text);
	audit = audit_some(g, clock_real_us(), &e);
	if (audit < 0)
		log_warn("old rows of the audit: %s", e.text);
	if (g->old_runs && look_for_forgotten(g))
		n = SWEEP_MAX;
	loop_timer_set(g->sweep_timer,
		       clock_mono_us() +
			       (n == SWEEP_MAX || more > 0 || audit > 0 ?
					0 :
					every_us));
}

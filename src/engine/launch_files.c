/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an attempt is given: its directory and the descriptors of LAUNCH. */
#include "base/crash.h"
#include "base/fd.h"
#include "base/hex.h"
#include "engine/blob.h"
#include "engine/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	RESULT_ROOM = 8192 /* but for large outputs */
};

static int make_dir(struct run *r, size_t i, int *ret, struct err *e)
{
	char run[64], path[PATHS_MAX];
	int state = r->g->o.state_fd, fd;

	(void)snprintf(run, sizeof(run), "runs/%s", r->row.ulid.s);
	paths_attempt(path, &r->row.ulid, (uint32_t)i,
		      r->plan->instances[i].name, r->inst[i].attempt);
	if ((mkdirat(state, run, 0700) && errno != EEXIST) ||
	    mkdirat(state, path, 0700))
		return err_sys(e, errno, "%s", path);
	fd = openat(state, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	*ret = fd;
	return 0;
}

static int lay_files(struct run *r, size_t i, int dir, struct err *e)
{
	const struct job_attempt *a = r->inst[i].job;

	for (size_t k = 0; k < a->n_files; k++) {
		char blob[PATHS_MAX], to[320];

		paths_blob(blob, a->files[k].sha256);
		(void)snprintf(to, sizeof(to), "files/" STR_FMT,
			       STR_ARG(a->files[k].staged));
		if (linkat(r->g->o.state_fd, blob, dir, to, 0))
			return err_sys(e, errno, "files: " STR_FMT,
				       STR_ARG(a->files[k].file));
	}
	return 0;
}

static int open_source(struct run *r, struct err *e)
{
	struct hash h;
	int fd;

	if (!r->row.source_bytes)
		return fd_memfd_sealed("no-source", STR(""), e);
	if (hex_decode(r->row.source, h.b, HASH_LEN))
		return err_set(e, ERR_INTERNAL, "the source has no digest");
	return blob_open(r->g->o.state_fd, &h, &fd, e) ? -1 : fd;
}

/* A directory of its own only where something will be in it. */
static int open_dir(struct engine *g, int dir, const char *name, bool needed,
		    struct err *e)
{
	int fd;

	if (!needed) {
		fd = fcntl(g->empty_fd, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? err_sys(e, errno, "dup") : fd;
	}
	if (mkdirat(dir, name, 0700))
		return err_sys(e, errno, "%s", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "%s", name) : fd;
}

static int open_file(int dir, const char *name, int flags, struct err *e)
{
	int fd = openat(dir, name, flags | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, errno, "%s", name) : fd;
}

/* How an attempt ended can be written on a full disk as well. */
static int open_result(int dir, struct err *e)
{
	int fd = open_file(dir, "result", O_WRONLY, e);

	if (fd >= 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, RESULT_ROOM) &&
	    errno == ENOSPC) {
		err_sys(e, errno, "result");
		fd_close(&fd);
	}
	return fd;
}

static int job_memfd(const struct job_attempt *a, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(ATTEMPT_JSON_MAX);

	if (!job_attempt_encode(a, &b))
		return err_set(e, ERR_LIMIT, "the task is too large");
	return fd_memfd_sealed("job", buf_view(&b), e);
}

int launch_open(struct run *r, size_t i, int fds[N_LAUNCH_FDS], struct err *e)
{
	const struct job_attempt *a = r->inst[i].job;
	bool stages = a->n_artifacts || a->stdout_artifact.len ||
		      (a->cache.key.len && !a->cache.exact);
	bool lays = a->n_files || a->cache.sha256[0];
	CLEANUP_FD int dir = -1;

	if (make_dir(r, i, &dir, e))
		return -1;
	fds[LAUNCH_FILES] = open_dir(r->g, dir, "files", lays, e);
	cache_lay(&r->inst[i], dir); /* what it finds is told in the job */
	fds[LAUNCH_JOB] = job_memfd(a, e);
	fds[LAUNCH_LOG] = open_file(dir, "log.data", O_WRONLY | O_APPEND, e);
	fds[LAUNCH_INDEX] = open_file(dir, "log.idx", O_WRONLY | O_APPEND, e);
	fds[LAUNCH_RESULT] = open_result(dir, e);
	CRASH_POINT("launch.half-made");
	fds[LAUNCH_STAGING] = open_dir(r->g, dir, "staging", stages, e);
	fds[LAUNCH_SOURCE] = open_source(r, e);
	for (size_t k = 0; k < N_LAUNCH_FDS; k++)
		if (fds[k] < 0)
			return -1;
	return lay_files(r, i, dir, e);
}

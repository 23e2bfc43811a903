/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The worker: what takes as long as a file is large.  Takes artifacts out of
 * staging into the blobs, hashing on the way, and removes trees.  Has nothing
 * to do with runs: it gets paths and gives back hashes.
 */
#include "base/crash.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/blob.h"
#include "engine/internal.h"
#include "job/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	STAGED_MAX = 128,
	CACHE_FILES_MAX = 1000000
};

void collect_free(struct collect *c)
{
	if (!c)
		return;
	job_result_free(c->result);
	mem_free(c->got);
	mem_free(c);
}

/* --- in the worker's thread --------------------------------------------- */

/* A name of one part, and nothing behind it but a file of its own: the
 * directory was the runner's to write to. */
static int open_staged(const struct engine *g, const struct collect *c,
		       struct str staged, struct err *e)
{
	char path[PATHS_MAX + STAGED_MAX + 16];
	struct stat st;
	int fd;

	if (!staged.len || staged.len > STAGED_MAX || str_has(staged, '/') ||
	    staged.p[0] == '.')
		return err_set(e, ERR_INVALID, "a staged file's name is odd");
	(void)snprintf(path, sizeof(path), "%s/staging/" STR_FMT, c->dir,
		       STR_ARG(staged));
	fd = fd_open_beneath(g->o.state_fd, path,
			     O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(e, errno, "staged file");
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
		fd_close(&fd);
		return err_set(e, ERR_INVALID, "a staged file is none");
	}
	return fd;
}

static int take_one(const struct engine *g, struct collect *c, size_t i,
		    struct err *e)
{
	const struct job_result_artifact *a = &c->result->artifacts[i];
	CLEANUP_FD int fd = open_staged(g, c, a->staged, e);

	if (fd < 0 ||
	    blob_put(g->o.state_fd, fd, g->o.artifact_max_bytes,
		     &c->got[i].hash, &c->got[i].bytes, e) ||
	    (c->is_source &&
	     blob_check_tar(g->o.state_fd, &c->got[i].hash, SOURCE_FILES_MAX,
			    SOURCE_BYTES_MAX, e)))
		return err_wrap(e, "artifact \"" STR_FMT "\"",
				STR_ARG(a->name));
	return 0;
}

/* One that could not be laid in again is none: bytes says so, 0 that there is
 * no content either. */
static void take_cache(const struct engine *g, struct collect *c, size_t i)
{
	struct collected *got = &c->got[i];
	struct err e;

	if (take_one(g, c, i, &e))
		got->bytes = 0;
	else if (blob_check_tar(g->o.state_fd, &got->hash, CACHE_FILES_MAX,
				g->o.artifact_max_bytes, &e))
		got->bytes = UINT64_MAX;
	else
		return;
	log_warn("a cache is not kept: %s", e.text);
}

static void do_collect(struct engine *g, struct collect *c)
{
	size_t n = c->result->n_artifacts;

	c->got = mem_array(n, sizeof(*c->got));
	for (size_t i = 0; i < n; i++) {
		if (str_is(c->result->artifacts[i].name, CACHE_RESULT))
			take_cache(g, c, i);
		else if (take_one(g, c, i, &c->err))
			return;
	}
}

static void do_remove(struct engine *g, const struct collect *c)
{
	struct err e;

	/* a run's own directory: found again after the copy */
	if (!strchr(strchr(c->dir, '/') + 1, '/') && engine_files_held(g)) {
		pthread_mutex_lock(&g->lock);
		g->missed = true;
		pthread_mutex_unlock(&g->lock);
		return;
	}
	CRASH_POINT("files.before-remove");
	if (fd_remove_tree(g->o.state_fd, c->dir, &e))
		log_warn("remove %s: %s", c->dir, e.text);
	CRASH_POINT("files.after-remove");
}

/* The next one; NULL to end.  The lock is held. */
static struct collect *next(struct collector *w)
{
	struct collect *c;

	while (!w->in && !w->stop)
		pthread_cond_wait(&w->wake, &w->lock);
	c = w->in;
	if (w->stop || !c)
		return NULL;
	w->in = c->next;
	if (!w->in)
		w->in_tail = &w->in;
	c->next = NULL;
	return c;
}

static void *worker(void *ctx)
{
	struct engine *g = ctx;
	struct collector *w = &g->worker;
	struct collect *c;

	pthread_mutex_lock(&w->lock);
	while ((c = next(w))) {
		pthread_mutex_unlock(&w->lock);
		if (c->remove) {
			do_remove(g, c);
			collect_free(c);
			pthread_mutex_lock(&w->lock);
			continue;
		}
		do_collect(g, c);
		pthread_mutex_lock(&w->lock);
		*w->out_tail = c;
		w->out_tail = &c->next;
		loop_wake(g->loop);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* --- in the engine's ---------------------------------------------------- */

int collect_start(struct engine *g, struct err *e)
{
	struct collector *w = &g->worker;
	int r;

	r = pthread_create(&w->thread, NULL, worker, g);
	if (r)
		return err_sys(e, r, "thread");
	w->started = true;
	return 0;
}

static void free_all(struct collect *c)
{
	while (c) {
		struct collect *after = c->next;

		collect_free(c);
		c = after;
	}
}

/* What was not done is done after the next start: the results stay. */
void collect_stop(struct engine *g)
{
	struct collector *w = &g->worker;

	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->wake);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
		w->started = false;
	}
	free_all(w->in);
	free_all(w->out);
	w->in = w->out = NULL;
}

void collect_post(struct engine *g, struct collect *c)
{
	struct collector *w = &g->worker;

	pthread_mutex_lock(&w->lock);
	*w->in_tail = c;
	w->in_tail = &c->next;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

/* Its logs and all; the run is no longer in the store. */
void collect_remove_run(struct engine *g, const char *run)
{
	struct collect *c = mem_alloc(sizeof(*c));

	c->remove = true;
	(void)snprintf(c->dir, sizeof(c->dir), "runs/%s", run);
	collect_post(g, c);
}

void collect_done(struct engine *g)
{
	struct collector *w = &g->worker;
	struct collect *c, *after;

	pthread_mutex_lock(&w->lock);
	c = w->out;
	w->out = NULL;
	w->out_tail = &w->out;
	pthread_mutex_unlock(&w->lock);
	for (; c; c = after) {
		struct instance *in =
			map_get(g->by_attempt, str_from(c->attempt.s));

		after = c->next;
		if (in)
			result_finish(in, &c->end, c->result, c->got, &c->err);
		collect_free(c);
	}
}

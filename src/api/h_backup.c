/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Backup and restore.  A backup is made by a thread of its own and sent when
 * it is whole, so that what goes wrong is an answer and no cut file.  What is
 * restored is laid in as it comes; the server then makes way for one that
 * starts with it.
 */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "engine/backup.h"
#include "engine/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	RESTART_US = 300000 /* for the answer to go out */
};

struct keeping {
	struct api *api;
	struct request *backup; /* who waits for it */
	bool restoring;
	pthread_t thread;
	int event_fd, fd;
	struct loop_watch *watch;
	struct loop_timer *restart;
	struct err err;
	int bad;
};

static void noted(void *ctx, const struct engine_reply *reply)
{
	(void)ctx;
	(void)reply;
}

static void audit(struct request *r, const char *what)
{
	struct err e;

	if (engine_audit(r->api->engine, str_from(r->who.name), str_from(what),
			 STR(""), noted, NULL, &e))
		log_warn("audit of %s: %s", what, e.text);
}

static int dir_of(const struct api *a, struct buf *b, struct err *e)
{
	const char *slash = strrchr(a->db_path, '/');

	return buf_put(b, a->db_path, (size_t)(slash - a->db_path)) ?
		       0 :
		       err_set(e, ERR_INTERNAL, "the state directory");
}

/* --- backup ------------------------------------------------------------- */

static void *make(void *ctx)
{
	struct keeping *k = ctx;
	CLEANUP_BUF struct buf dir = BUF_INIT(8192);
	uint64_t one = 1;

	k->bad = dir_of(k->api, &dir, &k->err) ||
		 backup_make(k->api->state_fd, k->api->db_path, buf_cstr(&dir),
			     k->api->version, &k->fd, &k->err);
	(void)!fd_write(k->event_fd, &one, sizeof(one));
	return NULL;
}

static void finish(struct keeping *k)
{
	(void)pthread_join(k->thread, NULL);
	loop_watch_free(k->watch);
	k->watch = NULL;
	fd_close(&k->event_fd);
	engine_hold_files(k->api->engine, false);
	k->backup = NULL;
}

static void on_made(void *ctx, int fd, uint32_t events)
{
	struct keeping *k = ctx;
	struct request *r = k->backup;

	(void)fd;
	(void)events;
	finish(k);
	if (k->bad) {
		reply_err(r, &k->err);
	} else {
		audit(r, "system.backup");
		reply_file(r, k->fd, "application/x-tar", NULL,
			   "attachment; filename=\"nfo-backup.tar\"");
	}
	request_resume(r);
}

int h_backup(struct request *r)
{
	struct keeping *k = r->api->keeping;
	struct err e;
	int bad;

	if (k->backup || k->restoring)
		return reply_problem(r, 409, "conflict",
				     "a backup is made, or one taken back");
	k->fd = -1;
	k->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->event_fd < 0 || loop_add_fd(r->api->loop, k->event_fd, EPOLLIN,
					   on_made, k, &k->watch, &e)) {
		err_sys(&e, errno, "eventfd");
		fd_close(&k->event_fd);
		return reply_err(r, &e);
	}
	engine_hold_files(r->api->engine, true);
	k->backup = r;
	bad = pthread_create(&k->thread, NULL, make, k);
	if (bad) {
		k->backup = NULL;
		engine_hold_files(r->api->engine, false);
		loop_watch_free(k->watch);
		fd_close(&k->event_fd);
		err_sys(&e, bad, "thread");
		return reply_err(r, &e);
	}
	request_wait(r);
	return 0;
}

/* --- restore ------------------------------------------------------------ */

struct taking {
	struct api *api;
	struct restore *restore;
};

static void drop(struct taking *t)
{
	if (!t->restore)
		return;
	restore_abort(t->restore);
	t->restore = NULL;
	t->api->keeping->restoring = false;
}

static void taking_free(void *state)
{
	drop(state);
	mem_free(state);
}

static void feed(struct request *r, const char *data, size_t len)
{
	struct taking *t = r->state;
	struct err e;

	if (!restore_feed(t->restore, data, len, &e))
		return;
	drop(t);
	reply_err(r, &e);
}

/* Before the first byte of the body. */
int h_restore_begin(struct request *r)
{
	struct engine_stats s = engine_stats(r->api->engine);
	CLEANUP_BUF struct buf dir = BUF_INIT(8192);
	struct restore *restore;
	struct taking *t;
	struct err e;

	if (!s.maintenance || s.running_attempts)
		return reply_problem(r, 409, "conflict",
				     s.maintenance ? "tasks are running" :
						     "only in maintenance (PUT "
						     "/v1/system/maintenance)");
	if (r->api->keeping->backup || r->api->keeping->restoring)
		return reply_problem(r, 409, "conflict",
				     "a backup is made, or one taken back");
	if (dir_of(r->api, &dir, &e) ||
	    restore_begin(r->api->state_fd, buf_cstr(&dir), &restore, &e))
		return reply_err(r, &e);
	t = mem_alloc(sizeof(*t));
	*t = (struct taking){r->api, restore};
	r->api->keeping->restoring = true;
	r->state = t;
	r->state_free = taking_free;
	r->feed = feed;
	return 0;
}

static void on_restart(void *ctx)
{
	struct keeping *k = ctx;

	log_info("a backup is taken back: the server starts anew with it");
	loop_stop(k->api->loop);
}

int h_restore(struct request *r)
{
	struct keeping *k = r->api->keeping;
	struct taking *t = r->state;
	struct restore *restore = t->restore;
	struct buf b = BUF_INIT(256);
	struct err e;

	t->restore = NULL; /* and nobody else may come now */
	if (restore_end(restore, &e)) {
		k->restoring = false;
		return reply_err(r, &e);
	}
	log_info("restored by %s", r->who.name);
	loop_timer_set(k->restart, clock_mono_us() + RESTART_US);
	buf_puts(&b, "{\"status\":\"restored\",\"maintenance\":true}\n");
	return reply_json(r, 202, &b);
}

/* --- life --------------------------------------------------------------- */

struct keeping *keeping_new(struct api *a)
{
	struct keeping *k = mem_alloc(sizeof(*k));

	k->api = a;
	k->event_fd = k->fd = -1;
	k->restart = loop_timer_new(a->loop, on_restart, k);
	return k;
}

/* A thread that still copies is waited for: it uses what is closed next. */
void keeping_free(struct keeping *k)
{
	if (k->backup) {
		finish(k);
		fd_close(&k->fd);
	}
	loop_timer_free(k->restart);
	mem_free(k);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A server without a monitor, in a directory of its own: the API and the
 * engine as they are, no policy (so nothing may run) and one run that has
 * ended, with a log and an artifact.
 */
#pragma once

#include "api/api.h"
#include "api/follow.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "config/config.h"
#include "engine/blob.h"
#include "engine/engine.h"
#include "engine/paths.h"
#include "proto/logidx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RUN "01J0000000000000000000000A"

struct world {
	char path[64];
	int fdinfo, state_fd, listener, monitor, keeper;
	struct sockaddr_un at;
	struct loop *loop;
	struct policy_set *policies;
	struct engine *engine;
	struct api *api;
};

static inline void must(int failed, const struct err *e)
{
	if (!failed)
		return;
	fprintf(stderr, "%s\n", e->text);
	abort();
}

/* --- what there is to look at ------------------------------------------- */

static inline void log_make(struct world *w, const struct ulid *run)
{
	static const char text[] = "one\ntwo\n";
	const struct logidx_rec rec = {1000000, 0, sizeof(text) - 1,
				       LOGIDX_STDOUT, 0};
	unsigned char idx[LOGIDX_LEN];
	char dir[PATHS_MAX], path[PATHS_MAX + 16];
	struct err e;

	(void)snprintf(path, sizeof(path), "runs/%s", run->s);
	paths_attempt(dir, run, 0, STR("a"), 1);
	if (mkdirat(w->state_fd, path, 0700) || mkdirat(w->state_fd, dir, 0700))
		abort();
	logidx_encode(&rec, idx);
	(void)snprintf(path, sizeof(path), "%s/log.data", dir);
	must(fd_write_file(w->state_fd, path, str_from(text), 0600, &e), &e);
	(void)snprintf(path, sizeof(path), "%s/log.idx", dir);
	must(fd_write_file(w->state_fd, path,
			   str_n((const char *)idx, sizeof(idx)), 0600, &e),
	     &e);
}

static inline void rows_make(struct world *w, struct store *s,
			     const struct ulid *ulid)
{
	const struct store_task task = {
		.name = STR("a"), .state = STATE_SUCCEEDED, .attempt = 1};
	struct store_run run = {.ulid = *ulid,
				.project = STR("default"),
				.job = STR("x"),
				.state = STATE_SUCCEEDED,
				.labels = STR("{}"),
				.inputs = STR("{}"),
				.created_us = 1,
				.canonical = STR("{}")};
	struct store_attempt attempt = {.number = 1,
					.ulid = *ulid,
					.state = STATE_SUCCEEDED,
					.log_bytes = 8,
					.outputs = STR("{}")};
	struct store_artifact art = {.attempt = 1,
				     .name = STR("a.b"),
				     .file = STR("b.txt"),
				     .bytes = 10};
	struct blob_writer *bw;
	struct hash h;
	struct err e;
	int64_t id;

	must(blob_begin(w->state_fd, 100, &bw, &e) ||
		     blob_write(bw, "0123456789", 10, &e) ||
		     blob_end(bw, &h, &art.bytes, &e),
	     &e);
	hash_hex(&h, art.sha256);
	must(store_begin(s, &e) || store_run_add(s, &run, &id, &e) ||
		     store_task_put(s, id, &task, &e) ||
		     store_attempt_put(s, id, &attempt, &e) ||
		     store_artifact_put(s, id, &art, &e) || store_commit(s, &e),
	     &e);
}

/* --- the world ---------------------------------------------------------- */

static inline void listen_at(struct world *w)
{
	w->at.sun_family = AF_UNIX;
	(void)snprintf(w->at.sun_path, sizeof(w->at.sun_path), "%s/s", w->path);
	w->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(w->listener, (struct sockaddr *)&w->at, sizeof(w->at)) ||
	    listen(w->listener, 16))
		abort();
}

static inline void start(struct world *w, struct store *s)
{
	struct engine_opts o = {.state_fd = w->state_fd,
				.store = s,
				.policies = w->policies,
				.monitor_is_new = true,
				.stay_without_monitor = true};
	struct api_options a = {
		.loop = w->loop,
		.http = {.listeners = &w->listener, .n_listeners = 1},
		.control_fd = -1,
		.state_fd = w->state_fd,
		.policies = w->policies,
		.owner_uid = getuid(),
		.version = "0"
        };
	CLEANUP_MEM char *db = mem_strdup(store_path(s));
	int monitor[2], keeper[2];
	struct err e;

	must(chan_pair(monitor, &e) || chan_pair(keeper, &e), &e);
	w->monitor = monitor[0];
	fd_close(&keeper[0]); /* nobody keeps secrets here */
	o.monitor_fd = monitor[1];
	must(engine_new(&o, &w->engine, &e) || engine_start(w->engine, &e), &e);
	a.engine = w->engine;
	a.keeper_fd = keeper[1];
	a.fetcher_fd = -1;
	w->fdinfo = open("/proc/self/fdinfo", O_PATH | O_CLOEXEC);
	a.fdinfo_fd = w->fdinfo;
	a.db_path = db;
	a.config = config_new();
	must(api_new(&a, &w->api, &e), &e);
}

static inline void world_make(struct world *w)
{
	struct store *s;
	struct ulid run;
	struct err e;

	(void)snprintf(w->path, sizeof(w->path), "/tmp/nfo-http.XXXXXX");
	if (!mkdtemp(w->path))
		abort();
	memcpy(run.s, RUN, sizeof(run.s));
	w->state_fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	listen_at(w);
	must(paths_init(w->state_fd, &e) || store_open(w->path, &s, &e) ||
		     loop_new(&w->loop, &e) || policy_set_new(&w->policies, &e),
	     &e);
	log_make(w, &run);
	rows_make(w, s, &run);
	start(w, s);
}

static inline void world_drop(struct world *w)
{
	struct err e;

	api_free(w->api);
	engine_free(w->engine);
	policy_set_free(w->policies);
	loop_free(w->loop);
	fd_close(&w->listener);
	fd_close(&w->fdinfo);
	fd_close(&w->monitor);
	fd_close(&w->state_fd);
	(void)!fd_remove_tree(AT_FDCWD, w->path, &e);
}

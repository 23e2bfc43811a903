/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The server: two threads, http (this one, with the API) and the engine's.
 * It holds no key and no secret, and runs nothing.
 */
#include "api/api.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "engine/backup.h"
#include "engine/engine.h"
#include "engine/paths.h"
#include "policy/policy.h"
#include "role/role.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION "0.1.0"

enum {
	POLICIES_MAX = 16 << 20,
	TOKEN_LEN = 32,
	IDLE_CHECK_US = 1000000
};

struct server {
	struct role_start start;
	struct loop *loop;
	int state_fd;
	int fdinfo_fd; /* open all the time: Landlock knows it by its inode */
	struct store *store;
	struct engine *engine;
	struct api *api;
	struct policy_set *policies;
	struct config *config;
	struct hash token;
	char dir[INIT_PATH_MAX + 16];
	char db[INIT_PATH_MAX + 64];
	struct loop_timer *idle;
	uint64_t seen_requests;
	int64_t busy_us;
};

static int load_policies(struct server *s, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(POLICIES_MAX);

	return fd_memfd_read(s->start.fds[INIT_POLICIES], &b, e) ||
			       policy_set_decode(buf_view(&b), &s->policies,
						 e) ?
		       -1 :
		       0;
}

static int load_config(struct server *s, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(CONFIG_BUNDLE_MAX);
	char name[CONFIG_TEXT_MAX];

	if (fd_memfd_read(s->start.fds[INIT_CONFIG], &b, e))
		return -1;
	if (!config_decode(buf_view(&b), &s->config, name, ps))
		return 0;
	config_tell(ps, name);
	return err_set(e, ERR_INVALID,
		       "the settings are wrong (nfo config "
		       "check FILE)");
}

/* Made at the first start, mode 0600; only its hash is kept in memory. */
static int load_token(struct server *s, struct err *e)
{
	CLEANUP_BUF struct buf b = BUF_INIT(256);
	unsigned char raw[TOKEN_LEN];
	struct str text;

	if (fd_read_file(s->state_fd, "token", &b, e)) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		random_bytes(raw, sizeof(raw));
		buf_puts(&b, "nfo_");
		b64url_encode(&b, raw, sizeof(raw));
		buf_putc(&b, '\n');
		if (fd_write_file(s->state_fd, "token", buf_view(&b), 0600, e))
			return -1;
	}
	text = str_trim(buf_view(&b));
	s->token = hash_sha256(text.p, text.len);
	buf_wipe(&b);
	return 0;
}

static int start_engine(struct server *s, struct err *e)
{
	struct engine_opts o = {
		.state_fd = s->state_fd,
		.store = s->store,
		.policies = s->policies,
		.monitor_fd = ROLE_FD,
		.parallel = s->start.init.max_attempts < 64 ?
				    s->start.init.max_attempts :
				    64,
		.owner_uid = s->start.init.owner_uid,
		.retention =
			{
				    (uint32_t)s->config->retention.keep_days,
				    (uint32_t)s->config->retention.keep_failed_days,
				    (uint32_t)s->config->retention.keep_runs,
				    (uint32_t)s->config->retention.keep_log_days,
				    (uint32_t)s->config->retention.artifact_days,
				    !s->config->retention.keep_last_success,
				    },
		.audit_days = (uint32_t)s->config->retention.audit_days,
		.monitor_is_new = s->start.init.first_start,
	};

	if (engine_new(&o, &s->engine, e))
		return -1;
	return engine_start(s->engine, e);
}

static struct http_options http_options(const struct server *s)
{
	const struct role_init *i = &s->start.init;
	const int *tls = s->start.fds + N_INIT_FDS;

	return (struct http_options){
		.listeners = tls + i->n_tls_fds,
		.n_listeners = s->start.n_fds - N_INIT_FDS - i->n_tls_fds,
		.tls_listeners = i->tls_listeners,
		.tls_fds = tls,
		.n_tls_fds = i->n_tls_fds,
	};
}

static int start_api(struct server *s, struct err *e)
{
	struct api_options o = {
		.loop = s->loop,
		.http = http_options(s),
		.control_fd = s->start.fds[INIT_CONTROL],
		.config = s->config,
		.state_fd = s->state_fd,
		.fdinfo_fd = s->fdinfo_fd,
		.engine = s->engine,
		.keeper_fd = s->start.fds[INIT_KEEPER],
		.fetcher_fd = s->start.fds[INIT_FETCHER],
		.db_path = s->db,
		.policies = s->policies,
		.token_hash = str_n((const char *)s->token.b, HASH_LEN),
		.owner_uid = s->start.init.owner_uid,
		.version = VERSION,
	};

	return api_new(&o, &s->api, e);
}

/* A private server leaves when nobody needed it for a while. */
static void on_idle(void *ctx)
{
	struct server *s = ctx;
	struct engine_stats st = engine_stats(s->engine);
	int64_t now = clock_mono_us();
	struct err e;

	if (st.live_runs || st.schedules || api_busy(s->api) ||
	    api_requests(s->api) != s->seen_requests) {
		s->seen_requests = api_requests(s->api);
		s->busy_us = now;
	}
	if (now - s->busy_us > (int64_t)s->start.init.idle_exit_s * 1000000) {
		log_info("idle for %u s, leaving", s->start.init.idle_exit_s);
		(void)!chan_send(ROLE_FD, MSG_STOP, NULL, NULL, 0, &e);
		return;
	}
	loop_timer_set(s->idle, now + IDLE_CHECK_US);
}

static void on_drained(void *ctx)
{
	loop_stop(((struct server *)ctx)->loop);
}

static void on_signal(void *ctx, int signo)
{
	struct server *s = ctx;

	(void)signo;
	api_drain(s->api, s->config->timeouts.stop_us, on_drained, s);
}

static int set_up(struct server *s, struct err *e)
{
	static const int signals[] = {SIGTERM, SIGINT};

	if (s->start.n_fds <= N_INIT_FDS + (size_t)s->start.init.n_tls_fds)
		return err_set(e, ERR_INTERNAL, "INIT without sockets");
	(void)snprintf(s->dir, sizeof(s->dir), "%s/server",
		       s->start.init.state);
	s->state_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->state_fd < 0)
		return err_sys(e, errno, "%s", s->dir);
	crash_begin(s->state_fd);
	if (load_policies(s, e) || load_config(s, e) || load_token(s, e) ||
	    restore_finish(s->state_fd, e) || paths_init(s->state_fd, e) ||
	    store_open(s->dir, &s->store, e))
		return -1;
	(void)snprintf(s->db, sizeof(s->db), "%s", store_path(s->store));
	if (loop_new(&s->loop, e) ||
	    loop_signals(s->loop, signals, ARRAY_LEN(signals), on_signal, s,
			 e) ||
	    start_engine(s, e))
		return -1;
	return start_api(s, e);
}

int main(void)
{
	struct server *s = mem_alloc(sizeof(*s));
	struct err e;

	role_begin(ROLE_SERVER, &s->start);
	(void)hash_sha256("", 0); /* libcrypto reads its configuration now */
	s->fdinfo_fd =
		open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->fdinfo_fd < 0) {
		(void)err_sys(&e, errno, "/proc/self/fdinfo");
		role_failed(&e);
	}
	role_confine(ROLE_SERVER, &s->start);
	umask(077);
	if (set_up(s, &e))
		role_failed(&e);
	for (size_t i = 0; i < s->start.init.n_tls_fds; i++)
		fd_close(&s->start.fds[N_INIT_FDS + i]); /* it is read */
	role_ready();
	if (s->start.init.idle_exit_s) {
		s->busy_us = clock_mono_us();
		s->idle = loop_timer_new(s->loop, on_idle, s);
		loop_timer_set(s->idle, s->busy_us + IDLE_CHECK_US);
	}
	if (loop_run(s->loop, &e))
		log_error("%s", e.text);
	api_free(s->api);
	engine_free(s->engine);
	policy_set_free(s->policies);
	return 0;
}

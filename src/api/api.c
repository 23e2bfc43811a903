/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Putting the API together; see api.h. */
#include "api/api.h"
#include "api/control.h"
#include "api/eventbatch.h"
#include "api/fetcher.h"
#include "api/follow.h"
#include "api/internal.h"
#include "api/metrics.h"
#include "api/page.h"
#include "api/reload.h"
#include "api/viewcache.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/logwatch.h"
#include "store/reader.h"

#include <string.h>
#include <sys/epoll.h>

enum {
	BEAT_US = 15 * 1000000
};

static void on_news(void *ctx, const struct engine_news *n)
{
	follow_news(ctx, n);
	runkeys_news(ctx, n);
}

static void on_engine(void *ctx, int fd, uint32_t events)
{
	struct api *a = ctx;

	(void)fd;
	(void)events;
	engine_drain(a->engine, on_news, a);
}

static void on_log(void *ctx, int fd, uint32_t events)
{
	struct api *a = ctx;

	(void)fd;
	(void)events;
	logwatch_drain(a->logwatch);
}

static void on_beat(void *ctx)
{
	struct api *a = ctx;

	follow_beat(a);
	identity_beat(a);
	oidc_beat(a);
	loop_timer_set(a->beat, clock_mono_us() + BEAT_US);
}

static void on_ends(void *ctx)
{
	struct api *a = ctx;

	follow_wake(a);
	identity_arm(a);
}

struct http *api_http(struct api *a)
{
	return a->http;
}

static int watch(struct api *a, const struct api_options *o, struct err *e)
{
	if (page_key(a, e) || store_reader_open(o->db_path, &a->reader, e))
		return -1;
	a->views = viewcache_new();
	a->batches = eventbatch_new();
	if (identity_load(a, e) || logwatch_new(&a->logwatch, e) ||
	    loop_add_fd(a->loop, engine_fd(a->engine), EPOLLIN, on_engine, a,
			&a->engine_watch, e) ||
	    loop_add_fd(a->loop, logwatch_fd(a->logwatch), EPOLLIN, on_log, a,
			&a->log_watch, e))
		return -1;
	oidc_begin(a);
	return http_new(a, a->loop, &o->http, &a->http, e);
}

/* Whose secrets can be had decides what may start. */
static void on_provider(void *ctx, const struct keeper_provider *p)
{
	struct api *a = ctx;

	engine_provider(a->engine, str_from(p->name), p->state,
			str_from(p->text));
}

int api_new(const struct api_options *o, struct api **ret, struct err *e)
{
	struct api *a = mem_alloc(sizeof(*a));

	a->loop = o->loop;
	a->engine = o->engine;
	a->policies = o->policies;
	a->config = a->started = o->config;
	a->configured = o->configured;
	a->configured_ctx = o->configured_ctx;
	a->state_fd = o->state_fd;
	a->fdinfo_fd = o->fdinfo_fd;
	a->version = o->version;
	a->started_us = clock_real_us();
	a->metrics = metrics_new();
	a->db_path = o->db_path;
	a->keeping = keeping_new(a);
	a->auth.owner_uid = o->owner_uid;
	a->auth.has_token = o->token_hash.len == HASH_LEN;
	if (a->auth.has_token)
		memcpy(a->auth.token_hash, o->token_hash.p, HASH_LEN);
	list_init(&a->followers);
	slow_begin(a);
	list_init(&a->under_way);
	wellknown_load(a);
	a->keeper = keeper_new(a->loop, o->keeper_fd, wellknown_took, a);
	keeper_watch(a->keeper, on_provider, a);
	a->control = control_new(a->loop, o->control_fd, reload_take, a);
	a->beat = loop_timer_new(a->loop, on_beat, a);
	loop_timer_set(a->beat, clock_mono_us() + BEAT_US);
	a->ends = loop_timer_new(a->loop, on_ends, a);
	a->fetcher = fetcher_new(a->loop, o->fetcher_fd);
	if (watch(a, o, e)) {
		api_free(a);
		return -1;
	}
	runkeys_sweep(a);
	*ret = a;
	return 0;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	control_free(a->control);
	keeper_free(a->keeper);
	slow_end(a);
	fetcher_free(a->fetcher);
	oidc_end(a);
	http_free(a->http);
	keeping_free(a->keeping);
	loop_timer_free(a->beat);
	loop_timer_free(a->ends);
	loop_watch_free(a->engine_watch);
	loop_watch_free(a->log_watch);
	logwatch_free(a->logwatch);
	viewcache_free(a->views);
	eventbatch_free(a->batches);
	store_reader_close(a->reader);
	identity_free(&a->identity);
	wellknown_done(&a->wellknown);
	mem_free(a->metrics);
	reload_end(a);
	loop_timer_free(a->drained);
	mem_free(a);
}

void api_configure(struct api *a, const struct config *config)
{
	a->config = config;
	oidc_begin(a);
}

uint64_t api_requests(const struct api *a)
{
	return a->n_requests;
}

bool api_busy(const struct api *a)
{
	return !list_empty(&a->followers);
}

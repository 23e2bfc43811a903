/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the files of src/api share; nobody else includes it. */
#pragma once

#include "api/api.h"
#include "api/auth.h"
#include "api/cursor.h"
#include "api/http.h"
#include "api/identity.h"
#include "api/keeper.h"
#include "api/oidc.h"
#include "api/slow.h"
#include "api/wellknown.h"
#include "base/list.h"
#include "config/config.h"
#include "hook/limit.h"

struct api {
	struct loop *loop;
	struct http *http;
	struct engine *engine;
	struct keeper *keeper;
	struct control *control; /* see control.h */
	struct store_reader *reader;
	struct viewcache *views;
	struct eventbatch *batches;
	const struct policy_set *policies;
	const struct config *config; /* another after each reload */
	struct config *started;      /* what the others still are */
	struct reloaded *reloaded;   /* the last one; see reload.h */
	void (*configured)(void *ctx, const struct config *c);
	void *configured_ctx;
	size_t n_open; /* requests under way */
	bool draining; /* see drain.h */
	struct loop_timer *drained;
	void (*on_drained)(void *ctx);
	void *drained_ctx;
	struct logwatch *logwatch;
	struct link under_way; /* requests with an Idempotency-Key: once.h */
	size_t n_followers;
	struct link followers; /* streams that wait for news: follow.h */
	struct loop_timer *beat;
	struct loop_timer *ends; /* of tokens and logins: identity_arm() */
	struct loop_watch *engine_watch, *log_watch;
	struct auth auth;
	struct identity identity;
	struct oidc oidc;
	struct wellknown wellknown;
	struct fetcher *fetcher;
	struct slow slow;               /* answers to wrong tokens */
	struct hook_limit hooks;        /* right calls of each */
	struct hook_limit hook_callers; /* and all, by who calls */
	int state_fd;
	int fdinfo_fd; /* /proc/self/fdinfo */
	const char *version;
	int64_t started_us; /* real time */
	unsigned char cursor_key[CURSOR_KEY_LEN];
	uint32_t n_squeezed; /* answers that are being compressed */
	uint64_t n_requests;
	struct metrics *metrics;
	struct keeping *keeping; /* h_backup.c */
	const char *db_path;     /* borrowed */
};

/* h_backup.c */
struct keeping *keeping_new(struct api *a);
void keeping_free(struct keeping *k);

struct engine_news;
/* runkeys.c: the keys of private files go with their runs. */
void runkeys_news(struct api *a, const struct engine_news *n);
void runkeys_sweep(struct api *a);

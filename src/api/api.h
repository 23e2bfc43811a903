/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The REST API: libmicrohttpd with an external epoll on the http thread's loop.
 * (Its internal epoll stalls at exact multiples of 128 ready connections, and
 * the external mode is not woken by a resume from another thread: so resumes
 * happen only here, and other threads use loop_wake.)
 */
#pragma once

#include "base/chan.h"
#include "base/err.h"
#include "base/loop.h"
#include "proto/edges.h"

struct api;
struct engine;
struct config;
struct policy_set;

struct http_options {
	const int *listeners; /* listening sockets: Unix and TCP; borrowed */
	size_t n_listeners;
	uint32_t tls_listeners; /* bit i: the i-th of them speaks TLS */
	const int *tls_fds;     /* enum tls_fd, sealed, PEM; for the call */
	size_t n_tls_fds;       /* 0: no TLS */
};

struct api_options {
	struct loop *loop;
	struct http_options http;
	int control_fd;        /* channel to the monitor; taken; -1: none */
	int fdinfo_fd;         /* /proc/self/fdinfo; borrowed */
	int state_fd;          /* the server's state directory; borrowed */
	struct engine *engine; /* borrowed */
	int keeper_fd;         /* channel to the keeper; taken */
	int fetcher_fd;        /* to the fetcher; taken.  -1: there is none */
	const char *db_path;   /* store_path(); borrowed for the call */
	const struct policy_set *policies; /* borrowed */
	struct config *config; /* taken; another after each reload */
	/* Called with the other one, in the loop's thread; NULL: nobody wants
	 * to know.  It is freed by the reload after that. */
	void (*configured)(void *ctx, const struct config *c);
	void *configured_ctx;
	struct str token_hash; /* SHA-256 of the bearer token, 32 bytes */
	uint32_t owner_uid;    /* who may do everything on the Unix socket */
	const char *version;
};

MUST_USE int api_new(const struct api_options *o, struct api **ret,
		     struct err *e);
void api_free(struct api *a);
/* After a reload: other settings from now on. */
void api_configure(struct api *a, const struct config *config);
/*
 * The end comes: nobody else gets in, no run is made (503), streams end, and
 * what is under way is answered.  Then, or after limit_us, done(ctx) is called.
 */
void api_drain(struct api *a, int64_t limit_us, void (*done)(void *ctx),
	       void *ctx);
uint64_t api_requests(const struct api *a); /* answered so far */
bool api_busy(const struct api *a);         /* streams are open */

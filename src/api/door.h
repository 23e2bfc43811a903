/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The door: who comes in by a listening socket, how many at once, and how long
 * each may take over what it sends.  A peer is a connection from its accept to
 * its close.
 */
#pragma once

#include "api/api.h"
#include "api/tls.h"
#include "base/list.h"
#include "base/loop.h"

#include <microhttpd.h>

struct client;
struct door;
struct request;

struct http_limits {
	uint32_t connections; /* in all */
	/* Of one address (IPv6: of its /64).  0: HTTP_PER_CLIENT, and of
	 * loopback, where proxies are, and of a local user half of all. */
	uint32_t per_client;
	uint32_t header_s; /* for a request's line and headers */
	uint32_t body_s;   /* before HTTP_BODY_RATE counts */
	uint32_t idle_s;   /* between requests; without any progress */
};

enum {
	HTTP_PER_CLIENT = 256,
	HTTP_BODY_RATE = 512, /* bytes a second, at least */
};

enum peer_phase {
	PEER_NEW,     /* nothing yet, or a handshake */
	PEER_HEADERS, /* a request has begun */
	PEER_BODY,
	PEER_ANSWER, /* ours; MHD cuts who takes nothing of it */
	PEER_IDLE,
};

struct peer {
	struct link link;
	struct door *door;
	struct client *client;
	struct tls_creds *creds; /* NULL: no TLS */
	struct request *request; /* NULL: none */
	struct MHD_Connection *conn;
	enum {
		NEAR_UNKNOWN,
		NEAR, /* in our pid namespace: nearby.h */
		FAR
	} near;
	char *cert_ids; /* see tls_client(); NULL: not asked yet */
	size_t cert_ids_len;
	int64_t since_us; /* in this phase */
	int fd;
	enum peer_phase phase;
	bool line_ok;              /* of the request that comes; conform.h */
	bool is_unix, on_loopback; /* the address that it came to */
};

/* tls may be NULL. */
struct door *door_new(struct loop *l, const struct http_limits *limits,
		      struct tls *tls);
void door_free(struct door *d); /* after MHD has ended */
/* Connections that come in are mhd's; then turned(ctx) is called. */
MUST_USE int door_listen(struct door *d, int fd, struct MHD_Daemon *mhd,
			 bool tls, loop_timer_fn *turned, void *ctx,
			 struct err *e);
/* Nobody else comes in; those that are in stay. */
void door_close(struct door *d);
const struct http_limits *door_limits(const struct door *d);
/* Requests that sleep are resumed, whatever they wait for. */
void door_wake(struct door *d);

/* For MHD_OPTION_NOTIFY_CONNECTION; cls is the door. */
void door_notify(void *cls, struct MHD_Connection *c, void **socket_context,
		 enum MHD_ConnectionNotificationCode code);
struct peer *peer_of(struct MHD_Connection *c);
void peer_enter(struct peer *p, enum peer_phase phase);
void peer_cut(struct peer *p);
void *peer_session(const struct peer *p); /* GnuTLS's; NULL */

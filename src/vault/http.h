/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * HTTP exchanges by libcurl on the caller's loop: many at once, connections
 * kept and used again, no proxy, no .netrc, no cookies, no redirects of its
 * own, TLS 1.2 or later, a bounded body.  Knows nothing of Vault but the names
 * of its headers, and nothing of trying again: one call is one exchange.
 *
 * libcurl's own memory is wiped before it is freed.
 */
#pragma once

#include "base/buf.h"
#include "base/loop.h"
#include "base/str.h"
#include "secrets/secret.h"

enum {
	HTTP_BODY_MAX = 4 << 20,  /* bytes of an answer, headers apart */
	HTTP_HEADERS_MAX = 65536, /* bytes of its headers */
	HTTP_CONNECT_S = 5,
	HTTP_KEEP_MAX = 32, /* connections that are kept */
};

/* Once, before the role is confined: libraries read what they read once. */
MUST_USE int http_begin(struct err *e);

struct http;
MUST_USE int http_new(struct loop *l, struct http **ret, struct err *e);
/* What is under way is forgotten: its callbacks are not called. */
void http_free(struct http *h);

/*
 * Whom to trust, and who we are.  Borrowed until the exchanges that use it
 * are over; compared by address: exchanges with one of these share their
 * connections, and with another one never.
 */
struct http_tls {
	struct str ca;            /* PEM; "": whom the system trusts */
	struct str cert;          /* PEM; "": none */
	const struct secret *key; /* PEM; NULL: none */
	const char *server_name;  /* in place of the URL's host; "": that */
};

struct http_request {
	const char *method; /* "GET", "POST", "PUT", "LIST", "HEAD" */
	const char *url;    /* all of it, escaped; no user, no fragment */
	const struct http_tls *tls;
	const struct secret *token;  /* X-Vault-Token; NULL: none */
	const char *vault_namespace; /* X-Vault-Namespace; "": none */
	const char *index;           /* X-Vault-Index; "": none */
	unsigned wrap_ttl_s;         /* X-Vault-Wrap-TTL; 0: none */
	struct str body;             /* JSON, copied; {NULL, 0}: none */
	uint32_t timeout_ms;         /* for all of it */
	/* Never send it again on another connection when the one that was kept
	 * turns out to be closed: a new connection of its own. */
	bool once;
};

/* All borrowed during the callback.  The body is wiped after it. */
struct http_answer {
	int status; /* 0: there was none; then *why says it */
	struct str body;
	const char *location;  /* "" where there is no such header */
	const char *index;     /* X-Vault-Index, likewise */
	int64_t retry_after_s; /* -1: not said */
	bool sent;             /* the server may have seen the request */
	bool too_long;         /* the body was longer than HTTP_BODY_MAX */
	bool tls_failed;       /* no trust: certificate, name, version */
	const struct err *why; /* NULL: an answer, whatever its status */
};

typedef void http_fn(void *ctx, const struct http_answer *a);

/*
 * Start one.  Everything in *r is copied but the
 * tls and token, which have to stay until the callback or http_cancel().  fn
 * is called once, from the loop, never from in here.
 */
struct http_exchange;
struct http_exchange *http_send(struct http *h, const struct http_request *r,
				http_fn *fn, void *ctx) MUST_USE;
void http_cancel(struct http_exchange *x); /* NULL is fine; not within fn */

/* "https://HOST:PORT" of a URL, lower case, the port always there; -1: it is
 * none that may be asked (no http or https, user, query, fragment, control
 * characters).  ret_port may be NULL. */
MUST_USE int http_origin(struct str url, struct buf *ret, uint16_t *ret_port);

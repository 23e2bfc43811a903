/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The HTTP side of the API; see http.c.  All in the loop's thread. */
#pragma once

#include "api/door.h"
#include "api/request.h"
#include "base/loop.h"

struct http;

MUST_USE int http_new(struct api *api, struct loop *loop,
		      const struct http_options *o, struct http **ret,
		      struct err *e);
/* Certificate and key of connections that are yet to come; see tls.h. */
MUST_USE int http_tls_change(struct http *h, const int *fds, size_t n,
			     struct err *e);
/* The list of ids of the client's certificate, or nothing: tls_client(). */
MUST_USE int http_client_ids(struct http *h, struct peer *p, struct str *ret,
			     struct err *e);
/* Requests that wait end without an answer. */
void http_free(struct http *h);
/* No new connections. */
void http_close_door(struct http *h);
/* After a resume: let libmicrohttpd turn once more, soon. */
void http_kick(struct http *h);
/* Of the api (api.c): needed where a request is resumed. */
struct http *api_http(struct api *a);

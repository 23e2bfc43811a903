/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The one table of routes: it dispatches, says who may, is the OpenAPI
 * document, and is walked by a test.
 */
#pragma once

#include "api/request.h"

enum route_method {
	METHOD_GET,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	N_METHODS
};

/* Who may: everybody, anybody known, or one who may change things. */
enum permission {
	MAY_ANYBODY,
	MAY_READ,
	MAY_WRITE,
	MAY_ADMIN
};

enum route_body {
	BODY_NONE,
	BODY_JSON,
	BODY_JOB,   /* a job in YAML, JSON or TOML */
	BODY_RUN,   /* that, {"job": ...}, or multipart with a source */
	BODY_ORDER, /* inputs of a stored job, or multipart; may be empty */
	BODY_BYTES, /* octets */
	BODY_ANY,
};

struct route_answer {
	unsigned status;
	const char *type;   /* media type; NULL: no content */
	const char *schema; /* name in components/schemas; NULL: any */
	const char *text;
};

enum {
	ROUTE_ANSWERS_MAX = 9,
	ROUTE_QUERY_MAX = 12
};

struct route_query {
	const char *name, *type, *text; /* type: string, integer, boolean */
};

struct route {
	enum route_method method;
	const char *path; /* "/v1/runs/{id}/cancel" */
	enum permission may;
	enum route_body body;
	uint64_t body_max;                /* 0: REQUEST_BODY_MAX */
	int (*handle)(struct request *r); /* answers, or waits */
	const char *id, *summary;
	struct route_query query[ROUTE_QUERY_MAX];
	struct route_answer answers[ROUTE_ANSWERS_MAX];
};

extern const struct route routes[];
extern const size_t n_routes;

/*
 * Find it.  Fills r->route and r->params.  0 found; 404 no such path; 405
 * another method would do (allow gets the list).
 */
unsigned route_find(struct request *r, const char *method, struct buf *allow);
const char *route_method_name(enum route_method m);
/* The OpenAPI 3.1 document of the table. */
bool route_openapi(struct buf *b);

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

/* Who may: a route that says nothing is refused to all. */
enum permission {
	MAY_NOBODY,
	MAY_ANYBODY, /* strangers too */
	MAY_KNOWN,   /* whoever the server knows, without any role */
	MAY_VIEW,    /* from here on: at least that role (access.h) */
	MAY_OPERATE,
	MAY_DEVELOP,
	MAY_ADMIN,
};

/* Where the role is wanted. */
enum route_scope {
	OF_SERVER,  /* for all projects */
	OF_PROJECT, /* {project} of the path */
	OF_RUN,     /* the project of {run} */
	OF_CACHE,   /* the project of {cache} */
	OF_ANY,     /* anywhere: the handler shows what may be seen */
};

enum route_body {
	BODY_NONE,
	BODY_JSON,
	BODY_JOB,   /* a job in YAML, JSON or TOML */
	BODY_RUN,   /* that, {"job": ...}, or multipart with a source */
	BODY_ORDER, /* inputs of a stored job, or multipart; may be empty */
	BODY_BYTES, /* octets */
	BODY_TAR,   /* any length: the route's begin takes it in parts */
	BODY_ANY,
};

struct route_answer {
	unsigned status;
	const char *type;   /* media type; NULL: no content */
	const char *schema; /* name in components/schemas; NULL: any */
	const char *text;
};

enum {
	ROUTE_ANSWERS_MAX = 14,
	ROUTE_QUERY_MAX = 12
};

struct route_query {
	const char *name, *type, *text; /* type: string, integer, boolean */
};

struct route {
	enum route_method method;
	const char *path; /* "/v1/runs/{id}/cancel" */
	enum permission may;
	enum route_scope of;
	const char *kind; /* of resource, for h_resources.c */
	enum route_body body;
	bool secret;       /* it answers with one: not kept, not compressed */
	const char *takes; /* schema of a JSON body; NULL: any */
	uint64_t body_max; /* 0: REQUEST_BODY_MAX */
	int (*handle)(struct request *r); /* answers, or waits */
	int (*begin)(struct request *r);  /* before the body; NULL */
	const char *id, *summary;
	struct route_query query[ROUTE_QUERY_MAX];
	struct route_answer answers[ROUTE_ANSWERS_MAX];
};

/* The table, part by part (routes_*.c); NULL at the end. */
const struct route *route_at(size_t i);

/*
 * Find it.  Fills r->route and r->params.  0 found; 404 no such path; 405
 * another method would do (allow gets the list).
 */
unsigned route_find(struct request *r, const char *method, struct buf *allow);
const char *route_method_name(enum route_method m);
/* The OpenAPI 3.1 document of the table; base is in front of each path. */
bool route_openapi(struct buf *b, const char *base);
/* What a body may be, NULL at the end. */
const char *const *route_body_types(enum route_body b);
/* Does it make something, so that Idempotency-Key counts? */
bool route_makes(const struct route *t);

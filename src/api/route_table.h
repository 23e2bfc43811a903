/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the tables of routes say again and again; for routes_*.c alone. */
#pragma once

#include "api/handlers.h"
#include "api/route.h"
#include "api/upload.h"
#include "proto/edges.h"

extern const struct route server_routes[], access_routes[], job_routes[],
	run_routes[];
extern const size_t n_server_routes, n_access_routes, n_job_routes,
	n_run_routes;

#define JSON   "application/json"
#define SSE    "text/event-stream"
#define OCTETS "application/octet-stream"
#define TEXT   "text/plain"
#define NDJSON "application/x-ndjson"

#define PROBLEM_400                                                            \
	{                                                                      \
		400, NULL, NULL, "malformed"                                   \
	}
#define PROBLEM_404                                                            \
	{                                                                      \
		404, NULL, NULL, "no such thing"                               \
	}
#define PROBLEM_409                                                            \
	{                                                                      \
		409, NULL, NULL, "in the wrong state"                          \
	}
#define PROBLEM_422                                                            \
	{                                                                      \
		422, NULL, NULL, "understood, and wrong"                       \
	}
#define PROBLEM_429                                                            \
	{                                                                      \
		429, NULL, NULL, "too many; try again"                         \
	}

#define PAGE_QUERY                                                             \
	{"limit", "integer", "at most so many; 50, up to 500"},                \
	{                                                                      \
		"cursor", "string", "next_cursor of the page before"           \
	}

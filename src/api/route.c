/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Finding a route; see route.h.  The table itself is in routes_*.c. */
#include "api/route.h"
#include "api/route_table.h"
#include "base/hex.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

static const char *const method_names[] = {
	[METHOD_GET] = "GET",
	[METHOD_POST] = "POST",
	[METHOD_PUT] = "PUT",
	[METHOD_DELETE] = "DELETE",
};

const char *route_method_name(enum route_method m)
{
	return method_names[m];
}

const char *const *route_body_types(enum route_body b)
{
	/* clang-format off */
	static const char *const types[][5] = {
		[BODY_NONE] = {NULL},
		[BODY_JSON] = {"application/json", NULL},
		[BODY_JOB] = {"application/yaml", "application/json",
			      "application/toml", "text/x-shellscript", NULL},
		[BODY_RUN] = {"application/json", "application/yaml",
			      "application/toml", "multipart/form-data", NULL},
		[BODY_ORDER] = {"application/json", "multipart/form-data", NULL},
		[BODY_BYTES] = {"application/octet-stream", "application/json",
				NULL},
		[BODY_TAR] = {"application/x-tar", "application/octet-stream",
			      NULL},
		[BODY_ANY] = {"*/*", NULL},
	};
	/* clang-format on */

	return types[b];
}

bool route_makes(const struct route *t)
{
	for (size_t i = 0; i < ROUTE_ANSWERS_MAX && t->answers[i].status; i++)
		if (t->method == METHOD_POST && t->answers[i].status == 201)
			return true;
	return false;
}

const struct route *route_at(size_t i)
{
	const struct {
		const struct route *table;
		size_t n;
	} parts[] = {
		{server_routes, n_server_routes},
		{access_routes, n_access_routes},
		{job_routes,    n_job_routes   },
		{run_routes,    n_run_routes   },
	};

	for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
		if (i < parts[k].n)
			return &parts[k].table[i];
		i -= parts[k].n;
	}
	return NULL;
}

/* --- finding one --------------------------------------------------------- */

enum {
	SEGMENTS_MAX = 12,
	ROUTES_MAX = 400
};

/* A path between its slashes; the first segment is what follows the first. */
struct split {
	struct str at[SEGMENTS_MAX];
	size_t n; /* SEGMENTS_MAX + 1: too many for any route */
};

static void split(struct str path, struct split *ret)
{
	struct str first = str_cut(&path, '/');

	ret->n = first.len ? SEGMENTS_MAX + 1 : 0;
	while (path.p && ret->n < SEGMENTS_MAX)
		ret->at[ret->n++] = str_cut(&path, '/');
	if (path.p)
		ret->n = SEGMENTS_MAX + 1;
}

/* The table once more, taken apart once. */
static struct row {
	const struct route *route;
	struct split path;
} rows[ROUTES_MAX];
static size_t n_rows;

static void make_rows(void)
{
	const struct route *one;

	for (size_t i = 0; (one = route_at(i)); i++) {
		assert(i < ROUTES_MAX);
		rows[i].route = one;
		split(str_from(one->path), &rows[i].path);
		assert(rows[i].path.n <= SEGMENTS_MAX);
		n_rows++;
	}
}

/* "{x}" takes any segment that is not empty. */
static bool match(const struct split *want, const struct split *path,
		  struct str *params)
{
	unsigned n = 0;

	if (want->n != path->n)
		return false;
	for (size_t i = 0; i < want->n; i++) {
		struct str w = want->at[i], p = path->at[i];

		if (w.len && w.p[0] == '{') {
			if (!p.len || n == REQUEST_PARAMS_MAX)
				return false;
			params[n++] = p;
		} else if (!str_eq(w, p)) {
			return false;
		}
	}
	return true;
}

static bool fits(const char *method, enum route_method m)
{
	return !strcmp(method, method_names[m]) ||
	       (m == METHOD_GET && !strcmp(method, "HEAD"));
}

static void list_allowed(struct buf *allow, enum route_method m)
{
	if (m == METHOD_GET)
		buf_puts(allow, allow->len ? ", GET, HEAD" : "GET, HEAD");
	else
		buf_printf(allow, "%s%s", allow->len ? ", " : "",
			   method_names[m]);
}

/* What else may be done with it; "" when it is nothing at all. */
static void list_methods(const struct split *path, struct buf *allow)
{
	struct str params[REQUEST_PARAMS_MAX];

	for (size_t i = 0; i < n_rows; i++)
		if (match(&rows[i].path, path, params))
			list_allowed(allow, rows[i].route->method);
	if (allow->len)
		buf_puts(allow, ", OPTIONS");
}

unsigned route_find(struct request *r, const char *method, struct buf *allow)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct split path;

	(void)pthread_once(&once, make_rows);
	split(str_from(r->path), &path);
	for (size_t i = 0; i < n_rows && !r->route; i++) {
		struct str params[REQUEST_PARAMS_MAX] = {0};

		if (!fits(method, rows[i].route->method) ||
		    !match(&rows[i].path, &path, params))
			continue;
		r->route = rows[i].route;
		r->route_index = i;
		memcpy(r->params, params, sizeof(params));
	}
	if (!r->route) {
		list_methods(&path, allow);
		if (allow->len && !strcmp(method, "OPTIONS"))
			return 204;
		return allow->len ? 405 : 404;
	}
	for (unsigned i = 0; i < REQUEST_PARAMS_MAX; i++)
		if (r->params[i].len &&
		    percent_decode(r->path + (r->params[i].p - r->path),
				   &r->params[i].len)) {
			r->route = NULL;
			return 404;
		}
	return 0;
}

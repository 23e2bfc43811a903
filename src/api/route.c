/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Finding a route; see route.h.  The table itself is in routes_*.c. */
#include "api/route.h"
#include "api/route_table.h"
#include "base/hex.h"

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

/* Compare segment by segment; "{x}" takes any one that is not empty. */
static bool match(const char *pattern, struct str path, struct str *params)
{
	struct str want = str_from(pattern);
	unsigned n = 0;

	while (want.p && path.p) {
		struct str w = str_cut(&want, '/');
		struct str p = str_cut(&path, '/');

		if (w.len && w.p[0] == '{') {
			if (!p.len || n == REQUEST_PARAMS_MAX)
				return false;
			params[n++] = p;
		} else if (!str_eq(w, p)) {
			return false;
		}
	}
	return !want.p && !path.p;
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

unsigned route_find(struct request *r, const char *method, struct buf *allow)
{
	struct str path = str_from(r->path);
	const struct route *one;

	for (size_t i = 0; (one = route_at(i)); i++) {
		struct str params[REQUEST_PARAMS_MAX] = {0};

		if (!match(one->path, path, params))
			continue;
		list_allowed(allow, one->method);
		if (r->route || !fits(method, one->method))
			continue;
		r->route = one;
		memcpy(r->params, params, sizeof(params));
	}
	if (allow->len)
		buf_puts(allow, ", OPTIONS");
	if (!r->route && allow->len && !strcmp(method, "OPTIONS"))
		return 204;
	if (!r->route)
		return allow->len ? 405 : 404;
	for (unsigned i = 0; i < REQUEST_PARAMS_MAX; i++)
		if (r->params[i].len &&
		    percent_decode(r->path + (r->params[i].p - r->path),
				   &r->params[i].len)) {
			r->route = NULL;
			return 404;
		}
	return 0;
}

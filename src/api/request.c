/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading a request; see request.h. */
#include "api/request.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/hex.h"
#include "base/mem.h"

#include <microhttpd.h>
#include <string.h>

enum {
	DECODED_MAX = 256 * 1024 /* several times what a header may hold */
};

struct str request_header(const struct request *r, const char *name)
{
	return str_from(
		MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name));
}

struct find {
	const char *name;
	unsigned skip;
	const char *value;
};

static enum MHD_Result find_one(void *cls, enum MHD_ValueKind kind,
				const char *key, const char *value)
{
	struct find *f = cls;

	(void)kind;
	if (strcmp(key, f->name) != 0)
		return MHD_YES;
	if (f->skip--)
		return MHD_YES;
	f->value = value ? value : "";
	return MHD_NO;
}

/* http.c keeps MHD from decoding, also here. */
static int decode(struct request *r, const char *value, struct str *ret)
{
	size_t len = strlen(value);
	char *copy;

	if (!r->decoded)
		r->decoded = arena_new(DECODED_MAX);
	copy = arena_strndup(r->decoded, value, len);
	if (!copy || percent_decode(copy, &len))
		return -1;
	*ret = str_n(copy, len);
	return 0;
}

bool request_query(struct request *r, const char *name, unsigned index,
		   struct str *ret)
{
	struct find f = {.name = name, .skip = index};

	(void)MHD_get_connection_values(r->conn, MHD_GET_ARGUMENT_KIND,
					find_one, &f);
	/* request_query_check() has refused what cannot be decoded */
	return f.value && !decode(r, f.value, ret);
}

struct str request_param(const struct request *r, unsigned i)
{
	return i < REQUEST_PARAMS_MAX ? r->params[i] : str_n(NULL, 0);
}

static bool ends_in_dot(const char *name)
{
	size_t len = strlen(name);

	return len && name[len - 1] == '.';
}

/* "label." stands for all that begin so and go on. */
static bool is_prefix(const char *name, const char *key)
{
	size_t len = strlen(name);

	return ends_in_dot(name) && !strncmp(name, key, len) && key[len];
}

struct prefixed {
	const char *prefix, *key, *value;
	unsigned skip;
};

static enum MHD_Result find_prefixed(void *cls, enum MHD_ValueKind kind,
				     const char *key, const char *value)
{
	struct prefixed *p = cls;

	(void)kind;
	if (!is_prefix(p->prefix, key) || p->skip--)
		return MHD_YES;
	p->key = key + strlen(p->prefix);
	p->value = value ? value : "";
	return MHD_NO;
}

bool request_query_prefixed(struct request *r, const char *prefix,
			    unsigned index, struct str *ret_key,
			    struct str *ret_value)
{
	struct prefixed p = {.prefix = prefix, .skip = index};

	(void)MHD_get_connection_values(r->conn, MHD_GET_ARGUMENT_KIND,
					find_prefixed, &p);
	return p.key && !decode(r, p.key, ret_key) &&
	       !decode(r, p.value, ret_value);
}

struct only {
	struct request *r;
	const char *unknown, *bad;
};

static enum MHD_Result check_one(void *cls, enum MHD_ValueKind kind,
				 const char *key, const char *value)
{
	struct only *o = cls;
	const struct route_query *q = o->r->route->query;
	struct str unused;

	(void)kind;
	if (value && decode(o->r, value, &unused)) {
		o->bad = key;
		return MHD_NO;
	}
	for (size_t i = 0; i < ROUTE_QUERY_MAX && q[i].name; i++)
		if (ends_in_dot(q[i].name) ? is_prefix(q[i].name, key) :
					     !strcmp(key, q[i].name))
			return MHD_YES;
	o->unknown = key;
	return MHD_NO;
}

int request_query_check(struct request *r)
{
	struct only o = {.r = r};

	(void)MHD_get_connection_values(r->conn, MHD_GET_ARGUMENT_KIND,
					check_one, &o);
	if (o.bad)
		return reply_problem(r, 400, "bad-parameter",
				     "%.60s: a bad %%-escape", o.bad),
		       -1;
	if (!o.unknown)
		return 0;
	return reply_problem(r, 400, "unknown-parameter",
			     "no query parameter \"%.60s\" here", o.unknown),
	       -1;
}

int request_query_duration(struct request *r, const char *name, int64_t max_us,
			   int64_t *ret_us)
{
	static const struct {
		char unit;
		int64_t us;
	} units[] = {
		{'s', 1000000   },
                {'m', 60000000  },
                {'h', 3600000000}
        };
	struct str s;
	int64_t n;

	*ret_us = 0;
	if (!request_query(r, name, 0, &s))
		return 0;
	for (size_t i = 0; s.len && i < ARRAY_LEN(units); i++) {
		if (s.p[s.len - 1] != units[i].unit)
			continue;
		if (str_to_i64(str_n(s.p, s.len - 1), 0,
			       INT64_MAX / units[i].us, &n))
			break;
		n *= units[i].us;
		*ret_us = n < max_us ? n : max_us;
		return 0;
	}
	return reply_problem(r, 400, "bad-parameter",
			     "%s: a duration such as 30s or 2m is wanted",
			     name),
	       -1;
}

int request_query_u64(struct request *r, const char *name, uint64_t min,
		      uint64_t max, uint64_t fallback, uint64_t *ret)
{
	struct str s;

	*ret = fallback;
	if (!request_query(r, name, 0, &s) ||
	    (!str_to_u64(s, max, ret) && *ret >= min))
		return 0;
	return reply_problem(r, 400, "bad-parameter",
			     "%s: a number from %llu to %llu is wanted", name,
			     (unsigned long long)min, (unsigned long long)max),
	       -1;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Requests that are none; see conform.h. */
#include "api/conform.h"
#include "api/reply.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

struct seen {
	unsigned n_host, n_length, n_coding, n_expect;
	const char *host, *coding, *expect;
	bool bad_name, bad_value;
};

/* --- bytes -------------------------------------------------------------- */

/* RFC 9110, 5.6.2. */
static bool is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') &&
		    (!c || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return len > 0;
}

static bool is_value(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return false;
	return true;
}

bool conform_line(const char *target)
{
	for (const char *s = target; *s; s++)
		if (*s <= ' ' || *s >= 0x7f || *s == '#')
			return false;
	return true;
}

/* --- headers ------------------------------------------------------------ */

static bool one(const char *key, const char *name, const char *value,
		unsigned *n, const char **ret)
{
	if (strcasecmp(key, name) != 0)
		return false;
	++*n;
	*ret = value;
	return true;
}

static enum MHD_Result see(void *cls, enum MHD_ValueKind kind, const char *key,
			   size_t key_len, const char *value, size_t value_len)
{
	struct seen *s = cls;
	const char *unused;

	(void)kind;
	if (!value)
		value = "";
	if (!is_token(key, key_len))
		s->bad_name = true;
	else if (!is_value(value, value_len))
		s->bad_value = true;
	else if (!one(key, "Host", value, &s->n_host, &s->host) &&
		 !one(key, "Content-Length", value, &s->n_length, &unused) &&
		 !one(key, "Transfer-Encoding", value, &s->n_coding,
		      &s->coding))
		(void)one(key, "Expect", value, &s->n_expect, &s->expect);
	return MHD_YES;
}

/* --- what is wrong ------------------------------------------------------ */

static int refuse(struct request *r, unsigned status, const char *text)
{
	r->closes = true;
	reply_problem(r, status, "bad-request", "%s", text);
	reply_header(r, "Connection", "close");
	return -1;
}

static const char *wrong_framing(const struct seen *s, bool old)
{
	if (s->n_length > 1)
		return "Content-Length: more than one";
	if (s->n_coding > 1)
		return "Transfer-Encoding: more than one";
	if (s->n_coding && s->n_length)
		return "Transfer-Encoding and Content-Length";
	if (s->n_coding && old)
		return "Transfer-Encoding in HTTP/1.0";
	return NULL;
}

static const char *wrong_header(const struct seen *s, bool old)
{
	if (s->bad_name)
		return "a header's name has a space, or another character that "
		       "none has";
	if (s->bad_value)
		return "a header with a control character";
	if (s->n_host > 1)
		return "Host: more than one";
	if (!s->n_host && !old)
		return "Host: is missing";
	return wrong_framing(s, old);
}

/* "http://host/path": the host counts, and has to be the header's. */
static const char *wrong_target(struct request *r, const struct seen *s,
				const char *method)
{
	const char *path = r->path, *slash;
	size_t len;

	if (path[0] == '/' ||
	    (!strcmp(path, "*") && !strcmp(method, "OPTIONS")))
		return NULL;
	if (strncasecmp(path, "http://", 7) != 0 &&
	    strncasecmp(path, "https://", 8) != 0)
		return "the target is neither a path nor an http URL";
	path += path[4] == ':' ? 7 : 8;
	slash = strchr(path, '/');
	len = slash ? (size_t)(slash - path) : strlen(path);
	if (!len || !s->host || strlen(s->host) != len ||
	    strncasecmp(path, s->host, len) != 0)
		return "the target's host is not the one of Host";
	if (slash)
		memmove(r->path, slash, strlen(slash) + 1);
	else
		memcpy(r->path, "/", 2);
	return NULL;
}

int conform_check(struct request *r, const char *method, const char *version,
		  bool line_ok)
{
	bool old = !strcmp(version, "HTTP/1.0");
	struct seen s = {0};
	const char *why;

	(void)MHD_get_connection_values_n(r->conn, MHD_HEADER_KIND, see, &s);
	if (!line_ok || !is_token(method, strlen(method)))
		return refuse(r, 400,
			      "the request's first line has what none has");
	why = wrong_header(&s, old);
	if (!why)
		why = wrong_target(r, &s, method);
	if (why)
		return refuse(r, 400, why);
	if (s.coding && strcasecmp(s.coding, "chunked") != 0)
		return refuse(r, 501, "Transfer-Encoding: only chunked");
	if (s.n_expect > 1 ||
	    (s.expect && strcasecmp(s.expect, "100-continue") != 0))
		return refuse(r, 417, "Expect: only 100-continue");
	return 0;
}

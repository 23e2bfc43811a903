/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The client behind proxies, and the line of the log; see origin.h. */
#include "api/origin.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <string.h>
#include <strings.h>

/* --- who ---------------------------------------------------------------- */

static void peer_address(const struct request *r,
			 char out[FORWARDED_CLIENT_MAX])
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		r->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;
	const void *address = NULL;

	if (sa && sa->sa_family == AF_INET)
		address = &((const struct sockaddr_in *)(const void *)sa)
				   ->sin_addr;
	else if (sa && sa->sa_family == AF_INET6)
		address = &((const struct sockaddr_in6 *)(const void *)sa)
				   ->sin6_addr;
	if (!address ||
	    !inet_ntop(sa->sa_family, address, out, FORWARDED_CLIENT_MAX))
		memcpy(out, "unix", 5); /* all other listeners are */
}

/* All headers of a name, with "," between, as if they were one. */
struct gather {
	struct buf text[5];
	bool seen;
};

static const char *const names[] = {"Forwarded", "X-Forwarded-For",
				    "X-Forwarded-Proto", "X-Forwarded-Host",
				    "X-Forwarded-Prefix"};

static enum MHD_Result add(void *cls, enum MHD_ValueKind kind, const char *key,
			   const char *value)
{
	struct gather *g = cls;

	(void)kind;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(key, names[i]) != 0)
			continue;
		g->seen = true;
		if (g->text[i].len)
			buf_putc(&g->text[i], ',');
		buf_puts(&g->text[i], value ? value : "");
	}
	return MHD_YES;
}

static struct str text_of(const struct gather *g, size_t i)
{
	return g->text[i].len ? buf_view(&g->text[i]) : str_n(NULL, 0);
}

static int refuse(struct request *r, const char *header)
{
	reply_problem(r, 400, "bad-forwarded",
		      "%s: not what a proxy would send", header);
	return -1;
}

static int read_all(struct request *r, struct str peer, const struct gather *g)
{
	const struct forwarded_headers h = {
		.forwarded = text_of(g, 0),
		.x_for = text_of(g, 1),
		.x_proto = text_of(g, 2),
		.x_host = text_of(g, 3),
		.x_prefix = text_of(g, 4),
	};
	const char *header = NULL;

	if (forwarded_read(&r->api->config->trusted_proxies, peer, &h, &r->from,
			   &header))
		return refuse(r, header);
	for (size_t i = 0; r->from.by_proxy && i < ARRAY_LEN(names); i++)
		if (g->text[i].failed)
			return refuse(r, names[i]);
	return 0;
}

static int read_headers(struct request *r)
{
	char peer[FORWARDED_CLIENT_MAX];
	struct gather g = {.seen = false};
	int bad;

	peer_address(r, peer);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		g.text[i] = BUF_INIT(FORWARDED_HEADER_MAX);
	if (r->api->config->trusted_proxies.n)
		(void)MHD_get_connection_values(r->conn, MHD_HEADER_KIND, add,
						&g);
	bad = read_all(r, str_from(peer), &g);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		buf_done(&g.text[i]);
	return bad;
}

/* --- where -------------------------------------------------------------- */

/* A proxy may pass the prefix on, or take it off. */
static void strip_base(struct request *r)
{
	struct str base = r->api->config->base_path;
	size_t len = strlen(r->path);

	if (!base.len || !str_starts(str_n(r->path, len), base) ||
	    (r->path[base.len] && r->path[base.len] != '/'))
		return;
	memmove(r->path, r->path + base.len, len - base.len + 1);
}

int origin_read(struct request *r)
{
	if (r->api->config->log.requests) {
		r->began_us = clock_mono_us();
		r->asked = mem_strdup(r->path);
	}
	if (read_headers(r))
		return -1;
	strip_base(r);
	return 0;
}

const char *origin_base(const struct request *r)
{
	return r->from.prefix[0] ? r->from.prefix : r->api->config->base_path.p;
}

/* --- the log ------------------------------------------------------------ */

void origin_log(const struct request *r)
{
	struct log_line l;

	if (!r->asked || !r->status)
		return;
	log_begin(&l, LOG_LEVEL_INFO, "request");
	log_text(&l, "method", str_from(r->method));
	/* Without the query, which may be anything, a secret too. */
	log_text(&l, "path", str_from(r->asked));
	log_number(&l, "status", r->status);
	log_number(&l, "bytes", r->sent_bytes);
	log_number(&l, "us", (uint64_t)(clock_mono_us() - r->began_us));
	log_text(&l, "request_id", str_from(r->shown_id));
	log_text(&l, "who", str_from(r->who.name[0] ? r->who.name : "-"));
	log_text(&l, "client", str_from(r->from.client));
	log_end(&l);
}

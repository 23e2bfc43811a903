/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Lists in pages; see page.h. */
#include "api/page.h"
#include "api/internal.h"
#include "api/origin.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/hash.h"
#include "base/hex.h"

#include <string.h>

enum {
	CURSOR_ID = 8,
	CURSOR_MAC = 8,
	CURSOR_INPUT = 512
};

static struct hash mac(const struct request *r, const unsigned char *id)
{
	const char *path = r->route->path;
	unsigned char in[CURSOR_INPUT];
	size_t len = strnlen(path, sizeof(in) - CURSOR_ID);

	memcpy(in, id, CURSOR_ID);
	memcpy(in + CURSOR_ID, path, len);
	return hash_hmac_sha256(r->api->cursor_key, sizeof(r->api->cursor_key),
				in, CURSOR_ID + len);
}

static void cursor_make(const struct request *r, int64_t before, struct buf *b)
{
	unsigned char raw[CURSOR_ID + CURSOR_MAC];
	struct hash h;

	for (int i = 0; i < CURSOR_ID; i++)
		raw[i] = (unsigned char)(before >> (8 * i));
	h = mac(r, raw);
	memcpy(raw + CURSOR_ID, h.b, CURSOR_MAC);
	b64url_encode(b, raw, sizeof(raw));
}

static int cursor_read(const struct request *r, struct str s, int64_t *ret)
{
	CLEANUP_BUF struct buf raw = BUF_INIT(CURSOR_ID + CURSOR_MAC);
	uint64_t v = 0;
	struct hash h;

	if (b64url_decode(s, &raw) || raw.len != CURSOR_ID + CURSOR_MAC)
		return -1;
	h = mac(r, (const unsigned char *)raw.data);
	if (!mem_eq_ct(h.b, raw.data + CURSOR_ID, CURSOR_MAC))
		return -1;
	for (int i = 0; i < CURSOR_ID; i++)
		v |= (uint64_t)(unsigned char)raw.data[i] << (8 * i);
	*ret = (int64_t)v;
	return 0;
}

int page_of(struct request *r, struct page *ret)
{
	uint64_t limit;
	struct str s;

	*ret = (struct page){0};
	if (request_query_u64(r, "limit", 1, PAGE_LIMIT_MAX, PAGE_LIMIT,
			      &limit))
		return -1;
	ret->limit = (uint32_t)limit;
	if (request_query(r, "cursor", 0, &s) &&
	    cursor_read(r, s, &ret->before))
		return reply_problem(r, 400, "bad-parameter",
				     "cursor: not one that this list gave"),
		       -1;
	return 0;
}

/* The path that was asked for, from the pattern and what stood in it. */
static void put_path(const struct request *r, struct buf *b)
{
	unsigned n = 0;

	for (const char *p = r->route->path; *p; p++) {
		if (*p != '{') {
			buf_putc(b, *p);
			continue;
		}
		percent_encode(b, r->params[n++]);
		p = strchr(p, '}');
	}
}

/* The same question, from the cursor on. */
static void next_link(struct request *r, struct str cursor, struct buf *b)
{
	const struct route_query *q = r->route->query;
	struct str key, value;

	buf_printf(b, "<%s", origin_base(r));
	put_path(r, b);
	buf_putc(b, '?');
	for (size_t i = 0; i < ROUTE_QUERY_MAX && q[i].name; i++)
		for (unsigned k = 0; strcmp(q[i].name, "cursor") != 0 &&
				     request_query(r, q[i].name, k, &value);
		     k++) {
			buf_printf(b, "%s=", q[i].name);
			percent_encode(b, value);
			buf_putc(b, '&');
		}
	for (unsigned k = 0;
	     request_query_prefixed(r, "label.", k, &key, &value); k++) {
		buf_puts(b, "label.");
		percent_encode(b, key);
		buf_putc(b, '=');
		percent_encode(b, value);
		buf_putc(b, '&');
	}
	buf_printf(b, "cursor=" STR_FMT ">; rel=\"next\"", STR_ARG(cursor));
}

int page_reply(struct request *r, struct buf *b, int64_t next)
{
	CLEANUP_BUF struct buf cursor = BUF_INIT(64), link = BUF_INIT(32768);

	if (!next) {
		buf_puts(b, ",\"next_cursor\":null}\n");
		return reply_json(r, 200, b);
	}
	cursor_make(r, next, &cursor);
	buf_printf(b, ",\"next_cursor\":\"%s\"}\n", buf_cstr(&cursor));
	next_link(r, buf_view(&cursor), &link);
	reply_json(r, 200, b);
	if (!link.failed)
		reply_header(r, "Link", buf_cstr(&link));
	return 0;
}

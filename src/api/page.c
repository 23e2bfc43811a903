/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Lists in pages; see page.h. */
#include "api/page.h"
#include "api/internal.h"
#include "api/origin.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/hex.h"

#include <string.h>

enum {
	QUESTION_MAX = 128 * 1024, /* several times what a header may hold */
	LINK_MAX = 8192
};

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

static bool is_page(const char *name)
{
	return !strcmp(name, "cursor") || !strcmp(name, "limit");
}

/* What was asked, but for which page of it. */
static void put_question(struct request *r, struct buf *b)
{
	const struct route_query *q = r->route->query;
	struct str key, value;

	put_path(r, b);
	buf_putc(b, '?');
	for (size_t i = 0; i < ROUTE_QUERY_MAX && q[i].name; i++)
		for (unsigned k = 0; !is_page(q[i].name) &&
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
}

int page_key(struct api *a, struct err *e)
{
	static const char name[] = "cursor.key";
	CLEANUP_BUF struct buf b = BUF_INIT(sizeof(a->cursor_key));

	if (!fd_read_file(a->state_fd, name, &b, e) &&
	    b.len == sizeof(a->cursor_key)) {
		memcpy(a->cursor_key, b.data, b.len);
		return 0;
	}
	random_bytes(a->cursor_key, sizeof(a->cursor_key));
	return fd_write_file(
		a->state_fd, name,
		str_n((const char *)a->cursor_key, sizeof(a->cursor_key)), 0600,
		e);
}

static int read_page(struct request *r, bool named, struct page *ret)
{
	const unsigned char *key = r->api->cursor_key;
	CLEANUP_BUF struct buf question = BUF_INIT(QUESTION_MAX);
	uint64_t limit;
	struct str s;

	*ret = (struct page){0};
	if (request_query_u64(r, "limit", 1, PAGE_LIMIT_MAX, PAGE_LIMIT,
			      &limit))
		return -1;
	ret->limit = (uint32_t)limit;
	if (!request_query(r, "cursor", 0, &s))
		return 0;
	put_question(r, &question);
	if (question.failed ||
	    (named ? cursor_parse_name(key, buf_view(&question), s,
				       ret->after) :
		     cursor_parse(key, buf_view(&question), s, &ret->before)))
		return reply_problem(
			       r, 400, "bad-parameter",
			       "cursor: not one that this list gave, with these "
			       "filters"),
		       -1;
	return 0;
}

int page_of(struct request *r, struct page *ret)
{
	return read_page(r, false, ret);
}

int page_by_name(struct request *r, struct page *ret)
{
	return read_page(r, true, ret);
}

/* The same question, from the cursor on. */
static void next_link(struct request *r, struct str cursor, struct buf *b)
{
	struct str limit;

	buf_printf(b, "<%s", origin_base(r));
	put_question(r, b);
	if (request_query(r, "limit", 0, &limit)) {
		buf_puts(b, "limit=");
		percent_encode(b, limit);
		buf_putc(b, '&');
	}
	buf_printf(b, "cursor=" STR_FMT ">; rel=\"next\"", STR_ARG(cursor));
}

static int reply_page(struct request *r, struct buf *b, int64_t next,
		      struct str name)
{
	const unsigned char *key = r->api->cursor_key;
	CLEANUP_BUF struct buf cursor = BUF_INIT(128),
			       link = BUF_INIT(LINK_MAX);
	CLEANUP_BUF struct buf question = BUF_INIT(QUESTION_MAX);

	if (!next && !name.len) {
		buf_puts(b, ",\"next_cursor\":null}\n");
		return reply_json(r, 200, b);
	}
	put_question(r, &question);
	if (name.len)
		cursor_write_name(key, buf_view(&question), name, &cursor);
	else
		cursor_write(key, buf_view(&question), next, &cursor);
	buf_printf(b, ",\"next_cursor\":\"%s\"}\n", buf_cstr(&cursor));
	next_link(r, buf_view(&cursor), &link);
	reply_json(r, 200, b);
	if (!link.failed)
		reply_header(r, "Link", buf_cstr(&link));
	return 0;
}

int page_reply(struct request *r, struct buf *b, int64_t next)
{
	return reply_page(r, b, next, STR(""));
}

int page_reply_name(struct request *r, struct buf *b, struct str next)
{
	return reply_page(r, b, 0, next);
}

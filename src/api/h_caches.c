/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Caches of tasks: what there is, and away with it.  Content is nobody's to
 * read here: a task with the key gets it. */
#include "api/auth.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/naming.h"
#include "api/page.h"
#include "api/reply.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "job/keys.h"
#include "store/caches.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	VIEW_MAX = 4 << 20
};

static void when(struct buf *b, const char *key, int64_t us)
{
	char t[CLOCK_TEXT_LEN + 1];

	clock_format(us, t);
	buf_printf(b, ",\"%s\":\"%s\"", key, t);
}

static void view(const struct store_cache *c, struct buf *b)
{
	buf_printf(b, "{\"id\":\"cache_%s\",\"project\":\"" STR_FMT "\"",
		   c->ulid.s, STR_ARG(c->project));
	buf_puts(b, ",\"key\":\"");
	buf_json(b, c->key);
	buf_printf(b, "\",\"bytes\":%" PRIu64 ",\"run\":\"run_%s\"", c->bytes,
		   c->run.s);
	when(b, "created_at", c->created_us);
	when(b, "used_at", c->used_us);
	buf_putc(b, '}');
}

/* --- looking ------------------------------------------------------------ */

struct listed {
	struct buf b;
	uint32_t n, limit;
	int64_t last;
	bool more;
};

static int add_item(void *ctx, const struct store_cache *c, struct err *e)
{
	struct listed *l = ctx;

	(void)e;
	if (l->n == l->limit) {
		l->more = true;
		return 0;
	}
	if (l->n++)
		buf_putc(&l->b, ',');
	l->last = c->id;
	view(c, &l->b);
	return 0;
}

int h_caches(struct request *r)
{
	struct listed l = {.b = BUF_INIT(VIEW_MAX)};
	CLEANUP_BUF struct buf visible = BUF_INIT(1 << 20);
	struct str project = STR("");
	struct page page;
	struct err e;

	if (page_of(r, &page))
		return 0;
	(void)request_query(r, "project", 0, &project);
	auth_visible(r, &visible);
	l.limit = page.limit;
	buf_puts(&l.b, "{\"items\":[");
	if (store_read_caches(r->api->reader, project, buf_view(&visible),
			      page.before, page.limit + 1, add_item, &l, &e)) {
		buf_done(&l.b);
		return reply_err(r, &e);
	}
	buf_putc(&l.b, ']');
	return page_reply(r, &l.b, l.more ? l.last : 0);
}

static int show(void *ctx, const struct store_cache *c, struct err *e)
{
	(void)e;
	view(c, ctx);
	return buf_putc(ctx, '\n') ? 0 : -1;
}

int h_cache(struct request *r)
{
	struct buf b = BUF_INIT(65536);
	struct ulid id;
	struct err e;

	if (param_cache(r, 0, &id))
		return 0;
	if (store_read_cache(r->api->reader, &id, show, &b, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	return reply_json(r, 200, &b);
}

/* --- away with it ------------------------------------------------------- */

static void on_deleted(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code)
		reply_err(r, &a->err);
	else
		reply_empty(r, 204);
	request_resume(r);
}

static int edit(struct request *r, struct str action, engine_edit_fn *fn)
{
	struct err e;

	if (engine_edit(r->api->engine, str_from(r->who.name), action,
			r->params[0], fn, on_deleted, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

static int delete_one(void *ctx, struct store *s, struct err *refusal,
		      struct err *e)
{
	const struct request *r = ctx;
	struct ulid id = {{0}};
	struct err why;

	memcpy(id.s, r->params[0].p + strlen("cache_"), ULID_LEN);
	if (!store_cache_delete(s, &id, &why))
		return 0;
	*(why.code == ERR_NOT_FOUND ? refusal : e) = why;
	return why.code == ERR_NOT_FOUND ? 0 : -1;
}

int h_cache_delete(struct request *r)
{
	struct ulid id;

	return param_cache(r, 0, &id) ?
		       0 :
		       edit(r, STR("cache.delete"), delete_one);
}

static int delete_all(void *ctx, struct store *s, struct err *refusal,
		      struct err *e)
{
	const struct request *r = ctx;

	(void)refusal;
	return store_cache_clear(s, r->params[0], e);
}

int h_caches_delete(struct request *r)
{
	if (!job_name_ok(r->params[0]))
		return reply_problem(r, 404, "not-found", "no such project");
	return edit(r, STR("cache.clear"), delete_all);
}

int param_cache(struct request *r, unsigned i, struct ulid *ret)
{
	struct str s = request_param(r, i);

	if (str_starts(s, STR("cache_")) && ulid_valid(str_from_at(s, 6))) {
		memcpy(ret->s, s.p + 6, ULID_LEN);
		ret->s[ULID_LEN] = '\0';
		return 0;
	}
	return reply_problem(r, 404, "not-found", "no such cache"), -1;
}

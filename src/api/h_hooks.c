/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Webhooks of a stored job, for its people: where they are called, what became
 * of the calls, another URL. */
#include "api/handlers.h"
#include "api/hookset.h"
#include "api/internal.h"
#include "api/page.h"
#include "api/reply.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "store/jobs.h"

#include <stdio.h>

enum {
	VIEW_MAX = 4 << 20,
	WHAT_MAX = 256
};

static int is_there(void *ctx, const struct store_job *j, struct err *e)
{
	(void)ctx;
	(void)j;
	(void)e;
	return 0;
}

/* --- all of a job ------------------------------------------------------- */

struct listing {
	struct request *r;
	struct buf b;
};

static int add_hook(void *ctx, const struct store_hook *h, struct err *e)
{
	struct listing *l = ctx;

	if (l->b.data[l->b.len - 1] != '[')
		buf_putc(&l->b, ',');
	return hookset_view_one(l->r, h, &l->b, e);
}

int h_hooks(struct request *r)
{
	struct listing l = {r, BUF_INIT(VIEW_MAX)};
	struct err e;

	buf_puts(&l.b, "{\"items\":[");
	if (store_read_job(r->api->reader, r->params[0], r->params[1], STR(""),
			   is_there, NULL, &e) ||
	    store_read_hooks(r->api->reader, r->params[0], r->params[1],
			     add_hook, &l, &e)) {
		buf_done(&l.b);
		return reply_err(r, &e);
	}
	buf_puts(&l.b, "],\"next_cursor\":null}\n");
	return reply_json(r, 200, &l.b);
}

/* --- one of them -------------------------------------------------------- */

struct finding {
	struct request *r;
	int64_t n;     /* 0: not there */
	struct buf *b; /* NULL: do not show it */
};

static int look(void *ctx, const struct store_hook *h, struct err *e)
{
	struct finding *f = ctx;

	if (!str_eq(h->name, f->r->params[2]))
		return 0;
	f->n = h->n;
	return f->b ? hookset_view_one(f->r, h, f->b, e) : 0;
}

/* Its number; -1: it was answered. */
static int64_t find(struct request *r, struct buf *b)
{
	struct finding f = {.r = r, .b = b};
	struct err e;

	if (store_read_hooks(r->api->reader, r->params[0], r->params[1], look,
			     &f, &e))
		return reply_err(r, &e), -1;
	if (!f.n)
		return reply_problem(r, 404, "not-found", "no such hook"), -1;
	return f.n;
}

struct page_of_calls {
	struct buf b;
	uint32_t n, limit;
	int64_t last;
	bool more;
};

static int add_delivery(void *ctx, const struct store_delivery *d,
			struct err *e)
{
	struct page_of_calls *p = ctx;

	(void)e;
	if (p->n++ == p->limit) {
		p->more = true;
		return 0;
	}
	if (p->n > 1)
		buf_putc(&p->b, ',');
	p->last = d->id;
	hookset_view_delivery(d, &p->b);
	return 0;
}

int h_hook_deliveries(struct request *r)
{
	struct page_of_calls p = {.b = BUF_INIT(VIEW_MAX)};
	struct page page;
	struct err e;
	int64_t n;

	if (page_of(r, &page) || (n = find(r, NULL)) < 0)
		return 0;
	p.limit = page.limit;
	buf_puts(&p.b, "{\"items\":[");
	if (store_read_deliveries(r->api->reader, n, page.before,
				  page.limit + 1, add_delivery, &p, &e)) {
		buf_done(&p.b);
		return reply_err(r, &e);
	}
	buf_putc(&p.b, ']');
	return page_reply(r, &p.b, p.more ? p.last : 0);
}

/* --- another id --------------------------------------------------------- */

static int edit_rotate(void *ctx, struct store *s, struct err *refusal,
		       struct err *e)
{
	struct request *r = ctx;
	char id[HOOK_ID_LEN + 1];

	hookset_new_id(id);
	if (!store_hook_rotate(s, r->params[0], r->params[1], r->params[2],
			       str_from(id), e))
		return 0;
	if (e->code != ERR_NOT_FOUND)
		return -1;
	*refusal = *e;
	return 0;
}

static void on_rotated(void *ctx, const struct engine_reply *a)
{
	struct buf b = BUF_INIT(VIEW_MAX);
	struct request *r = ctx;

	if (a->err.code) {
		reply_err(r, &a->err);
	} else if (find(r, &b) >= 0) {
		buf_putc(&b, '\n');
		reply_json(r, 200, &b);
	}
	buf_done(&b);
	request_resume(r);
}

int h_hook_rotate(struct request *r)
{
	char what[WHAT_MAX];
	struct err e;

	(void)snprintf(what, sizeof(what), "%.*s/%.*s/%.*s",
		       (int)r->params[0].len, r->params[0].p,
		       (int)r->params[1].len, r->params[1].p,
		       (int)r->params[2].len, r->params[2].p);
	if (engine_edit(r->api->engine, str_from(r->who.name),
			STR("hook.rotate"), str_from(what), edit_rotate,
			on_rotated, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

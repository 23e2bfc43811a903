/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Maintenance: no run takes its first step.  The engine reads it from the
 * store after each change. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "store/resources.h"

#define KIND STR("system")
#define NAME STR("maintenance")

static int show(void *ctx, const struct store_resource *x, struct err *e)
{
	struct buf *b = ctx;
	char since[CLOCK_TEXT_LEN + 1];

	(void)e;
	clock_format(x->changed_us, since);
	buf_str(b, str_n(x->body.p, x->body.len - 1));
	buf_printf(b, ",\"since\":\"%s\",\"by\":\"" STR_FMT "\"}\n", since,
		   STR_ARG(x->changed_by));
	return 0;
}

int h_maintenance(struct request *r)
{
	struct buf b = BUF_INIT(RESOURCE_BODY_MAX);
	struct err e;

	if (!store_read_resource(r->api->reader, KIND, NAME, show, &b, &e))
		return reply_json(r, 200, &b);
	if (e.code == ERR_NOT_FOUND) {
		buf_puts(&b, "{\"on\":false}\n");
		return reply_json(r, 200, &b);
	}
	buf_done(&b);
	return reply_err(r, &e);
}

struct set {
	struct buf body;
};

static void set_free(void *state)
{
	struct set *s = state;

	buf_done(&s->body);
	mem_free(s);
}

static int edit(void *ctx, struct store *store, struct err *refusal,
		struct err *e)
{
	struct request *r = ctx;
	struct set *s = r->state;
	const struct store_resource x = {.kind = KIND,
					 .name = NAME,
					 .body = buf_view(&s->body),
					 .changed_us = clock_real_us(),
					 .changed_by = str_from(r->who.name)};

	(void)refusal;
	return store_resource_put(store, &x, e);
}

static void on_set(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code)
		reply_err(r, &a->err);
	else
		h_maintenance(r);
	request_resume(r);
}

int h_maintenance_set(struct request *r)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct set *s = mem_alloc(sizeof(*s));
	struct doc *d;
	struct err e;
	int bad;

	s->body = BUF_INIT(RESOURCE_BODY_MAX);
	r->state = s;
	r->state_free = set_free;
	if (doc_parse_max(buf_view(&r->body), DOC_JSON, RESOURCE_BODY_MAX, &d,
			  ps))
		return reply_problems(r, 400, "malformed", ps);
	if (!resource_check("system", d->root, ps)) {
		doc_free(d);
		return reply_problems(r, 422, "invalid", ps);
	}
	bad = resource_body("system", d->root, &s->body, &e);
	doc_free(d);
	if (bad || engine_edit(r->api->engine, str_from(r->who.name),
			       STR("system.maintenance"), buf_view(&s->body),
			       edit, on_set, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

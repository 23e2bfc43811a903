/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Projects, users, groups and roles: the same five operations on each, by the
 * route's kind.  Nothing may name what is not there: putting and removing look
 * at the others inside the transaction.
 */
#include "api/guard.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/naming.h"
#include "api/negotiate.h"
#include "api/once.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/resource.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "job/keys.h"
#include "store/resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	VIEW_MAX = 32 << 20,
	TAG_MAX = 40,
	WHAT_MAX = 160
};

static void tag_of(int64_t id, char out[TAG_MAX])
{
	(void)snprintf(out, TAG_MAX, "\"%" PRId64 "\"", id);
}

/* Its body with what is known of it around. */
static void view(const struct store_resource *x, struct buf *b)
{
	char created[CLOCK_TEXT_LEN + 1], changed[CLOCK_TEXT_LEN + 1];
	struct str body = x->body;

	clock_format(x->created_us, created);
	clock_format(x->changed_us, changed);
	buf_printf(b, "{\"name\":\"" STR_FMT "\",", STR_ARG(x->name));
	body = str_n(body.p + 1, body.len - 2); /* without its braces */
	buf_str(b, body);
	buf_printf(b,
		   "%s\"created_at\":\"%s\",\"changed_at\":\"%s\","
		   "\"changed_by\":\"",
		   body.len ? "," : "", created, changed);
	buf_json(b, x->changed_by);
	buf_puts(b, "\"}");
}

/* --- looking ------------------------------------------------------------ */

struct shown {
	struct buf b;
	char tag[TAG_MAX];
};

static int show(void *ctx, const struct store_resource *x, struct err *e)
{
	struct shown *s = ctx;

	(void)e;
	tag_of(x->id, s->tag);
	view(x, &s->b);
	buf_putc(&s->b, '\n');
	return 0;
}

int h_resource(struct request *r)
{
	struct str none_match = request_header(r, "If-None-Match");
	struct shown s = {.b = BUF_INIT(VIEW_MAX)};
	struct err e;

	if (store_read_resource(r->api->reader, str_from(r->route->kind),
				r->params[0], show, &s, &e)) {
		buf_done(&s.b);
		return reply_err(r, &e);
	}
	if (none_match.p && etag_weakly_in(none_match, str_from(s.tag))) {
		buf_done(&s.b);
		reply_empty(r, 304);
	} else {
		reply_json(r, 200, &s.b);
	}
	reply_header(r, "ETag", s.tag);
	return 0;
}

struct listed {
	struct request *r;
	struct buf b;
	uint32_t n, limit;
	int64_t last;
	bool more;
};

/* Of projects only those that one may see. */
static bool visible(const struct request *r, const struct store_resource *x)
{
	return r->route->of != OF_ANY ||
	       access_role(r->api->identity.set, str_from(r->who.name),
			   str_from(r->who.token), x->name) >= ACCESS_VIEWER;
}

static int add_item(void *ctx, const struct store_resource *x, struct err *e)
{
	struct listed *l = ctx;

	(void)e;
	if (l->more || !visible(l->r, x))
		return 0;
	if (l->n == l->limit) {
		l->more = true;
		return 0;
	}
	if (l->n++)
		buf_putc(&l->b, ',');
	l->last = x->id;
	view(x, &l->b);
	return 0;
}

int h_resources(struct request *r)
{
	struct listed l = {.r = r, .b = BUF_INIT(VIEW_MAX)};
	struct page page;
	struct err e;

	if (page_of(r, &page))
		return 0;
	l.limit = page.limit;
	buf_puts(&l.b, "{\"items\":[");
	/* where some are hidden the page is filled from further down */
	if (store_read_resources(r->api->reader, str_from(r->route->kind),
				 page.before,
				 r->route->of == OF_ANY ? 0 : page.limit + 1,
				 add_item, &l, &e)) {
		buf_done(&l.b);
		return reply_err(r, &e);
	}
	buf_putc(&l.b, ']');
	return page_reply(r, &l.b, l.more ? l.last : 0);
}

/* --- putting ------------------------------------------------------------ */

struct put {
	struct doc *doc;
	struct buf body;
	struct str name;
	struct guard guard;
	struct shown shown; /* as it was put */
	char tag[TAG_MAX];
	bool create, made;
};

static void put_free(void *state)
{
	struct put *p = state;

	doc_free(p->doc);
	buf_done(&p->body);
	buf_done(&p->shown.b);
	mem_free(p);
}

static int see_tag(void *ctx, const struct store_resource *x, struct err *e)
{
	(void)e;
	tag_of(x->id, ctx);
	return 0;
}

static void location_of(const struct request *r, struct str name,
			char out[WHAT_MAX])
{
	(void)snprintf(out, WHAT_MAX, "/v1/%ss/" STR_FMT, r->route->kind,
		       STR_ARG(name));
}

static int edit_put(void *ctx, struct store *s, struct err *refusal,
		    struct err *e)
{
	struct request *r = ctx;
	struct put *p = r->state;
	struct str kind = str_from(r->route->kind);
	const struct store_resource x = {.kind = kind,
					 .name = p->name,
					 .body = buf_view(&p->body),
					 .changed_us = clock_real_us(),
					 .changed_by = str_from(r->who.name)};
	char location[WHAT_MAX];
	struct err none = {0};
	int bad;

	p->made = store_resource_get(s, kind, p->name, see_tag, p->tag,
				     &none) != 0;
	if (p->made && none.code != ERR_NOT_FOUND) {
		*e = none;
		return -1;
	}
	if (p->create && !p->made) {
		err_set(refusal, ERR_CONFLICT, "it is there: %s", p->tag);
		return 0;
	}
	if (guard_check(&p->guard, p->made ? NULL : p->tag, refusal))
		return 0;
	bad = naming_members_exist(s, r->route->kind, p->doc->root, refusal, e);
	if (bad)
		return bad < 0 ? -1 : 0;
	location_of(r, p->name, location);
	buf_reset(&p->shown.b);
	return store_resource_put(s, &x, e) ||
			       store_resource_get(s, kind, p->name, show,
						  &p->shown, e) ||
			       once_keep(r, s, 201, location, p->shown.tag,
					 buf_view(&p->shown.b), e) ?
		       -1 :
		       0;
}

static void on_put(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;
	struct put *p = r->state;
	char location[WHAT_MAX];

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		identity_reload(r->api);
		reply_json(r, p->made ? 201 : 200, &p->shown.b);
		reply_header(r, "ETag", p->shown.tag);
		location_of(r, p->name, location);
		if (p->made)
			reply_location(r, location);
	}
	request_resume(r);
}

/* The name of the path, or (POST) of the body. */
static int name_of(struct request *r, struct put *p)
{
	const struct doc_node *n = doc_get(p->doc->root, "name");
	struct str said = STR("");

	if (n && doc_as_string(n, &said))
		return reply_problem(r, 422, "invalid",
				     "name: a text is "
				     "wanted"),
		       -1;
	p->name = p->create ? said : r->params[0];
	if (!job_name_ok(p->name))
		return reply_problem(r, 422, "bad-name",
				     "a name is [a-z][a-z0-9_-]*, at most 63 "
				     "characters"),
		       -1;
	if (said.len && !str_eq(said, p->name))
		return reply_problem(r, 422, "name-mismatch",
				     "the name differs from the URL's"),
		       -1;
	return 0;
}

static int read_put(struct request *r, struct put *p)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct err e;

	if (doc_parse_max(buf_view(&r->body), DOC_JSON, RESOURCE_BODY_MAX,
			  &p->doc, ps))
		return reply_problems(r, 400, "malformed", ps), -1;
	if (!resource_check(r->route->kind, p->doc->root, ps))
		return reply_problems(r, 422, "invalid", ps), -1;
	if (name_of(r, p))
		return -1;
	if (resource_body(r->route->kind, p->doc->root, &p->body, &e))
		return reply_err(r, &e), -1;
	return 0;
}

static int change(struct request *r, const char *verb, struct str name,
		  engine_edit_fn *edit, engine_reply_fn *done)
{
	char action[64], what[WHAT_MAX];

	(void)snprintf(action, sizeof(action), "%s.%s", r->route->kind, verb);
	(void)snprintf(what, sizeof(what), "%.*s",
		       (int)(name.len < 64 ? name.len : 64), name.p);
	return once_edit(r, str_from(action), str_from(what), edit, done);
}

int h_resource_put(struct request *r)
{
	struct put *p = mem_alloc(sizeof(*p));

	*p = (struct put){
		.body = BUF_INIT(RESOURCE_BODY_MAX),
		.shown.b = BUF_INIT(VIEW_MAX),
		.guard = {request_header(r, "If-Match"),
			  request_header(r, "If-None-Match")},
		.create = r->route->method == METHOD_POST
        };
	r->state = p;
	r->state_free = put_free;
	if (read_put(r, p))
		return 0;
	return change(r, "put", p->name, edit_put, on_put);
}

/* --- removing ----------------------------------------------------------- */

static int edit_delete(void *ctx, struct store *s, struct err *refusal,
		       struct err *e)
{
	struct request *r = ctx;
	const struct guard g = {.if_match = request_header(r, "If-Match")};
	const char *kind = r->route->kind;
	char tag[TAG_MAX], subject[WHAT_MAX];
	int used;

	if (store_resource_get(s, str_from(kind), r->params[0], see_tag, tag,
			       e)) {
		if (e->code != ERR_NOT_FOUND)
			return -1;
		*refusal = *e;
		return 0;
	}
	if (guard_check(&g, tag, refusal))
		return 0;
	used = naming_in_use(s, kind, r->params[0], refusal, e);
	if (used)
		return used < 0 ? -1 : 0;
	(void)snprintf(subject, sizeof(subject), "user:%.*s",
		       (int)r->params[0].len, r->params[0].p);
	/* who gets the name next does not get the tokens */
	if (!strcmp(kind, "user") &&
	    store_tokens_delete(s, str_from(subject), e))
		return -1;
	return store_resource_delete(s, str_from(kind), r->params[0], e);
}

static void on_deleted(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		identity_reload(r->api);
		reply_empty(r, 204);
	}
	request_resume(r);
}

int h_resource_delete(struct request *r)
{
	return change(r, "delete", r->params[0], edit_delete, on_deleted);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The same answer again; see once.h. */
#include "api/once.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/mem.h"
#include "doc/doc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	ANSWER_MAX = 32 << 20,
	CANONICAL_MAX = 8 << 20
};

struct once {
	engine_edit_fn *edit;
	engine_reply_fn *done;
	struct str key; /* of the request's head */
	struct hash asked;
	bool replayed;
	unsigned status;
	char location[256], etag[128];
	struct buf body;
};

void once_free(struct once *o)
{
	if (!o)
		return;
	buf_done(&o->body);
	mem_free(o);
}

bool once_mismatch(const struct err *e)
{
	return e->code == ERR_CONFLICT && e->sys == EEXIST;
}

/* --- under way ---------------------------------------------------------- */

int once_enter(struct request *r)
{
	struct str key = request_header(r, "Idempotency-Key");

	if (!key.p || !route_makes(r->route))
		return 0;
	LIST_FOR(l, &r->api->under_way)
	{
		const struct request *other =
			LIST_ENTRY(l, struct request, under_way);

		if (strcmp(other->who.name, r->who.name) != 0 ||
		    !str_eq(request_header(other, "Idempotency-Key"), key))
			continue;
		reply_problem(r, 409, "idempotency-under-way",
			      "a request with this Idempotency-Key is under "
			      "way");
		reply_header(r, "Retry-After", "1");
		return -1;
	}
	list_push(&r->api->under_way, &r->under_way);
	return 0;
}

void once_leave(struct request *r)
{
	if (r->under_way.next)
		list_del(&r->under_way);
}

/* --- what "the same body" means ----------------------------------------- */

static void hash_text(struct hash_ctx *c, struct str s)
{
	uint64_t len = s.len;

	hash_update(c, &len, sizeof(len));
	hash_update(c, s.p ? s.p : "", s.len);
}

/* The parsed body where it can be parsed, and what the path names. */
static struct hash hash_asked(struct request *r)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf canonical = BUF_INIT(CANONICAL_MAX);
	enum doc_syntax syntax =
		doc_syntax_of_type(request_header(r, "Content-Type"));
	struct str body = buf_view(&r->body);
	struct hash_ctx *c = hash_begin();
	struct doc *d;
	struct err e;

	if (syntax != DOC_SYNTAX_UNKNOWN && !doc_parse(body, syntax, &d, ps)) {
		if (!doc_write_canonical(d->root, &canonical, &e))
			body = buf_view(&canonical);
		doc_free(d);
	}
	hash_text(c, str_from(r->route->id));
	for (unsigned i = 0; i < REQUEST_PARAMS_MAX; i++)
		hash_text(c, r->params[i]);
	hash_text(c, body);
	return hash_end(c);
}

/* --- in the transaction ------------------------------------------------- */

static void copy(char *to, size_t max, struct str s)
{
	(void)snprintf(to, max, STR_FMT, STR_ARG(s));
}

static int see(void *ctx, const struct store_answer *a, struct err *e)
{
	struct once *o = ctx;

	(void)e;
	o->replayed = hash_eq(&a->request, &o->asked);
	if (!o->replayed)
		return 0;
	o->status = a->status;
	copy(o->location, sizeof(o->location), a->location);
	copy(o->etag, sizeof(o->etag), a->etag);
	buf_reset(&o->body);
	buf_str(&o->body, a->body);
	return 0;
}

static int edit_once(void *ctx, struct store *s, struct err *refusal,
		     struct err *e)
{
	struct request *r = ctx;
	struct once *o = r->once;
	int found;

	o->replayed = false;
	found = store_answer_get(s, str_from(r->who.name), o->key, see, o, e);
	if (found < 0)
		return -1;
	if (!found)
		return o->edit(r, s, refusal, e);
	/* nothing is written: not even that it was asked */
	err_set(refusal, ERR_CONFLICT,
		"this Idempotency-Key was used for another request");
	refusal->sys = o->replayed ? EALREADY : EEXIST;
	return 0;
}

int once_keep(struct request *r, struct store *s, unsigned status,
	      const char *location, const char *etag, struct str body,
	      struct err *e)
{
	const struct once *o = r->once;
	struct store_answer a = {.status = status,
				 .location = str_from(location),
				 .etag = str_from(etag),
				 .body = r->route->secret ? STR("") : body};

	if (!o)
		return 0;
	a.request = o->asked;
	return store_answer_put(s, str_from(r->who.name), o->key, &a,
				clock_real_us(), e);
}

/* --- after it ----------------------------------------------------------- */

static void replay(struct request *r, struct once *o)
{
	static const struct engine_reply as_then = {.replayed = true};

	if (!o->body.len && !r->route->secret) {
		o->done(r, &as_then);
		reply_header(r, "Idempotency-Replayed", "true");
		return;
	}
	if (r->route->secret)
		reply_problem(r, 409, "idempotency-secret",
			      "it was made (%s), and its secret is shown once: "
			      "remove it and ask again with another key",
			      o->location);
	else
		reply_json(r, o->status, &o->body);
	if (o->location[0])
		reply_location(r, o->location);
	if (o->etag[0])
		reply_header(r, "ETag", o->etag);
	if (!r->route->secret)
		reply_header(r, "Idempotency-Replayed", "true");
	request_resume(r);
}

static void on_done(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;
	struct once *o = r->once;

	if (o->replayed) {
		replay(r, o);
	} else if (once_mismatch(&a->err)) {
		reply_problem(r, 422, "idempotency-mismatch", "%s",
			      a->err.text);
		request_resume(r);
	} else {
		o->done(r, a); /* it resumes */
	}
}

int once_edit(struct request *r, struct str action, struct str what,
	      engine_edit_fn *edit, engine_reply_fn *done)
{
	struct str key = request_header(r, "Idempotency-Key");
	struct err e;

	if (key.p && route_makes(r->route)) {
		r->once = mem_alloc(sizeof(*r->once));
		*r->once = (struct once){.edit = edit,
					 .done = done,
					 .key = key,
					 .asked = hash_asked(r),
					 .body = BUF_INIT(ANSWER_MAX)};
		edit = edit_once;
		done = on_done;
	}
	if (engine_edit(r->api->engine, str_from(r->who.name), action, what,
			edit, done, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

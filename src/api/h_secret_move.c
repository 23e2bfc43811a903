/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A project's secrets as a file of age: handed on, not read. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/mem.h"
#include "doc/doc.h"
#include "engine/engine.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	RECIPIENT_MAX = 64
};

struct moving {
	struct request *r;
	const char *action;
	char what[200];
};

static struct moving *wait_for(struct request *r, const char *action)
{
	struct moving *w = mem_alloc(sizeof(*w));

	w->r = r;
	w->action = action;
	(void)snprintf(w->what, sizeof(w->what), STR_FMT,
		       STR_ARG(r->params[0]));
	r->state = w;
	r->state_free = mem_free;
	return w;
}

static void on_audited(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code && r->phase != REQUEST_ANSWERED)
		reply_err(r, &a->err);
	request_resume(r);
}

static void audited(struct moving *w)
{
	struct request *r = w->r;
	struct err e;

	if (engine_audit(r->api->engine, str_from(r->who.name),
			 str_from(w->action), str_from(w->what), on_audited, r,
			 &e))
		request_resume(r);
}

static int asked(struct request *r, int bad, const struct err *e)
{
	if (bad)
		return reply_err(r, e);
	request_wait(r);
	return 0;
}

/* --- out ----------------------------------------------------------------- */

static void on_file(void *ctx, const struct keeper_answer *a)
{
	struct moving *w = ctx;
	struct buf b = BUF_INIT(SECRET_FILE_MAX);

	if (a->err.code) {
		reply_err(w->r, &a->err);
		request_resume(w->r);
		return;
	}
	buf_str(&b, a->json);
	reply_text(w->r, 200, "application/octet-stream", &b);
	audited(w);
}

int h_secret_export(struct request *r)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct moving *w = wait_for(r, "secret.export");
	struct wire_writer body = {.len = 0};
	const struct doc_node *n;
	struct str to;
	struct doc *d;
	struct err e;
	bool ok;

	if (doc_parse(buf_view(&r->body), DOC_JSON, &d, ps))
		return reply_problems(r, 400, "malformed", ps);
	n = doc_get(d->root, "recipient");
	ok = d->root->kind == DOC_MAP && d->root->n == 1 && n &&
	     !doc_as_string(n, &to) && to.len <= RECIPIENT_MAX;
	if (ok) {
		wire_str(&body, r->params[0]);
		wire_str(&body, to);
		(void)snprintf(w->what, sizeof(w->what), STR_FMT " to " STR_FMT,
			       STR_ARG(r->params[0]), STR_ARG(to));
	}
	doc_free(d);
	if (!ok)
		return reply_problem(
			r, 422, "bad-value",
			"the body is {\"recipient\": \"age1...\"}");
	return asked(r,
		     keeper_ask(r->api->keeper, MSG_EXPORT, &body, STR(""),
				on_file, w, &e),
		     &e);
}

/* --- in ------------------------------------------------------------------ */

static void on_recipient(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ((struct moving *)ctx)->r;
	struct buf b = BUF_INIT(1024);

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		buf_str(&b, a->json);
		buf_putc(&b, '\n');
		reply_json(r, 200, &b);
	}
	request_resume(r);
}

int h_secret_recipient(struct request *r)
{
	struct moving *w = wait_for(r, NULL);
	struct wire_writer body = {.len = 0};
	struct err e;

	return asked(r,
		     keeper_ask(r->api->keeper, MSG_RECIPIENT, &body, STR(""),
				on_recipient, w, &e),
		     &e);
}

static void on_imported(void *ctx, const struct keeper_answer *a)
{
	struct moving *w = ctx;
	struct buf b = BUF_INIT(256);

	if (a->err.code) {
		reply_err(w->r, &a->err);
		request_resume(w->r);
		return;
	}
	buf_printf(&b, "{\"stored\":%" PRIu64 "}\n", a->number);
	reply_json(w->r, 200, &b);
	audited(w);
}

int h_secret_import(struct request *r)
{
	struct moving *w = wait_for(r, "secret.import");
	struct wire_writer body = {.len = 0};
	struct err e;

	if (!r->body.len)
		return reply_problem(r, 422, "bad-value",
				     "the body is a file of age");
	wire_str(&body, r->params[0]);
	return asked(r,
		     keeper_ask(r->api->keeper, MSG_IMPORT, &body,
				buf_view(&r->body), on_imported, w, &e),
		     &e);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Secrets go in and never come out: octets, {"value"} or {"value_b64"}, handed
 * to the keeper and wiped here.
 */
#include "api/conventions.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/negotiate.h"
#include "api/page.h"
#include "api/reply.h"
#include "base/hex.h"
#include "base/mem.h"
#include "doc/doc.h"
#include "engine/engine.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	SECRET_MAX = 64 * 1024,
	DESCRIPTION_MAX = 256,
	KEEP_MAX = 100,
	SEALED_MAX = 88 * 1024 /* as secrets/sealed.h has it */
};

/* What is known of an answer that is on its way. */
struct waiting {
	struct request *r;
	unsigned status;
	const char *action;
	/* what is asked for, as soon as it is known which version it is about */
	int (*change)(struct waiting *w, uint64_t expect, struct err *e);
	char what[160];
};

static void etag(uint64_t version, char out[VIEW_TAG_MAX])
{
	(void)snprintf(out, VIEW_TAG_MAX, "\"%" PRIu64 "\"", version);
}

static void on_audited(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code && r->phase != REQUEST_ANSWERED)
		reply_err(r, &a->err);
	request_resume(r);
}

/* The keeper did it; now it is written down who asked, then answered. */
static void audited(struct waiting *w)
{
	struct request *r = w->r;
	struct err e;

	if (engine_audit(r->api->engine, str_from(r->who.name),
			 str_from(w->action), str_from(w->what), on_audited, r,
			 &e))
		request_resume(r); /* it is done; the answer stands */
}

static void on_changed(void *ctx, const struct keeper_answer *a)
{
	struct waiting *w = ctx;
	struct request *r = w->r;
	struct buf b = BUF_INIT(256);
	char tag[VIEW_TAG_MAX];

	if (a->err.code) {
		reply_err(r, &a->err);
		request_resume(r);
		return;
	}
	if (w->status == 204) {
		reply_empty(r, 204);
	} else {
		buf_printf(&b, "{\"version\":%" PRIu64, a->number);
		if (a->masked.len) {
			buf_puts(&b, ",\"redaction\":\"");
			buf_json(&b, a->masked);
			buf_putc(&b, '"');
		}
		buf_puts(&b, "}\n");
		reply_json(r, a->made ? 201 : 200, &b);
		etag(a->number, tag);
		reply_header(r, "ETag", tag);
	}
	audited(w);
}

static void on_listed(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ((struct waiting *)ctx)->r;
	struct buf b = BUF_INIT(KEEPER_LIST_MAX + 64);

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		buf_puts(&b, "{\"items\":");
		buf_str(&b, str_trim(a->json));
		buf_puts(&b, ",\"next_cursor\":null}\n");
		reply_json(r, 200, &b);
	}
	request_resume(r);
}

/* The name of the last one, which the next page begins behind. */
static void last_name(struct str items, char ret[CURSOR_NAME_MAX + 1])
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	const struct doc_node *last = NULL;
	struct doc *d;
	struct str s;

	ret[0] = '\0';
	if (doc_parse(items, DOC_JSON, &d, ps))
		return;
	for (const struct doc_node *n = d->root->first; n; n = n->next)
		last = n;
	if (last && !doc_as_string(doc_get(last, "name"), &s) &&
	    s.len <= CURSOR_NAME_MAX)
		(void)snprintf(ret, CURSOR_NAME_MAX + 1, STR_FMT, STR_ARG(s));
	doc_free(d);
}

/* One page of them, by name. */
static void on_page(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ((struct waiting *)ctx)->r;
	struct buf b = BUF_INIT(KEEPER_LIST_MAX + 256);
	char next[CURSOR_NAME_MAX + 1] = "";

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		if (a->number)
			last_name(str_trim(a->json), next);
		buf_puts(&b, "{\"items\":");
		buf_str(&b, str_trim(a->json));
		page_reply_name(r, &b, str_from(next));
	}
	request_resume(r);
}

static struct waiting *wait_for(struct request *r, unsigned status,
				const char *action)
{
	struct waiting *w = mem_alloc(sizeof(*w));

	w->r = r;
	w->status = status;
	w->action = action;
	(void)snprintf(w->what, sizeof(w->what), STR_FMT "/" STR_FMT,
		       STR_ARG(r->params[0]), STR_ARG(r->params[1]));
	r->state = w;
	r->state_free = mem_free;
	return w;
}

/* Waiting, or the refusal. */
static int asked(struct request *r, int bad, const struct err *e)
{
	if (bad)
		return r->phase == REQUEST_ANSWERED ? 0 : reply_err(r, e);
	request_wait(r);
	return 0;
}

int h_secrets(struct request *r)
{
	struct waiting *w;
	struct page page;
	struct err e;

	if (page_by_name(r, &page))
		return 0;
	w = wait_for(r, 200, "secret.list");
	return asked(r,
		     keeper_list(r->api->keeper, r->params[0],
				 str_from(page.after), page.limit, on_page, w,
				 &e),
		     &e);
}

static void on_shown(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ((struct waiting *)ctx)->r;
	struct buf b = BUF_INIT(KEEPER_LIST_MAX + 64);
	char tag[VIEW_TAG_MAX];

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		etag(a->number, tag);
		buf_str(&b, a->json);
		buf_putc(&b, '\n');
		reply_view_tagged(r, &b, tag);
	}
	request_resume(r);
}

int h_secret(struct request *r)
{
	struct waiting *w = wait_for(r, 200, "secret.show");
	struct err e;

	return asked(r,
		     keeper_show(r->api->keeper, r->params[0], r->params[1],
				 on_shown, w, &e),
		     &e);
}

int h_secret_versions(struct request *r)
{
	struct waiting *w = wait_for(r, 200, "secret.versions");
	struct err e;

	return asked(r,
		     keeper_versions(r->api->keeper, r->params[0], r->params[1],
				     on_listed, w, &e),
		     &e);
}

/* --- changing ------------------------------------------------------------ */

/* 412, where what is there (version 0: nothing) is not what If-Match or
 * If-None-Match want. */
static int check_version(struct request *r, uint64_t version)
{
	struct str match = request_header(r, "If-Match");
	struct str none_match = request_header(r, "If-None-Match");
	char tag[VIEW_TAG_MAX];

	etag(version, tag);
	if (match.p && !version)
		return reply_problem(r, 412, "stale", "there is none to match"),
		       -1;
	if ((match.p && !etag_in(match, str_from(tag))) ||
	    (none_match.p && version && etag_in(none_match, str_from(tag))))
		return reply_problem(r, 412, "stale",
				     "it is at version %" PRIu64, version),
		       -1;
	return 0;
}

/* Which version is there, for who says which one is meant: the change is of
 * that one or, when somebody was faster, refused. */
static void on_found(void *ctx, const struct keeper_answer *a)
{
	struct waiting *w = ctx;
	struct request *r = w->r;
	uint64_t version = a->err.code ? EXPECT_NONE : a->number;
	struct err e = a->err;

	if (e.code && e.code != ERR_NOT_FOUND)
		reply_err(r, &e);
	else if (!check_version(r, version)) {
		if (!w->change(w, version, &e))
			return; /* it is asked for: on_changed() */
		if (r->phase != REQUEST_ANSWERED)
			reply_err(r, &e);
	}
	request_resume(r);
}

static int change(struct waiting *w, struct err *e)
{
	struct request *r = w->r;

	if (!request_header(r, "If-Match").p &&
	    !request_header(r, "If-None-Match").p)
		return w->change(w, EXPECT_ANY, e);
	return keeper_show(r->api->keeper, r->params[0], r->params[1], on_found,
			   w, e);
}

static int remove_it(struct waiting *w, uint64_t expect, struct err *e)
{
	struct request *r = w->r;

	return keeper_remove(r->api->keeper, r->params[0], r->params[1], expect,
			     on_changed, w, e);
}

int h_secret_delete(struct request *r)
{
	struct waiting *w = wait_for(r, 204, "secret.remove");
	struct err e;

	w->change = remove_it;
	return asked(r, change(w, &e), &e);
}

/* One version, the keeper's word for what becomes of it. */
static int change_version(struct request *r, enum version_change what,
			  const char *action)
{
	struct waiting *w = wait_for(r, 204, action);
	struct wire_writer body = {.len = 0};
	uint64_t version;
	struct err e;

	if (str_to_u64(r->params[2], INT64_MAX, &version) || !version)
		return reply_problem(r, 404, "not-found", "no such version");
	(void)snprintf(w->what, sizeof(w->what),
		       STR_FMT "/" STR_FMT " version %" PRIu64,
		       STR_ARG(r->params[0]), STR_ARG(r->params[1]), version);
	wire_str(&body, r->params[0]);
	wire_str(&body, r->params[1]);
	wire_u64(&body, version);
	wire_u8(&body, (uint8_t)what);
	return asked(r,
		     keeper_ask(r->api->keeper, MSG_VERSION, &body, STR(""),
				on_changed, w, &e),
		     &e);
}

int h_secret_version_delete(struct request *r)
{
	return change_version(r, VERSION_DELETE, "secret.delete");
}

int h_secret_version_undelete(struct request *r)
{
	return change_version(r, VERSION_UNDELETE, "secret.undelete");
}

int h_secret_version_destroy(struct request *r)
{
	return change_version(r, VERSION_DESTROY, "secret.destroy");
}

/* {"description", "max_versions"}: what is not said is as if it never was. */
int h_secret_describe(struct request *r)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct waiting *w = wait_for(r, 204, "secret.describe");
	const struct doc_node *text, *keep;
	struct wire_writer body = {.len = 0};
	struct str s = STR("");
	int64_t n = 0;
	struct doc *d;
	struct err e;
	bool ok;

	if (doc_parse(buf_view(&r->body), DOC_JSON, &d, ps))
		return reply_problems(r, 400, "malformed", ps);
	text = doc_get(d->root, "description");
	keep = doc_get(d->root, "max_versions");
	ok = d->root->kind == DOC_MAP &&
	     d->root->n == (text != NULL) + 0U + (keep != NULL) &&
	     (!text || !doc_as_string(text, &s)) && s.len <= DESCRIPTION_MAX &&
	     (!keep || !doc_as_i64(keep, &n)) && n >= 0 && n <= KEEP_MAX;
	wire_str(&body, r->params[0]);
	wire_str(&body, r->params[1]);
	wire_str(&body, ok ? s : STR(""));
	wire_u8(&body, (uint8_t)n);
	doc_free(d);
	if (!ok)
		return reply_problem(r, 422, "bad-value",
				     "the body is {\"description\": a line of "
				     "at most %d bytes, \"max_versions\": 0 "
				     "to %d}",
				     DESCRIPTION_MAX, KEEP_MAX);
	return asked(r,
		     keeper_ask(r->api->keeper, MSG_DESCRIBE, &body, STR(""),
				on_changed, w, &e),
		     &e);
}

/* {"value": "..."}, {"value_b64": "..."} or {"sealed": "..."}; the tree's memory
 * is wiped. */
static int value_of_json(struct request *r, struct buf *value, bool *sealed)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	const struct doc_node *plain, *b64, *closed;
	struct doc *d = NULL;
	struct str s;
	int ok = 0;

	if (doc_parse(buf_view(&r->body), DOC_JSON, &d, ps)) {
		reply_problems(r, 400, "malformed", ps);
		mem_free(ps);
		return -1;
	}
	plain = doc_get(d->root, "value");
	b64 = doc_get(d->root, "value_b64");
	closed = doc_get(d->root, "sealed");
	if (d->root->kind == DOC_MAP && d->root->n == 1 && plain &&
	    !doc_as_string(plain, &s)) {
		ok = buf_str(value, s);
	} else if (d->root->kind == DOC_MAP && d->root->n == 1 && b64 &&
		   !doc_as_string(b64, &s)) {
		ok = !b64_decode(s, value);
	} else if (d->root->kind == DOC_MAP && d->root->n == 1 && closed &&
		   !doc_as_string(closed, &s)) {
		value->max = SEALED_MAX;
		ok = buf_str(value, s);
		*sealed = true;
	}
	for (const struct doc_node *n = d->root->first; n; n = n->next)
		mem_wipe((char *)(uintptr_t)n->text.p, n->text.len);
	doc_free(d);
	mem_free(ps);
	if (!ok)
		return reply_problem(r, 422, "bad-value",
				     "the body is {\"value\": text}, "
				     "{\"value_b64\": base64}, at most %d "
				     "bytes, {\"sealed\": text}, or octets",
				     SECRET_MAX),
		       -1;
	return 0;
}

/* Answers when it returns -1. */
static int value_of(struct request *r, struct buf *value, bool *sealed)
{
	if (doc_syntax_of_type(request_header(r, "Content-Type")) == DOC_JSON)
		return value_of_json(r, value, sealed);
	if (!buf_str(value, buf_view(&r->body)))
		return reply_problem(r, 413, "too-large",
				     "a secret has at most %d bytes",
				     SECRET_MAX),
		       -1;
	return 0;
}

static int put_it(struct waiting *w, uint64_t expect, struct err *e)
{
	struct request *r = w->r;
	struct buf value = BUF_INIT(SECRET_MAX);
	bool sealed = false;
	int bad = value_of(r, &value, &sealed);

	if (!bad && sealed)
		bad = keeper_put_sealed(r->api->keeper, r->params[0],
					r->params[1], expect, buf_view(&value),
					on_changed, w, e);
	else if (!bad)
		bad = keeper_put(r->api->keeper, r->params[0], r->params[1],
				 expect, buf_view(&value), on_changed, w, e);
	buf_wipe(&value);
	return bad;
}

int h_secret_put(struct request *r)
{
	struct waiting *w = wait_for(r, 200, "secret.put");
	struct err e;

	w->change = put_it;
	return asked(r, change(w, &e), &e);
}

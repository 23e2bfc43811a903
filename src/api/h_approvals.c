/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What people are asked, and what they say.  Who may say it is decided here,
 * what follows from it by the engine. */
#include "api/approvalview.h"
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "job/approval.h"

#include <errno.h>
#include <string.h>

enum {
	VIEW_MAX = 16 << 20
};

/* --- looking ------------------------------------------------------------ */

struct looking {
	struct request *r;
	struct buf b;
	struct str task; /* {NULL, 0}: all of the run */
	uint32_t n, limit;
	int64_t last;
	bool more, mine;
	const char *refusal; /* of the one */
};

static int add(struct looking *l, const struct store_approval *a, struct err *e)
{
	if (l->n++)
		buf_putc(&l->b, ',');
	l->last = a->id;
	return approval_view(l->r, a, &l->b, e);
}

static int see_of_run(void *ctx, const struct store_approval *a, struct err *e)
{
	struct looking *l = ctx;

	if (l->task.p && !str_eq(l->task, a->task))
		return 0;
	l->refusal = approval_refusal(l->r, a);
	return add(l, a, e);
}

int h_run_approvals(struct request *r)
{
	struct looking l = {.r = r, .b = BUF_INIT(VIEW_MAX)};
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	buf_puts(&l.b, "{\"items\":[");
	if (store_read_approvals(r->api->reader, &run, see_of_run, &l, &e)) {
		buf_done(&l.b);
		return reply_err(r, &e);
	}
	buf_puts(&l.b, "],\"next_cursor\":null}\n");
	return reply_json(r, 200, &l.b);
}

/* -1: it was answered; else l->b is the caller's. */
static int look(struct request *r, const struct ulid *run, struct looking *l)
{
	struct err e;
	int bad;

	*l = (struct looking){
		.r = r, .b = BUF_INIT(VIEW_MAX), .task = r->params[1]};
	bad = store_read_approvals(r->api->reader, run, see_of_run, l, &e);
	if (bad)
		reply_err(r, &e);
	else if (!l->n)
		reply_problem(r, 404, "not-found",
			      "no such approval, or it is not its turn yet");
	if (!bad && l->n)
		return 0;
	buf_done(&l->b);
	return -1;
}

static int show(struct request *r, const struct ulid *run)
{
	struct looking l;

	if (look(r, run, &l))
		return 0;
	buf_putc(&l.b, '\n');
	return reply_json(r, 200, &l.b);
}

int h_run_approval(struct request *r)
{
	struct ulid run;

	return param_run(r, 0, &run) ? 0 : show(r, &run);
}

static int see_open(void *ctx, const struct store_approval *a, struct err *e)
{
	struct looking *l = ctx;
	bool mine = true;

	if (l->more || (l->mine && approval_is_mine(l->r, a, &mine, e)))
		return l->more ? 0 : -1;
	if (!mine)
		return 0;
	l->more = l->n == l->limit;
	return l->more ? 0 : add(l, a, e);
}

int h_approvals(struct request *r)
{
	CLEANUP_BUF struct buf visible = BUF_INIT(1 << 20);
	struct looking l = {.r = r, .b = BUF_INIT(VIEW_MAX)};
	struct page page;
	struct str whose;
	struct err e;

	if (page_of(r, &page))
		return 0;
	l.limit = page.limit;
	l.mine = request_query(r, "for", 0, &whose);
	if (l.mine && !str_is(whose, "me"))
		return reply_problem(r, 400, "bad-parameter", "for: me");
	auth_visible(r, &visible);
	buf_puts(&l.b, "{\"items\":[");
	if (store_read_open_approvals(r->api->reader, buf_view(&visible),
				      page.before, see_open, &l, &e)) {
		buf_done(&l.b);
		return reply_err(r, &e);
	}
	buf_putc(&l.b, ']');
	return page_reply(r, &l.b, l.more ? l.last : 0);
}

/* --- deciding ----------------------------------------------------------- */

static void bad_field(struct problems *ps, const struct doc_node *n,
		      const char *want)
{
	problem_at(ps, n, "bad-value", NULL, STR_FMT ": %s", STR_ARG(n->key),
		   want);
}

static void read_decision(const struct doc_node *n, struct engine_decision *d,
			  bool *ret_said, struct problems *ps)
{
	*ret_said = true;
	d->approves = str_is(n->text, "approve");
	if (!d->approves && !str_is(n->text, "reject"))
		bad_field(ps, n, "approve or reject is wanted");
}

static void read_field(const struct doc_node *n, struct engine_decision *d,
		       bool *ret_said, struct problems *ps)
{
	if (n->kind != DOC_STRING) {
		bad_field(ps, n, "a text is wanted");
	} else if (str_is(n->key, "decision")) {
		read_decision(n, d, ret_said, ps);
	} else if (str_is(n->key, "digest")) {
		if (str_starts(n->text, STR("sha256:")) &&
		    n->text.len == 7 + HASH_HEX_LEN)
			d->digest = str_from_at(n->text, 7);
		else
			bad_field(ps, n, "the approval's digest is wanted");
	} else if (str_is(n->key, "comment")) {
		d->comment = n->text;
		if (n->text.len > APPROVAL_COMMENT_MAX)
			bad_field(ps, n, "at most 1024 bytes");
	} else {
		problem_at_key(ps, n, "unknown-key", NULL,
			       "unknown key \"" STR_FMT "\"", STR_ARG(n->key));
	}
}

/* What was sent; text borrows from d's document.  -1: it was answered. */
static int read_body(struct request *r, struct doc **ret,
		     struct engine_decision *x)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	bool said = false;
	struct doc *d;

	if (doc_parse(buf_view(&r->body), DOC_JSON, &d, ps))
		return reply_problems(r, 400, "malformed", ps), -1;
	for (const struct doc_node *n =
		     d->root->kind == DOC_MAP ? d->root->first : NULL;
	     n; n = n->next)
		read_field(n, x, &said, ps);
	if (!ps->n && (!said || !x->digest.len))
		problem_at(ps, d->root, "missing", NULL,
			   "decision and digest are wanted");
	if (!ps->n) {
		*ret = d;
		return 0;
	}
	doc_free(d);
	return reply_problems(r, 422, "invalid", ps), -1;
}

static void on_decided(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (!a->err.code)
		show(r, &a->run);
	else if (a->err.code == ERR_CONFLICT && a->err.sys == ESTALE)
		reply_problem(r, 409, "digest-changed", "%s", a->err.text);
	else if (a->err.code == ERR_CONFLICT)
		reply_problem(r, 409, "decided", "%s", a->err.text);
	else
		reply_err(r, &a->err);
	request_resume(r);
}

int h_run_approve(struct request *r)
{
	struct engine_decision x = {.approves = false};
	struct looking l;
	struct doc *d;
	struct err e;
	int bad;

	if (param_run(r, 0, &x.run) || look(r, &x.run, &l))
		return 0;
	buf_done(&l.b);
	if (l.refusal)
		return reply_problem(r, 403, "forbidden", "%s", l.refusal);
	if (read_body(r, &d, &x))
		return 0;
	x.task = r->params[1];
	x.who = str_from(r->who.name);
	x.person = access_person(r->api->identity.set, x.who);
	bad = engine_decide(r->api->engine, &x, on_decided, r, &e);
	doc_free(d);
	if (bad)
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

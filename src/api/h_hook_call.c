/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A webhook is called: by a stranger, until the keeper has said that it was
 * signed with the hook's secret.  To a hook that is not there, one whose secret
 * is gone and a wrong signature the answer is the same, after the same work.
 * What is sent is not stored, not logged, and wiped.
 */
#include "api/handlers.h"
#include "api/hookset.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/slow.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "hook/hook.h"
#include "hook/scheme.h"
#include "job/job.h"
#include "store/jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	SUBJECT_MAX = JOB_NAME_MAX + 16,
	ERROR_MAX = ERR_TEXT_MAX + 1
};

struct call {
	struct request *r;
	int64_t hook; /* 0: there is none */
	char project[JOB_NAME_MAX + 1], job[JOB_NAME_MAX + 1];
	char name[JOB_NAME_MAX + 1], subject[SUBJECT_MAX];
	enum hook_scheme scheme;
	char secret[VERIFY_REF_MAX + 1];
	struct hook_call signed_;
	char delivery[HOOK_ID_MAX + 1];
	/* what is to be written down of it, and answered */
	const char *outcome, *code;
	unsigned status;
	char error[ERROR_MAX], run[ULID_LEN + 1];
	bool replayed;
};

/* --- the answer --------------------------------------------------------- */

static void refuse(struct request *r)
{
	reply_problem(r, 401, "bad-signature",
		      "no such hook, or not signed with its secret");
	reply_header(r, "WWW-Authenticate", "Signature realm=\"nfo hooks\"");
}

static void answer(struct call *c)
{
	struct buf b = BUF_INIT(256);

	if (!strcmp(c->outcome, "rejected")) {
		reply_problem(c->r, c->status, c->code, "%s", c->error);
		return;
	}
	if (!strcmp(c->outcome, "run"))
		buf_printf(&b, "{\"run_id\":\"run_%s\"}\n", c->run);
	else
		buf_printf(&b, "{\"run_id\":null,\"reason\":\"%s\"}\n",
			   c->outcome);
	reply_json(c->r, 202, &b);
	if (c->replayed)
		reply_header(c->r, "Idempotency-Replayed", "true");
}

/* --- what was said of it before ----------------------------------------- */

static int see_final(void *ctx, const struct store_delivery *d, struct err *e)
{
	static const char *const final[] = {"run", "filtered", "ping"};
	struct call *c = ctx;

	(void)e;
	for (size_t i = 0; i < ARRAY_LEN(final); i++) {
		if (!str_is(d->outcome, final[i]))
			continue;
		c->outcome = final[i];
		c->replayed = true;
		(void)snprintf(c->run, sizeof(c->run), STR_FMT,
			       STR_ARG(d->run));
	}
	return 0;
}

/* True when there was an answer, or an error. */
static bool answered_before(struct call *c)
{
	struct err e;

	c->outcome = "";
	if (store_read_delivery(c->r->api->reader, c->hook,
				str_from(c->delivery), see_final, c, &e) < 0) {
		reply_err(c->r, &e);
		return true;
	}
	if (!c->outcome[0])
		return false;
	answer(c);
	return true;
}

/* --- written down ------------------------------------------------------- */

static int edit(void *ctx, struct store *s, struct err *refusal, struct err *e)
{
	struct call *c = ((struct request *)ctx)->state;
	const struct store_delivery d = {
		.hook = c->hook,
		.delivery = str_from(c->delivery),
		.event = c->signed_.event,
		.outcome = str_from(c->outcome),
		.run = STR(""),
		.error = str_from(c->error),
		.at_us = clock_real_us(),
	};

	(void)refusal;
	if (store_delivery_get(s, c->hook, d.delivery, see_final, c, e) < 0)
		return -1;
	return c->replayed ? 0 : store_delivery_put(s, &d, e);
}

static void on_recorded(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code)
		reply_err(r, &a->err);
	else
		answer(r->state);
	request_resume(r);
}

static void record(struct call *c, const char *outcome)
{
	struct err e;

	c->outcome = outcome;
	if (engine_edit(c->r->api->engine, str_from(c->subject), STR(""),
			STR(""), edit, on_recorded, c->r, &e))
		reply_err(c->r, &e);
}

static void reject(struct call *c, unsigned status, const char *code,
		   const char *text)
{
	c->status = status;
	c->code = code;
	(void)snprintf(c->error, sizeof(c->error), "%.300s", text);
	record(c, "rejected");
}

/* --- a run -------------------------------------------------------------- */

static void on_made(void *ctx, const struct engine_reply *a)
{
	struct call *c = ctx;
	struct request *r = c->r;

	if (a->err.code == ERR_CONFLICT)
		reject(c, 409, "conflict", a->err.text);
	else if (a->err.code)
		reply_err(r, &a->err);
	else if (!a->replayed || !answered_before(c)) {
		c->outcome = "run";
		memcpy(c->run, a->run.s, sizeof(c->run));
		answer(c);
	}
	if (r->phase == REQUEST_ANSWERED)
		request_resume(r);
}

/* Names what is wrong, and quotes nothing of what was sent. */
static const char *reason(const struct problems *ps, const struct err *e)
{
	const struct problem *p = &ps->items[0];

	return ps->n && (!strcmp(p->code, "bad-input") ||
			 !strcmp(p->code, "policy")) ?
		       p->message :
		       e->text;
}

static void make(struct call *c, struct str canonical, struct job *job,
		 struct str inputs)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct engine_ask ask = {.project = str_from(c->project),
				 .canonical = canonical,
				 .inputs = inputs,
				 .submitter = str_from(c->subject),
				 .trigger = STR("webhook"),
				 .priority = -1,
				 .hook = c->hook,
				 .delivery = str_from(c->delivery),
				 .event = c->signed_.event};
	struct engine_order *o;
	struct err e = {0};

	if (engine_order_new(c->r->api->policies, &ask, job, &o, ps, &e)) {
		bool denied = e.code == ERR_DENIED;

		if (e.code == ERR_INVALID || denied)
			reject(c, denied ? 403 : 422,
			       denied ? "policy" : "invalid-inputs",
			       reason(ps, &e));
		else
			reply_err(c->r, &e);
		return;
	}
	if (engine_run(c->r->api->engine, o, on_made, c, &e))
		reply_err(c->r, &e);
}

static int take_job(void *ctx, const struct store_job *j, struct err *e)
{
	return buf_str(ctx, j->canonical) ?
		       0 :
		       err_set(e, ERR_INTERNAL, "a stored job is too long");
}

/* The body is one: does it start a run? */
static void decide(struct call *c, struct doc_node *body)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf canonical = BUF_INIT(JOB_CANONICAL_MAX);
	CLEANUP_BUF struct buf inputs = BUF_INIT(DOC_TEXT_MAX);
	const struct doc_node *hook;
	struct job *job = NULL;
	struct err e;

	if (store_read_job(c->r->api->reader, str_from(c->project),
			   str_from(c->job), STR(""), take_job, &canonical,
			   &e) ||
	    job_parse_stored(buf_view(&canonical), &job, ps) ||
	    !(hook = hook_find(job->doc->root, str_from(c->name)))) {
		refuse(c->r); /* it went while we asked */
	} else if (!hook_matches(hook, body, c->signed_.event)) {
		record(c, "filtered");
	} else if (hook_inputs(job->doc->root, hook, body, c->signed_.event,
			       &inputs, &e)) {
		reject(c, 422, "invalid-inputs", e.text);
	} else {
		make(c, buf_view(&canonical), job, buf_view(&inputs));
		job = NULL;
	}
	job_free(job);
	if (inputs.data)
		mem_wipe(inputs.data, inputs.cap);
}

static void wipe(const struct doc_node *n)
{
	mem_wipe((char *)(uintptr_t)n->text.p, n->text.len);
	for (const struct doc_node *k = n->first; k; k = k->next)
		wipe(k);
}

static void take_body(struct call *c)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d;

	if (doc_parse(buf_view(&c->r->body), DOC_JSON, &d, ps)) {
		char text[80];

		(void)snprintf(text, sizeof(text),
			       "the body is not JSON as it is taken here: line "
			       "%u, column %u",
			       ps->items[0].at.line, ps->items[0].at.column);
		reject(c, 400, "malformed", text);
		return;
	}
	decide(c, d->root);
	wipe(d->root);
	doc_free(d);
}

/* --- who called? -------------------------------------------------------- */

/* What was signed: a time, say, and the body. */
static bool content_of(const struct call *c, struct buf *b)
{
	return buf_put(b, c->signed_.prefix, c->signed_.prefix_len) &&
	       buf_str(b, buf_view(&c->r->body));
}

/* What the caller calls it; or the content itself is its name. */
static int name_delivery(struct call *c)
{
	struct buf content = BUF_INIT(VERIFY_CONTENT_MAX);
	char hex[HASH_HEX_LEN + 1];
	struct hash h;

	if (!c->signed_.by_content) {
		(void)snprintf(c->delivery, sizeof(c->delivery), STR_FMT,
			       STR_ARG(c->signed_.delivery));
		return c->delivery[0] ? 0 : -1;
	}
	(void)content_of(c, &content);
	h = hash_sha256(content.data, content.len);
	buf_wipe(&content);
	hash_hex(&h, hex);
	(void)snprintf(c->delivery, sizeof(c->delivery), "%.32s", hex);
	return 0;
}

static bool too_often(const struct call *c, struct hook_limit *l, uint64_t key)
{
	if (!hook_limit_take(l, key, clock_mono_us()))
		return false;
	reply_problem(c->r, 429, "limit", "too many calls");
	return true;
}

static void on_verified(void *ctx, const struct keeper_answer *a)
{
	struct call *c = ctx;
	struct request *r = c->r;

	if (a->err.code)
		reply_err(r, &a->err);
	else if (a->number != 1 || !c->hook)
		refuse(r);
	else if (!hook_call_fresh(&c->signed_, clock_real_us() / 1000000))
		reply_problem(r, 401, "stale-signature",
			      "signed over five minutes from now");
	else if (too_often(c, &r->api->hooks, (uint64_t)c->hook))
		;
	else if (name_delivery(c))
		reply_problem(r, 400, "no-delivery-id",
			      "the header with the delivery's id is missing");
	else if (answered_before(c))
		;
	else if (c->signed_.ping)
		record(c, "ping");
	else
		take_body(c);
	if (r->phase == REQUEST_ANSWERED)
		request_resume(r);
}

static int see_hook(void *ctx, const struct store_hook *h, struct err *e)
{
	struct call *c = ctx;

	(void)e;
	if (hook_scheme_parse(h->scheme, &c->scheme))
		return 0;
	c->hook = h->n;
	(void)snprintf(c->project, sizeof(c->project), STR_FMT,
		       STR_ARG(h->project));
	(void)snprintf(c->job, sizeof(c->job), STR_FMT, STR_ARG(h->job));
	(void)snprintf(c->name, sizeof(c->name), STR_FMT, STR_ARG(h->name));
	(void)snprintf(c->subject, sizeof(c->subject), "webhook:" STR_FMT,
		       STR_ARG(h->name));
	(void)snprintf(c->secret, sizeof(c->secret), STR_FMT,
		       STR_ARG(h->secret));
	return 0;
}

static struct str header_of(void *ctx, const char *name)
{
	return request_header(ctx, name);
}

/* The token is the secret itself: it stays in no memory of ours. */
static void forget_token(struct call *c)
{
	mem_wipe((char *)(uintptr_t)c->signed_.token.p, c->signed_.token.len);
	c->signed_.token = STR("");
}

static int ask_keeper(struct call *c, struct err *e)
{
	struct buf content = BUF_INIT(VERIFY_CONTENT_MAX);
	struct verify v = {.project = STR(""), .ref = STR("")};
	int bad;

	/* for nobody, and for what is not signed at all, it asks as well */
	if (c->hook &&
	    !hook_call_read(c->scheme, header_of, c->r, &c->signed_)) {
		v.project = str_from(c->project);
		v.ref = str_from(c->secret);
		v.how = (uint8_t)c->signed_.how;
		v.n_macs = (uint8_t)c->signed_.n_macs;
		memcpy(v.macs, c->signed_.macs, sizeof(v.macs));
		v.token = c->signed_.token;
	}
	bad = content_of(c, &content) ?
		      keeper_verify(c->r->api->keeper, &v, buf_view(&content),
				    on_verified, c, e) :
		      err_set(e, ERR_INTERNAL, "what is signed is too long");
	buf_wipe(&content);
	forget_token(c);
	return bad;
}

/* Who calls it and where from: whoever else knows the URL cannot use up what is
 * the provider's. */
static uint64_t caller_of(const struct call *c)
{
	const unsigned char *key = c->r->api->cursor_key;
	char client[CLIENT_MAX], text[CLIENT_MAX + 24];
	uint64_t v;
	struct hash h;
	int n;

	if (!c->hook)
		return HOOK_LIMIT_NOBODY;
	n = snprintf(text, sizeof(text), STR_FMT " %" PRId64,
		     STR_ARG(slow_client(c->r, client)), c->hook);
	/* so that nobody can aim at another's place */
	h = hash_hmac_sha256(key, CURSOR_KEY_LEN, text, (size_t)n);
	memcpy(&v, h.b, sizeof(v));
	return v == HOOK_LIMIT_NOBODY ? 1 : v;
}

int h_hook_call(struct request *r)
{
	struct call *c = mem_alloc(sizeof(*c));
	struct err e;

	c->r = r;
	r->state = c;
	r->state_free = mem_free;
	if (!r->body.len)
		return reply_problem(r, 400, "malformed", "there is no body");
	if (r->params[0].len == HOOK_ID_LEN &&
	    store_read_hook(r->api->reader, r->params[0], see_hook, c, &e) < 0)
		return reply_err(r, &e);
	if (too_often(c, &r->api->hook_callers, caller_of(c)))
		return 0;
	if (ask_keeper(c, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

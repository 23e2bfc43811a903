/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The keys of the secret store, for administrators: sealed or not, what opens
 * it, a new term, a new root key.  Passphrases pass through here and are wiped.
 */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/mem.h"
#include "doc/doc.h"
#include "engine/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	STATUS_MAX = 16384,
	PASSPHRASES_MAX = 8,
	PASSPHRASE_MAX = 1024,
	REASON_MAX = 200,
	WHERE_MAX = 256 /* of a transit slot */
};

/* What is known of an answer that is on its way. */
struct sealing {
	struct request *r;
	const char *action; /* of the audit */
	const char *number; /* what the keeper's number is called; NULL: 204 */
	unsigned status;
	bool refused; /* and audited, too */
	struct err err;
	char what[REASON_MAX + 64];
};

static struct sealing *wait_for(struct request *r, const char *action,
				unsigned status, const char *number)
{
	struct sealing *w = mem_alloc(sizeof(*w));

	*w = (struct sealing){.r = r,
			      .action = action,
			      .status = status,
			      .number = number,
			      .what = "store"};
	r->state = w;
	r->state_free = mem_free;
	return w;
}

static void on_audited(void *ctx, const struct engine_reply *a)
{
	struct sealing *w = ctx;
	struct request *r = w->r;

	if (a->err.code && r->phase != REQUEST_ANSWERED)
		reply_err(r, &a->err);
	request_resume(r);
}

static void reply_done(struct sealing *w, uint64_t number)
{
	struct buf b = BUF_INIT(256);

	if (!w->number) {
		reply_empty(w->r, w->status);
		return;
	}
	buf_printf(&b, "{\"%s\":%" PRIu64 "}\n", w->number, number);
	reply_json(w->r, w->status, &b);
}

/* Done or refused: both are written down, then told. */
static void on_done(void *ctx, const struct keeper_answer *a)
{
	struct sealing *w = ctx;
	struct request *r = w->r;
	char action[64];
	struct err e;

	if (a->err.code == ERR_LIMIT &&
	    str_starts(str_from(a->err.text), STR("too soon")))
		reply_problem(r, 429, "slow-down", "%s", a->err.text);
	else if (a->err.code)
		reply_err(r, &a->err);
	else
		reply_done(w, a->number);
	(void)snprintf(action, sizeof(action), "%s%s", w->action,
		       a->err.code ? ".refused" : "");
	if (engine_audit(r->api->engine, str_from(r->who.name),
			 str_from(action), str_from(w->what), on_audited, w,
			 &e))
		request_resume(r); /* it is done; the answer stands */
}

/* Waiting, or the refusal.  body is wiped. */
static int ask(struct sealing *w, enum msg_type type, struct wire_writer *body)
{
	struct request *r = w->r;
	struct err e;
	int bad =
		keeper_ask(r->api->keeper, type, body, STR(""), on_done, w, &e);

	mem_wipe(body->data, body->len);
	if (bad)
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

/* --- bodies -------------------------------------------------------------- */

/* A map of some of these keys; the texts that it holds are wiped with it. */
struct body {
	struct doc *d;
};

static void wipe(const struct doc_node *n)
{
	if (n->text.p)
		mem_wipe((char *)(uintptr_t)n->text.p, n->text.len);
	for (const struct doc_node *c = n->first; c; c = c->next)
		wipe(c);
}

static void body_done(struct body *b)
{
	if (b->d)
		wipe(b->d->root);
	doc_free(b->d);
}
#define CLEANUP_BODY CLEANUP(body_done)

static int bad_body(struct request *r, const char *why)
{
	return reply_problem(r, 422, "bad-value", "%s", why), -1;
}

/* -1: answered.  keys ends with NULL; no body is an empty map. */
static int body_of(struct request *r, const char *const *keys, struct body *ret)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct str text = r->body.len ? buf_view(&r->body) : STR("{}");

	if (doc_parse(text, DOC_JSON, &ret->d, ps))
		return reply_problems(r, 400, "malformed", ps), -1;
	if (ret->d->root->kind != DOC_MAP)
		return bad_body(r, "the body is an object");
	for (const struct doc_node *n = ret->d->root->first; n; n = n->next) {
		size_t i = 0;

		while (keys[i] && !str_is(n->key, keys[i]))
			i++;
		if (!keys[i])
			return bad_body(r, "the body has a key that is not "
					   "known here");
	}
	return 0;
}

/* Text of at most max bytes; "" where there is none. */
static int text_of(struct request *r, const struct body *b, const char *key,
		   size_t max, struct str *ret)
{
	const struct doc_node *n = doc_get(b->d->root, key);

	*ret = STR("");
	if (n && (doc_as_string(n, ret) || ret->len > max))
		return reply_problem(r, 422, "bad-value",
				     "%s is text of at most %zu bytes", key,
				     max),
		       -1;
	return 0;
}

/* --- sealed and unsealed ------------------------------------------------- */

static void on_status(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ((struct sealing *)ctx)->r;
	struct buf b = BUF_INIT(STATUS_MAX);

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		buf_str(&b, a->json);
		buf_putc(&b, '\n');
		reply_json(r, 200, &b);
	}
	request_resume(r);
}

static void on_slots(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ((struct sealing *)ctx)->r;
	struct buf b = BUF_INIT(STATUS_MAX);

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		buf_puts(&b, "{\"items\":");
		buf_str(&b, a->json);
		buf_puts(&b, ",\"next_cursor\":null}\n");
		reply_json(r, 200, &b);
	}
	request_resume(r);
}

static int tell(struct request *r, enum msg_type type, keeper_fn *fn)
{
	struct sealing *w = wait_for(r, NULL, 200, NULL);
	struct wire_writer body = {.len = 0};
	struct err e;

	if (keeper_ask(r->api->keeper, type, &body, STR(""), fn, w, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

int h_seal_status(struct request *r)
{
	return tell(r, MSG_SEAL_STATUS, on_status);
}

int h_slots(struct request *r)
{
	return tell(r, MSG_SLOTS, on_slots);
}

int h_seal(struct request *r)
{
	struct wire_writer body = {.len = 0};

	return ask(wait_for(r, "seal", 204, NULL), MSG_SEAL, &body);
}

int h_unseal(struct request *r)
{
	static const char *const keys[] = {"passphrase", "accept_rollback",
					   NULL};
	struct body b CLEANUP_BODY = {NULL};
	struct wire_writer body = {.len = 0};
	struct str pass, reason;
	struct sealing *w;

	if (body_of(r, keys, &b) ||
	    text_of(r, &b, "passphrase", PASSPHRASE_MAX, &pass) ||
	    text_of(r, &b, "accept_rollback", REASON_MAX, &reason))
		return 0;
	w = wait_for(r, "unseal", 204, NULL);
	if (reason.len)
		(void)snprintf(w->what, sizeof(w->what),
			       "store, rollback accepted: " STR_FMT,
			       STR_ARG(reason));
	wire_u8(&body, reason.len > 0);
	wire_str(&body, pass);
	return ask(w, MSG_UNSEAL, &body);
}

/* --- what opens it ------------------------------------------------------- */

static int kind_of(struct str s)
{
	/* in the order of enum secret_slot_kind */
	static const char *const kinds[] = {"keyfile", "passphrase",
					    "credential", "transit"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_is(s, kinds[i]))
			return (int)i;
	return -1;
}

int h_slot_add(struct request *r)
{
	static const char *const keys[] = {"kind",     "passphrase", "scrypt",
					   "provider", "key",        NULL};
	CLEANUP_BUF struct buf where = BUF_INIT(2 * WHERE_MAX + 1);
	struct body b CLEANUP_BODY = {NULL};
	struct wire_writer body = {.len = 0};
	const struct doc_node *n;
	struct str kind, pass, provider, key;
	int64_t log_n = 0;
	struct sealing *w;

	if (body_of(r, keys, &b) || text_of(r, &b, "kind", 32, &kind) ||
	    text_of(r, &b, "passphrase", PASSPHRASE_MAX, &pass) ||
	    text_of(r, &b, "provider", WHERE_MAX, &provider) ||
	    text_of(r, &b, "key", WHERE_MAX, &key))
		return 0;
	n = doc_get(b.d->root, "scrypt");
	if (n && (doc_as_i64(n, &log_n) || log_n < 1 || log_n > 255))
		return bad_body(r, "scrypt is a number: N is 2 to the power "
				   "of it"),
		       0;
	if (kind_of(kind) < 0 || str_is(kind, "passphrase") != (pass.len > 0) ||
	    str_is(kind, "transit") != (provider.len && key.len))
		return bad_body(r, "kind is keyfile, credential, passphrase "
				   "with its passphrase, or transit with a "
				   "provider and a key"),
		       0;
	buf_str(&where, provider);
	buf_puts(&where, provider.len ? "/" : "");
	buf_str(&where, key);
	w = wait_for(r, "seal.slot.add", 200, "slot");
	(void)snprintf(w->what, sizeof(w->what), STR_FMT "%s%s", STR_ARG(kind),
		       where.len ? " " : "", buf_cstr(&where));
	wire_u8(&body, (uint8_t)kind_of(kind));
	wire_u8(&body, (uint8_t)log_n);
	wire_str(&body, where.len ? buf_view(&where) : pass);
	return ask(w, MSG_SLOT_ADD, &body);
}

int h_slot_remove(struct request *r)
{
	struct wire_writer body = {.len = 0};
	struct sealing *w;
	uint64_t id;

	if (str_to_u64(r->params[0], INT64_MAX, &id))
		return reply_problem(r, 404, "not-found", "no such slot");
	w = wait_for(r, "seal.slot.remove", 204, NULL);
	(void)snprintf(w->what, sizeof(w->what), "%" PRIu64, id);
	wire_u64(&body, id);
	return ask(w, MSG_SLOT_REMOVE, &body);
}

int h_rotate(struct request *r)
{
	struct wire_writer body = {.len = 0};

	return ask(wait_for(r, "seal.rotate", 200, "term"), MSG_ROTATE, &body);
}

int h_rekey(struct request *r)
{
	static const char *const keys[] = {"passphrases", NULL};
	struct body b CLEANUP_BODY = {NULL};
	struct wire_writer body = {.len = 0};
	const struct doc_node *list;
	struct str s;

	if (body_of(r, keys, &b))
		return 0;
	list = doc_get(b.d->root, "passphrases");
	if (list && (list->kind != DOC_LIST || list->n > PASSPHRASES_MAX))
		return bad_body(r, "passphrases is a list of at most 8"), 0;
	wire_u8(&body, list ? (uint8_t)list->n : 0);
	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next) {
		if (doc_as_string(n, &s) || s.len > PASSPHRASE_MAX) {
			mem_wipe(body.data, body.len);
			return bad_body(r, "a passphrase is text"), 0;
		}
		wire_str(&body, s);
	}
	return ask(wait_for(r, "seal.rekey", 200, "term"), MSG_REKEY, &body);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See transit.h: a login, then one request. */
#include "vault/transit.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "vault/internal.h"
#include "vault/token.h"

#include <stdio.h>
#include <string.h>

enum {
	BODY_MAX = 4096
};

struct transit {
	struct place *p;
	struct secret_transit where;
	char id[SECRET_STORE_ID_LEN + 1];
	struct secret *plain; /* in base64, to be sealed; NULL: opens */
	transit_fn *fn;
	void *ctx;
	struct token_wait *wait;
	struct token *token;
	struct call *call;
	bool again; /* with a new login: once is enough */
};

static void log_in(struct transit *t);
static void ask(struct transit *t);

/* --- the end ------------------------------------------------------------- */

static void let_go(struct transit *t)
{
	if (t->token)
		token_put(t->token);
	t->token = NULL;
}

static void transit_free(struct transit *t)
{
	let_go(t);
	secret_free(t->plain);
	mem_free(t);
}

void transit_cancel(struct transit *t)
{
	if (!t)
		return;
	token_wait_cancel(t->wait);
	call_cancel(t->call);
	transit_free(t);
}

static void end(struct transit *t, const struct secret *key,
		const struct err *why)
{
	t->fn(t->ctx, &t->where, key, why);
	transit_free(t);
}

/* --- its answer ---------------------------------------------------------- */

static int take_sealed(struct transit *t, const struct vault_answer *a,
		       struct err *e)
{
	struct str s;

	if (answer_text(a->data, "ciphertext", &s, e))
		return -1;
	if (!s.len || s.len > SECRET_TRANSIT_SEALED_MAX)
		return err_set(e, ERR_CONFLICT,
			       "%s: what it sealed is no ciphertext of a key",
			       t->p->p->name);
	(void)snprintf(t->where.sealed, sizeof(t->where.sealed), STR_FMT,
		       STR_ARG(s));
	return 0;
}

/* Exactly so many bytes, in base64 without anything else. */
static int take_key(struct transit *t, const struct vault_answer *a,
		    struct secret **ret, struct err *e)
{
	CLEANUP_SECRET struct secret *text = NULL;
	struct buf b = BUF_INIT(2 * TRANSIT_KEY_LEN);
	struct secret_view v = {NULL, 0};
	int bad;

	if (!answer_secret(a->data, "plaintext", &text, e))
		v = secret_bytes(text);
	(void)buf_room(&b, TRANSIT_KEY_LEN + 8);
	bad = v.n_bytes != (TRANSIT_KEY_LEN + 2) / 3 * 4 ||
	      b64_decode(str_n((const char *)v.bytes, v.n_bytes), &b) ||
	      b.len != TRANSIT_KEY_LEN;
	if (bad)
		bad = err_set(e, ERR_CONFLICT,
			      "%s: what it opened is no key of %d bytes in "
			      "base64",
			      t->p->p->name, TRANSIT_KEY_LEN);
	else
		bad = secret_new(b.data, b.len, SECRET_WIPE_ON_FORK, ret, e);
	buf_wipe(&b);
	return bad;
}

/* Asked once more, otherwise: by a new login, or without additional data. */
static bool otherwise(struct transit *t, const struct vault_answer *a)
{
	if (!a)
		return false;
	if (a->status == 403 && !t->again && token_refused(t->token)) {
		t->again = true;
		let_go(t);
		log_in(t);
		return true;
	}
	if (a->status == 400 && t->plain && t->where.bound) {
		t->where.bound = false;
		ask(t);
		return true;
	}
	return false;
}

static void on_answer(void *ctx, struct vault_answer *a, const struct err *why)
{
	CLEANUP_SECRET struct secret *key = NULL;
	struct transit *t = ctx;
	struct err e;
	int bad;

	t->call = NULL;
	if (why && otherwise(t, a))
		return;
	if (why) {
		end(t, NULL, why);
		return;
	}
	bad = t->plain ? take_sealed(t, a, &e) : take_key(t, a, &key, &e);
	end(t, key, bad ? &e : NULL);
}

/* --- the request --------------------------------------------------------- */

static void member(struct buf *b, const char *name, struct str value)
{
	buf_printf(b, "%c\"%s\":\"", b->len ? ',' : '{', name);
	buf_json(b, value);
	buf_putc(b, '"');
}

static void ask(struct transit *t)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024), id = BUF_INIT(128);
	struct buf body = BUF_INIT(BODY_MAX);
	struct call_request r = {.method = "POST", .kind = RETRY_READ};
	const struct secret_transit *w = &t->where;

	buf_puts(&path, "v1/");
	call_path(&path, str_from(w->mount));
	buf_puts(&path, t->plain ? "/encrypt/" : "/decrypt/");
	call_path(&path, str_from(w->key));
	(void)buf_room(&body, BODY_MAX / 2); /* no copy is left by growing */
	if (t->plain) {
		struct secret_view v = secret_bytes(t->plain);

		member(&body, "plaintext",
		       str_n((const char *)v.bytes, v.n_bytes));
	} else {
		member(&body, "ciphertext", str_from(w->sealed));
	}
	b64_encode(&id, t->id, strlen(t->id));
	member(&body, "context", buf_view(&id));
	if (w->bound)
		member(&body, "associated_data", buf_view(&id));
	buf_putc(&body, '}');
	r.path = buf_cstr(&path);
	r.body = buf_view(&body);
	r.token = token_secret(t->token);
	r.masks[0] = t->plain;
	t->call = call_start(t->p, &r, on_answer, t);
	buf_wipe(&body);
}

static void on_token(void *ctx, struct token *token, const struct err *why)
{
	struct transit *t = ctx;

	t->wait = NULL;
	if (!token) {
		end(t, NULL, why);
		return;
	}
	t->token = token;
	ask(t);
}

static void log_in(struct transit *t)
{
	int64_t deadline =
		clock_mono_us() + (int64_t)t->p->p->timeout_ms * 1000;

	t->wait = token_get(t->p, NULL, deadline, on_token, t);
}

/* --- its beginning ------------------------------------------------------- */

static int set_plain(struct transit *t, const struct secret *key, struct err *e)
{
	struct secret_view v = secret_bytes(key);
	struct buf b = BUF_INIT(256);
	int bad;

	(void)buf_room(&b, 128);
	bad = !b64_encode(&b, v.bytes, v.n_bytes) ||
	      secret_new(b.data, b.len, SECRET_WIPE_ON_FORK, &t->plain, e);
	buf_wipe(&b);
	t->where.bound = true;
	return bad ? -1 : 0;
}

static struct place *place_of(struct vault *v, const char *name, struct err *e)
{
	struct place *p = vault_place(v, name);

	if (!p)
		err_set(e, ERR_NOT_FOUND, "there is no provider \"%s\"", name);
	else if (p->p->auth == AUTH_IDENTITY)
		err_set(e, ERR_INVALID,
			"%s: its logins (auth: identity) are signed by a key "
			"in the store, so they cannot open it",
			name);
	return p && p->p->auth != AUTH_IDENTITY ? p : NULL;
}

struct transit *transit_start(struct vault *v,
			      const struct secret_transit *where,
			      const char *id, const struct secret *key,
			      transit_fn *fn, void *ctx, struct err *e)
{
	struct place *p = place_of(v, where->provider, e);
	struct transit *t;

	if (!p)
		return NULL;
	t = mem_alloc(sizeof(*t));
	*t = (struct transit){.p = p, .where = *where, .fn = fn, .ctx = ctx};
	(void)snprintf(t->id, sizeof(t->id), "%s", id);
	if (key && set_plain(t, key, e)) {
		transit_free(t);
		return NULL;
	}
	log_in(t);
	return t;
}

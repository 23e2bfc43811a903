/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is made for one attempt: a lease, a certificate, whatever a path answers.
 * One request for all that the attempt wants of one reference, whatever fields;
 * read anew when it comes to its end, for who wants that.
 *
 * Before the request its login is in the journal, before the value is handed on
 * its lease is.  Whose attempt has ended while the request was under way is
 * waited for, so that the lease can be given back.
 */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vault/dynamic.h"
#include "vault/lease.h"
#include "vault/token.h"

#include <string.h>

struct loan {
	struct link link;
	struct place *p;
	struct secret_ref ref; /* without its field */
	struct grant who;
	unsigned flags;           /* VAULT_READ_* */
	struct link waits;        /* empty: nobody wants it any more */
	struct loop_timer *timer; /* to ask */
	struct loop_timer *late;  /* to tell who came when it was there */
	struct token_wait *token_wait;
	struct token *token;
	struct lease_login *login; /* a request is under way */
	struct call *call;
	struct dynamic d;
	struct secret *wrapped; /* the token of a wrapped answer */
	bool again;             /* with a new login: once is enough */
	struct secret *fields;  /* NULL: there are none yet */
	struct lease *lease;    /* of these; NULL: none */
	unsigned failures;      /* of reading anew, in a row */
};

struct loan_wait {
	struct link link;
	struct loan *o;
	bool told; /* of the fields that there are */
	kv_fn *fn;
	void *ctx;
};

static void begin(struct loan *o);

/* --- the end of a request, and of it all --------------------------------- */

static void stop(struct loan *o)
{
	token_wait_cancel(o->token_wait);
	o->token_wait = NULL;
	call_cancel(o->call);
	o->call = NULL;
	if (o->token)
		token_put(o->token);
	o->token = NULL;
	dynamic_done(&o->d);
	secret_free(o->wrapped);
	o->wrapped = NULL;
}

static void loan_free(struct loan *o)
{
	stop(o);
	lease_release(o->lease);
	loop_timer_free(o->timer);
	loop_timer_free(o->late);
	list_del(&o->link);
	secret_free(o->fields);
	mem_free(o);
}

/* A wait that hears of a failure is over; one that has a value goes on. */
static void tell(struct loan *o, const struct err *why)
{
	LIST_FOR(l, &o->waits)
	{
		struct loan_wait *w = LIST_ENTRY(l, struct loan_wait, link);

		if (w->told)
			continue;
		w->told = true;
		if (why)
			list_del(&w->link);
		w->fn(w->ctx, why ? NULL : o->fields, why);
		if (why)
			mem_free(w);
	}
}

static void later(struct loan *o, int64_t at_us)
{
	if (o->flags & VAULT_READ_REFRESH)
		loop_timer_set(o->timer, at_us);
}

static void fail(struct loan *o, const struct err *why)
{
	struct err e = *why;

	stop(o);
	if (list_empty(&o->waits)) {
		loan_free(o);
		return;
	}
	if (o->fields) {
		/* The old one is good until its end; a lease asks again. */
		log_warn("%s: %s was not read anew: %s", o->p->p->name,
			 o->ref.path, e.text);
		if (!o->lease)
			later(o,
			      clock_mono_us() + lease_backoff_us(++o->failures,
								 vault_dice()));
		return;
	}
	tell(o, &e);
	if (list_empty(&o->waits))
		loan_free(o);
}

/* --- what came ------------------------------------------------------------ */

static void on_again(void *ctx, struct lease *le)
{
	struct loan *o = ctx;

	(void)le;
	if (o->token_wait || o->token)
		return;
	o->again = false;
	begin(o);
}

/* What is under way asks again when it fails. */
static void on_gone(void *ctx, bool wanted)
{
	struct loan *o = ctx;

	o->lease = NULL;
	if (wanted && !o->token_wait && !o->token)
		later(o, clock_mono_us() +
				 lease_backoff_us(++o->failures, vault_dice()));
}

static int take_lease(struct loan *o, const struct vault_answer *a,
		      struct lease **ret, struct err *e)
{
	bool refresh = (o->flags & VAULT_READ_REFRESH) != 0;
	struct lease_new n = {
		.who = &o->who,
		.path = o->ref.path,
		.lease_id = a->lease_id,
		.duration_s = a->lease_duration_s,
		.renewable = a->renewable,
		.keep = (o->flags & VAULT_READ_KEEP) != 0,
		.again = refresh ? on_again : NULL,
		.gone = on_gone,
		.ctx = o,
	};
	struct lease_login *g = o->login;

	o->login = NULL;
	if (a->lease_id[0])
		return lease_made(g, &n, ret, e);
	lease_none(g);
	return 0;
}

/* Without a lease its end is known in other ways. */
static void plan(struct loan *o, const struct vault_answer *a)
{
	int64_t now = clock_mono_us();
	int64_t s = o->lease ? 0 : dynamic_lasts_s(&o->ref, a);

	o->failures = 0;
	if (s > 0)
		later(o, lease_renew_at(now, now + s * 1000000, vault_dice()));
}

static void take(struct loan *o, const struct vault_answer *a)
{
	struct secret *fields = NULL;
	struct lease *le = NULL;
	struct err e, bad;
	bool good = !dynamic_fields(&o->ref, &o->d, a, &fields, &bad);

	if (take_lease(o, a, &le, &e)) {
		secret_free(fields);
		fail(o, &e);
		return;
	}
	if (!good || list_empty(&o->waits)) { /* nobody gets it */
		if (le)
			lease_replaced(le);
		secret_free(fields);
		if (good)
			loan_free(o);
		else
			fail(o, &bad);
		return;
	}
	if (o->lease)
		lease_replaced(o->lease);
	o->lease = le;
	secret_free(o->fields);
	o->fields = fields;
	plan(o, a);
	stop(o);
	LIST_FOR(l, &o->waits)
	LIST_ENTRY(l, struct loan_wait, link)->told = false;
	tell(o, NULL);
}

/* --- wrapped answers ------------------------------------------------------ */

static void no_lease(struct loan *o, const struct err *why, bool lost)
{
	struct lease_login *g = o->login;

	o->login = NULL;
	if (lost)
		lease_lost(g);
	else
		lease_none(g);
	fail(o, why);
}

static void on_unwrapped(void *ctx, struct vault_answer *a,
			 const struct err *why)
{
	struct loan *o = ctx;

	o->call = NULL;
	if (why)
		no_lease(o, why, true); /* whoever has it */
	else
		take(o, a);
}

static void ask_wrapping(struct loan *o, const char *path,
			 const struct secret *token, struct str body,
			 call_fn *fn, enum retry_kind kind)
{
	struct call_request r = {.method = "POST",
				 .path = path,
				 .token = token,
				 .body = body,
				 .kind = kind,
				 .masks = {o->wrapped}};

	o->call = call_start(o->p, &r, fn, o);
}

/* What the server says of the token itself, and not only who handed it on. */
static void on_looked_up(void *ctx, struct vault_answer *a,
			 const struct err *why)
{
	struct loan *o = ctx;
	struct str path;
	struct err e;

	o->call = NULL;
	if (why) {
		no_lease(o, why, true);
		return;
	}
	if (answer_text(a->data, "creation_path", &path, &e)) {
		no_lease(o, &e, true);
		return;
	}
	if (!dynamic_wraps(&o->d, path)) {
		err_set(&e, ERR_INTERNAL,
			"%s: %s: the wrapped answer is one to something else: "
			"somebody may have changed it",
			o->p->p->name, o->ref.path);
		no_lease(o, &e, true);
		return;
	}
	/* It can be unwrapped once. */
	ask_wrapping(o, "v1/sys/wrapping/unwrap", o->wrapped, STR("{}"),
		     on_unwrapped, RETRY_MAKES);
}

static void look_up(struct loan *o, struct vault_answer *a)
{
	CLEANUP_BUF struct buf body = BUF_INIT(2 * ANSWER_TOKEN_MAX + 64);
	struct secret_view v;

	o->wrapped = a->wrap->token;
	a->wrap->token = NULL;
	v = secret_bytes(o->wrapped);
	(void)buf_room(&body, 2 * v.n_bytes + 64); /* it does not move */
	buf_puts(&body, "{\"token\":\"");
	buf_json(&body, str_n((const char *)v.bytes, v.n_bytes));
	buf_puts(&body, "\"}");
	ask_wrapping(o, "v1/sys/wrapping/lookup", o->wrapped, buf_view(&body),
		     on_looked_up, RETRY_READ);
	buf_wipe(&body);
}

/* --- the request ---------------------------------------------------------- */

/* With a new login, once; whose attempt has ended gets none. */
static bool try_again(struct loan *o, const struct vault_answer *a)
{
	struct lease_login *g = o->login;

	if (!a || a->status != 403 || o->again || list_empty(&o->waits) ||
	    !token_refused(o->token))
		return false;
	o->again = true;
	o->login = NULL;
	lease_none(g);
	stop(o);
	begin(o);
	return true;
}

static void on_answer(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct loan *o = ctx;
	bool lost = why && !a && call_was_sent(o->call);

	o->call = NULL;
	if (try_again(o, a))
		return;
	if (why)
		no_lease(o, why, lost);
	else if (a->wrap && a->wrap->token)
		look_up(o, a);
	else
		take(o, a);
}

static int ask(struct loan *o, struct err *e)
{
	struct lease_under u = {.place = o->p,
				.provider = o->p->p->name,
				.token = token_secret(o->token),
				.attempt = token_attempt(o->token),
				.ours = token_ours(o->token)};
	struct call_request r = {.token = u.token, .kind = RETRY_MAKES};

	/* Not by another path than policies know it by; nor is it written to. */
	if (provider_mount_of(o->p->p, str_from(o->ref.path)))
		return err_set(e, ERR_DENIED,
			       "%s: a KV engine: read it without a `kind`",
			       o->ref.path);
	if (dynamic_make(&o->ref, &o->who, &o->d, e) ||
	    lease_prepare(o->p->v->leases, &u, &o->login, e))
		return -1;
	r.method = o->d.method;
	r.path = buf_cstr(&o->d.path);
	r.body = buf_view(&o->d.body);
	r.wrap_ttl_s = o->d.wrap_ttl_s;
	o->call = call_start(o->p, &r, on_answer, o);
	return 0;
}

static void on_token(void *ctx, struct token *t, const struct err *why)
{
	struct loan *o = ctx;
	struct err e;

	o->token_wait = NULL;
	o->token = t;
	if (!t) {
		fail(o, why);
	} else if (ask(o, &e)) {
		err_wrap(&e, "%s", o->p->p->name);
		fail(o, &e);
	}
}

static void begin(struct loan *o)
{
	o->d = DYNAMIC_INIT;
	o->token_wait =
		token_get(o->p, &o->who,
			  clock_mono_us() + (int64_t)o->p->p->timeout_ms * 1000,
			  on_token, o);
}

static void on_timer(void *ctx)
{
	struct loan *o = ctx;

	if (o->token_wait || o->token)
		return;
	o->again = false;
	begin(o);
}

static void on_late(void *ctx)
{
	tell(ctx, NULL);
}

/* --- who wants it --------------------------------------------------------- */

static bool same(const struct secret_ref *a, const struct secret_ref *b)
{
	struct hash x, y;
	struct err e;

	return !secret_ref_hash(a, &x, &e) && !secret_ref_hash(b, &y, &e) &&
	       hash_eq(&x, &y);
}

static struct loan *find(struct place *p, const struct secret_ref *ref,
			 const struct grant *who)
{
	LIST_FOR(l, &p->loans)
	{
		struct loan *o = LIST_ENTRY(l, struct loan, link);

		if (!strcmp(o->who.attempt.s, who->attempt.s) &&
		    same(&o->ref, ref))
			return o;
	}
	return NULL;
}

struct loan_wait *loan_read(struct place *p, const struct secret_ref *ref,
			    const struct grant *who, unsigned flags, kv_fn *fn,
			    void *ctx)
{
	struct loan_wait *w = mem_alloc(sizeof(*w));
	struct secret_ref whole = *ref;
	struct loan *o;

	whole.field[0] = '\0';
	o = find(p, &whole, who);
	if (!o) {
		o = mem_alloc(sizeof(*o));
		*o = (struct loan){.p = p, .ref = whole, .who = *who};
		list_init(&o->waits);
		list_push(&p->loans, &o->link);
		o->timer = loop_timer_new(p->v->loop, on_timer, o);
		o->late = loop_timer_new(p->v->loop, on_late, o);
		loop_timer_set(o->timer, clock_mono_us());
	}
	o->flags |= flags;
	*w = (struct loan_wait){.o = o, .fn = fn, .ctx = ctx};
	list_push(&o->waits, &w->link);
	if (o->fields)
		loop_timer_set(o->late, clock_mono_us());
	return w;
}

void loan_cancel(struct loan_wait *w)
{
	struct loan *o;

	if (!w)
		return;
	o = w->o;
	list_del(&w->link);
	mem_free(w);
	/* A request that may make a lease is waited for. */
	if (list_empty(&o->waits) && !o->login)
		loan_free(o);
}

void loans_end(struct place *p)
{
	LIST_FOR(l, &p->loans)
	loan_free(LIST_ENTRY(l, struct loan, link));
}

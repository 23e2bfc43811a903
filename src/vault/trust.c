/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Certificates and keys of a provider, from its files.  Read again when they
 * are a minute old, or did not do, so that what is rotated is taken; connections
 * go on as long as the bytes are the same.
 */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/mem.h"

#define FRESH_US (INT64_C(60) * 1000000)

struct trust_ask {
	struct link link;
	trust_fn *fn;
	void *ctx;
	struct loop_timer *later; /* what is there already is told by it */
	struct place *p;
};

static const enum credential kinds[] = {CREDENTIAL_CA, CREDENTIAL_CLIENT_CERT,
					CREDENTIAL_CLIENT_KEY};

static struct secret **slot(struct trust *t, enum credential which)
{
	return which == CREDENTIAL_CA          ? &t->ca :
	       which == CREDENTIAL_CLIENT_CERT ? &t->cert :
						 &t->key;
}

void trust_put(struct trust *t)
{
	if (!t || --t->holders)
		return;
	secret_free(t->ca);
	secret_free(t->cert);
	secret_free(t->key);
	mem_free(t);
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
	return a && b ? secret_eq(a, b) : a == b;
}

static bool same(const struct trust *a, const struct trust *b)
{
	return a && same_secret(a->ca, b->ca) &&
	       same_secret(a->cert, b->cert) && same_secret(a->key, b->key);
}

static struct str text(const struct secret *s)
{
	struct secret_view v;

	if (!s)
		return STR("");
	v = secret_bytes(s);
	return str_n((const char *)v.bytes, v.n_bytes);
}

/* --- who asks ----------------------------------------------------------- */

static void answer(struct trust_ask *a, struct trust *t, const struct err *why)
{
	list_del(&a->link);
	loop_timer_free(a->later);
	if (t)
		t->holders++;
	a->fn(a->ctx, t, why);
	mem_free(a);
}

static void answer_all(struct place *p, struct trust *t, const struct err *why)
{
	struct link asks;

	list_init(&asks);
	LIST_FOR(l, &p->trust_asks)
	{
		list_del(l);
		list_push(&asks, l);
	}
	LIST_FOR(m, &asks)
	answer(LIST_ENTRY(m, struct trust_ask, link), t, why);
}

static void on_later(void *ctx)
{
	struct trust_ask *a = ctx;

	answer(a, a->p->trust, NULL);
}

/* --- reading ------------------------------------------------------------ */

static void drop_reading(struct place *p)
{
	for (size_t i = 0; i < N_CREDENTIALS; i++) {
		file_cancel(p->trust_files[i]);
		p->trust_files[i] = NULL;
	}
	trust_put(p->trust_next);
	p->trust_next = NULL;
	p->trust_reading = false;
}

static void take(struct place *p)
{
	struct trust *t = p->trust_next;

	p->trust_next = NULL;
	p->trust_reading = false;
	p->trust_at_us = clock_mono_us();
	p->trust_is_stale = false;
	if (same(p->trust, t)) {
		trust_put(t);
	} else {
		trust_put(p->trust);
		t->tls = (struct http_tls){.ca = text(t->ca),
					   .cert = text(t->cert),
					   .key = t->key,
					   .server_name = p->p->server_name};
		p->trust = t;
	}
	answer_all(p, p->trust, NULL);
}

static void on_file(struct place *p, enum credential which, struct secret *s,
		    const struct err *why)
{
	p->trust_files[which] = NULL;
	if (!s) {
		drop_reading(p);
		/* In the middle of being replaced, perhaps. */
		answer_all(p, p->trust, p->trust ? NULL : why);
		return;
	}
	*slot(p->trust_next, which) = s;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (p->trust_files[kinds[i]])
			return;
	take(p);
}

static void on_ca(void *ctx, struct secret *s, const struct err *why)
{
	on_file(ctx, CREDENTIAL_CA, s, why);
}

static void on_cert(void *ctx, struct secret *s, const struct err *why)
{
	on_file(ctx, CREDENTIAL_CLIENT_CERT, s, why);
}

static void on_key(void *ctx, struct secret *s, const struct err *why)
{
	on_file(ctx, CREDENTIAL_CLIENT_KEY, s, why);
}

static uint32_t wanted(const struct place *p)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		bits |= 1u << kinds[i];
	return bits & p->p->files;
}

static void read_anew(struct place *p)
{
	static file_fn *const fns[] = {on_ca, on_cert, on_key};

	p->trust_reading = true;
	p->trust_next = mem_alloc(sizeof(*p->trust_next));
	p->trust_next->holders = 1;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (wanted(p) & 1u << kinds[i])
			p->trust_files[kinds[i]] =
				file_ask(p, kinds[i], fns[i], p);
}

static bool fresh(const struct place *p)
{
	return p->trust && !p->trust_is_stale &&
	       (!wanted(p) || clock_mono_us() - p->trust_at_us < FRESH_US);
}

struct trust_ask *trust_ask(struct place *p, trust_fn *fn, void *ctx)
{
	struct trust_ask *a = mem_alloc(sizeof(*a));

	*a = (struct trust_ask){.fn = fn, .ctx = ctx, .p = p};
	if (fresh(p)) {
		list_init(&a->link);
		a->later = loop_timer_new(p->v->loop, on_later, a);
		loop_timer_set(a->later, clock_mono_us());
		return a;
	}
	list_push(&p->trust_asks, &a->link);
	if (!p->trust_reading)
		read_anew(p);
	return a;
}

void trust_cancel(struct trust_ask *a)
{
	if (!a)
		return;
	list_del(&a->link);
	loop_timer_free(a->later);
	mem_free(a);
}

void trust_stale(struct place *p)
{
	p->trust_is_stale = wanted(p) != 0;
}

/* Without files there is nothing to read. */
void trust_begin(struct place *p)
{
	list_init(&p->trust_asks);
	if (wanted(p))
		return;
	p->trust = mem_alloc(sizeof(*p->trust));
	p->trust->holders = 1;
	p->trust->tls.server_name = p->p->server_name;
	p->trust->tls.ca = p->trust->tls.cert = STR("");
}

void trust_end(struct place *p)
{
	drop_reading(p);
	trust_put(p->trust);
	p->trust = NULL;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tokens of providers; see oidc.h. */
#include "api/oidc.h"
#include "api/fetcher.h"
#include "api/internal.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "oidc/claims.h"
#include "oidc/keyring.h"

#include <stdio.h>
#include <string.h>

enum {
	WAITING_MAX = 256,
	LOGIN_ROOM = 256 * 1024
};

struct oidc_ring {
	struct keyring k;
	struct hash of; /* of name and URL: whose they are */
};

static const struct config_oidc *provider_at(const struct api *a, size_t i)
{
	return (const struct config_oidc *)a->config->oidc.items + i;
}

/* --- keys --------------------------------------------------------------- */

static void resume_all(struct api *a)
{
	LIST_FOR(l, &a->oidc.waiting)
	{
		struct request *r = LIST_ENTRY(l, struct request, keys.link);

		oidc_forget(r);
		request_resume(r);
	}
}

void oidc_forget(struct request *r)
{
	if (!r->keys.link.next)
		return;
	list_del(&r->keys.link);
	r->keys.link.next = NULL;
	r->api->oidc.n_waiting--;
}

struct asked {
	struct api *a;
	struct str name; /* of the provider: the settings may be others by
			  * then; behind it */
};

static void on_keys(void *ctx, const struct fetched *f)
{
	struct asked *q = ctx;
	struct api *a = q->a;
	bool changed = false;
	struct err e = f->err;

	for (size_t i = 0; i < a->oidc.n; i++) {
		struct keyring *k = &a->oidc.rings[i].k;

		if (!str_eq(provider_at(a, i)->name, q->name))
			continue;
		if (f->err.code)
			keyring_failed(k);
		else if (!keyring_took(k, f->body, f->max_age_s,
				       clock_mono_us(), &changed, &e))
			e.code = ERR_NONE;
		if (e.code)
			log_warn("provider " STR_FMT ": %s", STR_ARG(q->name),
				 e.text);
		/* a key that is gone takes with it who came in by it */
		if (changed)
			identity_drop(a, q->name);
	}
	mem_free(q);
	resume_all(a);
}

static void ask(struct api *a, size_t i, bool missing)
{
	const struct config_oidc *p = provider_at(a, i);
	struct keyring *k = &a->oidc.rings[i].k;
	struct asked *q = mem_alloc(sizeof(*q) + p->name.len);
	struct err e;

	memcpy(q + 1, p->name.p, p->name.len);
	*q = (struct asked){a, str_n((char *)(q + 1), p->name.len)};
	keyring_asked(k, missing, clock_mono_us());
	if (!fetcher_ask(a->fetcher, p->jwks_uri, on_keys, q, &e))
		return;
	log_warn("provider " STR_FMT ": %s", STR_ARG(p->name), e.text);
	keyring_failed(k);
	mem_free(q);
}

static void load_file(struct api *a, size_t i)
{
	const struct config_oidc *p = provider_at(a, i);
	const struct config_pairs *files = &a->config->attached;
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "the file was not handed over");
	for (size_t k = 0; k < files->n; k++)
		if (str_eq(files->items[k].name, p->jwks_file) &&
		    !keyring_set(&a->oidc.rings[i].k, files->items[k].value,
				 &e))
			return;
	log_error("provider " STR_FMT ": " STR_FMT ": %s", STR_ARG(p->name),
		  STR_ARG(p->jwks_file), e.text);
}

static void drop_rings(struct oidc_ring *rings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		keyring_done(&rings[i].k);
	mem_free(rings);
}

static struct hash ring_of(const struct config_oidc *p)
{
	struct hash_ctx *c = hash_begin();

	hash_update(c, p->name.p, p->name.len + 1); /* with its NUL */
	hash_update(c, p->jwks_uri.p, p->jwks_uri.len);
	return hash_end(c);
}

/* Keys that were there count on, should they be out of reach just now. */
static void keep_ring(struct oidc_ring *to, struct oidc_ring *old, size_t n_old)
{
	for (size_t i = 0; i < n_old; i++) {
		if (!hash_eq(&old[i].of, &to->of))
			continue;
		to->k = old[i].k;
		old[i].k = (struct keyring){.keys = NULL};
		return;
	}
}

void oidc_begin(struct api *a)
{
	struct oidc_ring *old = a->oidc.rings;
	size_t n_old = a->oidc.n;

	if (!a->oidc.waiting.next)
		list_init(&a->oidc.waiting);
	identity_drop(a, STR(""));
	a->oidc.n = a->config->oidc.n;
	a->oidc.rings = mem_array(a->oidc.n + 1, sizeof(*a->oidc.rings));
	for (size_t i = 0; i < a->oidc.n; i++) {
		a->oidc.rings[i].of = ring_of(provider_at(a, i));
		if (provider_at(a, i)->jwks_file.len)
			load_file(a, i);
		else
			keep_ring(&a->oidc.rings[i], old, n_old);
	}
	drop_rings(old, n_old);
	oidc_beat(a);
	resume_all(a);
}

void oidc_end(struct api *a)
{
	if (a->oidc.waiting.next)
		resume_all(a);
	drop_rings(a->oidc.rings, a->oidc.n);
	a->oidc.n = 0;
}

void oidc_beat(struct api *a)
{
	int64_t now = clock_mono_us();

	for (size_t i = 0; i < a->oidc.n; i++)
		if (provider_at(a, i)->jwks_uri.len &&
		    keyring_wants(&a->oidc.rings[i].k, false, now))
			ask(a, i, false);
}

/* --- somebody comes ----------------------------------------------------- */

static void known(struct request *r, const struct login *l)
{
	r->who.kind = WHO_TOKEN;
	(void)snprintf(r->who.name, sizeof(r->who.name), STR_FMT,
		       STR_ARG(l->subject));
	memcpy(r->who.token, l->id.s, sizeof(r->who.token));
	r->who.expires_us = l->expires_us;
}

/* The provider's place; -1. */
static int find(const struct api *a, const struct jwt *t)
{
	for (size_t i = 0; i < a->oidc.n; i++)
		if (str_eq(provider_at(a, i)->issuer, t->issuer))
			return (int)i;
	return -1;
}

/* Is the key that is missing on its way?  Each request asks once. */
static bool waits(struct request *r, size_t i)
{
	struct api *a = r->api;
	struct keyring *k = &a->oidc.rings[i].k;

	if (r->keys.asked || !provider_at(a, i)->jwks_uri.len ||
	    a->oidc.n_waiting >= WAITING_MAX)
		return false;
	if (keyring_wants(k, true, clock_mono_us()))
		ask(a, i, true);
	if (!k->asking)
		return false;
	r->keys.asked = true;
	list_push(&a->oidc.waiting, &r->keys.link);
	a->oidc.n_waiting++;
	return true;
}

static int no_keys(struct request *r, const struct config_oidc *p)
{
	reply_problem(r, 503, "provider-unavailable",
		      "the keys of " STR_FMT " cannot be had now",
		      STR_ARG(p->name));
	return -1;
}

static int take(struct request *r, const struct config_oidc *p,
		const struct jwt *t, const struct hash *h)
{
	struct identity *id = &r->api->identity;
	struct arena *room = arena_new(LOGIN_ROOM);
	const struct login *l = NULL;
	struct login x;
	struct err e;
	int bad = claims_login(p, t, id->set, room, &x, &e);

	if (!bad) {
		x.hash = *h;
		l = logins_add(id->logins, &x, clock_real_us());
		identity_arm(r->api);
	}
	arena_free(room);
	if (!l)
		return auth_bad_token(r, e.text);
	known(r, l);
	return 0;
}

static int check(struct request *r, const struct jwt *t, const struct hash *h)
{
	struct api *a = r->api;
	int i = find(a, t);
	const struct config_oidc *p;
	const struct jwks *keys;
	struct jwt_rules rules;
	struct err e;

	if (i < 0)
		return auth_bad_token(r, "is of an issuer that is not known");
	p = provider_at(a, (size_t)i);
	keys = keyring_keys(&a->oidc.rings[i].k, clock_mono_us());
	if (!keys)
		return waits(r, (size_t)i) ? 1 : no_keys(r, p);
	if (slow_check(r))
		return -1;
	rules = claims_rules(p);
	if (!jwt_check(t, &rules, keys, clock_real_us() / 1000000, &e))
		return take(r, p, t, h);
	if (e.code == ERR_NOT_FOUND && waits(r, (size_t)i))
		return 1;
	return auth_bad_token(r, e.text);
}

int oidc_login(struct request *r, struct str token, const struct hash *h)
{
	const struct login *l = logins_find(r->api->identity.logins, h);
	struct err e;
	struct jwt t;
	int done;

	if (l && clock_real_us() < l->expires_us) {
		known(r, l);
		return 0;
	}
	if (jwt_read(token, &t, &e))
		return auth_bad_token(r, e.text);
	done = check(r, &t, h);
	jwt_done(&t);
	return done;
}

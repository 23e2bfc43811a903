/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Logins that are a file; see token.h. */
#include "vault/token.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vault/internal.h"
#include "vault/login.h"

#include <string.h>

/* A token that was refused is read anew, but not more often. */
#define PAUSE_US (INT64_C(1) * 1000000)

struct token {
	struct login *login; /* NULL: it is not the newest any more */
	struct secret *value;
	unsigned holders; /* one of them is the login */
};

struct login {
	struct link link;
	struct place *p;
	struct token *token;
	struct file_ask *ask;
	struct link waits;
	int64_t made_us;
};

struct token_wait {
	struct link link;
	struct place *p;
	token_fn *fn;
	void *ctx;
	struct loop_timer *timer; /* there is one already; or it is too late */
};

void token_put(struct token *t)
{
	if (!t || --t->holders)
		return;
	secret_free(t->value);
	mem_free(t);
}

const struct secret *token_secret(const struct token *t)
{
	return t->value;
}

static void drop(struct login *l)
{
	if (!l->token)
		return;
	l->token->login = NULL;
	token_put(l->token);
	l->token = NULL;
}

bool token_refused(struct token *t)
{
	struct login *l = t->login;

	if (!l)
		return true; /* there is a newer one */
	if (clock_mono_us() - l->made_us < PAUSE_US)
		return false;
	drop(l);
	return true;
}

void token_doom(struct place *p, const struct secret *value)
{
	LIST_FOR(k, &p->logins)
	{
		struct login *l = LIST_ENTRY(k, struct login, link);

		if (l->token && secret_eq(l->token->value, value))
			drop(l);
	}
}

bool token_ours(const struct token *t)
{
	(void)t;
	return false;
}

static void answer(struct token_wait *w, struct token *t, const struct err *why)
{
	list_del(&w->link);
	loop_timer_free(w->timer);
	if (t)
		t->holders++;
	w->fn(w->ctx, t, why);
	mem_free(w);
}

static void answer_all(struct login *l, const struct err *why)
{
	struct token *t = l->token;

	if (t)
		t->holders++;
	while (!list_empty(&l->waits))
		answer(LIST_ENTRY(l->waits.next, struct token_wait, link), t,
		       why);
	token_put(t);
}

static void on_file(void *ctx, struct secret *s, const struct err *why)
{
	struct login *l = ctx;
	struct err e;

	l->ask = NULL;
	if (s && login_check_word(s, "token", &e)) {
		secret_free(s);
		s = NULL;
		err_wrap(&e, "%s: token_file", l->p->p->name);
		why = &e;
	}
	if (s) {
		drop(l);
		l->token = mem_alloc(sizeof(*l->token));
		*l->token = (struct token){l, s, 1};
		l->made_us = clock_mono_us();
	}
	answer_all(l, why);
}

static void on_timer(void *ctx)
{
	struct token_wait *w = ctx;
	struct login *l = LIST_ENTRY(w->p->logins.next, struct login, link);
	struct err e;

	if (l->token) {
		answer(w, l->token, NULL);
		return;
	}
	if (!l->ask && w->p->p->auth == AUTH_TOKEN) {
		l->ask = file_ask(w->p, CREDENTIAL_TOKEN, on_file, l);
		return;
	}
	if (l->ask)
		return;
	err_set(&e, ERR_INVALID, "%s: auth: %s", w->p->p->name,
		provider_auth_name(w->p->p->auth));
	answer(w, NULL, &e);
}

struct token_wait *token_get(struct place *p, const struct grant *who,
			     int64_t deadline_us, token_fn *fn, void *ctx)
{
	struct login *l = LIST_ENTRY(p->logins.next, struct login, link);
	struct token_wait *w = mem_alloc(sizeof(*w));

	(void)who;
	(void)deadline_us;
	*w = (struct token_wait){.p = p, .fn = fn, .ctx = ctx};
	w->timer = loop_timer_new(p->v->loop, on_timer, w);
	list_push(&l->waits, &w->link);
	loop_timer_set(w->timer, clock_mono_us());
	return w;
}

void token_wait_cancel(struct token_wait *w)
{
	if (!w)
		return;
	list_del(&w->link);
	loop_timer_free(w->timer);
	mem_free(w);
}

void token_attempt_ended(struct place *p, const struct ulid *attempt)
{
	(void)p;
	(void)attempt;
}

void token_begin(struct place *p)
{
	struct login *l = mem_alloc(sizeof(*l));

	list_init(&p->logins);
	l->p = p;
	list_init(&l->waits);
	list_push(&p->logins, &l->link);
}

void token_end(struct place *p)
{
	struct login *l = LIST_ENTRY(p->logins.next, struct login, link);

	file_cancel(l->ask);
	drop(l);
	list_del(&l->link);
	mem_free(l);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The bytes of a login: who holds them, and how they end. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vault/lease.h"
#include "vault/session.h"

enum {
	REVOKE_US = 10 * 1000000
};

void tokens_may_be_idle(struct tokens *all)
{
	void (*idle)(void *ctx) = all->idle;

	if (!idle || !list_empty(&all->tokens))
		return;
	LIST_FOR(l, &all->sessions)
	if (LIST_ENTRY(l, struct session, link)->signin)
		return;
	all->idle = NULL;
	idle(all->idle_ctx);
}

static void token_free(struct token *t)
{
	struct tokens *all = t->p->tokens;

	list_del(&t->link);
	secret_free(t->secret);
	mem_free(t);
	tokens_may_be_idle(all);
}

static void on_revoked(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct token *t = ctx;

	/* refused: it was dead already */
	if (why && !a)
		log_warn("%s: a token could not be revoked, it ends by itself: "
			 "%s",
			 t->p->p->name, why->text);
	token_free(t);
}

/* Leases were made under it: they need it longer than we do. */
static bool taken(const struct token *t)
{
	return lease_takes_login(t->p->v->leases, t->p->p->name, t->secret);
}

/* Nobody holds it any more. */
static void retire(struct token *t)
{
	struct call_request r = {
		.method = "POST",
		.path = "v1/auth/token/revoke-self",
		.token = t->secret,
		.kind = RETRY_READ, /* a second time does no harm */
		.deadline_us = clock_mono_us() + REVOKE_US};

	if (taken(t) || !t->ours)
		token_free(t);
	else
		t->revoke = call_start(t->p, &r, on_revoked, t);
}

void token_put(struct token *t)
{
	if (!--t->n_holders)
		retire(t);
}

const struct secret *token_secret(const struct token *t)
{
	return t->secret;
}

bool token_ours(const struct token *t)
{
	return t->ours;
}

const struct ulid *token_attempt(const struct token *t)
{
	return t->own ? &t->attempt : NULL;
}

struct token *token_new(struct session *s, struct secret *secret, bool ours)
{
	struct token *t = mem_alloc(sizeof(*t));

	*t = (struct token){.s = s,
			    .p = s->p,
			    .secret = secret,
			    .ours = ours,
			    .own = s->own,
			    .attempt = s->who.attempt,
			    .n_holders = 1};
	list_push(&s->p->tokens->tokens, &t->link);
	return t;
}

void token_begin(struct place *p)
{
	p->tokens = mem_alloc(sizeof(*p->tokens));
	list_init(&p->tokens->sessions);
	list_init(&p->tokens->tokens);
}

void tokens_forget(struct tokens *all)
{
	all->idle = NULL;
	LIST_FOR(l, &all->tokens)
	{
		struct token *t = LIST_ENTRY(l, struct token, link);

		call_cancel(t->revoke);
		token_free(t);
	}
}

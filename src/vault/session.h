/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What token.c (the bytes, and their end) and session.c (what is due, who waits)
 * share; nobody else includes it. */
#pragma once

#include "base/list.h"
#include "vault/internal.h"
#include "vault/signin.h"
#include "vault/token.h"

/* The bytes of one login. */
struct token {
	struct session *s; /* NULL: that is over */
	struct place *p;
	struct link link; /* among the place's */
	struct secret *secret;
	bool ours, own;
	struct ulid attempt; /* of own */
	unsigned
		n_holders; /* its session is one, as long as it is the newest */
	struct call *revoke;
};

/* Everything about one login of one who is somebody to Vault. */
struct session {
	struct link link;
	struct place *p;
	bool own; /* an attempt's */
	struct grant who;
	struct life life;
	struct token *newest; /* NULL: none */
	struct link waits;
	struct signin_memory memory;
	struct signin *signin; /* what is under way: one of these */
	struct call *call;
	int64_t asked_us;   /* of the call */
	int64_t checked_us; /* when a check said that it lives */
	struct loop_timer *due, *soon;
	struct err why; /* the last login's */
	bool away;      /* it failed because the provider was away */
};

struct token_wait {
	struct link link;
	struct session *s;
	int64_t deadline_us;
	struct loop_timer *late;
	token_fn *fn;
	void *ctx;
};

struct tokens {
	struct link sessions, tokens;
	bool stopping;
	void (*idle)(void *ctx);
	void *idle_ctx;
};

/* token.c: of a new login; its holder is the session. */
struct token *token_new(struct session *s, struct secret *secret, bool ours);
/* Nothing is under way any more, and somebody waits for that: tell them. */
void tokens_may_be_idle(struct tokens *all);
/* All of them, wherever they are. */
void tokens_forget(struct tokens *all);

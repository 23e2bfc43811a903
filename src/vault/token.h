/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The life of a login: made when it is first needed, one for all who are the
 * same to Vault (the provider's own; with auth: identity one for each attempt),
 * renewed, made anew, revoked.  Who asks while it is being made waits.
 *
 * When there is no use for a token any more (there is a newer one, it is doomed,
 * its attempt has ended, we leave) and nobody holds it, it is offered to
 * lease_takes_login() (vault/lease.h), and revoked only when that says no.
 */
#pragma once

#include "proto/grant.h"
#include "vault/call.h"
#include "vault/life.h"

struct token;

/* t NULL: *why says it.  t is good until token_put(), also when a newer one
 * has been made. */
typedef void token_fn(void *ctx, struct token *t, const struct err *why);

struct token_wait;
/*
 * who          the attempt that it is for; NULL: the server itself
 * deadline_us  CLOCK_MONOTONIC
 *
 * fn is called once, from the loop, never from in here.
 */
struct token_wait *token_get(struct place *p, const struct grant *who,
			     int64_t deadline_us, token_fn *fn,
			     void *ctx) MUST_USE;
void token_wait_cancel(struct token_wait *w); /* NULL is fine; not within fn */

const struct secret *token_secret(const struct token *t); /* borrowed */
void token_put(struct token *t);                          /* done with it */
/* The server did not take it (403).  True: ask for one again, once; it is then
 * one that is known to live.  False: it lives, it is what is asked for that is
 * not allowed. */
bool token_refused(struct token *t);

/* It is for nothing new any more: the next token_get() makes a new one. */
void token_doom(struct place *p, const struct secret *value);
/* Did we log in?  False for one that somebody gave us (a file): that is never
 * revoked. */
bool token_ours(const struct token *t);
/* Whose login it is; NULL: the server's. */
const struct ulid *token_attempt(const struct token *t);

/* The attempt has ended: a login of its own goes. */
void token_attempt_ended(struct place *p, const struct ulid *attempt);

/* We leave: revoke what is ours.  idle is called once, when nothing is under
 * way any more, perhaps at once; it is not called after token_end(). */
void tokens_stop(struct place *p, void (*idle)(void *ctx), void *ctx);
/* "good", ... of the server's own; for people. */
const char *tokens_state(const struct place *p);

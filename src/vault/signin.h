/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One login, from the files that it is made of to a token: reads them anew each
 * time, looks into a wrapping before it is opened, opens it once, asks.  What
 * becomes of the token is token.c's.
 */
#pragma once

#include "proto/grant.h"
#include "vault/call.h"
#include "vault/login.h"

/*
 * What is kept between the logins of a provider: the secret id that was
 * unwrapped, and which wrapping token it came in, so that this one is never
 * opened again.
 */
struct signin_memory {
	struct secret *secret_id; /* NULL: none */
	struct hash wrapping;     /* that was opened */
	bool opened;
};
void signin_forget(struct signin_memory *m); /* wipes */

/*
 * token NULL: *why says it; ERR_UNAVAILABLE: it may be tried later, anything
 * else: it will not do as it is.  The token is the callee's.
 */
typedef void signin_fn(void *ctx, struct secret *token,
		       const struct life_news *news, const struct err *why);

/* fn is called once, from the loop, never from in here.  who: for whom an
 * identity is made; memory: borrowed, until fn or signin_cancel(). */
struct signin;
struct signin *signin_start(struct place *p, const struct grant *who,
			    struct signin_memory *memory, signin_fn *fn,
			    void *ctx) MUST_USE;
void signin_cancel(struct signin *s); /* NULL is fine; not within fn */

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One request to one provider, until it has an answer: what reads, logins and
 * leases are made of.  Waits for the provider's files (CA, client
 * certificate), asks the breaker, sends, tries again as retry.h says, follows
 * one redirect to a host that is allowed, tells the breaker.
 */
#pragma once

#include "vault/answer.h"
#include "vault/provider.h"
#include "vault/retry.h"

struct place; /* a provider while it runs; vault/internal.h */

struct call_request {
	const char *method;
	const char *path; /* "v1/secret/data/app", escaped; may have a query */
	const struct secret *token; /* borrowed until the callback; or NULL */
	struct str body;            /* JSON, copied; {NULL, 0}: none */
	enum retry_kind kind;
	unsigned wrap_ttl_s;
	int64_t deadline_us; /* 0: now and the provider's timeout */
	bool always;         /* past the breaker: what it is asked by */
	bool of_server;      /* not of a namespace: these know no sys/health */
	/* What may not come back in an error text, besides the token. */
	const struct secret *masks[4];
};

/*
 * why NULL: a has a status of 2xx.
 * why set and a: the server refused; code as answer_err() has it.
 * why set, a NULL: no answer.  ERR_UNAVAILABLE: it is away, try later.
 * Both are borrowed; take a secret out of *a by setting it NULL there.
 */
typedef void call_fn(void *ctx, struct vault_answer *a, const struct err *why);

struct call;
/* fn is called once, from the loop, never from in here. */
struct call *call_start(struct place *p, const struct call_request *r,
			call_fn *fn, void *ctx) MUST_USE;
void call_cancel(struct call *c); /* NULL is fine; not within fn */
/* Did the server perhaps do it?  For fn: of a call without an answer. */
bool call_was_sent(const struct call *c);

/* Append a path below "v1/", each segment escaped. */
bool call_path(struct buf *b, struct str path);

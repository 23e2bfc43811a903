/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Leases: which attempt has which, renewed while it runs, revoked at its end.
 * All are in the journal before their values are handed on, and so is the login
 * that they are made under, so that a crash leaves nothing that nobody ends.
 */
#pragma once

#include "proto/grant.h"
#include "vault/call.h"
#include "vault/token.h"

struct leases;

/* dir: the keeper's, open; key: 32 bytes that the journal is sealed with. */
MUST_USE int leases_open(struct loop *l, int dir, const struct secret *key,
			 struct leases **ret, struct err *e);
void leases_free(struct leases *l);

/* Before a request that may make one: the login is in the journal. */
MUST_USE int lease_prepare(struct leases *l, struct place *p, struct token *t,
			   const struct grant *who, struct err *e);
/* It was made; in the journal when this returns 0. */
MUST_USE int lease_made(struct leases *l, struct place *p, struct token *t,
			const struct grant *who, const struct vault_answer *a,
			bool keep, struct err *e);
/* The attempt has ended: revoke what is its own. */
void lease_attempt_ended(struct leases *l, const struct ulid *attempt);
/* After a start: these live, and all others have ended. */
void lease_alive(struct leases *l, const struct ulid *attempt);
void lease_alive_end(struct leases *l);

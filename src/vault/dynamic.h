/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is asked for a reference of any kind but kv, and what its answer means.
 * Pure, but that keys are made.
 *
 *   read      GET PATH, or with parameters POST PATH; the fields of `data`
 *   ssh-cert  an Ed25519 key made here; POST MOUNT/sign/ROLE; fields "key" and
 *             "cert.pub"
 *   pki       a P-256 key made here; POST MOUNT/sign/ROLE with a request of
 *             ours; fields "key.pem", "cert.pem", "chain.pem"
 *
 * The parameter wrap_ttl (5m) of a read goes into no body: it asks for a
 * wrapped answer.
 */
#pragma once

#include "proto/grant.h"
#include "secrets/ref.h"
#include "vault/answer.h"

struct dynamic {
	const char *method;
	struct buf path; /* "v1/database/creds/app", escaped */
	struct buf body; /* JSON; empty: none */
	unsigned wrap_ttl_s;
	struct secret *key; /* the private half, PEM; NULL: none was made */
};

#define DYNAMIC_INIT                                                           \
	((struct dynamic){.path = BUF_INIT(2048), .body = BUF_INIT(32768)})

/*
 * Fails with ERR_INVALID when parameters or path do not fit the kind,
 * ERR_INTERNAL when no key can be made.
 */
MUST_USE int dynamic_make(const struct secret_ref *ref, const struct grant *who,
			  struct dynamic *ret, struct err *e);
void dynamic_done(struct dynamic *d); /* wipes */

/*
 * ret  packed (secrets/fields.h), owned by the caller
 *
 * Fails with ERR_UNAVAILABLE when the answer has not what it should have,
 * ERR_NOT_FOUND when it has no data at all.
 */
MUST_USE int dynamic_fields(const struct secret_ref *ref,
			    const struct dynamic *d,
			    const struct vault_answer *a, struct secret **ret,
			    struct err *e);

/* How long it is good for, where there is no lease to tell it; 0: not known. */
int64_t dynamic_lasts_s(const struct secret_ref *ref,
			const struct vault_answer *a);

/* Is it the answer to what was asked?  A wrapped one names the path; whoever
 * put another one in its place cannot make it name ours. */
bool dynamic_wraps(const struct dynamic *d, struct str creation_path);

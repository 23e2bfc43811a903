/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The client of Vault and OpenBao: what the keeper includes.  One struct for
 * all providers; everything is asynchronous and on the caller's loop.
 *
 *   vault.c     providers at work, reads: shared while under way, one request
 *               for all fields of a path
 *   kv          paths and answers of KV; kv_get asks
 *   token       the life of a login        login     its methods
 *   lease       what an attempt has        journal   on disk
 *   place       how a provider is          transit   keys sealed and opened
 *   call        one request until it has an answer
 *   files, trust   what the monitor opens for us; certificates
 *   retry, breaker, answer, provider       pure
 *   http        libcurl
 */
#pragma once

#include "base/loop.h"
#include "proto/edges.h"
#include "secrets/fields.h"
#include "secrets/ref.h"
#include "secrets/secret.h"

struct vault;

/* What the keeper does for it. */
struct vault_host {
	/* Ask the monitor for a file; vault_credential() brings it. */
	void (*credential)(void *ctx, uint32_t tag, uint16_t provider,
			   uint8_t which);
	/* A provider is another state now; text for people. */
	void (*state)(void *ctx, const char *provider,
		      enum provider_state state, const char *text);
	/* There are so many open leases now. */
	void (*leases)(void *ctx, size_t n);
	/* A JWT for an attempt; NULL: there are none.  ret is the caller's. */
	int (*identity)(void *ctx, const struct grant *who,
			const char *audience, struct secret **ret,
			struct err *e);
};

/* Before the role is confined. */
MUST_USE int vault_begin(struct err *e);
/* list: the normalised JSON of the providers. */
MUST_USE int vault_new(struct loop *l, struct str list,
		       const struct vault_host *host, void *ctx,
		       struct vault **ret, struct err *e);
void vault_free(struct vault *v); /* no callback is called after it */
/* TCP ports that providers are at, for Landlock; how many there are. */
size_t vault_ports(struct str list, uint16_t *ret, size_t max);

/* Tell host->state() of each provider, as to somebody new. */
void vault_tell(struct vault *v);

/* The answer to host->credential(): a file to read (taken), or -1 and why. */
void vault_credential(struct vault *v, uint32_t tag, int fd,
		      const struct err *why);

enum {
	VAULT_READ_KEEP = GRANT_REF_KEEP, /* no revoke at the attempt's end */
	VAULT_READ_REFRESH = GRANT_REF_REFRESH
};

/*
 * value NULL: *why says it; ERR_UNAVAILABLE: away, try later.
 *
 * form   SECRET_VALUE: the bytes; SECRET_FIELDS: packed, see secrets/fields.h
 * value  borrowed during the callback
 *
 * Once for an ordinary read; with VAULT_READ_REFRESH again for each new value,
 * until vault_read_free().
 */
typedef void vault_fn(void *ctx, enum secret_form form,
		      const struct secret *value, const struct err *why);

struct vault_read;
/* fn is never called from in here.  ref is copied; who is borrowed
 * until vault_read_free(). */
struct vault_read *vault_read(struct vault *v, const struct secret_ref *ref,
			      const struct grant *who, unsigned flags,
			      vault_fn *fn, void *ctx) MUST_USE;
void vault_read_free(
	struct vault_read *r); /* also while under way, not in fn */

/* The leases of all providers, see vault/lease.h; never NULL. */
struct leases *vault_leases(struct vault *v);

/* The attempt has ended: leases and logins of its own go. */
void vault_attempt_ended(struct vault *v, const struct ulid *attempt);
/* After a start of the keeper: these attempts live; then: no others. */
void vault_attempt_alive(struct vault *v, const struct ulid *attempt);
void vault_alive_end(struct vault *v);

/* What there is to know of providers, as JSON: an array of all, or the one of
 * the name (-1: there is none).  No credential is in it. */
void vault_describe(const struct vault *v, struct buf *ret);
MUST_USE int vault_describe_one(const struct vault *v, const char *name,
				struct buf *ret);

/*
 * We leave: nothing new is begun, and what we logged in as is revoked.  idle is
 * called once, when nothing of this is under way any more, perhaps at once; not
 * after vault_free().
 */
void vault_stop(struct vault *v, void (*idle)(void *ctx), void *ctx);

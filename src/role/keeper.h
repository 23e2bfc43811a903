/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the files of the keeper share: its one state. */
#pragma once

#include "base/list.h"
#include "role/role.h"
#include "secrets/curve.h"
#include "secrets/ref.h"
#include "secrets/store.h"
#include "vault/vault.h"

struct keeper_identity;
struct ring_key;
struct keeper_transit;

enum seal_reason {
	SEAL_NONE,
	SEAL_ASKED,    /* somebody sealed it */
	SEAL_NO_KEY,   /* nothing that needs nobody opens it */
	SEAL_ROLLBACK, /* it may be an older copy */
	SEAL_DAMAGED,
	SEAL_PROVIDER /* a provider that would open it does not yet */
};

enum {
	KEEPER_SOURCES_MAX = 2, /* what opens the store without anybody */
	/* what a new root key is wrapped by besides */
	KEEPER_REKEY_MAX = 2 * SECRET_STORE_SLOTS_MAX
};

struct keeper_seal {
	char db[INIT_PATH_MAX + 32], epoch[INIT_PATH_MAX + 32];
	char keyfile[INIT_PATH_MAX + 32], mark[INIT_PATH_MAX + 32];
	enum seal_reason reason;
	char why[ERR_TEXT_MAX];
	struct secret *credential; /* systemd's; NULL: there is none */
	struct secret *key;        /* of the key file, for one call */
	int64_t next_us;           /* when the next try is heard */
	unsigned fails;
	struct loop_timer *rewrap;
};

struct keeper {
	struct loop *loop;
	struct chan *monitor, *server;
	struct secret_store *store; /* NULL: sealed */
	struct scanner *scanner;    /* likewise */
	struct keeper_seal seal;
	struct keeper_transit *transit;
	struct link attempts;
	struct keeper_identity *identity;
	struct keeper_sealed *sealed;
	struct buf providers; /* the list; empty: none */
	struct vault *vault;  /* NULL: there are no providers */
	struct link checks;   /* of providers, under way */
	unsigned n_checks;
	struct loop_timer *leaving;
	struct loop_timer *tidy; /* NULL: nobody has ended since the last */
	struct link helpers;     /* calls of them */
	uint32_t helper_tag;
	int dir_fd;          /* STATE/keeper */
	int64_t scan_second; /* the second that scans were counted in */
	unsigned scans;
	int64_t verify_second; /* the same for what strangers sign */
	unsigned verifies;
	struct {
		unsigned char keys[EXPORT_TO_MAX][X25519_PUBLIC_LEN];
		size_t n;
	} export_to; /* whom an export may be sealed to */
};

/* keeper_attempt.c: MSG_GRANT of the monitor, a new attempt's channel; -1 when
 * it is malformed. */
int keeper_grant(struct keeper *k, struct chan_msg *msg);
void keeper_attempts_end(struct keeper *k); /* all of them, now */

/* keeper_vault.c: before all else, instead of role_confine(); then, with a loop;
 * an answer of the monitor's, -1 when it is malformed. */
void keeper_vault_confine(struct keeper *k, struct role_start *start);
MUST_USE int keeper_vault_new(struct keeper *k, struct err *e);
int keeper_on_credential(struct keeper *k, struct chan_msg *msg);

/*
 * keeper_helpers.c: the value of a helper program of the settings.  fn is called
 * once, from the loop: value (borrowed), or why not, where ERR_UNAVAILABLE says
 * that it may be had later.
 */
struct helper_call;
typedef void keeper_helper_fn(void *ctx, enum secret_form form,
			      const struct secret *value,
			      const struct err *why);
struct helper_call *keeper_helper_run(struct keeper *k,
				      const struct secret_ref *ref,
				      keeper_helper_fn *fn, void *ctx) MUST_USE;
/* Not after fn was called; NULL is fine. */
void keeper_helper_forget(struct helper_call *c);
/* MSG_HELPER_ENDED; -1 when it is malformed. */
int keeper_on_helper(struct keeper *k, struct chan_msg *msg);
void keeper_helpers_end(struct keeper *k);

/* keeper_move.c: whom the settings let it seal an export to. */
MUST_USE int keeper_move_new(struct keeper *k, const struct role_init *init,
			     struct err *e);

/* A message of the server's; -1 when it is none that a server sends. */
int keeper_on_server(void *keeper, struct chan_msg *msg);
/* MSG_OK with a number, or MSG_NO with the error. */
int keeper_answer(struct keeper *k, uint64_t tag, int bad, uint64_t number,
		  const struct err *e);
/* keeper_leases.c: at the start; then, when the store has been opened. */
MUST_USE int keeper_leases_new(struct keeper *k, const char *state,
			       struct err *e);
void keeper_leases_wake(struct keeper *k);
void keeper_leases_tell(struct keeper *k); /* MSG_LEASE_COUNT */
/* MSG_ALIVE, MSG_GONE */
int keeper_on_attempt(struct keeper *k, struct chan_msg *msg);
/* MSG_LEASES, MSG_LEASE_REVOKE */
int keeper_leases(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg);
int keeper_lease_revoke(struct keeper *k, uint64_t tag, struct wire_reader *r,
			struct chan_msg *msg);
/* keeper_tell.c: MSG_LIST, MSG_SHOW, MSG_VERSIONS. */
int keeper_list(struct keeper *k, uint64_t tag, struct wire_reader *r,
		struct chan_msg *msg);
int keeper_show(struct keeper *k, uint64_t tag, struct wire_reader *r,
		struct chan_msg *msg);
int keeper_versions(struct keeper *k, uint64_t tag, struct wire_reader *r,
		    struct chan_msg *msg);
/* MSG_LISTED: what is in b goes beside the message. */
int keeper_tell(struct keeper *k, uint64_t tag, uint64_t version,
		const struct buf *b);
/* keeper_providers.c: MSG_PROVIDERS, MSG_PROVIDER_CHECK. */
int keeper_providers(struct keeper *k, uint64_t tag, struct wire_reader *r,
		     struct chan_msg *msg);
int keeper_provider_check(struct keeper *k, uint64_t tag, struct wire_reader *r,
			  struct chan_msg *msg);
void keeper_checks_end(struct keeper *k); /* the server that asked is gone */
/* In order: the loop stops when logins are revoked, or after a while. */
void keeper_leave(struct keeper *k);
/* keeper_verify.c: MSG_VERIFY. */
int keeper_verify(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg);

/* keeper_runs.c: the key of a run's private files, made if there is none; the
 * caller frees.  MSG_RUN_GONE, MSG_RUN_KEYS. */
MUST_USE int keeper_run_key(struct keeper *k, const struct ulid *run,
			    struct secret **ret, struct err *e);
int keeper_run_gone(struct keeper *k, struct wire_reader *r);
int keeper_run_keys(struct keeper *k, struct wire_reader *r);

/*
 * keeper_identity.c: the keeper's own keys, in a place of the store that no
 * request reaches, and the tokens of attempts.
 *
 * New: before the store is open.  Wake: after it was opened; makes the keys
 * where there are none, and tells the server; to be called again when there is
 * a new server.  Seal: the store closes; the keys are wiped.
 */
MUST_USE int keeper_identity_new(struct keeper *k, const struct role_init *init,
				 struct err *e);
void keeper_identity_free(struct keeper *k);
void keeper_identity_wake(struct keeper *k);
void keeper_identity_seal(struct keeper *k);
/* What values are sealed to; NULL while the store is sealed. */
struct ring;
const struct ring *keeper_sealing(const struct keeper *k);

/*
 * A token that says whose the grant is, for one audience.
 *
 * ttl_s     0: as usual; at most TOKEN_TTL_MAX_S are given
 * ends_us   real time at which the attempt ends at the latest; the token does,
 *           too.  INT64_MAX: not known
 * ret       the caller frees; a secret
 * ret_expires_us  real time; may be NULL
 *
 * Fails with ERR_UNAVAILABLE while the store is sealed, ERR_INVALID for an
 * audience that is none, ERR_DENIED when the attempt's time is over.
 */
MUST_USE int keeper_mint(struct keeper *k, const struct grant *g,
			 struct str audience, uint32_t ttl_s, int64_t ends_us,
			 struct secret **ret, int64_t *ret_expires_us,
			 struct err *e);

/*
 * keeper_token.c: the tokens that an attempt has asked for, and new ones before
 * they end.
 *
 * fn  gets each new one, borrowed; -1 ends it.  Its tag is the first one's.
 */
struct keeper_tokens;
typedef int keeper_token_fn(void *ctx, uint8_t tag, const struct secret *token);

/* g is borrowed, for as long as it lives. */
struct keeper_tokens *keeper_tokens_new(struct keeper *k, const struct grant *g,
					int64_t ends_us, keeper_token_fn *fn,
					void *ctx);
void keeper_tokens_free(struct keeper_tokens *t); /* NULL is fine */
/* The first of one; fails as keeper_mint(), and with ERR_LIMIT. */
MUST_USE int keeper_tokens_add(struct keeper_tokens *t, uint8_t tag,
			       const struct secret_ref *ref, bool refresh,
			       struct secret **ret, struct err *e);

/* --- keeper_seal.c ------------------------------------------------------- */

/* Take the credential of systemd, the last descriptor, where there is one. */
void keeper_seal_credential(struct keeper *k, struct role_start *start);
/* Open the store, or make it at the first start; 0 also when it stays sealed. */
MUST_USE int keeper_seal_start(struct keeper *k, const char *state,
			       struct err *e);
void keeper_seal_end(struct keeper *k);
/* MSG_PROVIDER_STATE of the store, to the server that there is. */
void keeper_tell_state(struct keeper *k);
/* Begin to wrap secrets in the current term, in the background. */
void keeper_rewrap(struct keeper *k);
/* What opens the store without anybody, up to KEEPER_SOURCES_MAX, borrowed
 * until keeper_sources_done(); *e says why the key file is none of them. */
size_t keeper_sources(struct keeper *k, struct secret_opener *ret,
		      struct err *e);
void keeper_sources_done(struct keeper *k);
int keeper_seal_status(struct keeper *k, uint64_t tag, struct wire_reader *r,
		       struct chan_msg *msg);
int keeper_seal(struct keeper *k, uint64_t tag, struct wire_reader *r,
		struct chan_msg *msg);
int keeper_unseal(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg);

/* The way of all that opens it, while it is sealed. */
MUST_USE int keeper_open_with(struct keeper *k, const struct secret_opener *by,
			      size_t n_by, bool accept_rollback, struct err *e);
/* It is sealed, and that is why; true: it may wait like that. */
bool keeper_stays_sealed(struct keeper *k, const struct err *why);
void keeper_seal_reason(struct keeper *k, enum seal_reason reason,
			const char *why);
/* It was asked for: it counts, and the mark of an administrator goes when it is
 * open, or will be by itself. */
void keeper_unseal_counts(struct keeper *k, bool failed);
void keeper_unmark(struct keeper *k);
struct secret_store_opts keeper_store_opts(const struct keeper *k);

/* --- keeper_transit.c: slots that a provider opens ----------------------- */

void keeper_transit_new(struct keeper *k);
void keeper_transit_free(struct keeper *k); /* before the providers go */
/* The store is sealed for want of a key: have it opened by a provider. */
void keeper_transit_start(struct keeper *k);
/* The same, as somebody asked: false: there is nothing to ask, or it is being
 * asked for; *e says it.  True: the tag is answered later. */
bool keeper_transit_unseal(struct keeper *k, uint64_t tag, bool accept,
			   struct err *e);
/* A provider is up again. */
void keeper_transit_heard(struct keeper *k, const char *provider);
/* It was opened otherwise, or sealed: what is under way is for nothing. */
void keeper_transit_stop(struct keeper *k, const char *why);
void keeper_transit_unasked(struct keeper *k); /* the server is gone */
/* A new slot; answered later, where it returns true. */
bool keeper_transit_add(struct keeper *k, uint64_t tag, struct str where,
			struct err *e);
/* A new root key: the keys of these slots are fetched, then all is done by
 * keeper_rekey_by().  pass is taken. */
void keeper_transit_rekey(struct keeper *k, uint64_t tag, struct secret **pass,
			  size_t n_pass);

/* --- keeper_slots.c ------------------------------------------------------ */

int keeper_slots(struct keeper *k, uint64_t tag, struct wire_reader *r,
		 struct chan_msg *msg);
int keeper_slot_add(struct keeper *k, uint64_t tag, struct wire_reader *r,
		    struct chan_msg *msg);
int keeper_slot_remove(struct keeper *k, uint64_t tag, struct wire_reader *r,
		       struct chan_msg *msg);
int keeper_rotate(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg);
int keeper_rekey(struct keeper *k, uint64_t tag, struct wire_reader *r,
		 struct chan_msg *msg);
/* With these besides the keeper's own sources; answers. */
void keeper_rekey_by(struct keeper *k, uint64_t tag,
		     const struct secret_opener *by, size_t n);

/* --- keeper_move.c: files of age ----------------------------------------- */

int keeper_recipient(struct keeper *k, uint64_t tag, struct wire_reader *r,
		     struct chan_msg *msg);
int keeper_export(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg);
int keeper_import(struct keeper *k, uint64_t tag, struct wire_reader *r,
		  struct chan_msg *msg);

/*
 * keeper_sealed.c: MSG_PUT_SEALED, a value that the server cannot read; and what
 * whoever seals one has to know, as the members of a JSON object.
 */
MUST_USE int keeper_sealed_new(struct keeper *k, struct err *e);
void keeper_sealed_free(struct keeper *k);
int keeper_put_sealed(struct keeper *k, uint64_t tag, struct wire_reader *r,
		      struct chan_msg *msg);
void keeper_sealed_about(const struct keeper *k, const struct ring_key *key,
			 struct buf *b);
/* keeper_server.c: the end of every put; answers. */
int keeper_put_value(struct keeper *k, uint64_t tag, struct str project,
		     struct str name, uint64_t expect,
		     const struct secret *value);

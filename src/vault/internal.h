/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the files that ask share: a provider while it runs, and all of them. */
#pragma once

#include "base/list.h"
#include "vault/breaker.h"
#include "vault/call.h"
#include "vault/http.h"
#include "vault/vault.h"

enum {
	PLACE_AT_ONCE = 16,    /* requests to one provider; more wait */
	PLACE_MOUNTS_MAX = 64, /* KV mounts that we learned of */
};

/* --- files.c: files of a provider, by way of the monitor ----------------- */

/* s: without white space at its ends, the caller's; NULL: *why says it. */
typedef void file_fn(void *ctx, struct secret *s, const struct err *why);
struct file_ask;
/* fn is called once, from the loop, never from in here. */
struct file_ask *file_ask(struct place *p, enum credential which, file_fn *fn,
			  void *ctx) MUST_USE;
void file_cancel(struct file_ask *a); /* NULL is fine; not within fn */

/* --- trust.c: whom to trust and who we are, for TLS ---------------------- */

/* Stays as long as somebody holds it. */
struct trust {
	struct http_tls tls;
	struct secret *ca, *cert, *key; /* what tls points into; or NULL */
	unsigned holders;
};

/* t is held for the caller; NULL: *why says it. */
typedef void trust_fn(void *ctx, struct trust *t, const struct err *why);
struct trust_ask;
/* The files of the provider as they are now, or were a minute ago.  fn is called
 * once, from the loop, never from in here. */
struct trust_ask *trust_ask(struct place *p, trust_fn *fn, void *ctx) MUST_USE;
void trust_cancel(struct trust_ask *a); /* NULL is fine; not within fn */
void trust_put(struct trust *t);
/* They did not do, or may have changed: read anew for the next who asks. */
void trust_stale(struct place *p);
void trust_begin(struct place *p);
void trust_end(struct place *p);

/* --- places -------------------------------------------------------------- */

/* A mount that sys/internal/ui/mounts told us of. */
struct place_mount {
	char mount[SECRET_REF_PATH_MAX + 1];
	uint8_t version;  /* 0: no KV */
	int64_t until_us; /* 0: nothing is here */
};

struct place {
	struct vault *v;
	const struct provider *p;
	uint16_t number; /* among the providers of the settings */

	/* call.c */
	struct breaker breaker;
	struct loop_timer *probe_at; /* place.c */
	struct link calls;           /* all */
	struct link waiting; /* those of them for whom there is no room */
	unsigned running;
	char index[256];        /* X-Vault-Index as it was last told */
	char why[ERR_TEXT_MAX]; /* what it was that made it another state */

	/* trust.c */
	struct trust *trust;
	struct link trust_asks;
	struct file_ask *trust_files[N_CREDENTIALS];
	struct trust *trust_next; /* being read */
	bool trust_reading, trust_is_stale;
	int64_t trust_at_us;

	/* token.c */
	struct tokens *tokens; /* session.h */

	/* kv_get.c */
	struct link gets; /* reads under way, and those just done */
	struct kv_get *asks_mount;
	struct place_mount mounts[PLACE_MOUNTS_MAX];
	size_t next_mount;

	/* loan.c */
	struct link loans; /* what was made for attempts that live */
};

struct vault {
	struct loop *loop;
	struct http *http;
	const struct vault_host *host;
	void *ctx;
	struct providers providers;
	struct place *places;
	struct leases *leases;
	/* stop.c */
	size_t n_busy; /* places that are not idle yet */
	void (*idle)(void *ctx);
	void *idle_ctx;
	/* files.c */
	struct link asks;
	uint32_t last_tag;
};

/* NULL: the settings have none of this name. */
struct place *vault_place(struct vault *v, const char *provider);

/* place.c */
void place_begin(struct place *p);
void place_end(struct place *p); /* what is under way is forgotten */
/* How a request ended; told to the host when that makes another state of it.
 * why: for people, may be dirty. */
void place_heard(struct place *p, enum provider_state state, const char *why);
/* It is away, and there is no need to count; why is clean. */
void place_open(struct place *p, enum provider_state state, const char *why);
void calls_cancel(struct place *p); /* call.c */

/* kv_get.c: one path of a KV engine, for all who want it at one time. */
struct kv_get;
struct kv_wait;
struct kv_what {
	char path[SECRET_REF_PATH_MAX + 1];
	uint64_t version; /* 0: the newest */
};
/* fields: packed, borrowed; NULL: *why says it. */
typedef void kv_fn(void *ctx, const struct secret *fields,
		   const struct err *why);
/* fn is called once, from the loop, never from in here.  who is borrowed until
 * then, or until kv_cancel(). */
struct kv_wait *kv_read(struct place *p, const struct kv_what *what,
			const struct grant *who, kv_fn *fn, void *ctx) MUST_USE;
void kv_cancel(struct kv_wait *w); /* NULL is fine; not within fn */
void kv_attempt_ended(struct place *p, const struct ulid *attempt);
void kv_end(struct place *p);

/* loan.c: what is made for one attempt, once for all it wants of it. */
struct loan_wait;
/* As kv_read(); where fields were told it goes on, and with VAULT_READ_REFRESH
 * tells of new ones, until loan_cancel(). */
struct loan_wait *loan_read(struct place *p, const struct secret_ref *ref,
			    const struct grant *who, unsigned flags, kv_fn *fn,
			    void *ctx) MUST_USE;
void loan_cancel(struct loan_wait *w); /* NULL is fine; not within fn */
void loans_end(struct place *p);

/* token.c */
void token_begin(struct place *p);
void token_end(struct place *p);

uint32_t vault_dice(void); /* 32 random bits */

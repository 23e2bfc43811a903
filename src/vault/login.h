/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How each method of `auth` logs in: which files it needs, the request that it
 * makes of them, and what the answers mean.  Pure.  One table, in login.c.
 */
#pragma once

#include "vault/answer.h"
#include "vault/life.h"
#include "vault/provider.h"
#include "vault/retry.h"

/* What a login is made of; NULL where there is none. */
struct login_material {
	const struct secret *files[N_CREDENTIALS]; /* contents, trimmed */
	const struct secret *identity;             /* a JWT of the attempt's */
};

struct login_request {
	struct buf path; /* "v1/auth/approle/login" */
	struct buf body; /* JSON; secret */
	enum retry_kind kind;
};
void login_request_done(struct login_request *r); /* wipes */

struct login_method {
	uint32_t needs; /* bit enum credential: files that must be there */
	uint32_t may;   /* files that it takes where they are there */
	bool identity;  /* per attempt: needs a JWT of ours */
	/* NULL: the file (CREDENTIAL_TOKEN) is the token, there is nothing to
	 * ask.  Fails with ERR_INVALID. */
	int (*make)(const struct provider *p, const struct login_material *m,
		    struct login_request *ret, struct err *e);
};
extern const struct login_method login_methods[N_AUTHS];

/*
 * The answer to a login, its token taken out of it; asked_us of the news is the
 * caller's.  Fails with ERR_DENIED when a second factor is wanted, with
 * ERR_UNAVAILABLE when it is no answer to a login.
 */
MUST_USE int login_read(struct vault_answer *a, struct life_news *news,
			struct secret **ret, struct err *e);
/* The answer of auth/token/renew-self. */
MUST_USE int login_read_renewal(const struct vault_answer *a,
				struct life_news *news, struct err *e);
/* The answer of auth/token/lookup-self, about a token that was given to us. */
MUST_USE int login_read_lookup(const struct vault_answer *a,
			       struct life_news *news, struct err *e);

/*
 * A secret id that comes in a wrapping: where the wrapping token was made is
 * looked up and must be where secret ids of our role are; then it is unwrapped,
 * once.  First the body of the lookup, then its answer (ERR_DENIED: it is from
 * elsewhere), then the answer of the unwrapping.
 */
MUST_USE int login_wrap_lookup(const struct secret *wrapping, struct buf *ret,
			       struct err *e);
MUST_USE int login_wrap_check(const struct provider *p,
			      const struct vault_answer *a, struct err *e);
MUST_USE int login_unwrap_read(const struct vault_answer *a,
			       struct secret **ret, struct err *e);

/* One word of printable ASCII?  what: "token", for the text of ERR_INVALID. */
MUST_USE int login_check_word(const struct secret *s, const char *what,
			      struct err *e);

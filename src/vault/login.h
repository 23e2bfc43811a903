/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How each method of `auth` logs in: which files it needs, and the request
 * that it makes of them.  Pure.  One table, in login.c.
 */
#pragma once

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

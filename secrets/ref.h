/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * References to secrets, as a job names them once everything in it is
 * resolved, and their canonical text: one reference has exactly one spelling,
 * so that its SHA-256 can stand for it in a grant.  Pure; nothing is looked up.
 *
 *   store:PROJECT/NAME[?version=N][#FIELD]
 *   vault:PROVIDER:PATH[?kind=K][&version=N][&p.NAME=VALUE ...][#FIELD]
 *   exec:NAME[?p.NAME=VALUE ...][#FIELD]
 *   identity:AUDIENCE?p.ttl=SECONDSs
 *
 * PROJECT, NAME and PROVIDER are [a-z][a-z0-9_-]{0,62}.  PATH is relative, its
 * segments neither empty nor "." nor "..".  PATH, FIELD and VALUE are UTF-8
 * without control characters; bytes other than [A-Za-z0-9._~-] (and '/' in
 * PATH) are written %XX.  Parameters are sorted by name.  kind=kv and
 * version=0 are not written.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

enum { /* bytes without the NUL, before escaping */
	SECRET_REF_NAME_MAX = 63,
	SECRET_REF_PATH_MAX = 256,
	SECRET_REF_FIELD_MAX = 128,
	SECRET_REF_VALUE_MAX = 256,
	SECRET_REF_PARAMS_MAX = 8,
	SECRET_REF_TEXT_MAX = 1024 /* the canonical text */
};

enum secret_ref_kind {
	SECRET_REF_STORE,
	SECRET_REF_VAULT,
	SECRET_REF_EXEC,
	SECRET_REF_IDENTITY, /* a token of the attempt's own, for somebody */
};

/* What is asked of Vault. */
enum secret_ref_read {
	SECRET_READ_KV,
	SECRET_READ_PLAIN, /* any path that answers a GET: "read" */
	SECRET_READ_SSH_CERT,
	SECRET_READ_PKI,
};

struct secret_ref_param {
	char name[SECRET_REF_NAME_MAX + 1]; /* [A-Za-z0-9_-]{1,63} */
	char value[SECRET_REF_VALUE_MAX + 1];
};

/* Everything NUL-terminated; "" where it means nothing for the kind. */
struct secret_ref {
	enum secret_ref_kind kind;
	enum secret_ref_read read;              /* vault */
	char project[SECRET_REF_NAME_MAX + 1];  /* store */
	char provider[SECRET_REF_NAME_MAX + 1]; /* vault */
	char path[SECRET_REF_PATH_MAX + 1];     /* store, exec: the name;
					     * identity: the audience */
	char field[SECRET_REF_FIELD_MAX + 1];   /* "": all of it */
	uint64_t version;                       /* 0: the newest; not exec */
	struct secret_ref_param params[SECRET_REF_PARAMS_MAX];
	size_t n_params; /* any order; vault other than kv, exec */
};

/* [a-z][a-z0-9_-]{0,62}: projects, names in the store, providers. */
bool secret_name_valid(struct str s);

/*
 * The canonical text, appended to b (whose maximum should leave room for
 * SECRET_REF_TEXT_MAX bytes).
 *
 * Fails with ERR_INVALID, saying which part is wrong, and with ERR_LIMIT when
 * the text is too long; b may then hold a part of it.
 */
MUST_USE int secret_ref_format(const struct secret_ref *r, struct buf *b,
			       struct err *e);

/* The reverse.  Only the canonical spelling is accepted: ERR_INVALID. */
MUST_USE int secret_ref_parse(struct str text, struct secret_ref *ret,
			      struct err *e);

/* SHA-256 of the canonical text: what a grant carries. */
MUST_USE int secret_ref_hash(const struct secret_ref *r, struct hash *ret,
			     struct err *e);

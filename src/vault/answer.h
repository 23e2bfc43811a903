/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * An answer of Vault or OpenBao as a struct (sdk/logical/translate_response.go
 * has the fields).  Pure.  The only file that includes jansson.h for all of
 * src/vault; its memory is wiped before it is freed.
 *
 * What comes from the server is hostile: duplicate keys, wrong types, deep or
 * long JSON are errors, and texts that people see are cut and without control
 * characters.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "secrets/secret.h"

#include <jansson.h>

enum {
	ANSWER_TEXT_MAX = 300,   /* bytes of an error or warning for people */
	ANSWER_ID_MAX = 1024,    /* of a lease id, accessor, path */
	ANSWER_TOKEN_MAX = 8192, /* of a token (batch tokens are long) */
};

/* Once, before anything else of jansson. */
void answer_begin(void);

struct answer_auth {
	struct secret *client_token; /* NULL: none (asks for MFA, for one) */
	char accessor[ANSWER_ID_MAX + 1];
	int64_t lease_duration_s; /* 0: does not end */
	bool renewable, batch, orphan, mfa;
	int64_t num_uses; /* 0: as often as one likes */
	char entity_id[ANSWER_ID_MAX + 1];
};

struct answer_wrap {
	struct secret *token;
	char accessor[ANSWER_ID_MAX + 1];
	int64_t ttl_s;
	char creation_path[ANSWER_ID_MAX + 1];
};

struct vault_answer {
	int status;
	char request_id[64];
	char lease_id[ANSWER_ID_MAX + 1]; /* "": none */
	int64_t lease_duration_s;
	bool renewable;
	json_t *data; /* an object; NULL: none.  Owned by the answer. */
	json_t *root; /* the whole document, for what sys/ has at its top */
	struct answer_auth *auth; /* NULL: none */
	struct answer_wrap *wrap; /* NULL: none */
	/* For people: clean, cut, without the texts that were to be masked. */
	char errors[ANSWER_TEXT_MAX + 1];   /* "a; b"; "": none */
	char warnings[ANSWER_TEXT_MAX + 1]; /* "": none */
	bool sealed;                        /* 503 that says so */
	bool inactive;   /* 500 that says that no node is active */
	bool wrong_path; /* the warning for a v1 path on a v2 mount */
};

/* What may not be in a text for people, whatever a server puts there. */
struct answer_masks {
	const struct secret *const *items; /* borrowed; NULL ones are skipped */
	size_t n;
};

/*
 * Read what came with a status.  204 (or 202) without a body is an answer
 * with nothing in it; a 2xx with a body that is no envelope is ERR_UNAVAILABLE
 * (a proxy's page, a cut answer).  Any other status is an answer, with what
 * there is in `errors`, whatever the body.
 */
MUST_USE int answer_read(int status, struct str body,
			 const struct answer_masks *masks,
			 struct vault_answer **ret, struct err *e);
void answer_free(struct vault_answer *a); /* wipes; NULL is fine */

/* A text for people: UTF-8, no control characters, cut, secrets masked. */
void answer_clean(struct str text, const struct answer_masks *masks,
		  char out[ANSWER_TEXT_MAX + 1]);

/* Members of an object; each fails with ERR_UNAVAILABLE, naming the key. */
MUST_USE int answer_text(const json_t *o, const char *key, struct str *ret,
			 struct err *e);
MUST_USE int answer_secret(const json_t *o, const char *key,
			   struct secret **ret, struct err *e);
/* The error of a status that is no success: its code says what can be done
 * (400 and 405 INVALID, 403 DENIED, 404 NOT_FOUND, 412 CONFLICT, 413 and 429
 * LIMIT, else INTERNAL).  what: "secret/ci/app". */
void answer_err(const struct vault_answer *a, const char *what, struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the actions of `nfo secret` share: its options, and who does what. */
#pragma once

#include "cli/verbs.h"

struct secret_args {
	const struct verb *verb;
	const char *project;
	const char *if_version, *version, *description, *max_versions;
	const char *age, *accept_rollback, *passphrase_fd, *scrypt;
	const char *transit;
	bool automatic, plain;
	char **v; /* behind the action */
	size_t n;
};

/* secret.c: "/v1/projects/PROJECT/secrets[/NAME]REST" */
MUST_USE int secret_path(struct buf *b, const char *project, const char *name,
			 const char *rest);

enum {
	SECRET_VALUE_BYTES = 64 * 1024
};
/* Put value as v[0], sealed unless plain.  0: *ret is the caller's; else the
 * exit code, with everything said. */
MUST_USE int secret_send(const struct secret_args *args, struct str value,
			 struct http_answer *ret);
/* What the answer of a put has of how it is not redacted. */
void secret_say_redaction(const struct http_answer *a);
/* With all its versions; an exit code. */
MUST_USE int secret_remove(const char *project, const char *name);

/* secret_move.c */
int secret_recipient(const struct secret_args *a);
int secret_export(const struct secret_args *a);
int secret_import(const struct secret_args *a);

/* sealed.c: the body of a put that only the keeper can read, from its key.
 * version: that must be there; NULL: any.  An exit code. */
int secret_to_seal(const char *project, const char *name, const char *version,
		   struct str value, struct buf *ret);

/* seal.c */
int secret_seal(const struct secret_args *a);
int secret_unseal(const struct secret_args *a);
int secret_seal_status(const struct secret_args *a);
int secret_slot(const struct secret_args *a);
int secret_rotate(const struct secret_args *a);
int secret_rekey(const struct secret_args *a);

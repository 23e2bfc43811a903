/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who may do what: users, groups, roles and tokens as they stand, and the one
 * function that decides.  Pure: a snapshot is built from stored texts and asked;
 * whoever holds it builds a new one when they change.
 *
 * A subject is how somebody is written everywhere: "user:ann", "uid:1000",
 * "token:local", "oidc:corp:ann".
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

/* Each may what those before it may. */
enum access_level {
	ACCESS_NONE,
	ACCESS_VIEWER,    /* read: jobs, runs, logs, artifacts */
	ACCESS_OPERATOR,  /* run what is stored, cancel, approve, pause */
	ACCESS_DEVELOPER, /* change jobs and secrets, run what is sent along */
	ACCESS_ADMIN,     /* of a project; of all: the server */
	N_ACCESS_LEVELS
};
const char *access_role_name(enum access_level r);
MUST_USE int access_role_parse(struct str s,
			       enum access_level *ret); /* not "none" */

struct access;
struct access *access_new(void) MUST_USE;
void access_free(struct access *a);

struct logins;
/* Logins that bring their own groups and roles (logins.h); borrowed.  Whoever
 * comes with one gives its id as the token's. */
void access_use(struct access *a, const struct logins *l);

/* A subject that may everything: the server's own user, root. */
void access_add_admin(struct access *a, struct str subject);
/* Those of every server: who runs it, root, and the token in its own file. */
void access_add_owners(struct access *a, uint32_t owner_uid);
/*
 * Stored things, by their JSON (see resource.h).  What cannot be read gives
 * nobody anything: -1 and *e, the rest stands.
 */
MUST_USE int access_add_user(struct access *a, struct str name, struct str json,
			     struct err *e);
MUST_USE int access_add_group(struct access *a, struct str name,
			      struct str json, struct err *e);
MUST_USE int access_add_role(struct access *a, struct str name, struct str json,
			     struct err *e);

/* What narrows what its subject may. */
struct access_token {
	struct str id, subject;
	struct hash hash; /* of the token's text */
	enum access_level most;
	struct str projects; /* JSON list; "[]": all */
	int64_t expires_us;
	int64_t used_us; /* the owner of the snapshot sets it */
	bool used;       /* since it was last written down */
};
/* Copied. */
MUST_USE int access_add_token(struct access *a, const struct access_token *t,
			      struct err *e);
/* By the hash of what was presented; NULL.  The caller looks at expires_us. */
struct access_token *access_token_find(const struct access *a,
				       const struct hash *h);
struct access_token *access_token_id(const struct access *a, struct str id);
/* Each; NULL at the end. */
struct access_token *access_token_at(const struct access *a, size_t i);

/* "user:ann" of a user with that uid who is not disabled; "". */
struct str access_user_of_uid(const struct access *a, uint32_t uid);
/* The same of a user who has this certificate, by one of its names
 * ("sha256:...", "cn:..."); "" also when several users have it. */
struct str access_user_of_certificate(const struct access *a, struct str id);
/* May it come in at all: an admin, a user who is there and not disabled, or
 * whoever has such a login. */
bool access_is_known(const struct access *a, struct str subject,
		     struct str token);
bool access_has_user(const struct access *a, struct str name);

/*
 * Is this subject meant by a name: "user/ann", "group/devs", or "role/operator"
 * (at least that, in the project, with this token)?
 */
bool access_named(const struct access *a, struct str subject, struct str token,
		  struct str project, struct str name);
/* The same text for all subjects that are one human being: who owns the server
 * is one, however they came in. */
struct str access_person(const struct access *a, struct str subject);

/*
 * The decision: what is this subject, with this token (id; "" for none), in
 * this project ("" : of the server as a whole)?
 */
enum access_level access_role(const struct access *a, struct str subject,
			      struct str token, struct str project);
/* The most it is anywhere. */
enum access_level access_best(const struct access *a, struct str subject,
			      struct str token);
/* Projects where it is at least that, as a JSON list appended to b; "" when
 * that is everywhere. */
bool access_projects(const struct access *a, struct str subject,
		     struct str token, enum access_level least, struct buf *b);

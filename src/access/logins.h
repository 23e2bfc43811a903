/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who came with what brings its own groups and roles: a provider's token, after
 * it was checked.  Kept beside the snapshot (access.h), by the hash of the
 * token, so that it is checked once; found by an id that stands where a
 * token's id does.  Bounded: who was away for the longest makes room.
 */
#pragma once

#include "access/access.h"
#include "base/id.h"

enum {
	LOGINS_MAX = 4096,
	LOGIN_GROUPS_MAX = 200,
	LOGIN_GIVEN_MAX = 32,
	LOGIN_SUBJECT_MAX = 351
};

struct login_given {
	enum access_level role;
	const struct str *projects; /* "*": all */
	size_t n_projects;
};

struct login {
	struct hash hash;    /* of the token's text */
	struct ulid id;      /* made by logins_add() */
	struct str provider; /* its name in the configuration */
	struct str subject;  /* "oidc:corp:ann", or "user:ann" */
	/* as they stand in a role's members behind "group/": "oidc:corp:devs" */
	const struct str *groups;
	size_t n_groups;
	const struct login_given *given;
	size_t n_given;
	int64_t expires_us;
};

struct logins;
struct logins *logins_new(void) MUST_USE;
void logins_free(struct logins *l);

/* By the hash of what was presented; NULL.  The caller looks at expires_us. */
const struct login *logins_find(struct logins *l, const struct hash *h);
const struct login *logins_id(const struct logins *l, struct str id);
/* Copied, in place of one with that hash; what has run out by now goes. */
const struct login *logins_add(struct logins *l, const struct login *x,
			       int64_t now_us);
/* Of this provider; "": all. */
void logins_drop(struct logins *l, struct str provider);
size_t logins_len(const struct logins *l);
/* When the first one after now_us runs out; 0: none does. */
int64_t logins_next_end(const struct logins *l, int64_t now_us);

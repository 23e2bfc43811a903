/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the files of src/access share; nobody else includes it. */
#pragma once

#include "access/access.h"
#include "access/logins.h"

struct names {
	struct str *items;
	size_t n;
	bool all; /* "*" was among them */
};

struct user {
	bool disabled;
	int64_t uid; /* -1: none */
	struct str name, subject;
};

struct group {
	struct str name; /* "group/devs" */
	struct names members;
};

struct grant {
	enum access_level role;
	struct names projects, members;
};

struct token {
	struct access_token t;
	struct names projects;
};

struct access {
	struct arena *arena;
	const struct logins *logins; /* NULL: none */
	struct map *users, *admins, *by_hash, *by_id, *by_cert;
	struct user **list;
	struct group *groups;
	struct grant *grants;
	struct token **tokens;
	size_t n_users, n_groups, n_grants, n_tokens;
};

/* What this subject came with, if that is a login; NULL. */
const struct login *access_login_of(const struct access *a, struct str subject,
				    struct str id);
bool access_names_has(const struct names *names, struct str s);

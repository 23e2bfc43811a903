/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Profiles: what a sandbox's programs may ask of the kernel.  Files in
 * policies/profiles/, compiled once by libseccomp; the bytes are then loaded
 * for every task as they are.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <linux/filter.h>

enum {
	PROFILE_NAME_MAX = 63,
	PROFILES_MAX = 32
};

/*
 * profile: NAME
 * extends: NAME          (rules of the other first)
 * default: errno | kill  (what is not listed; errno is ENOSYS or EPERM)
 * allow, errno, kill: [syscall, ...]
 * sockets: [unix, inet, inet6]
 * clone: threads         (no CLONE_NEW*; clone3 is ENOSYS)
 * personality: [0, ...]
 */
struct profile {
	char name[PROFILE_NAME_MAX + 1];
	struct sock_fprog filter;
	bool inet; /* may have a network other than none */
};

struct profile_set;

/* dir NULL: the built-in ones.  Errors name file and line. */
MUST_USE int profile_set_new(const char *dir, struct profile_set **ret,
			     struct err *e);
void profile_set_free(struct profile_set *s);
const struct profile *profile_find(const struct profile_set *s,
				   const char *name);
size_t profile_count(const struct profile_set *s);
const struct profile *profile_at(const struct profile_set *s, size_t i);

/* --- for profile.c and seccomp.c ---------------------------------------- */

enum {
	PROFILE_CALLS_MAX = 600,
	PROFILE_WORDS_MAX = 32
};

enum profile_verdict {
	CALL_DEFAULT,
	CALL_ALLOW,
	CALL_ERRNO,
	CALL_KILL
};

/* A profile as read, before it is compiled. */
struct profile_text {
	char name[PROFILE_NAME_MAX + 1], extends[PROFILE_NAME_MAX + 1];
	struct {
		char name[32];
		enum profile_verdict verdict;
	} calls[PROFILE_CALLS_MAX];
	size_t n_calls;
	bool kill_default;
	bool unix_sockets, inet_sockets;
	bool any_personality, ptrace_own;
};

/* Pure: one YAML file.  Errors: "NAME:LINE: ...". */
MUST_USE int profile_read(struct str file, struct str yaml,
			  struct profile_text *ret, struct err *e);
/* Compile to the kernel's form (seccomp.c); the caller frees filter.filter. */
MUST_USE int profile_compile(const struct profile_text *t, struct profile *ret,
			     struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * May this attempt run?  A pure function over the resolved attempt and the
 * policy files; the server asks it when a run is made, the runner again before
 * launch.  Deny by default; every deny wins; all reasons are given, each with
 * the rule's file and line.
 */
#pragma once

#include "job/attempt.h"

struct policy_set;

enum {
	POLICY_REASONS_MAX = 16,
	POLICY_REASON_LEN = 240,
	POLICY_WOULD_LEN = 240
};

/* The rule that a reason is about; file is the set's, NULL: there is none. */
struct policy_place {
	const char *file;
	unsigned line;
};

struct policy_verdict {
	bool allowed;
	bool secrets_env_allowed;
	struct grant_limits limits; /* as clamped */
	uint64_t timeout_us;        /* as clamped */
	char reasons[POLICY_REASONS_MAX][POLICY_REASON_LEN];
	struct policy_place places[POLICY_REASONS_MAX];
	/* What a rule that allows it says: "allow: { networks: [\"host\"] }"; ""
	 * where a rule denies it, which nothing makes up for. */
	char would[POLICY_REASONS_MAX][POLICY_WOULD_LEN];
	size_t n_reasons; /* of the denial; "policies/default.yaml:7: ..." */
};

/*
 * Build a set from the text of policy files (a name each, for reasons).  The
 * caller frees.  With no file at all everything is denied.
 */
MUST_USE int policy_set_new(struct policy_set **ret, struct err *e);
MUST_USE int policy_set_add(struct policy_set *s, struct str name,
			    struct str text, struct problems *ps);
void policy_set_free(struct policy_set *s);
/* SHA-256 over names and texts, order of names; the grant carries it. */
struct hash policy_set_digest(const struct policy_set *s);
/* All files in one text (for a sealed memfd) and back. */
bool policy_set_encode(const struct policy_set *s, struct buf *b);
MUST_USE int policy_set_decode(struct str text, struct policy_set **ret,
			       struct err *e);

void policy_decide(const struct policy_set *s, const struct job_attempt *a,
		   struct policy_verdict *ret);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A task that waits for people: what it asks for, and what an answer is bound
 * to.  Pure; who asked whom, and what was said, is the engine's.
 */
#pragma once

#include "base/hash.h"
#include "job/plan.h"

enum {
	APPROVAL_FROM_MAX = 64, /* people and groups that are named */
	APPROVAL_COUNT_MAX = 20,
	APPROVAL_SHOW_MAX = 32,
	APPROVAL_MESSAGE_MAX = 4096,
	APPROVAL_COMMENT_MAX = 1024
};

struct job_approval {
	bool wanted;                 /* false: granted without being asked */
	const struct doc_node *from; /* a list of user/N, group/N, role/LEVEL */
	const struct doc_node *show; /* a list of TASK.NAME; NULL: nothing */
	uint32_t count;              /* different people */
	bool submitter_may;
	uint64_t expires_us; /* 0: never */
	struct str message;  /* filled, in the arena; "" */
};

/* Of instance i, which is one; -1: a condition or the message cannot be
 * evaluated. */
MUST_USE int job_plan_approval(const struct job_plan *p, size_t i,
			       const struct job_stand *stand, struct arena *a,
			       struct job_approval *ret, struct err *e);

/* An artifact that was shown, by its content. */
struct job_shown {
	struct str name; /* TASK.NAME */
	const char *sha256;
};
/* SHA-256 over all that a yes is a yes to: this run and what it was made of,
 * the task, what was shown and what was said of it. */
struct hash job_approval_digest(struct str run_id, struct str run_digest,
				struct str task, struct str message,
				const struct job_shown *shown, size_t n);

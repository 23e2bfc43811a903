/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * `source: { git: ... }`: what may be said there, and the job that fetches it.
 * That job is an ordinary one of one task, made by us: it runs in a sandbox of
 * its own, gets the login and nothing else of the job's, and leaves a tar as
 * artifact `source.source` and the commit as output `commit`.
 *
 * Pure: nothing here talks to anybody.
 */
#pragma once

#include "job/plan.h"

enum {
	GIT_URL_MAX = 2048,
	GIT_REF_MAX = 255,
	GIT_PATH_MAX = 512
};

/* What a run that fetches is started by; nobody else can say this word. */
#define GIT_TRIGGER "source"
/* The artifact that it leaves. */
#define GIT_ARTIFACT "source.source"

struct job_git {
	struct str url, secret, path; /* of the job's document; "" : none */
	struct str ref;               /* filled, in the plan's arena */
	uint32_t depth;               /* commits; 0: all */
	bool submodules;
};

/* What is wrong with it, for people; NULL when nothing is. */
const char *job_git_url(struct str url);   /* https or http, no login in it */
const char *job_git_ref(struct str ref);   /* git-check-ref-format(1) */
const char *job_git_path(struct str path); /* relative, clean */
/* ssh://..., or user@host:path. */
bool job_git_is_ssh(struct str url);

/* Does the job have such a source? */
bool job_git_has(const struct job *j);
/* The source of a run.  -1: its ref is none, see ps. */
MUST_USE int job_git_read(const struct job_plan *p, struct job_git *ret,
			  struct problems *ps);
/*
 * The job that fetches it.
 *
 * canonical  appended: its text
 * ret        owned by the caller
 */
MUST_USE int job_git_fetch(const struct job_plan *p, const struct job_git *git,
			   struct buf *canonical, struct job **ret,
			   struct err *e);
/*
 * Is an attempt that says it fetches one of that job, to the letter?  Policy
 * lets such reach the network that others may not, also where the server that
 * sent it is not believed.
 */
bool job_git_is_ours(const struct job_attempt *a);

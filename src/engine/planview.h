/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a run would be, if it were made now: every instance, what it waits for
 * and may touch, and what policy says.  Pure; nothing is stored or fetched.
 */
#pragma once

#include "base/buf.h"
#include "engine/engine.h"

struct job;
struct job_attempt;
struct job_git;
struct job_plan;

/* A JSON object without its last brace, so that the caller may add to it.
 * Takes job, also on failure.  -1: ps has what is wrong with the inputs, or *e.
 * inputs is a JSON object, "" for {}. */
MUST_USE int planview(const struct policy_set *policies, struct job *job,
		      struct str canonical, struct str inputs,
		      struct str submitter, struct buf *b, struct problems *ps,
		      struct err *e);

/* The attempt that would fetch the plan's source, and the plan that it is of:
 * both are the caller's, also on failure (NULL). */
MUST_USE int planview_fetch(const struct job_plan *p, struct job_git *ret_git,
			    struct job_plan **ret_plan,
			    struct job_attempt **ret, struct problems *ps,
			    struct err *e);

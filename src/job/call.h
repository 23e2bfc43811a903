/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A task that is a run of another job: which, and with what.  Pure. */
#pragma once

#include "job/plan.h"

enum {
	CALL_DEPTH_MAX = 8,   /* calls within calls */
	CALL_TOTAL_MAX = 256, /* runs that one run may lead to */
	CALL_INPUTS_LEN_MAX = 256 * 1024
};

struct job_call {
	struct str name, project;
	struct str inputs; /* a JSON object of texts, in the arena */
	bool wait;
};

/* Which project a task's call goes to; "" : it is none. */
struct str job_call_project(const struct job *j, const struct job_task *t);
/* Of instance i, which is one; -1: its inputs cannot be evaluated. */
MUST_USE int job_plan_call(const struct job_plan *p, size_t i,
			   const struct job_stand *stand, struct arena *a,
			   struct job_call *ret, struct err *e);

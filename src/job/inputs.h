/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inputs and what expressions see; for src/job alone. */
#pragma once

#include "job/expr.h"
#include "job/plan.h"

/* Check what was given, fill defaults, into p->inputs. */
void inputs_take(struct job_plan *p, struct str given, struct problems *ps);

/* What expressions of an instance see. */
struct inputs_scope {
	const struct job_plan *p;
	size_t i;
	const struct job_stand *stand; /* NULL: nothing is known yet */
	struct arena *arena;
	struct expr_context c;
};
void inputs_scope(struct inputs_scope *s, const struct job_plan *p, size_t i,
		  const struct job_stand *stand, struct arena *a);

bool inputs_asks_failure(struct str text);
MUST_USE int inputs_eval_if(const struct job_plan *p, size_t i,
			    const struct job_stand *stand, struct str text,
			    bool *ret, struct err *e);

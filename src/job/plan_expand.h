/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Filling a plan with its instances; for src/job alone. */
#pragma once

#include "job/plan.h"

/* p has its job, arena, names and room for the instances; problems are added
 * for what only the expanded job can tell. */
void plan_expand(struct job_plan *p, struct problems *ps);
/* plan_group.c: its concurrency group, with the inputs filled in. */
void plan_group(struct job_plan *p, struct problems *ps);

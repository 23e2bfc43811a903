/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inputs and what expressions see; for src/job alone. */
#pragma once

#include "job/expr.h"
#include "job/plan.h"

enum {
	INPUT_LEN_MAX = 256 * 1024 /* of one value as text */
};

/*
 * What is wrong with a value of a declared input; NULL when nothing is, then
 * its text was appended to b.  Declared values (defaults, enums) are as the
 * declaration says; given ones may also be texts that read so ("5"), and must
 * be of the enum.
 */
const char *inputs_value(const struct doc_node *decl, const struct doc_node *v,
			 bool declared, struct buf *b);
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

/* "file" below the directory where a task finds its secrets. */
#define INPUTS_SECRETS "/run/nfo/secrets"
MUST_USE int inputs_eval_if(const struct job_plan *p, size_t i,
			    const struct job_stand *stand, struct str text,
			    bool *ret, struct err *e);

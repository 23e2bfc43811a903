/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One attempt in the making; for plan_attempt*.c alone. */
#pragma once

#include "job/inputs.h"

struct maker {
	const struct job_plan *p;
	const struct job_task *t;
	struct job_attempt *a;
	struct inputs_scope scope;
	struct err *e;
};

int maker_too_large(struct maker *m);
/* Copied into the attempt's arena; with expressions evaluated. */
MUST_USE int maker_keep(struct maker *m, struct str s, struct str *ret);
MUST_USE int maker_fill(struct maker *m, struct str text, struct str *ret);
MUST_USE int maker_fill_list(struct maker *m, const struct doc_node *list,
			     struct str **ret, size_t *ret_n);
void *maker_room(struct maker *m, size_t n, size_t size);

/* plan_attempt_io.c */
MUST_USE int maker_outputs(struct maker *m);
MUST_USE int maker_stdio(struct maker *m);
MUST_USE int maker_files(struct maker *m);
MUST_USE int maker_cache(struct maker *m);
/* plan_template.c; behind the secrets. */
MUST_USE int maker_templates(struct maker *m);
MUST_USE int maker_artifacts(struct maker *m);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A document into a job, its plan and its attempts.  The first byte picks the
 * syntax.  What was taken must be the same job and the same plan when it comes
 * back from its canonical text.
 */
#include "job/plan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	ATTEMPTS_MAX = 8
};

static const struct job_run_facts facts = {
	{"run_1", 5},
        {"api",   3},
        {"u",     1},
        {"",      0}
};

/* Names, groups and a few attempts of a plan, as text. */
static void describe(const struct job_plan *p, struct buf *b)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct job_instance *in = &p->instances[i];
		struct job_attempt *a;
		struct err e;

		if (in->group > i ||
		    (in->stdin_from >= 0 && (size_t)in->stdin_from >= i))
			abort();
		buf_printf(b, STR_FMT " %u %zu\n", STR_ARG(in->name), in->group,
			   in->n_needs);
		if (i >= ATTEMPTS_MAX || job_plan_attempt(p, i, NULL, &a, &e))
			continue;
		job_attempt_encode(a, b);
		job_attempt_free(a);
	}
}

static void again(const struct buf *canonical, const struct buf *want)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf text = BUF_INIT(8 << 20), b = BUF_INIT(8 << 20);
	struct job_plan *p;
	struct job *j;
	struct err e;

	if (job_parse_stored(buf_view(canonical), &j, ps) ||
	    job_canonical(j, &text, &e) ||
	    !str_eq(buf_view(&text), buf_view(canonical)) ||
	    job_plan_new(j, STR(""), &facts, &p, ps))
		abort();
	describe(p, &b);
	if (!str_eq(buf_view(&b), buf_view(want)))
		abort();
	job_plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf text = BUF_INIT(8 << 20), b = BUF_INIT(8 << 20);
	struct job_plan *p;
	struct job *j;
	struct err e;

	if (!len)
		return 0;
	if (job_parse(str_n((const char *)data + 1, len - 1),
		      data[0] == 'j' ? DOC_JSON :
		      data[0] == 't' ? DOC_TOML :
				       DOC_YAML,
		      &j, ps)) {
		if (!ps->n)
			abort();
		return 0;
	}
	(void)job_not_supported(j, ps);
	/* What no canonical text can hold (a number too large) is refused. */
	if (job_canonical(j, &text, &e)) {
		job_free(j);
		return 0;
	}
	if (job_plan_new(j, STR(""), &facts, &p, ps))
		return 0;
	describe(p, &b);
	again(&text, &b);
	job_plan_free(p);
	return 0;
}

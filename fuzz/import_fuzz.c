/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a script: as a job it runs the same bytes. */
#include "job/import.h"
#include "job/plan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct job_run_facts facts = {
		{"r", 1},
                {"t", 1},
                {"u", 1},
                {"",  0}
        };
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf yaml = BUF_INIT(DOC_TEXT_MAX);
	struct str script = str_n((const char *)data, len);
	struct job_attempt *a;
	struct job_plan *p;
	struct job *j;
	bool base64;
	struct err e;

	if (job_import(STR("s"), script, &yaml, &base64, &e)) {
		if (len && len < DOC_TEXT_MAX / 2)
			abort();
		return 0;
	}
	if (job_parse(buf_view(&yaml), DOC_YAML, &j, ps) ||
	    job_plan_new(j, STR(""), &facts, &p, ps) ||
	    job_plan_attempt(p, 0, NULL, &a, &e) ||
	    !str_eq(a->script, script) || !a->n_shell)
		abort();
	job_attempt_free(a);
	job_plan_free(p);
	return 0;
}

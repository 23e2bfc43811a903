/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as the result of an attempt: what is taken names no path, and
 * comes through once more unchanged. */
#include "job/result.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP_BUF struct buf one = BUF_INIT(4 * RESULT_JSON_MAX);
	CLEANUP_BUF struct buf two = BUF_INIT(4 * RESULT_JSON_MAX);
	struct job_result *r, *s;
	struct err e;

	if (job_result_decode(str_n((const char *)data, len), &r, &e))
		return 0;
	for (size_t i = 0; i < r->n_artifacts; i++)
		if (str_has(r->artifacts[i].staged, '/') ||
		    str_has(r->artifacts[i].file.clean, '/') ||
		    r->artifacts[i].staged.p[0] == '.')
			abort();
	if (!job_result_encode(r, &one))
		abort();
	job_result_free(r);
	if (one.len > RESULT_JSON_MAX)
		return 0;
	if (job_result_decode(buf_view(&one), &s, &e) ||
	    !job_result_encode(s, &two) ||
	    !str_eq(buf_view(&one), buf_view(&two)))
		abort();
	job_result_free(s);
	return 0;
}

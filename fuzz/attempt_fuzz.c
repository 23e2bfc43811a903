/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as an attempt: what is taken comes through once more unchanged. */
#include "job/attempt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP_BUF struct buf one = BUF_INIT(4 * ATTEMPT_JSON_MAX);
	CLEANUP_BUF struct buf two = BUF_INIT(4 * ATTEMPT_JSON_MAX);
	struct job_attempt *a, *b;
	struct err e;

	if (job_attempt_decode(str_n((const char *)data, len), &a, &e))
		return 0;
	if (!job_attempt_encode(a, &one))
		abort();
	job_attempt_free(a);
	if (one.len > ATTEMPT_JSON_MAX)
		return 0;
	if (job_attempt_decode(buf_view(&one), &b, &e) ||
	    !job_attempt_encode(b, &two) ||
	    !str_eq(buf_view(&one), buf_view(&two)))
		abort();
	job_attempt_free(b);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a zone's file: every instant has an offset that a clock can
 * have, and a local time comes after no more than a day. */
#include "sched/tz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err e;
	struct tz *z;

	if (tz_parse(str_n((const char *)data, len), &z, &e))
		return 0;
	for (int64_t t = -4000000000; t < 8000000000; t += 86400 * 97) {
		int32_t o = tz_offset(z, t);

		if (o < -26 * 3600 || o > 26 * 3600)
			abort();
		(void)tz_from_local(z, t);
	}
	tz_free(z);
	return 0;
}

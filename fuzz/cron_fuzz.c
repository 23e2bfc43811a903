/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a cron line: a line that is taken has something in each field,
 * and nothing that the field does not have. */
#include "job/cron.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void within(uint64_t set, unsigned from, unsigned to)
{
	if (!set || set >> from << from != set || set >> to > 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cron c;
	int field = -1;

	if (cron_parse(str_n((const char *)data, len), &c, &field)) {
		if (field < 0 || field > 5)
			abort();
		return 0;
	}
	within(c.minute, 0, 59);
	within(c.hour, 0, 23);
	within(c.day, 1, 31);
	within(c.month, 1, 12);
	within(c.weekday, 0, 6);
	return 0;
}

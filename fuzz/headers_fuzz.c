/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as each of the headers that are read by hand: what is taken keeps
 * its promises. */
#include "api/headers.h"
#include "api/negotiate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void ranges(struct str s, uint64_t size)
{
	uint64_t from = 0, n = 0;

	if (range_parse(s, size, &from, &n) == RANGE_PART)
		must(n && from < size && n <= size - from);
	else
		must(!from && !n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const types[] = {"application/json", "text/plain",
					    "text/event-stream"};
	struct str s = str_n((const char *)data, len);
	int64_t us;
	int pick;

	ranges(s, 0);
	ranges(s, 1);
	ranges(s, 100000);
	ranges(s, UINT64_MAX);
	us = prefer_wait(s, 60000000);
	must(us >= 0 && us <= 60000000);
	must(!request_id_ok(s) || len <= REQUEST_ID_MAX);
	must(!idempotency_key_ok(s) || len <= IDEMPOTENCY_KEY_MAX);
	pick = accept_pick(s, types, 3);
	must(pick >= -1 && pick < 3);
	(void)coding_name(coding_pick(s));
	must(!etag_in(s, STR("\"a\"")) || etag_weakly_in(s, STR("\"a\"")));
	(void)if_range_holds(s, "\"a\"");
	return 0;
}

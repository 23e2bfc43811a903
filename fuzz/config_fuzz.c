/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as the settings that pass the monitor: what is taken can be told,
 * what is not has a reason. */
#include "base/mem.h"
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(8 << 20);
	struct config *c;

	if (config_decode(str_n((const char *)data, len), &c, NULL, ps)) {
		if (!ps->n)
			abort();
		return 0;
	}
	if (ps->n || !config_json(c, c, &b) || !str_utf8_valid(buf_view(&b)))
		abort();
	config_free(c);
	return 0;
}

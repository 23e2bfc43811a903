/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One header; see fetch.h. */
#include "fetch/fetch.h"

#include <strings.h>

static bool is_word(struct str s, const char *word, size_t len)
{
	return s.len == len && !strncasecmp(s.p, word, len);
}

uint32_t fetch_max_age(struct str cache_control)
{
	uint64_t age = 0;

	while (cache_control.len) {
		struct str value = str_trim(str_cut(&cache_control, ','));
		struct str name = str_cut(&value, '=');

		if (is_word(name, "no-store", 8) ||
		    is_word(name, "no-cache", 8))
			return 0;
		if (is_word(name, "max-age", 7) &&
		    (!value.p || str_to_u64(value, UINT32_MAX, &age)))
			return 0;
	}
	return (uint32_t)age;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What single headers say; see headers.h. */
#include "api/headers.h"

/* "-N": the last so many. */
static enum range suffix(struct str s, uint64_t size, uint64_t *from,
			 uint64_t *len)
{
	uint64_t n;

	if (str_to_u64(s, UINT64_MAX, &n))
		return RANGE_ALL;
	if (!n || !size)
		return RANGE_NONE;
	*from = n < size ? size - n : 0;
	*len = size - *from;
	return RANGE_PART;
}

enum range range_parse(struct str s, uint64_t size, uint64_t *from,
		       uint64_t *len)
{
	uint64_t a, z = size ? size - 1 : 0;
	struct str first;

	if (!str_starts(s, STR("bytes=")) || str_has(s, ','))
		return RANGE_ALL;
	s = str_from_at(s, 6);
	if (!str_has(s, '-'))
		return RANGE_ALL;
	first = str_trim(str_cut(&s, '-'));
	s = str_trim(s);
	if (!first.len)
		return suffix(s, size, from, len);
	if (str_to_u64(first, UINT64_MAX, &a) ||
	    (s.len && (str_to_u64(s, UINT64_MAX, &z) || z < a)))
		return RANGE_ALL;
	if (a >= size)
		return RANGE_NONE;
	*from = a;
	*len = (z < size ? z : size - 1) - a + 1;
	return RANGE_PART;
}

bool if_range_holds(struct str s, const char *tag)
{
	return !s.p || (tag && str_is(str_trim(s), tag));
}

int64_t prefer_wait(struct str s, int64_t max_us)
{
	uint64_t n;

	while (s.p) {
		struct str one = str_trim(str_cut(&s, ','));

		if (!str_starts(one, STR("wait=")) ||
		    str_to_u64(str_from_at(one, 5), UINT32_MAX, &n))
			continue;
		return (int64_t)n * 1000000 < max_us ? (int64_t)n * 1000000 :
						       max_us;
	}
	return 0;
}

bool request_id_ok(struct str s)
{
	static const char more[] = "-_.:";

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') &&
		    (c < 'A' || c > 'Z') &&
		    !str_has(str_n(more, sizeof(more) - 1), c))
			return false;
	}
	return s.len && s.len <= REQUEST_ID_MAX;
}

bool idempotency_key_ok(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.len && s.len <= IDEMPOTENCY_KEY_MAX;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Any bytes as a cursor: only what was made with the key for the question is
 * one. */
#include "api/cursor.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const unsigned char key[CURSOR_KEY_LEN] = {1, 2, 3};
	struct buf b CLEANUP_BUF = BUF_INIT(CURSOR_TEXT_MAX);
	char name[CURSOR_NAME_MAX + 1];
	struct str s = str_n((const char *)data, len);
	int64_t id = 0;

	if (!cursor_parse(key, STR("/v1/runs?"), s, &id)) {
		cursor_write(key, STR("/v1/runs?"), id, &b);
		if (!str_eq(buf_view(&b), s))
			abort();
	}
	if (!cursor_parse_name(key, STR("/v1/x?"), s, name)) {
		buf_reset(&b);
		cursor_write_name(key, STR("/v1/x?"), str_from(name), &b);
		if (!str_eq(buf_view(&b), s))
			abort();
	}
	/* a name comes back as it was, and is of its question */
	if (len && len <= CURSOR_NAME_MAX && !memchr(data, 0, len)) {
		buf_reset(&b);
		cursor_write_name(key, STR("/v1/x?"), s, &b);
		if (cursor_parse_name(key, STR("/v1/x?"), buf_view(&b), name) ||
		    !str_eq(str_from(name), s) ||
		    !cursor_parse_name(key, STR("/v1/y?"), buf_view(&b), name))
			abort();
	}
	/* and of what was made none may be changed */
	if (len < sizeof(id) + 1)
		return 0;
	memcpy(&id, data, sizeof(id));
	buf_reset(&b);
	cursor_write(key, STR("/v1/runs?"), id, &b);
	b.data[data[sizeof(id)] % b.len] ^= 1;
	if (!cursor_parse(key, STR("/v1/runs?"), buf_view(&b), &id))
		abort();
	return 0;
}

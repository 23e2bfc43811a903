/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Server-sent events; see sse.h.  Only what our server sends: a field has one
 * blank after its colon, data is one line. */
#include "cli/sse.h"

#include <string.h>

static void one(struct str text, sse_fn *fn, void *ctx)
{
	struct sse_event ev = {
		{NULL, 0},
                {NULL, 0},
                {NULL, 0}
        };

	while (text.len) {
		struct str line = str_cut(&text, '\n');

		if (str_starts(line, STR("event: ")))
			ev.type = str_from_at(line, 7);
		else if (str_starts(line, STR("id: ")))
			ev.id = str_from_at(line, 4);
		else if (str_starts(line, STR("data: ")))
			ev.data = str_from_at(line, 6);
	}
	if (ev.type.len)
		fn(ctx, &ev);
}

int sse_feed(struct buf *b, const char *p, size_t len, sse_fn *fn, void *ctx)
{
	char *end;

	if (!buf_put(b, p, len))
		return -1;
	while (b->len && (end = memmem(b->data, b->len, "\n\n", 2))) {
		size_t n = (size_t)(end - b->data);

		one(str_n(b->data, n + 1), fn, ctx);
		buf_drop_front(b, n + 2);
	}
	return 0;
}

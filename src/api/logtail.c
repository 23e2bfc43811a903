/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A ring of the last; see logtail.h. */
#include "api/logtail.h"
#include "base/mem.h"

void logtail_init(struct logtail *t, size_t max)
{
	*t = (struct logtail){.max = max < LOGTAIL_MAX ? max : LOGTAIL_MAX};
	t->items = mem_array(t->max, sizeof(*t->items));
}

static void drop(struct logtail *t)
{
	struct logtail_item *i = &t->items[t->first];

	t->bytes -= i->len;
	mem_free(i->p);
	*i = (struct logtail_item){0};
	t->first = (t->first + 1) % t->max;
	t->n--;
}

void logtail_done(struct logtail *t)
{
	while (t->n)
		drop(t);
	mem_free(t->items);
	*t = (struct logtail){0};
}

void logtail_put(struct logtail *t, struct str s)
{
	while (t->n && (t->n == t->max || t->bytes + s.len > LOGTAIL_BYTES))
		drop(t);
	t->items[(t->first + t->n++) % t->max] =
		(struct logtail_item){mem_strndup(s.p, s.len), s.len};
	t->bytes += s.len;
}

bool logtail_take(struct logtail *t, struct buf *b, size_t bytes)
{
	while (t->n && b->len < bytes) {
		const struct logtail_item *i = &t->items[t->first];

		buf_put(b, i->p, i->len);
		drop(t);
	}
	return !t->n;
}

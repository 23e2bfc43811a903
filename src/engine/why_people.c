/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whom a run waits for; see why_people.h. */
#include "engine/why_people.h"
#include "base/clock.h"
#include "base/mem.h"
#include "doc/doc.h"

#include <inttypes.h>

struct people {
	struct store_reader *reader;
	struct str task;
	struct buf *b;
	size_t *n;
	uint32_t index, said; /* of the one that is written */
};

static int count(void *ctx, const struct store_decision *d, struct err *e)
{
	struct people *x = ctx;

	(void)e;
	x->said += d->index == x->index && d->approves;
	return 0;
}

/* "group/a or user/b", inside a JSON text. */
static void put_names(struct buf *b, struct str named)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d;

	if (doc_parse(named, DOC_JSON, &d, ps))
		return;
	for (const struct doc_node *n = d->root->first; n; n = n->next) {
		buf_puts(b, n == d->root->first ? "" : " or ");
		buf_json(b, n->text);
	}
	doc_free(d);
}

static int see(void *ctx, const struct store_approval *a, struct err *e)
{
	struct people *x = ctx;
	char t[CLOCK_TEXT_LEN + 1];

	if (a->state != APPROVAL_OPEN ||
	    (x->task.p && !str_eq(x->task, a->task)))
		return 0;
	x->index = a->index;
	x->said = 0;
	if (store_read_decisions(x->reader, a->run, count, x, e))
		return -1;
	buf_printf(x->b, "%s{\"for\":\"approval\",\"text\":\"",
		   (*x->n)++ ? "," : "");
	if (!x->task.p) {
		buf_puts(x->b, "task \\\"");
		buf_json(x->b, a->task);
		buf_puts(x->b, "\\\": ");
	}
	buf_puts(x->b, "an approval by ");
	put_names(x->b, a->named);
	buf_printf(x->b, " (%" PRIu32 " of %" PRIu32 " given)", x->said,
		   a->count);
	clock_format(a->expires_us, t);
	if (a->expires_us)
		buf_printf(x->b, ", until %s", t);
	buf_puts(x->b, "\",\"task\":\"");
	buf_json(x->b, a->task);
	buf_puts(x->b, "\",\"from\":");
	buf_str(x->b, a->named);
	buf_printf(x->b,
		   a->expires_us ? ",\"expires_at\":\"%s\"}" :
				   ",\"expires_at\":null}",
		   t);
	return 0;
}

int why_people(struct store_reader *r, const struct ulid *run, struct str task,
	       struct buf *b, size_t *n, struct err *e)
{
	struct people x = {.reader = r, .task = task, .b = b, .n = n};

	return store_read_approvals(r, run, see, &x, e);
}

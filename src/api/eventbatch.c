/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The next events of a stream; see eventbatch.h. */
#include "api/eventbatch.h"
#include "base/mem.h"
#include "engine/view.h"

#include <inttypes.h>
#include <string.h>

enum {
	EVENTS_BATCH = 200,
	/* Ids that one read goes past: most may be of what is not seen. */
	EVENTS_LOOK = 10000,
	BATCH_MAX = 1 << 20,
	VISIBLE_MAX = 64 << 10, /* beyond it is read anew each time */
	/* Each follower asks twice: for what there is, and whether there is
	 * more. */
	KEPT = 8
};

struct kept {
	bool used;
	uint64_t version;
	bool one_run;
	struct ulid run;
	uint32_t types;
	int64_t after, last;
	size_t n;
	struct buf visible, text;
};

struct eventbatch {
	struct kept kept[KEPT];
	size_t next; /* to be overwritten */
};

struct eventbatch *eventbatch_new(void)
{
	struct eventbatch *x = mem_alloc(sizeof(*x));

	for (size_t i = 0; i < KEPT; i++) {
		x->kept[i].visible = BUF_INIT(VISIBLE_MAX);
		x->kept[i].text = BUF_INIT(BATCH_MAX);
	}
	return x;
}

void eventbatch_free(struct eventbatch *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < KEPT; i++) {
		buf_done(&x->kept[i].visible);
		buf_done(&x->kept[i].text);
	}
	mem_free(x);
}

static bool same(const struct kept *k, const struct eventbatch_ask *q)
{
	return k->used && k->version == q->version && k->after == q->after &&
	       k->types == q->types && k->one_run == (q->run != NULL) &&
	       (!q->run || !strcmp(k->run.s, q->run->s)) &&
	       str_eq(buf_view(&k->visible), q->visible);
}

static int on_event(void *ctx, const struct store_event *ev, struct err *e)
{
	struct kept *k = ctx;

	(void)e;
	k->last = ev->id;
	k->n++;
	if (k->types && !(k->types >> ev->type & 1))
		return 0;
	buf_printf(&k->text, "event: %s\nid: %" PRId64 "\ndata: ",
		   view_event_type(ev->type), ev->id);
	view_event(ev, &k->text);
	buf_puts(&k->text, "\n\n");
	return 0;
}

/* Of one run, by its index; of all, what is not seen is looked at once. */
static int read_events(struct kept *k, struct store_reader *reader,
		       const struct eventbatch_ask *q, struct err *e)
{
	int64_t newest = 0, to;

	if (q->run)
		return store_read_events(reader, q->run, q->visible, q->after,
					 0, EVENTS_BATCH, on_event, k, e);
	if (store_read_last_event(reader, &newest, e))
		return -1;
	to = newest - q->after > EVENTS_LOOK ? q->after + EVENTS_LOOK : newest;
	if (store_read_events(reader, NULL, q->visible, q->after, to,
			      EVENTS_BATCH, on_event, k, e))
		return -1;
	if (k->n < EVENTS_BATCH && to > k->last)
		k->last = to;
	k->n += to < newest; /* there may be more */
	return 0;
}

static int read_anew(struct kept *k, struct store_reader *reader,
		     const struct eventbatch_ask *q, struct err *e)
{
	k->used = false;
	buf_reset(&k->visible);
	buf_reset(&k->text);
	k->version = q->version;
	k->one_run = q->run != NULL;
	if (q->run)
		k->run = *q->run;
	k->types = q->types;
	k->after = k->last = q->after;
	k->n = 0;
	if (read_events(k, reader, q, e))
		return -1;
	if (k->text.failed)
		return err_set(e, ERR_LIMIT, "events: too many bytes");
	k->used = buf_str(&k->visible, q->visible);
	return 0;
}

int eventbatch_read(struct eventbatch *x, struct store_reader *reader,
		    const struct eventbatch_ask *q, struct buf *b,
		    int64_t *ret_last, size_t *ret_n, struct err *e)
{
	struct kept *k = NULL;

	for (size_t i = 0; i < KEPT && !k; i++)
		if (same(&x->kept[i], q))
			k = &x->kept[i];
	if (!k) {
		k = &x->kept[x->next];
		x->next = (x->next + 1) % KEPT;
		if (read_anew(k, reader, q, e))
			return -1;
	}
	buf_str(b, buf_view(&k->text));
	*ret_last = k->last;
	*ret_n = k->n;
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Runs that a webhook's caller asked for: one for each of its deliveries, noted
 * in the transaction that makes the run.  What was rejected may be tried again.
 */
#include "base/clock.h"
#include "engine/internal.h"
#include "store/hooks.h"

#include <string.h>

struct seen {
	bool final;
	struct ulid run;
};

static int see(void *ctx, const struct store_delivery *d, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->final = !str_is(d->outcome, "rejected");
	if (d->run.len == ULID_LEN)
		memcpy(s->run.s, d->run.p, ULID_LEN);
	return 0;
}

static bool is_same(const struct engine_order *a, const struct engine_order *b)
{
	return a->hook == b->hook && str_eq(a->delivery, b->delivery);
}

/* One that came in the same turn is not in the store yet. */
static const struct run *seen_in_turn(struct engine *g,
				      const struct engine_order *o)
{
	LIST_FOR(l, &g->put)
	{
		const struct run *r = LIST_ENTRY(l, struct run, put);

		if (r->create && is_same(r->create->order, o))
			return r;
	}
	return NULL;
}

bool delivery_seen(struct engine *g, struct command *c)
{
	const struct engine_order *o = c->order;
	struct seen s = {.final = false};
	const struct run *r;
	int found;

	if (!o->hook)
		return false;
	r = seen_in_turn(g, o);
	if (r) {
		c->reply.run = r->row.ulid;
		c->reply.replayed = true;
		return true;
	}
	found = store_delivery_get(g->store, o->hook, o->delivery, see, &s,
				   &c->reply.err);
	if (found < 0)
		return true; /* the error is the answer */
	c->reply.run = s.run;
	c->reply.replayed = s.final;
	return s.final;
}

int delivery_save(struct engine *g, const struct engine_order *o, struct err *e)
{
	const struct store_delivery d = {
		.hook = o->hook,
		.delivery = o->delivery,
		.event = o->event,
		.outcome = STR("run"),
		.run = str_from(o->ulid.s),
		.error = STR(""),
		.at_us = clock_real_us(),
	};

	return o->hook ? store_delivery_put(g->store, &d, e) : 0;
}

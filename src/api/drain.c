/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The server's end, in order; see drain.h. */
#include "api/drain.h"
#include "api/follow.h"
#include "api/internal.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/log.h"

bool drain_refuses(struct request *r)
{
	const struct route *route = r->route;
	bool runs = route->body == BODY_RUN || route->body == BODY_ORDER;

	if (!r->api->draining || !runs)
		return false;
	reply_problem(r, 503, "stopping", "the server is about to stop");
	return true;
}

static void on_timer(void *ctx)
{
	struct api *a = ctx;

	if (a->n_open)
		log_warn("%zu requests are cut off", a->n_open);
	a->on_drained(a->drained_ctx);
}

void drain_one_less(struct api *a)
{
	a->n_open--;
	if (a->draining && !a->n_open)
		loop_timer_set(a->drained, clock_mono_us());
}

void api_drain(struct api *a, int64_t limit_us, void (*done)(void *ctx),
	       void *ctx)
{
	if (a->draining) { /* asked again: at once */
		loop_timer_set(a->drained, clock_mono_us());
		return;
	}
	log_info("stopping; requests under way: %zu", a->n_open);
	a->draining = true;
	a->on_drained = done;
	a->drained_ctx = ctx;
	a->drained = loop_timer_new(a->loop, on_timer, a);
	loop_timer_set(a->drained,
		       clock_mono_us() + (a->n_open ? limit_us : 0));
	http_close_door(a->http);
	follow_end(a);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What waits, and for what. */
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/page.h"
#include "api/reply.h"
#include "engine/why.h"

enum {
	VIEW_MAX = 16 << 20
};

int h_run_why(struct request *r)
{
	struct engine_stats stats = engine_stats(r->api->engine);
	struct buf b = BUF_INIT(VIEW_MAX);
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	if (why_run(r->api->reader, &run, &stats, &b, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	return reply_json(r, 200, &b);
}

int h_queue(struct request *r)
{
	CLEANUP_BUF struct buf visible = BUF_INIT(1 << 20);
	struct buf b = BUF_INIT(VIEW_MAX);
	uint64_t limit;
	struct err e;

	if (request_query_u64(r, "limit", 1, PAGE_LIMIT_MAX, PAGE_LIMIT,
			      &limit))
		return 0;
	auth_visible(r, &visible);
	buf_puts(&b, "{\"items\":");
	if (why_queue(r->api->reader, buf_view(&visible), (uint32_t)limit, &b,
		      &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	buf_puts(&b, "}\n");
	return reply_json(r, 200, &b);
}

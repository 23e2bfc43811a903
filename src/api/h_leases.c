/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What is lent to attempts by providers of secrets: the keeper has it, and
 * gives it back. */
#include "api/handlers.h"
#include "api/internal.h"
#include "api/page.h"
#include "api/reply.h"
#include "engine/engine.h"

#include <string.h>

/* "lease_ULID", "run_ULID": the ULID; -1: it is none. */
static int id_of(struct str s, const char *prefix, struct str *ret)
{
	struct str rest = str_from_at(s, strlen(prefix));

	if (!str_starts(s, str_from(prefix)) || !ulid_valid(rest))
		return -1;
	*ret = rest;
	return 0;
}

/* Each item begins with its id, which holds no quote. */
static struct str last_id(struct str items)
{
	static const char mark[] = "{\"id\":\"lease_";
	struct str last = STR("");
	const char *at;

	while (items.len &&
	       (at = memmem(items.p, items.len, mark, sizeof(mark) - 1))) {
		items = str_from_at(items,
				    (size_t)(at - items.p) + sizeof(mark) - 1);
		last = str_n(items.p, items.len < ULID_LEN ? 0 : ULID_LEN);
	}
	return last;
}

static void on_page(void *ctx, const struct keeper_answer *a)
{
	struct buf b = BUF_INIT(KEEPER_LIST_MAX + 256);
	struct request *r = ctx;

	if (a->err.code) {
		reply_err(r, &a->err);
	} else {
		buf_puts(&b, "{\"items\":");
		buf_str(&b, a->json);
		page_reply_name(r, &b, a->number ? last_id(a->json) : STR(""));
	}
	request_resume(r);
}

int h_leases(struct request *r)
{
	struct keeper_leases q = {0};
	struct page page;
	struct str run;
	struct err e;

	if (page_by_name(r, &page))
		return 0;
	(void)request_query(r, "provider", 0, &q.provider);
	(void)request_query(r, "project", 0, &q.project);
	if (request_query(r, "run", 0, &run) && id_of(run, "run_", &q.run))
		return reply_problem(r, 400, "bad-parameter",
				     "run: no id of a run");
	q.after = str_from(page.after);
	q.limit = page.limit;
	if (keeper_leases(r->api->keeper, &q, on_page, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

static void on_audited(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;

	if (a->err.code)
		reply_err(r, &a->err);
	else
		reply_empty(r, 202);
	request_resume(r);
}

static void on_revoking(void *ctx, const struct keeper_answer *a)
{
	struct request *r = ctx;
	struct err e = a->err;

	if (!e.code &&
	    !engine_audit(r->api->engine, str_from(r->who.name),
			  STR("lease.revoke"), r->params[0], on_audited, r, &e))
		return;
	reply_err(r, &e);
	request_resume(r);
}

int h_lease_revoke(struct request *r)
{
	struct str id;
	struct err e;

	if (id_of(r->params[0], "lease_", &id))
		return reply_problem(r, 404, "not-found", "no such lease");
	if (keeper_lease_revoke(r->api->keeper, id, on_revoking, r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

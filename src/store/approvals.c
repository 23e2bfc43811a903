/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Approvals and decisions; see approvals.h. */
#include "store/approvals.h"
#include "store/reader.h"
#include "store/writer.h"

#include <string.h>

/* --- written ------------------------------------------------------------ */

int store_approval_put(struct store *s, int64_t run,
		       const struct store_approval *a, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_APPROVAL_PUT, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, a->index);
	query_str(&q, a->task);
	query_i64(&q, a->state);
	query_str(&q, a->digest);
	query_str(&q, a->message);
	query_str(&q, a->named);
	query_str(&q, a->shown);
	query_i64(&q, a->count);
	query_i64(&q, a->submitter_may);
	query_i64(&q, a->asked_us);
	query_i64(&q, a->expires_us);
	return query_run(&q, e);
}

int store_decision_put(struct store *s, int64_t run,
		       const struct store_decision *d, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&s->db, DB_DECISION_PUT, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, d->index);
	query_str(&q, d->person);
	query_str(&q, d->who);
	query_i64(&q, d->approves);
	query_str(&q, d->comment);
	query_i64(&q, d->ts_us);
	return query_run(&q, e);
}

/* --- read --------------------------------------------------------------- */

static void get_approval(struct query *q, struct store_approval *a)
{
	struct str ulid;
	int64_t state;

	*a = (struct store_approval){.id = query_get_i64(q)};
	a->run = query_get_i64(q);
	a->index = (uint32_t)query_get_i64(q);
	a->task = query_get_str(q);
	state = query_get_i64(q);
	/* what we did not write is closed */
	a->state = state >= APPROVAL_OPEN && state < N_APPROVAL_STATES ?
			   (enum store_approval_state)state :
			   APPROVAL_CANCELLED;
	a->digest = query_get_str(q);
	a->message = query_get_str(q);
	a->named = query_get_str(q);
	a->shown = query_get_str(q);
	a->count = (uint32_t)query_get_i64(q);
	a->submitter_may = query_get_i64(q) != 0;
	a->asked_us = query_get_i64(q);
	a->expires_us = query_get_i64(q);
	ulid = query_get_str(q);
	if (ulid.len == ULID_LEN)
		memcpy(a->ulid.s, ulid.p, ULID_LEN);
	a->project = query_get_str(q);
	a->job = query_get_str(q);
	a->submitter = query_get_str(q);
	a->run_digest = query_get_str(q);
}

static int each_approval(struct query *q, store_approval_fn *fn, void *ctx,
			 struct err *e)
{
	struct store_approval a;
	int r;

	while ((r = query_step(q, e)) > 0) {
		get_approval(q, &a);
		if (fn(ctx, &a, e))
			return -1;
	}
	return r;
}

static int approvals(struct db *db, const struct ulid *run,
		     store_approval_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(db, DB_APPROVALS_OF, &q, e))
		return -1;
	query_str(&q, str_from(run->s));
	return each_approval(&q, fn, ctx, e);
}

static int decisions(struct db *db, int64_t run, store_decision_fn *fn,
		     void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_decision d;
	int r;

	if (query_start(db, DB_DECISIONS, &q, e))
		return -1;
	query_i64(&q, run);
	while ((r = query_step(&q, e)) > 0) {
		d.index = (uint32_t)query_get_i64(&q);
		d.person = query_get_str(&q);
		d.who = query_get_str(&q);
		d.approves = query_get_i64(&q) != 0;
		d.comment = query_get_str(&q);
		d.ts_us = query_get_i64(&q);
		if (fn(ctx, &d, e))
			return -1;
	}
	return r;
}

int store_approvals(struct store *s, const struct ulid *run,
		    store_approval_fn *fn, void *ctx, struct err *e)
{
	return approvals(&s->db, run, fn, ctx, e);
}

int store_decisions(struct store *s, int64_t run, store_decision_fn *fn,
		    void *ctx, struct err *e)
{
	return decisions(&s->db, run, fn, ctx, e);
}

int store_read_approvals(struct store_reader *r, const struct ulid *run,
			 store_approval_fn *fn, void *ctx, struct err *e)
{
	return approvals(&r->db, run, fn, ctx, e);
}

int store_read_decisions(struct store_reader *r, int64_t run,
			 store_decision_fn *fn, void *ctx, struct err *e)
{
	return decisions(&r->db, run, fn, ctx, e);
}

int store_read_open_approvals(struct store_reader *r, struct str visible,
			      int64_t before, store_approval_fn *fn, void *ctx,
			      struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&r->db, DB_APPROVALS_OPEN, &q, e))
		return -1;
	query_i64(&q, before ? before : INT64_MAX);
	query_str(&q, visible);
	return each_approval(&q, fn, ctx, e);
}

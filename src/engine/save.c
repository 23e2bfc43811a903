/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is marked, into the store.  Called in a transaction that may fail after
 * it: nothing is forgotten before save_done().
 */
#include "base/clock.h"
#include "base/crash.h"
#include "engine/internal.h"

static int save_new(struct run *r, struct err *e)
{
	const struct engine_order *o = r->create->order;
	struct store_run row = r->row;
	struct store *s = r->g->store;

	row.canonical = o->row.canonical;
	if (store_run_add(s, &row, &r->row.id, e))
		return -1;
	CRASH_POINT("run.half-saved");
	if (o->key.len && store_key_put(s, row.submitter, o->key, &o->request,
					&row.ulid, row.created_us, e))
		return -1;
	if (delivery_save(r->g, o, e))
		return -1;
	return store_audit_add(s, row.created_us, row.submitter,
			       STR("run.create"), str_from(row.ulid.s), e);
}

static int save_task(struct run *r, size_t i, struct err *e)
{
	const struct instance *in = &r->inst[i];
	struct store_task t = {
		.index = (uint32_t)i,
		.name = r->plan->instances[i].name,
		.state = r->states[i],
		.kind = in->kind,
		.attempt = in->attempt,
		.blocked = in->blocked,
		.error = in->error,
		.due_us = r->due_us[i],
	};

	if (in->approval && approve_save(r, i, e))
		return -1;
	return store_task_put(r->g->store, r->row.id, &t, e);
}

static int save_tasks(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->plan->n; i++) {
		const struct instance *in = &r->inst[i];

		if (in->task_dirty && save_task(r, i, e))
			return -1;
		if (cache_save(&r->inst[i], e))
			return -1;
		if (in->attempt_undone &&
		    store_attempts_drop(r->g->store, r->row.id, in->index,
					in->attempt, e))
			return -1;
		if (in->attempt_dirty &&
		    store_attempt_put(r->g->store, r->row.id, &in->row, e))
			return -1;
		if (in->seen.len &&
		    store_audit_add(r->g->store, in->row.finished_us,
				    r->row.submitter, STR("secret.seen"),
				    in->seen, e))
			return -1;
	}
	return 0;
}

static bool has_private(const struct run *r)
{
	for (size_t i = 0; i < r->n_kept; i++)
		if (r->kept[i].is_private)
			return true;
	return false;
}

int save_run(struct run *r, struct err *e)
{
	struct store *s = r->g->store;

	if (r->create) {
		if (save_new(r, e))
			return -1;
	} else if (r->row_dirty && store_run_set(s, &r->row, e)) {
		return -1;
	}
	if (r->source_dirty && !r->create && store_run_source(s, &r->row, e))
		return -1;
	if (r->tasks_dirty && save_tasks(r, e))
		return -1;
	for (size_t i = 0; i < r->n_artifacts; i++)
		if (store_artifact_put(s, r->row.id, &r->artifacts[i], e))
			return -1;
	if (r->ended && has_private(r) &&
	    store_artifacts_close(s, r->row.id, r->row.finished_us, e))
		return -1;
	for (size_t i = 0; i < r->n_events; i++)
		if (store_event_add(s, r->row.id, &r->events[i], &r->last_event,
				    e))
			return -1;
	return 0;
}

void save_done(struct run *r)
{
	for (size_t i = 0; r->tasks_dirty && i < r->plan->n; i++) {
		r->inst[i].task_dirty = r->inst[i].attempt_dirty =
			r->inst[i].attempt_undone = false;
		r->inst[i].cache_used = 0;
		r->inst[i].cache_made = NULL;
		r->inst[i].seen = STR("");
	}
	r->row_dirty = r->tasks_dirty = r->source_dirty = false;
	r->n_artifacts = r->n_events = 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A run made again: what succeeded before, and needs nothing that did not,
 * counts as done, with its outputs and artifacts.  Rows are made anew, so that
 * the earlier run may be forgotten.
 */
#include "base/mem.h"
#include "engine/internal.h"

#include <string.h>

struct earlier {
	struct run *r;
	bool *done;         /* of every instance */
	bool *made_private; /* likewise */
	int64_t run;
};

static int see_task(void *ctx, const struct store_task *t, struct err *e)
{
	struct earlier *x = ctx;

	(void)e;
	if (t->index < x->r->plan->n)
		x->done[t->index] =
			t->state == STATE_SUCCEEDED && t->attempt > 0;
	return 0;
}

/* A pipe's members are done together or not at all, and nothing is done whose
 * needs are not. */
static void narrow(struct earlier *x, const struct engine_order *o)
{
	const struct job_plan *p = x->r->plan;
	bool moved = true;

	for (size_t i = 0; i < p->n; i++)
		if (o->from == FROM_START || p->instances[i].is_finally ||
		    x->made_private[i] ||
		    (o->from == FROM_TASK &&
		     p->instances[i].task == o->from_task))
			x->done[i] = false;
	while (moved) {
		moved = false;
		for (size_t i = 0; i < p->n; i++) {
			const struct job_instance *in = &p->instances[i];
			bool keep = x->done[i];

			for (size_t k = 0; keep && k < in->n_needs; k++)
				keep = x->done[in->needs[k]];
			for (size_t k = 0; keep && k < p->n; k++)
				keep = p->instances[k].group != in->group ||
				       x->done[k];
			moved |= keep != x->done[i];
			x->done[i] = keep;
		}
	}
}

static int take_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct earlier *x = ctx;
	struct run *r = x->r;
	struct instance *in;

	(void)e;
	if (a->index >= r->plan->n || !x->done[a->index] ||
	    a->state != STATE_SUCCEEDED)
		return 0;
	in = &r->inst[a->index];
	in->row = *a;
	in->row.number = in->attempt = 1;
	in->row.ulid = ulid_new();
	in->row.fence = ++r->g->fence;
	in->row.shared = false;
	in->row.outputs = live_str(r, a->outputs);
	in->row.secrets = live_str(r, a->secrets);
	in->row.error = live_str(r, a->error);
	in->row.hint = live_str(r, a->hint);
	recover_outputs(r, a->index, in->row.outputs);
	live_attempt_changed(r, a->index);
	return 0;
}

static int take_artifact(void *ctx, const struct store_artifact *a,
			 struct err *e)
{
	struct earlier *x = ctx;
	struct store_artifact mine = *a;

	(void)e;
	if (a->index >= x->r->plan->n || !x->done[a->index] ||
	    a->expires_us < 0 || a->is_private)
		return 0;
	mine.name = live_str(x->r, a->name);
	mine.file = live_str(x->r, a->file);
	mine.attempt = 1;
	live_artifact(x->r, &mine);
	return 0;
}

/* What it made is gone with its run: it is made again. */
static int see_private(void *ctx, const struct store_artifact *a, struct err *e)
{
	struct earlier *x = ctx;

	(void)e;
	if (a->index < x->r->plan->n && a->is_private)
		x->made_private[a->index] = true;
	return 0;
}

int rerun_take(struct run *r, const struct engine_order *o, struct err *e)
{
	CLEANUP_MEM bool *done = mem_array(r->plan->n + 1, sizeof(bool));
	CLEANUP_MEM bool *private = mem_array(r->plan->n + 1, sizeof(bool));
	struct earlier x = {.r = r, .done = done, .made_private = private};
	struct store *s = r->g->store;
	enum run_state state;

	if (store_run_find(s, &o->rerun_of, &x.run, &state, e))
		return -1;
	if (!state_final(state))
		return err_set(e, ERR_CONFLICT, "the run is %s",
			       state_name(state));
	if (store_tasks(s, x.run, see_task, &x, e) ||
	    store_artifacts(s, x.run, see_private, &x, e))
		return -1;
	narrow(&x, o);
	if (store_attempts(s, x.run, take_attempt, &x, e) ||
	    store_artifacts(s, x.run, take_artifact, &x, e))
		return -1;
	for (size_t i = 0; i < r->plan->n; i++)
		if (done[i])
			live_task_set(r, i, STATE_SUCCEEDED, KIND_NONE,
				      STR(""));
	return 0;
}

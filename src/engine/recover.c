/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * After a restart: the runs that the store says are alive, planned again from
 * what they were planned from.  Attempts that were running are kept until the
 * monitor has said who lives; then result files are read, and the rest is
 * lost.
 */
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <stdio.h>
#include <string.h>

static int plan_again(struct engine *g, const struct store_run *row,
		      struct run **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	char id[ULID_LEN + 8];
	struct job_run_facts facts = {str_from(id), row->trigger,
				      row->submitter};
	struct store_run copy = *row;
	struct job_plan *p;
	struct job *j;
	struct run *r;

	(void)snprintf(id, sizeof(id), "run_%s", row->ulid.s);
	if (job_parse(row->canonical, DOC_JSON, &j, ps) ||
	    job_plan_new(j, row->inputs, &facts, &p, ps))
		return err_set(e, ERR_INVALID, "%s: %s", id,
			       ps->n ? ps->items[0].message : "no plan");
	copy.canonical = str_n(NULL, 0);
	r = live_new(g, p, &copy);
	r->row.project = live_str(r, row->project);
	r->row.job = live_str(r, row->job);
	r->row.definition_digest = live_str(r, row->definition_digest);
	r->row.run_digest = live_str(r, row->run_digest);
	r->row.blocked = live_str(r, row->blocked);
	r->row.error = live_str(r, row->error);
	r->row.labels = live_str(r, row->labels);
	r->row.inputs = live_str(r, row->inputs);
	r->row.trigger = live_str(r, row->trigger);
	r->row.submitter = live_str(r, row->submitter);
	r->row.source = live_str(r, row->source);
	r->in_finally = row->finally_us != 0;
	r->dirty = true;
	*ret = r;
	return 0;
}

static int on_run(void *ctx, const struct store_run *row, struct err *e)
{
	struct engine *g = ctx;
	struct run *r;

	if (!plan_again(g, row, &r, e))
		return 0;
	/* One run that cannot be read must not keep the server down. */
	log_error("not recovered: %s", e->text);
	return 0;
}

static int on_task(void *ctx, const struct store_task *t, struct err *e)
{
	struct run *r = ctx;

	(void)e;
	if (t->index >= r->plan->n)
		return 0;
	r->states[t->index] = t->state;
	r->inst[t->index].kind = t->kind;
	r->inst[t->index].attempt = t->attempt;
	r->inst[t->index].due_us = t->due_us;
	return 0;
}

/* {"name":"value"} as it was saved. */
static void read_outputs(struct run *r, struct instance *in, struct str json)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d;

	if (doc_parse_max(json, DOC_JSON, 8 << 20, &d, ps))
		return;
	in->outputs =
		arena_alloc(r->arena, (d->root->n + 1) * sizeof(*in->outputs));
	in->n_outputs = 0;
	for (const struct doc_node *n = d->root->first; n && in->outputs;
	     n = n->next)
		in->outputs[in->n_outputs++] = (struct job_pair){
			live_str(r, n->key), live_str(r, n->text)};
	doc_free(d);
}

static int on_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct run *r = ctx;
	struct instance *in;

	(void)e;
	if (a->index >= r->plan->n)
		return 0;
	in = &r->inst[a->index];
	if (a->number != in->attempt)
		return 0;
	in->ulid = a->ulid;
	in->fence = a->fence;
	in->started_us = a->started_us;
	read_outputs(r, in, a->outputs);
	if (r->states[a->index] != STATE_RUNNING)
		return 0;
	in->running = true;
	r->g->n_running++;
	(void)map_put(r->g->by_attempt, str_from(in->ulid.s), r);
	if (a->uid_slot < r->g->n_slots)
		r->g->slots[a->uid_slot] = 1;
	if (a->shared) {
		r->slot = a->uid_slot;
		r->has_slot = true;
	} else {
		in->slot = a->uid_slot;
		in->has_slot = true;
	}
	return 0;
}

static int on_artifact(void *ctx, const struct store_artifact *a, struct err *e)
{
	(void)e;
	live_keep(ctx, a->name, a->file, a->sha256);
	return 0;
}

int recover_load(struct engine *g, struct err *e)
{
	if (store_max_fence(g->store, &g->fence, e) ||
	    store_live_runs(g->store, on_run, g, e))
		return -1;
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		if (store_tasks(g->store, r->row.id, on_task, r, e) ||
		    store_attempts(g->store, r->row.id, on_attempt, r, e) ||
		    store_artifacts(g->store, r->row.id, on_artifact, r, e))
			return -1;
	}
	return 0;
}

/* Called in a transaction: those who were named keep `cancel_sent` false and
 * are marked alive by the caller through by_attempt; see engine.c. */
int recover_end(struct engine *g, struct err *e)
{
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		for (size_t i = 0; i < r->plan->n; i++) {
			struct ended lost = {
				.id = {r->inst[i].ulid, r->inst[i].fence},
				.state = STATE_FAILED,
				.kind = KIND_LOST,
				.exit_code = -1,
			};

			if (!r->inst[i].running || r->inst[i].alive)
				continue;
			if (result_take(r, i, &lost, e))
				return -1;
		}
		r->dirty = true;
	}
	return 0;
}

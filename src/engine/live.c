/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A run in memory, and its rows; see internal.h. */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <string.h>

enum {
	RUN_ARENA_MAX = 64 << 20
};

struct run *live_new(struct engine *g, struct job_plan *plan,
		     const struct store_run *row)
{
	struct run *r = mem_alloc(sizeof(*r));

	r->g = g;
	r->plan = plan;
	r->row = *row;
	r->arena = arena_new(RUN_ARENA_MAX);
	r->states = mem_array(plan->n, sizeof(*r->states));
	r->inst = mem_array(plan->n, sizeof(*r->inst));
	r->deadline_us = -1;
	list_push(&g->runs, &r->link);
	(void)map_put(g->by_run, str_from(r->row.ulid.s), r);
	g->n_runs++;
	return r;
}

void live_free(struct run *r)
{
	struct engine *g = r->g;

	for (size_t i = 0; i < r->plan->n; i++) {
		if (r->inst[i].has_slot)
			slot_give(g, r->inst[i].slot);
		if (r->inst[i].attempt)
			(void)map_del(g->by_attempt,
				      str_from(r->inst[i].ulid.s));
		job_attempt_free(r->inst[i].job);
	}
	if (r->has_slot)
		slot_give(g, r->slot);
	(void)map_del(g->by_run, str_from(r->row.ulid.s));
	list_del(&r->link);
	g->n_runs--;
	job_plan_free(r->plan);
	arena_free(r->arena);
	mem_free(r->states);
	mem_free(r->inst);
	mem_free(r->kept);
	mem_free(r);
}

struct str live_str(struct run *r, struct str s)
{
	char *p = arena_strndup(r->arena, s.p, s.len);

	return str_n(p ? p : "", p ? s.len : 0);
}

int live_event(struct run *r, enum store_event_type type, int32_t i,
	       struct str name, struct err *e)
{
	struct store_event ev = {
		.run = r->row.ulid,
		.type = type,
		.task = name,
		.attempt = i < 0 ? 0 : r->inst[i].attempt,
		.state = i < 0 ? r->row.state : r->states[i],
		.kind = i < 0 ? r->row.kind : r->inst[i].kind,
		.ts_us = clock_real_us(),
	};

	return store_event_add(r->g->store, r->row.id, &ev, &r->last_event, e);
}

int live_save_task(struct run *r, size_t i, struct err *e)
{
	const struct instance *in = &r->inst[i];
	struct store_task t = {
		.index = (uint32_t)i,
		.name = r->plan->instances[i].name,
		.state = r->states[i],
		.kind = in->kind,
		.attempt = in->attempt,
		.blocked = STR(""),
		.error = STR(""),
		.due_us = in->due_us,
	};

	return store_task_put(r->g->store, r->row.id, &t, e);
}

int live_save_run(struct run *r, struct err *e)
{
	return store_run_set(r->g->store, &r->row, e) ||
			       live_event(r, STORE_EVENT_RUN, -1, STR(""), e) ?
		       -1 :
		       0;
}

int live_task_state(struct run *r, size_t i, enum run_state s,
		    enum fail_kind kind, struct err *e)
{
	r->states[i] = s;
	r->inst[i].kind = kind;
	return live_save_task(r, i, e) ||
			       live_event(r, STORE_EVENT_TASK, (int32_t)i,
					  r->plan->instances[i].name, e) ?
		       -1 :
		       0;
}

void live_keep(struct run *r, struct str name, struct str file,
	       const char *sha256)
{
	struct kept *k = NULL;

	for (size_t i = 0; i < r->n_kept; i++)
		if (str_eq(r->kept[i].name, name))
			k = &r->kept[i]; /* a later attempt's wins */
	if (!k) {
		if (r->n_kept == r->cap_kept) {
			r->cap_kept = r->cap_kept ? 2 * r->cap_kept : 8;
			r->kept = mem_resize(r->kept, r->cap_kept,
					     sizeof(*r->kept));
		}
		k = &r->kept[r->n_kept++];
	}
	k->name = live_str(r, name);
	k->file = live_str(r, file);
	memcpy(k->sha256, sha256, sizeof(k->sha256));
}

static int output(void *ctx, size_t i, struct str name, struct str *ret)
{
	const struct run *r = ctx;

	for (size_t k = 0; k < r->inst[i].n_outputs; k++)
		if (str_eq(r->inst[i].outputs[k].name, name)) {
			*ret = r->inst[i].outputs[k].value;
			return 0;
		}
	return -1;
}

struct job_stand live_stand(struct run *r)
{
	return (struct job_stand){.states = r->states,
				  .output = output,
				  .ctx = r,
				  .cancelled = r->row.cancelled};
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A run in memory, what it holds, and what of it is to be saved. */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <string.h>

enum {
	RUN_ARENA_MAX = 64 << 20
};

static void on_timer(void *ctx)
{
	struct run *r = ctx;

	live_look(r);
	turn_soon(r->g);
}

static void live_count(struct run *r, int by)
{
	if (r->row.state < STATE_SUCCEEDED)
		r->g->stats.runs_by_state[r->row.state] += (uint64_t)by;
}

struct run *live_new(struct engine *g, struct job_plan *plan,
		     const struct store_run *row)
{
	struct run *r = mem_alloc(sizeof(*r));
	size_t n = plan->n;

	r->g = g;
	r->plan = plan;
	r->row = *row;
	r->row.canonical = str_n(NULL, 0);
	r->arena = arena_new(RUN_ARENA_MAX);
	r->inst = mem_array(n + 1, sizeof(*r->inst));
	r->states = mem_array(n + 1, sizeof(*r->states));
	r->due_us = mem_array(n + 1, sizeof(*r->due_us));
	r->ends = mem_array(n + 1, sizeof(*r->ends));
	for (size_t i = 0; i < n; i++)
		r->inst[i] = (struct instance){.run = r, .index = (uint32_t)i};
	r->deadline_us = -1;
	r->timer = loop_timer_new(g->loop, on_timer, r);
	list_push(&g->runs, &r->link);
	list_init(&r->look);
	list_init(&r->put);
	list_init(&r->starved);
	(void)map_put(g->by_run, str_from(r->row.ulid.s), r);
	g->n_runs++;
	live_count(r, 1);
	return r;
}

void live_free(struct run *r)
{
	struct engine *g = r->g;
	struct collect *c;

	while ((c = r->tidy)) { /* the next start comes back to them */
		r->tidy = c->next;
		collect_free(c);
	}
	for (size_t i = 0; i < r->plan->n; i++) {
		live_let_go(r, i);
		if (r->inst[i].attempt)
			(void)map_del(g->by_attempt,
				      str_from(r->inst[i].row.ulid.s));
		job_attempt_free(r->inst[i].job);
	}
	if (r->has_slot) {
		live_slot_give(g, r->slot);
		g->n_shared--;
	}
	(void)map_del(g->by_run, str_from(r->row.ulid.s));
	list_del(&r->link);
	list_del(&r->look);
	list_del(&r->starved);
	list_del(&r->put);
	g->n_runs--;
	live_count(r, -1);
	loop_timer_free(r->timer);
	job_plan_free(r->plan);
	arena_free(r->arena);
	mem_free(r->states);
	mem_free(r->due_us);
	mem_free(r->ends);
	mem_free(r->inst);
	mem_free(r->kept);
	mem_free(r->events);
	mem_free(r->artifacts);
	mem_free(r);
}

struct str live_str(struct run *r, struct str s)
{
	char *p = arena_strndup(r->arena, s.p ? s.p : "", s.len);

	return str_n(p ? p : "", p ? s.len : 0);
}

void live_look(struct run *r)
{
	if (list_empty(&r->look) && !r->ended)
		list_push(&r->g->look, &r->look);
}

bool live_before(const struct run *a, const struct run *b)
{
	if (a->row.priority != b->row.priority)
		return a->row.priority > b->row.priority;
	return strcmp(a->row.ulid.s, b->row.ulid.s) < 0; /* the older first */
}

/* Runs come about in this order, so that the place is near the end. */
void live_starved(struct run *r, bool it_is)
{
	struct link *at = r->g->starved.prev;

	if (list_empty(&r->starved) != it_is)
		return; /* as it was */
	if (!it_is) {
		list_del(&r->starved);
		return;
	}
	while (at != &r->g->starved &&
	       live_before(r, LIST_ENTRY(at, struct run, starved)))
		at = at->prev;
	list_push(at->next, &r->starved); /* before the one after it */
}

void live_room_came(struct engine *g)
{
	g->room_came = true;
}

void live_put(struct run *r)
{
	if (list_empty(&r->put))
		list_push(&r->g->put, &r->put);
}

/* --- marks -------------------------------------------------------------- */

static void *grow(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? 2 * *cap : 8;
	return mem_resize(p, *cap, size);
}

static void event(struct run *r, enum store_event_type type, struct str name,
		  uint32_t attempt, enum run_state s, enum fail_kind kind)
{
	r->events = grow(r->events, r->n_events, &r->cap_events,
			 sizeof(*r->events));
	r->events[r->n_events++] = (struct store_event){
		.run = r->row.ulid,
		.type = type,
		.task = name,
		.attempt = attempt,
		.state = s,
		.kind = kind,
		.ts_us = clock_real_us(),
	};
	live_put(r);
}

void live_task_set(struct run *r, size_t i, enum run_state s,
		   enum fail_kind kind, struct str error)
{
	struct instance *in = &r->inst[i];

	r->states[i] = s;
	in->kind = kind;
	in->error = error;
	in->blocked = s != STATE_BLOCKED ? STR("") :
		      r->plan->instances[i].action == ACTION_APPROVAL ?
					   STR("approval") :
					   STR("unschedulable");
	if (s != STATE_QUEUED)
		r->due_us[i] = 0;
	in->task_dirty = true;
	r->tasks_dirty = true;
	event(r, STORE_EVENT_TASK, r->plan->instances[i].name, in->attempt, s,
	      kind);
}

void live_run_set(struct run *r, enum run_state s)
{
	live_count(r, -1);
	r->row.state = s;
	live_count(r, 1);
	r->row_dirty = true;
	event(r, STORE_EVENT_RUN, STR(""), 0, s, r->row.kind);
}

void live_attempt_changed(struct run *r, size_t i)
{
	r->inst[i].attempt_dirty = true;
	r->tasks_dirty = true;
	live_put(r);
}

void live_artifact(struct run *r, const struct store_artifact *a)
{
	r->artifacts = grow(r->artifacts, r->n_artifacts, &r->cap_artifacts,
			    sizeof(*r->artifacts));
	r->artifacts[r->n_artifacts++] = *a;
	live_keep(r, a->name, a->file, a->is_private, a->sha256, a->bytes);
	event(r, STORE_EVENT_ARTIFACT, a->name, a->attempt, STATE_SUCCEEDED,
	      KIND_NONE);
}

/* People are asked, somebody said something, or it is decided. */
void live_approval(struct run *r, size_t i)
{
	r->inst[i].task_dirty = true;
	r->tasks_dirty = true;
	event(r, STORE_EVENT_APPROVAL, r->plan->instances[i].name, 0,
	      r->states[i], r->inst[i].kind);
}

/* --- what later tasks may use ------------------------------------------- */

const struct kept *live_kept(const struct run *r, struct str name)
{
	for (size_t i = 0; i < r->n_kept; i++)
		if (str_eq(r->kept[i].name, name))
			return &r->kept[i];
	return NULL;
}

void live_keep(struct run *r, struct str name, struct str file, bool is_private,
	       const char *sha256, uint64_t bytes)
{
	struct kept *k = NULL;

	for (size_t i = 0; i < r->n_kept; i++)
		if (str_eq(r->kept[i].name, name))
			k = &r->kept[i]; /* a later attempt's wins */
	if (!k) {
		r->kept = grow(r->kept, r->n_kept, &r->cap_kept,
			       sizeof(*r->kept));
		k = &r->kept[r->n_kept++];
	}
	k->name = name;
	k->file = file;
	k->is_private = is_private;
	k->bytes = bytes;
	memcpy(k->sha256, sha256, sizeof(k->sha256));
}

void live_keep_output(struct run *r, size_t i, struct str name,
		      struct str value)
{
	struct instance *in = &r->inst[i];

	if (!in->outputs)
		in->outputs = arena_alloc(
			r->arena, RESULT_LIST_MAX * sizeof(*in->outputs));
	if (in->outputs && in->n_outputs < RESULT_LIST_MAX)
		in->outputs[in->n_outputs++] = (struct job_pair){
			live_str(r, name), live_str(r, value)};
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

/* --- places at the machine ---------------------------------------------- */

bool live_slot_take(struct engine *g, uint32_t *ret)
{
	for (uint32_t i = 0; i < g->n_slots; i++)
		if (!g->slots[i]) {
			g->slots[i] = 1;
			*ret = i;
			return true;
		}
	return false;
}

void live_slot_give(struct engine *g, uint32_t slot)
{
	if (slot < g->n_slots)
		g->slots[slot] = 0;
}

void live_let_go(struct run *r, size_t i)
{
	struct instance *in = &r->inst[i];

	if (in->running)
		r->g->n_running--;
	in->running = false;
	if (in->has_slot)
		live_slot_give(r->g, in->row.uid_slot);
	in->has_slot = false;
}

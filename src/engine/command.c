/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What was asked for: in memory first, then in the transaction, then on the
 * disk. */
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/blob.h"
#include "engine/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- queues ------------------------------------------------------------- */

void commands_init(struct commands *q)
{
	*q = (struct commands){.tail = &q->head};
}

void commands_push(struct commands *q, struct command *c)
{
	c->next = NULL;
	*q->tail = c;
	q->tail = &c->next;
	q->n++;
}

struct command *commands_pop(struct commands *q)
{
	struct command *c = q->head;

	if (!c)
		return NULL;
	q->head = c->next;
	if (!q->head)
		q->tail = &q->head;
	q->n--;
	return c;
}

struct command *command_new(enum command_type type, struct str who,
			    engine_reply_fn *fn, void *ctx)
{
	struct command *c = mem_alloc(sizeof(*c));

	c->type = type;
	c->who = mem_strndup(who.p ? who.p : "", who.len);
	c->fn = fn;
	c->ctx = ctx;
	return c;
}

void command_free(struct command *c)
{
	engine_order_free(c->order);
	mem_free(c->who);
	mem_free(c->action);
	mem_free(c->what);
	mem_free(c->decision);
	mem_free(c);
}

/* --- a run -------------------------------------------------------------- */

/* One that came in the same turn is not in the store yet. */
static int seen_in_turn(struct engine *g, const struct engine_order *o,
			struct hash *ret, struct ulid *ret_run)
{
	LIST_FOR(l, &g->put)
	{
		const struct run *r = LIST_ENTRY(l, struct run, put);
		const struct engine_order *other;

		if (!r->create)
			continue;
		other = r->create->order;
		if (str_eq(other->key, o->key) &&
		    str_eq(other->row.submitter, o->row.submitter)) {
			*ret = other->request;
			*ret_run = other->ulid;
			return 1;
		}
	}
	return 0;
}

/* True when an earlier request has answered this one. */
static bool seen_before(struct engine *g, struct command *c)
{
	const struct engine_order *o = c->order;
	struct hash before;
	int found;

	if (!o->key.len)
		return false;
	found = seen_in_turn(g, o, &before, &c->reply.run);
	if (!found)
		found = store_key_get(g->store, o->row.submitter, o->key,
				      &before, &c->reply.run, &c->reply.err);
	if (found < 0)
		return true; /* the error is the answer */
	if (found && hash_eq(&before, &o->request)) {
		c->reply.replayed = true;
	} else if (found) {
		err_set(&c->reply.err, ERR_CONFLICT,
			"this Idempotency-Key was used for another request");
		c->reply.err.sys = EEXIST;
	}
	return found != 0;
}

static void do_run(struct engine *g, struct command *c)
{
	struct engine_order *o = c->order;
	struct run *r;

	if (seen_before(g, c) || delivery_seen(g, c))
		return;
	if (g->disk_full) {
		err_sys(&c->reply.err, ENOSPC, "no new runs");
		return;
	}
	if (g->n_runs + (o->fetch != NULL) >= g->o.live_runs) {
		err_set(&c->reply.err, ERR_LIMIT, "too many runs are waiting");
		return;
	}
	if (gate_refuses(g, o, &c->reply.err))
		return;
	c->reply.run = o->ulid;
	r = live_new(g, o->plan, &o->row);
	o->plan = NULL; /* the run's now; row's text is in it */
	if (o->rerun_of.s[0] && rerun_take(r, o, &c->reply.err)) {
		live_free(r);
		return;
	}
	if (o->fetch)
		gitsource_begin(g, o);
	r->create = c;
	g->stats.runs_made++;
	for (size_t i = 0; i < r->plan->n; i++)
		r->inst[i].task_dirty = true;
	r->tasks_dirty = true;
	live_run_set(r, STATE_QUEUED);
	live_look(r);
}

/* --- the others --------------------------------------------------------- */

static void do_cancel(struct engine *g, struct command *c)
{
	struct run *r = map_get(g->by_run, str_from(c->run.s));
	enum run_state state;
	int64_t id;

	c->reply.run = c->run;
	if (!r) {
		if (!store_run_find(g->store, &c->run, &id, &state,
				    &c->reply.err))
			err_set(&c->reply.err, ERR_CONFLICT,
				"the run has ended: it is %s",
				state_name(state));
		return;
	}
	if (r->ended || r->row.cancelled) {
		err_set(&c->reply.err, ERR_CONFLICT, "the run %s",
			r->ended ? "has ended" : "is being cancelled already");
		return;
	}
	r->row.cancelled = true;
	r->row_dirty = true;
	gitsource_cancel(r);
	c->to_save = true;
	live_put(r);
	live_look(r);
}

void command_do(struct engine *g, struct command *c)
{
	switch (c->type) {
	case COMMAND_RUN:
		do_run(g, c);
		break;
	case COMMAND_CANCEL:
		do_cancel(g, c);
		break;
	case COMMAND_DELETE:
		c->reply.run = c->run;
		c->to_save = true;
		break;
	case COMMAND_EDIT:
		c->to_save = true;
		break;
	case COMMAND_DECIDE:
		approve_do(g, c);
		break;
	}
	commands_push(&g->waiting, c);
}

/* --- in the transaction ------------------------------------------------- */

static int save_delete(struct engine *g, struct command *c, struct err *e)
{
	enum run_state state;
	int64_t id;

	c->reply.err = (struct err){0};
	if (store_run_find(g->store, &c->run, &id, &state, &c->reply.err))
		return c->reply.err.code == ERR_NOT_FOUND ? 0 : -1;
	if (!state_final(state)) {
		err_set(&c->reply.err, ERR_CONFLICT, "the run is %s",
			state_name(state));
		return 0;
	}
	if (store_run_delete(g->store, id, e))
		return -1;
	CRASH_POINT("delete.half");
	return store_audit_add(g->store, clock_real_us(), str_from(c->who),
			       STR("run.delete"), str_from(c->run.s), e);
}

static int save_edit(struct engine *g, struct command *c, struct err *e)
{
	c->reply.err = (struct err){0};
	if (c->edit && c->edit(c->ctx, g->store, &c->reply.err, e))
		return -1;
	CRASH_POINT("edit.half");
	if (c->reply.err.code || !c->action[0])
		return 0;
	return store_audit_add(g->store, clock_real_us(), str_from(c->who),
			       str_from(c->action), str_from(c->what), e);
}

int command_save(struct engine *g, struct command *c, struct err *e)
{
	switch (c->type) {
	case COMMAND_RUN:
		return 0; /* save.c */
	case COMMAND_CANCEL:
		return store_audit_add(g->store, clock_real_us(),
				       str_from(c->who), STR("run.cancel"),
				       str_from(c->run.s), e);
	case COMMAND_DELETE:
		return save_delete(g, c, e);
	case COMMAND_EDIT:
		return save_edit(g, c, e);
	case COMMAND_DECIDE:
		return approve_audit(g, c, e);
	}
	return 0;
}

/* --- after it ----------------------------------------------------------- */

void command_after(struct engine *g, struct command *c)
{
	struct err e;

	if (c->reply.err.code)
		return;
	if (c->type == COMMAND_EDIT && c->edit && c->action[0] &&
	    (gate_load(g, &e) || timetable_load(g, &e)))
		log_error("projects and schedules cannot be read: %s", e.text);
	if (c->type == COMMAND_EDIT &&
	    str_starts(str_from(c->action), STR("project.")))
		retain_again(g);
	if (c->type != COMMAND_DELETE)
		return;
	CRASH_POINT("delete.before-files");
	loop_timer_set(g->sweep_timer, clock_mono_us());
	collect_remove_run(g, c->run.s);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What was asked for, done inside the engine's transaction; see internal.h. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int add_tasks(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->plan->n; i++) {
		r->states[i] = STATE_QUEUED;
		if (live_save_task(r, i, e))
			return -1;
	}
	return live_event(r, STORE_EVENT_RUN, -1, STR(""), e);
}

/* 1: answered by an earlier run, 0: go on. */
static int seen_before(struct engine *g, struct command *c, struct err *e)
{
	struct engine_order *o = c->order;
	struct hash before;
	int found;

	if (!o->key.len)
		return 0;
	found = store_key_get(g->store, o->row.submitter, o->key, &before,
			      &c->reply.run, e);
	if (found <= 0)
		return found;
	if (hash_eq(&before, &o->request)) {
		c->reply.replayed = true;
	} else {
		err_set(&c->reply.err, ERR_CONFLICT,
			"this Idempotency-Key was used for another request");
		c->reply.err.sys = EEXIST;
	}
	return 1;
}

static int do_run(struct engine *g, struct command *c, struct err *e)
{
	struct engine_order *o = c->order;
	int seen = seen_before(g, c, e);
	struct run *r;

	if (seen)
		return seen < 0 ? -1 : 0;
	if (g->n_runs >= g->o.live_runs) {
		err_set(&c->reply.err, ERR_LIMIT, "too many runs are waiting");
		return 0;
	}
	o->row.state = STATE_QUEUED;
	if (store_run_add(g->store, &o->row, &o->row.id, e) ||
	    (o->key.len &&
	     store_key_put(g->store, o->row.submitter, o->key, &o->request,
			   &o->ulid, clock_real_us(), e)) ||
	    store_audit_add(g->store, clock_real_us(), o->row.submitter,
			    STR("run.create"), str_from(o->ulid.s), e))
		return -1;
	c->reply.run = o->ulid;
	r = live_new(g, o->plan, &o->row);
	r->row.canonical = str_n(NULL, 0);
	r->dirty = true;
	o->plan = NULL; /* the run's now */
	g->stats.runs_made++;
	return add_tasks(r, e);
}

static int do_cancel(struct engine *g, struct command *c, struct err *e)
{
	struct run *r = map_get(g->by_run, str_from(c->run.s));
	enum run_state state;
	int64_t id;

	c->reply.run = c->run;
	if (!r || r->ended) {
		if (store_run_find(g->store, &c->run, &id, &state,
				   &c->reply.err))
			return 0;
		err_set(&c->reply.err, ERR_CONFLICT,
			"the run has ended: it is %s", state_name(state));
		return 0;
	}
	if (r->row.cancelled) {
		err_set(&c->reply.err, ERR_CONFLICT,
			"the run is being cancelled already");
		return 0;
	}
	r->row.cancelled = true;
	r->dirty = true;
	advance_cancel_running(r);
	return store_audit_add(g->store, clock_real_us(), str_from(c->who),
			       STR("run.cancel"), str_from(c->run.s), e) ||
			       live_save_run(r, e) ?
		       -1 :
		       0;
}

static int do_delete(struct engine *g, struct command *c, struct err *e)
{
	enum run_state state;
	char name[64];
	struct err ignored;
	int64_t id;

	c->reply.run = c->run;
	if (store_run_find(g->store, &c->run, &id, &state, &c->reply.err))
		return 0;
	if (!state_final(state)) {
		err_set(&c->reply.err, ERR_CONFLICT, "the run is %s",
			state_name(state));
		return 0;
	}
	if (store_run_delete(g->store, id, e) ||
	    store_audit_add(g->store, clock_real_us(), str_from(c->who),
			    STR("run.delete"), str_from(c->run.s), e))
		return -1;
	(void)snprintf(name, sizeof(name), "runs/%s", c->run.s);
	if (fd_remove_tree(g->o.state_fd, name, &ignored))
		log_warn("%s", ignored.text);
	return 0;
}

int commands_do(struct engine *g, struct command *c, struct err *e)
{
	switch (c->type) {
	case COMMAND_RUN:
		return do_run(g, c, e);
	case COMMAND_CANCEL:
		return do_cancel(g, c, e);
	case COMMAND_DELETE:
		return do_delete(g, c, e);
	default:
		return store_audit_add(g->store, clock_real_us(),
				       str_from(c->who), str_from(c->action),
				       str_from(c->what), e);
	}
}

struct command *commands_take(struct engine *g)
{
	struct command *c;

	pthread_mutex_lock(&g->lock);
	c = g->in_head;
	g->in_head = NULL;
	g->in_tail = &g->in_head;
	g->n_in = 0;
	pthread_mutex_unlock(&g->lock);
	return c;
}

void commands_drop(struct command *c)
{
	engine_order_free(c->order);
	mem_free(c->who);
	mem_free(c->action);
	mem_free(c->what);
	mem_free(c);
}

void commands_fail(struct command *c)
{
	while (c) {
		struct command *next = c->next;

		err_set(&c->reply.err, ERR_UNAVAILABLE,
			"the server is stopping");
		c->fn(c->ctx, &c->reply);
		commands_drop(c);
		c = next;
	}
}

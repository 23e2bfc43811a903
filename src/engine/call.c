/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Tasks that are runs of other jobs.  The run that is called and the attempt
 * that calls it are one transaction, and so are its end and the attempt's: an
 * attempt has exactly one.  It passes the gates that every run passes.
 */
#include "job/call.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "store/jobs.h"

#include <string.h>

/* --- who has called whom ------------------------------------------------ */

/* The attempt that waits for this run; NULL: none does. */
static struct instance *caller_of(const struct run *child)
{
	struct run *r = child->row.parent.len ?
				map_get(child->g->by_run, child->row.parent) :
				NULL;
	int32_t i = r ? job_plan_find(r->plan, child->row.parent_task) : -1;

	if (i < 0 || r->ended || r->states[i] != STATE_RUNNING ||
	    r->plan->instances[i].action != ACTION_CALL ||
	    strcmp(r->inst[i].row.child.s, child->row.ulid.s) != 0)
		return NULL;
	return &r->inst[i];
}

const struct run *call_waiting(const struct run *child)
{
	const struct instance *in = caller_of(child);

	return in ? in->run : NULL;
}

/* Runs of a tree that are not in the store yet. */
static uint32_t new_of_root(const struct engine *g, struct str root)
{
	uint32_t n = 0;

	LIST_FOR(l, &g->runs)
	{
		const struct run *r = LIST_ENTRY(l, struct run, link);

		n += r->create && str_eq(r->row.root, root);
	}
	return n;
}

static int check_bounds(struct run *r, struct str root, struct err *e)
{
	uint32_t n;

	if (r->row.depth >= CALL_DEPTH_MAX)
		return err_set(e, ERR_LIMIT,
			       "jobs call each other more than %d deep",
			       CALL_DEPTH_MAX);
	if (store_count_of_root(r->g->store, root, &n, e))
		return -1;
	if (n + new_of_root(r->g, root) >= CALL_TOTAL_MAX)
		return err_set(e, ERR_LIMIT,
			       "one run leads to more than %d others",
			       CALL_TOTAL_MAX);
	return 0;
}

/* Who waits for it would hold what it waits for. */
static int check_group(const struct run *r, const struct engine_order *o,
		       struct err *e)
{
	const struct job_plan *p = o->plan;
	uint32_t n = 0, limit = p->group_limit;

	if (!p->group.len)
		return 0;
	for (; r; r = call_waiting(r)) {
		if (!str_eq(r->plan->group, p->group) ||
		    !str_eq(r->row.project, o->row.project))
			continue;
		n++;
		if (r->plan->group_limit < limit)
			limit = r->plan->group_limit;
	}
	if (!n || (n < limit && p->conflict != CONFLICT_CANCEL))
		return 0;
	return err_set(e, ERR_CONFLICT,
		       "concurrency group \"" STR_FMT "\" is held by those "
		       "that wait for it",
		       STR_ARG(p->group));
}

/* --- the run ------------------------------------------------------------ */

static int see_job(void *ctx, const struct store_job *j, struct err *e)
{
	return buf_str(ctx, j->canonical) ?
		       0 :
		       err_set(e, ERR_LIMIT, "the job is too long");
}

/* Its newest revision, as it is now. */
static int find_job(struct run *r, const struct job_call *c, struct buf *b,
		    struct job **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));

	if (store_job_get(r->g->store, c->project, c->name, see_job, b, e))
		return -1;
	if (job_parse_stored(buf_view(b), ret, ps))
		return err_set(e, ERR_INVALID, "%s", ps->items[0].message);
	if (job_not_supported(*ret, ps)) {
		job_free(*ret);
		return err_set(e, ERR_INVALID, "%s", ps->items[0].message);
	}
	if (!(*ret)->has_source || r->row.source_bytes)
		return 0;
	job_free(*ret);
	return err_set(e, ERR_INVALID,
		       "it wants a source, and its caller has none");
}

static int make_order(struct run *r, size_t i, const struct job_call *c,
		      struct str root, struct engine_order **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf canonical = BUF_INIT(JOB_CANONICAL_MAX);
	struct engine_caller caller = {
		.run = str_from(r->row.ulid.s),
		.task = r->plan->instances[i].name,
		.attempt = r->inst[i].attempt + 1,
		.root = root,
		.depth = r->row.depth + 1,
	};
	struct engine_ask ask = {.project = c->project,
				 .inputs = c->inputs,
				 .submitter = r->row.submitter,
				 .token = r->row.token,
				 .trigger = STR("job"),
				 .caller = &caller,
				 .priority = -1};
	struct job *j;

	if (find_job(r, c, &canonical, &j, e))
		return -1;
	ask.canonical = buf_view(&canonical);
	if (j->has_source && !hex_decode(r->row.source, ask.source.b, HASH_LEN))
		ask.source_bytes = r->row.source_bytes;
	if (!engine_order_new(r->g->o.policies, &ask, j, ret, ps, e))
		return 0;
	if (ps->n)
		(void)err_set(e, e->code, "%s", ps->items[0].message);
	return -1;
}

static void nobody(void *ctx, const struct engine_reply *x)
{
	(void)ctx;
	(void)x;
}

/* Give it to the engine as if somebody had asked for it. */
static int give(struct run *r, struct engine_order *o, struct ulid *ret,
		struct err *e)
{
	struct command *c =
		command_new(COMMAND_RUN, r->row.submitter, nobody, NULL);

	if (o->row.priority < r->row.priority)
		o->row.priority = r->row.priority;
	c->order = o;
	command_do(r->g, c);
	*e = c->reply.err;
	*ret = c->reply.run;
	return e->code ? -1 : 0;
}

static int make(struct run *r, size_t i, bool *ret_wait, struct ulid *ret,
		struct err *e)
{
	struct str root =
		r->row.root.len ? r->row.root : str_from(r->row.ulid.s);
	struct job_stand stand = live_stand(r);
	struct engine_order *o;
	struct job_call c;

	if (job_plan_call(r->plan, i, &stand, r->arena, &c, e) ||
	    call_allowed(r, c.project, e) || check_bounds(r, root, e) ||
	    make_order(r, i, &c, root, &o, e))
		return -1;
	*ret_wait = c.wait;
	if (c.wait && check_group(r, o, e)) {
		engine_order_free(o);
		return -1;
	}
	return give(r, o, ret, e);
}

static void new_row(struct instance *in, const struct ulid *child)
{
	in->row = (struct store_attempt){
		.index = in->index,
		.number = ++in->attempt,
		.ulid = ulid_new(),
		.fence = ++in->run->g->fence,
		.state = STATE_RUNNING,
		.exit_code = -1,
		.started_us = clock_real_us(),
		.outputs = STR("{}"),
		.error = STR(""),
		.hint = STR(""),
		.child = *child,
	};
	in->run->ends[in->index] = (struct sched_end){0};
	in->stop_sent = false;
}

static enum fail_kind kind_of(const struct err *e)
{
	if (e->code == ERR_DENIED)
		return KIND_POLICY;
	return e->code == ERR_LIMIT || e->code == ERR_CONFLICT ? KIND_LIMIT :
								 KIND_SETUP;
}

bool call_start(struct run *r, size_t i)
{
	struct instance *in = &r->inst[i];
	struct ulid child;
	bool wait = true;
	struct err e;

	if (make(r, i, &wait, &child, &e)) {
		live_task_set(r, i, STATE_FAILED, kind_of(&e),
			      live_str(r, str_from(e.text)));
		return false;
	}
	new_row(in, &child);
	live_attempt_changed(r, i);
	if (wait) {
		live_task_set(r, i, STATE_RUNNING, KIND_NONE, STR(""));
		return true;
	}
	/* both are durable, or none */
	in->row.state = STATE_SUCCEEDED;
	in->row.finished_us = clock_real_us();
	live_task_set(r, i, STATE_SUCCEEDED, KIND_NONE, STR(""));
	return false;
}

void call_stop(struct instance *in)
{
	struct run *child =
		map_get(in->run->g->by_run, str_from(in->row.child.s));

	if (in->stop_sent || !child)
		return;
	in->stop_sent = true;
	if (child->ended || child->row.cancelled)
		return;
	child->row.cancelled = true;
	child->row_dirty = true;
	gitsource_cancel(child);
	live_put(child);
	live_look(child);
}

/* --- its end ------------------------------------------------------------ */

/* The attempt takes the outcome of the run. */
static void end(struct instance *in, enum run_state state, enum fail_kind kind,
		struct str error)
{
	CLEANUP_BUF struct buf why = BUF_INIT(2000);

	in->row.state = state;
	in->row.kind = kind;
	in->row.finished_us = clock_real_us();
	if (state == STATE_FAILED && !kind)
		in->row.kind = KIND_INTERNAL;
	if (state == STATE_FAILED) {
		buf_printf(&why, "run_%s: ", in->row.child.s);
		buf_str(&why, error.len ? error : STR("it failed"));
		in->row.error = live_str(in->run, buf_view(&why));
	}
	result_close(in);
}

void call_ended(struct run *child)
{
	struct instance *in = caller_of(child);

	if (in)
		end(in, child->row.state, child->row.kind, child->row.error);
}

static int see_end(void *ctx, const struct store_run *run, struct err *e)
{
	(void)e;
	if (state_final(run->state))
		end(ctx, run->state, run->kind, run->error);
	return 0;
}

/* One that this version could not go on with has ended without its caller. */
void call_recover(struct run *r)
{
	struct err e;

	for (size_t i = 0; i < r->plan->n; i++) {
		struct instance *in = &r->inst[i];

		if (r->plan->instances[i].action != ACTION_CALL ||
		    r->states[i] != STATE_RUNNING ||
		    map_get(r->g->by_run, str_from(in->row.child.s)))
			continue;
		if (store_run_get(r->g->store, &in->row.child, see_end, in, &e))
			end(in, STATE_FAILED, KIND_LOST, str_from(e.text));
	}
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * After a restart: the runs that the store says are alive, planned again from
 * what they were planned from.  Attempts that were running are kept until the
 * monitor has said who lives; then result files are read, what was never
 * launched waits again, and the rest is lost.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- runs --------------------------------------------------------------- */

static int plan_again(struct engine *g, const struct store_run *row,
		      struct run **ret, struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	char id[ULID_LEN + 8];
	struct job_run_facts facts = {.trigger = row->trigger,
				      .submitter = row->submitter,
				      .commit = row->commit};
	struct job_plan *p;
	struct job *j;
	struct run *r;

	(void)snprintf(id, sizeof(id), "run_%s", row->ulid.s);
	facts.run_id = str_from(id);
	if (job_parse_stored(row->canonical, &j, ps) ||
	    job_plan_new(j, row->inputs, &facts, &p, ps))
		return err_set(e, ERR_INVALID,
			       "this version cannot plan it: %s",
			       ps->n ? ps->items[0].message : "no reason");
	r = live_new(g, p, row);
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
	r->row.rerun_of = live_str(r, row->rerun_of);
	r->row.git_url = live_str(r, row->git_url);
	r->row.git_ref = live_str(r, row->git_ref);
	r->row.commit = live_str(r, row->commit);
	r->row.fetch = live_str(r, row->fetch);
	r->row.group = r->plan->group;
	r->row.parent = live_str(r, row->parent);
	r->row.parent_task = live_str(r, row->parent_task);
	r->row.root = live_str(r, row->root);
	r->row.token = live_str(r, row->token);
	/* it held its places */
	r->passed = row->started_us != 0;
	r->in_finally = row->finally_us != 0;
	*ret = r;
	return 0;
}

/* Those that cannot go on, to be ended once the rows are read. */
struct broken {
	struct engine *g;
	struct {
		struct store_run row; /* its numbers; no text */
		char why[ERR_TEXT_MAX];
	} * runs;
	size_t n;
};

static int on_run(void *ctx, const struct store_run *row, struct err *e)
{
	struct broken *b = ctx;
	struct run *r;
	struct err why;

	(void)e;
	if (!plan_again(b->g, row, &r, &why))
		return 0;
	log_error("run_%s: %s", row->ulid.s, why.text);
	b->runs = mem_resize(b->runs, b->n + 1, sizeof(*b->runs));
	b->runs[b->n].row = (struct store_run){
		.id = row->id,
		.cancelled = row->cancelled,
		.timed_out = row->timed_out,
		.started_us = row->started_us,
		.finally_us = row->finally_us,
	};
	memcpy(b->runs[b->n++].why, why.text, sizeof(why.text));
	return 0;
}

static int end_broken(const struct broken *b, struct err *e)
{
	struct store *s = b->g->store;
	int64_t now = clock_real_us(), id;

	if (!b->n)
		return 0;
	if (store_begin(s, e))
		return -1;
	for (size_t i = 0; i < b->n; i++) {
		struct store_run row = b->runs[i].row;
		struct store_event ev = {.type = STORE_EVENT_RUN,
					 .state = STATE_FAILED,
					 .kind = KIND_INTERNAL,
					 .ts_us = now};

		row.state = STATE_FAILED;
		row.kind = KIND_INTERNAL;
		row.error = str_from(b->runs[i].why);
		row.finished_us = now;
		if (store_run_set(s, &row, e) ||
		    store_run_break(s, row.id, now, e) ||
		    store_event_add(s, row.id, &ev, &id, e)) {
			store_rollback(s);
			return -1;
		}
	}
	return store_commit(s, e);
}

/* --- their parts -------------------------------------------------------- */

static int on_task(void *ctx, const struct store_task *t, struct err *e)
{
	struct run *r = ctx;
	struct instance *in;

	(void)e;
	if (t->index >= r->plan->n)
		return 0;
	in = &r->inst[t->index];
	r->states[t->index] = t->state;
	r->due_us[t->index] = t->due_us;
	in->kind = t->kind;
	in->attempt = t->attempt;
	in->error = live_str(r, t->error);
	in->blocked = live_str(r, t->blocked);
	return 0;
}

/* {"name":value} as it was saved. */
void recover_outputs(struct run *r, size_t i, struct str json)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct err e;
	struct doc *d;

	if (doc_parse_max(json, DOC_JSON, 8 << 20, &d, ps))
		return;
	for (const struct doc_node *n = d->root->first; n; n = n->next) {
		struct str text = n->text;

		if (n->kind == DOC_LIST || n->kind == DOC_MAP) {
			buf_reset(&b);
			if (doc_write_canonical(n, &b, &e))
				continue;
			text = buf_view(&b);
		}
		live_keep_output(r, i, n->key, text);
	}
	doc_free(d);
}

static void take_slot(struct engine *g, struct instance *in)
{
	struct run *r = in->run;

	if (in->row.uid_slot < g->n_slots)
		g->slots[in->row.uid_slot] = 1;
	if (!in->row.shared) {
		in->has_slot = true;
		return;
	}
	r->slot = in->row.uid_slot;
	g->n_shared += !r->has_slot;
	r->has_slot = true;
}

static int on_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct run *r = ctx;
	struct instance *in;

	(void)e;
	if (a->index >= r->plan->n)
		return 0;
	in = &r->inst[a->index];
	in->n_away += away_was(a);
	if (a->number != in->attempt)
		return 0;
	in->row = *a;
	in->row.outputs = live_str(r, a->outputs);
	in->row.secrets = live_str(r, a->secrets);
	in->row.error = live_str(r, a->error);
	in->row.hint = live_str(r, a->hint);
	if (a->state == STATE_SUCCEEDED)
		recover_outputs(r, a->index, a->outputs);
	if (a->shared)
		take_slot(r->g, in);
	if (r->states[a->index] != STATE_RUNNING ||
	    r->plan->instances[a->index].action != ACTION_COMMAND)
		return 0;
	if (state_final(a->state)) {
		/* others of its pipe group are still on their way; it counts
		 * as away when there is another one */
		in->n_away -= away_was(a);
		r->ends[a->index] = (struct sched_end){
			.ended = true,
			.state = a->state,
			.kind = a->kind,
			.exit_code = a->exit_code,
			.number = a->number - in->n_away,
			.away = away_told(a),
		};
		return 0;
	}
	in->running = true;
	r->g->n_running++;
	take_slot(r->g, in);
	(void)map_put(r->g->by_attempt, str_from(in->row.ulid.s), in);
	return 0;
}

static int on_artifact(void *ctx, const struct store_artifact *a, struct err *e)
{
	struct run *r = ctx;

	(void)e;
	live_keep(r, live_str(r, a->name), live_str(r, a->file), a->is_private,
		  a->sha256, a->bytes);
	return 0;
}

int recover_load(struct engine *g, struct err *e)
{
	struct broken b = {.g = g};
	int bad = gate_load(g, e) || timetable_load(g, e) ||
		  store_max_fence(g->store, &g->fence, e) ||
		  store_live_runs(g->store, on_run, &b, e) || end_broken(&b, e);

	mem_free(b.runs);
	if (bad)
		return -1;
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		if (store_tasks(g->store, r->row.id, on_task, r, e) ||
		    store_attempts(g->store, r->row.id, on_attempt, r, e) ||
		    store_artifacts(g->store, r->row.id, on_artifact, r, e) ||
		    approve_load(r, e))
			return -1;
	}
	return 0;
}

/* --- once it is known who lives ----------------------------------------- */

/* Its directory is made before LAUNCH is said. */
static bool was_launched(const struct instance *in)
{
	const struct run *r = in->run;
	char path[PATHS_MAX];

	paths_attempt(path, &r->row.ulid, in->index,
		      r->plan->instances[in->index].name, in->attempt);
	return !faccessat(r->g->o.state_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* Nobody has seen this attempt: the same number is given again. */
static void wait_again(struct instance *in)
{
	struct run *r = in->run;

	live_let_go(r, in->index);
	(void)map_del(r->g->by_attempt, str_from(in->row.ulid.s));
	in->attempt--;
	in->attempt_undone = true;
	live_task_set(r, in->index, STATE_QUEUED, KIND_NONE, STR(""));
}

static bool group_was_launched(const struct run *r, uint32_t group)
{
	for (size_t i = 0; i < r->plan->n; i++)
		if (r->plan->instances[i].group == group &&
		    (r->ends[i].ended || was_launched(&r->inst[i])))
			return true;
	return false;
}

static void look_after(struct instance *in)
{
	struct run *r = in->run;
	struct ended lost = {
		.id = {in->row.ulid, in->row.fence},
		.state = STATE_FAILED,
		.kind = KIND_LOST,
		.exit_code = -1,
	};

	if (group_was_launched(r, r->plan->instances[in->index].group))
		result_begin(in, &lost);
	else
		wait_again(in);
}

/*
 * A uid may be in two rows: given anew when its attempt had ended, before that
 * end was committed.  Who lives has it, whatever the other gave back.
 */
static void hold_slots(struct engine *g)
{
	LIST_FOR(l, &g->runs)
	{
		const struct run *r = LIST_ENTRY(l, struct run, link);

		if (r->has_slot && r->slot < g->n_slots)
			g->slots[r->slot] = 1;
		for (size_t i = 0; i < r->plan->n; i++)
			if (r->inst[i].has_slot &&
			    r->inst[i].row.uid_slot < g->n_slots)
				g->slots[r->inst[i].row.uid_slot] = 1;
	}
}

void recover_end(struct engine *g)
{
	g->timetable_due = true;
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		for (size_t i = 0; i < r->plan->n; i++)
			if (r->inst[i].running && !r->inst[i].alive)
				look_after(&r->inst[i]);
		call_recover(r);
	}
	hold_slots(g);
}

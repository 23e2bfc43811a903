/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What can be known of a run before it is stored; see engine.h. */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "job/git.h"

#include <stdio.h>
#include <string.h>

static struct str keep(struct arena *a, struct str s)
{
	char *p = arena_strndup(a, s.p, s.len);

	return str_n(p ? p : "", p ? s.len : 0);
}

static struct str keep_hex(struct arena *a, const struct hash *h)
{
	char hex[HASH_HEX_LEN + 1];

	hash_hex(h, hex);
	return keep(a, str_n(hex, HASH_HEX_LEN));
}

/* Every instance, with outputs left open: names decide, not values. */
static int decide(const struct policy_set *policies,
		  const struct job_plan *plan, struct problems *ps,
		  struct err *e)
{
	bool denied = false;

	for (size_t i = 0; i < plan->n; i++) {
		struct policy_verdict v;
		struct job_attempt *a;

		if (plan->instances[i].action != ACTION_COMMAND)
			continue; /* nothing is launched */
		if (job_plan_attempt(plan, i, NULL, &a, e))
			return -1;
		policy_decide(policies, a, &v);
		job_attempt_free(a);
		denied |= !v.allowed;
		for (size_t k = 0; k < v.n_reasons; k++)
			problem_at_key(
				ps,
				plan->job->tasks[plan->instances[i].task].node,
				"policy",
				v.would[k][0] ? v.would[k] :
						"see the policies of this "
						"server",
				"task \"" STR_FMT "\": %s",
				STR_ARG(plan->instances[i].name), v.reasons[k]);
	}
	return denied ? err_set(e, ERR_DENIED, "policy denies it") : 0;
}

/* Which task a rerun begins with. */
static int find_task(const struct engine_ask *ask, const struct job *j,
		     uint32_t *ret, struct err *e)
{
	int32_t found;

	if (ask->from == FROM_START || !ask->rerun_of.s[0])
		return 0;
	if (j->workspace_run)
		return err_set(e, ERR_INVALID,
			       "its tasks share a workspace that is gone: it "
			       "can only be rerun from the start");
	if (ask->from != FROM_TASK)
		return 0;
	found = job_task_find(j, ask->from_task);
	if (found < 0)
		return err_set(e, ERR_INVALID,
			       "the job has no task \"" STR_FMT "\"",
			       STR_ARG(ask->from_task));
	*ret = (uint32_t)found;
	return 0;
}

static void called_by(struct store_run *row, const struct engine_caller *c,
		      struct arena *a)
{
	row->parent = keep(a, c ? c->run : STR(""));
	row->parent_task = keep(a, c ? c->task : STR(""));
	row->root = keep(a, c ? c->root : STR(""));
	row->parent_attempt = c ? c->attempt : 0;
	row->depth = c ? c->depth : 0;
}

int engine_order_new(const struct policy_set *policies,
		     const struct engine_ask *ask, struct job *job,
		     struct engine_order **ret, struct problems *ps,
		     struct err *e)
{
	struct ulid ulid = ulid_new();
	char id[ULID_LEN + 8];
	struct job_run_facts facts = {.trigger = ask->trigger,
				      .submitter = ask->submitter,
				      .commit = ask->commit};
	CLEANUP_BUF struct buf source = BUF_INIT(256);
	struct hash def = hash_sha256(ask->canonical.p, ask->canonical.len);
	struct hash digest = policy_set_digest(policies), run;
	uint32_t from_task = 0;
	struct engine_order *o;
	struct store_run *row;
	struct job_plan *p;
	struct arena *a;

	(void)snprintf(id, sizeof(id), "run_%s", ulid.s);
	facts.run_id = str_from(id);
	if (job_plan_new(job, ask->inputs, &facts, &p, ps))
		return err_set(e, ERR_INVALID, "the inputs are wrong");
	if (decide(policies, p, ps, e)) {
		job_plan_free(p);
		return -1;
	}
	a = p->arena;
	if (find_task(ask, p->job, &from_task, e)) {
		job_plan_free(p);
		return -1;
	}
	o = mem_alloc(sizeof(*o));
	o->rerun_of = ask->rerun_of;
	o->from = ask->from;
	o->from_task = from_task;
	o->plan = p;
	o->ulid = ulid;
	o->key = keep(a, ask->idempotency_key);
	o->request = ask->request;
	o->hook = ask->hook;
	o->delivery = keep(a, ask->delivery);
	o->event = keep(a, ask->event);
	row = &o->row;
	row->ulid = ulid;
	row->project = p->job->project;
	row->job = p->job->name;
	row->definition_digest = keep_hex(a, &def);
	if (ask->source_bytes)
		row->source = keep_hex(a, &ask->source);
	row->source_bytes = ask->source_bytes;
	row->labels = keep(a, ask->labels.len ? ask->labels : STR("{}"));
	row->inputs = keep(a, ask->inputs.len ? ask->inputs : STR("{}"));
	row->trigger = keep(a, ask->trigger);
	row->submitter = keep(a, ask->submitter);
	row->token = keep(a, ask->token);
	called_by(row, ask->caller, a);
	row->canonical = keep(a, ask->canonical);
	row->blocked = row->error = STR("");
	row->group = p->group;
	row->rerun_of = keep(a, str_from(ask->rerun_of.s));
	row->priority = ask->priority < 0 ? p->job->priority : ask->priority;
	row->created_us = clock_real_us();
	row->git_url = row->git_ref = row->fetch = STR("");
	row->commit = keep(a, ask->commit);
	if (job_git_has(p->job) && gitsource_order(policies, ask, o, ps, e)) {
		engine_order_free(o);
		return -1;
	}
	gitsource_digest_text(row, &source);
	run = job_run_digest(p, ask->canonical, buf_view(&source), &digest);
	row->run_digest = keep_hex(a, &run);
	*ret = o;
	return 0;
}

const struct job *engine_order_job(const struct engine_order *o)
{
	return o->plan->job;
}

void engine_order_free(struct engine_order *o)
{
	if (!o)
		return;
	engine_order_free(o->fetch);
	job_plan_free(o->plan);
	mem_free(o);
}

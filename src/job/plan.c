/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Plans: made, asked for turns and retries; see plan.h. */
#include "job/plan.h"
#include "base/map.h"
#include "job/inputs.h"
#include "job/plan_expand.h"

#include <string.h>

enum {
	PLAN_ARENA_MAX = 64 << 20,
	INSTANCES_FIRST = 4 /* most jobs are small */
};

static struct str keep(struct arena *a, struct str s)
{
	char *p = arena_strndup(a, s.p, s.len);

	return str_n(p ? p : "", p ? s.len : 0);
}

int job_plan_new(struct job *j, struct str inputs,
		 const struct job_run_facts *facts, struct job_plan **ret,
		 struct problems *ps)
{
	size_t before = ps->n + ps->n_dropped;
	struct job_plan *p = mem_alloc(sizeof(*p));

	p->job = j;
	p->arena = arena_new(PLAN_ARENA_MAX);
	p->names = map_new();
	p->cap = INSTANCES_FIRST;
	p->instances = mem_array(p->cap, sizeof(*p->instances));
	p->facts.run_id = keep(p->arena, facts->run_id);
	p->facts.trigger = keep(p->arena, facts->trigger);
	p->facts.submitter = keep(p->arena, facts->submitter);
	inputs_take(p, inputs, ps);
	plan_expand(p, ps);
	if (ps->n + ps->n_dropped == before)
		plan_group(p, ps);
	/* not before: a group is the same when the commit is known */
	p->facts.commit = keep(p->arena, facts->commit);
	if (ps->n + ps->n_dropped != before) {
		job_plan_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

void job_plan_free(struct job_plan *p)
{
	if (!p)
		return;
	job_free(p->job);
	map_free(p->names, NULL);
	mem_free(p->instances);
	arena_free(p->arena);
	mem_free(p);
}

int32_t job_plan_find(const struct job_plan *p, struct str name)
{
	return (int32_t)(uintptr_t)map_get(p->names, name) - 1;
}

static void hash_text(struct hash_ctx *c, struct str s)
{
	unsigned char len[8];

	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)((uint64_t)s.len >> (8 * i));
	hash_update(c, len, sizeof(len));
	hash_update(c, s.p, s.len);
}

struct hash job_run_digest(const struct job_plan *p, struct str canonical,
			   struct str source, const struct hash *policies)
{
	struct hash_ctx *c = hash_begin();

	hash_text(c, STR("nfo-run-digest-v1"));
	hash_text(c, canonical);
	for (size_t i = 0; i < p->n_inputs; i++) {
		hash_text(c, p->inputs[i].name);
		hash_text(c, p->inputs[i].value);
	}
	hash_text(c, source);
	hash_update(c, policies->b, HASH_LEN);
	return hash_end(c);
}

/* --- turns -------------------------------------------------------------- */

static bool bad_end(enum run_state s)
{
	return s == STATE_SKIPPED || s == STATE_FAILED || s == STATE_CANCELLED;
}

/* Have all needs ended, did one end badly?  Of a reader, its writer's too; and
 * a writer that will not run leaves nothing to read. */
static bool needs_ended(const struct job_plan *p, size_t i,
			const struct job_stand *stand, bool *any_bad)
{
	bool all = true;

	for (;;) {
		const struct job_instance *in = &p->instances[i];

		for (size_t k = 0; k < in->n_needs; k++) {
			enum run_state s = stand->states[in->needs[k]];

			all &= state_final(s);
			*any_bad |= bad_end(s);
		}
		if (in->stdin_from < 0)
			return all;
		i = (size_t)in->stdin_from;
		*any_bad |= bad_end(stand->states[i]);
	}
}

/* `finally` starts when all else has ended. */
static bool others_ended(const struct job_plan *p,
			 const struct job_stand *stand)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->instances[i].is_finally &&
		    !state_final(stand->states[i]))
			return false;
	return true;
}

int job_plan_turn(const struct job_plan *p, size_t i,
		  const struct job_stand *stand, enum job_turn *ret,
		  struct err *e)
{
	const struct job_instance *in = &p->instances[i];
	const struct doc_node *cond =
		doc_get(p->job->tasks[in->task].node, "if");
	bool any_bad = false, truth = true;

	if (!needs_ended(p, i, stand, &any_bad) ||
	    (in->is_finally && !others_ended(p, stand))) {
		*ret = TURN_WAIT;
		return 0;
	}
	if (any_bad && !(cond && expr_asks_failure(expr_bare(cond->text)))) {
		*ret = TURN_SKIP;
		return 0;
	}
	if (cond && inputs_eval_if(p, i, stand, cond->text, &truth, e))
		return -1;
	*ret = truth ? TURN_RUN : TURN_SKIP;
	return 0;
}

/* --- retry -------------------------------------------------------------- */

static bool matches(const struct doc_node *when, enum fail_kind kind,
		    int exit_code)
{
	for (const struct doc_node *n = when->first; n; n = n->next) {
		enum fail_kind k;
		uint64_t code;

		if (!kind_parse(n->text, &k) && k == kind)
			return true;
		if (kind == KIND_EXIT && str_starts(n->text, STR("exit-")) &&
		    !str_to_u64(str_from_at(n->text, 5), 255, &code) &&
		    (int)code == exit_code)
			return true;
	}
	return false;
}

bool job_plan_retry(const struct job_plan *p, size_t i, uint32_t number,
		    enum fail_kind kind, int exit_code, uint64_t *ret_delay_us)
{
	const struct job_task *t = &p->job->tasks[p->instances[i].task];
	const struct doc_node *retry = job_task_get(p->job, t, "retry");
	const struct doc_node *when = doc_get(retry, "when");
	uint64_t delay, most;
	int64_t max;

	if (!retry || retry->kind != DOC_MAP ||
	    doc_as_i64(doc_get(retry, "max"), &max) || number > max)
		return false;
	/* Without `when` all that another try may mend. */
	if (when ? !matches(when, kind, exit_code) :
		   kind != KIND_EXIT && kind != KIND_SIGNAL &&
			    kind != KIND_TIMEOUT && kind != KIND_LOST &&
			    kind != KIND_OOM && kind != KIND_HOST &&
			    kind != KIND_UPSTREAM)
		return false;
	delay = job_time(doc_get(retry, "backoff"), 1000000);
	most = job_time(doc_get(retry, "max_backoff"), 300000000);
	for (uint32_t k = 1; k < number && delay < most; k++)
		delay *= 2;
	*ret_delay_us = delay < most ? delay : most;
	return true;
}

uint32_t job_plan_matrix_parallel(const struct job_plan *p, size_t i)
{
	const struct doc_node *m =
		doc_get(p->job->tasks[p->instances[i].task].node, "matrix");
	int64_t v;

	return doc_as_i64(doc_get(m, "max_parallel"), &v) ? 0 : (uint32_t)v;
}

bool job_plan_fail_fast(const struct job_plan *p, size_t i)
{
	const struct doc_node *m =
		doc_get(p->job->tasks[p->instances[i].task].node, "matrix");
	bool b = true;

	return m && (doc_as_bool(doc_get(m, "fail_fast"), &b) || b);
}

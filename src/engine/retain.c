/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Runs whose time is over.  Goes through the jobs, a few runs at a time, each
 * part in a transaction of its own; where it has got is only in memory, for a
 * walk from the beginning finds the same.  Never a run that is alive, nor one
 * that a living one was made from, nor (unless it is said) the last of its job
 * that succeeded.  Where the time of its logs alone is over, its row says so
 * before they are removed.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "store/retention.h"

#include <string.h>

enum {
	LOOK_MAX = 64, /* runs in one part: the thread has other work */
	JOBS_MAX = 256
};

static const int64_t walk_every_us = (int64_t)600 * 1000000;

struct retain {
	char project[STORE_NAME_MAX + 1], job[STORE_NAME_MAX + 1];
	int64_t after, boundary; /* ids; boundary: keep_runs newer ones ended */
	bool in_job;
	int64_t next_us;            /* monotonic: the next walk */
	struct ulid gone[LOOK_MAX]; /* their directories go */
	size_t n_gone, n_runs;      /* n_runs: with their rows */
};

struct retain *retain_new(void)
{
	return mem_alloc(sizeof(struct retain));
}

void retain_again(struct engine *g)
{
	g->retain->next_us = 0;
	loop_timer_set(g->sweep_timer, clock_mono_us());
}

/* By one that is made from it, or that has asked for it. */
static bool is_needed(const struct engine *g, const struct store_run *x)
{
	if (x->parent.len && map_get(g->by_run, x->parent))
		return true;
	LIST_FOR(l, &g->runs)
	{
		const struct run *r = LIST_ENTRY(l, struct run, link);

		if (str_is(r->row.rerun_of, x->ulid.s))
			return true;
	}
	return false;
}

/* --- one job's runs, the oldest first ----------------------------------- */

struct look {
	struct engine *g;
	const struct retention *rule;
	int64_t now_us;
	size_t n;
	struct over {
		int64_t id;
		struct ulid ulid;
		enum run_state state;
		bool run, logs;
	} over[LOOK_MAX];
	size_t n_over;
};

static int on_run(void *ctx, const struct store_run *x, struct err *e)
{
	struct look *l = ctx;
	struct retain *t = l->g->retain;
	bool run, logs;

	(void)e;
	l->n++;
	t->after = x->id;
	run = retention_over(l->rule, x->state, x->finished_us,
			     x->id <= t->boundary, l->now_us);
	logs = !x->logs_gone && retention_logs_over(l->rule, x->state,
						    x->finished_us, l->now_us);
	if ((run || logs) && !is_needed(l->g, x))
		l->over[l->n_over++] =
			(struct over){x->id, x->ulid, x->state, run, logs};
	return 0;
}

static int is_last(struct engine *g, const struct look *l, const struct over *x,
		   bool *ret, struct err *e)
{
	struct retain *t = g->retain;
	bool later;

	*ret = false;
	if (l->rule->drop_last || x->state != STATE_SUCCEEDED)
		return 0;
	if (store_job_succeeded_after(g->store, str_from(t->project),
				      str_from(t->job), x->id, &later, e))
		return -1;
	*ret = !later;
	return 0;
}

/* With its row, or its logs alone. */
static int remove_one(struct engine *g, const struct look *l,
		      const struct over *x, bool run, struct err *e)
{
	struct retain *t = g->retain;

	if (run ? store_run_delete(g->store, x->id, e) :
		  store_run_logs_gone(g->store, x->id, e))
		return -1;
	CRASH_POINT("retention.half");
	if (store_audit_add(g->store, l->now_us, STR("retention"),
			    run ? STR("run.expire") : STR("log.expire"),
			    str_from(x->ulid.s), e))
		return -1;
	t->gone[t->n_gone++] = x->ulid;
	t->n_runs += run;
	return 0;
}

static int remove_those(struct engine *g, const struct look *l, struct err *e)
{
	for (size_t i = 0; i < l->n_over; i++) {
		const struct over *x = &l->over[i];
		bool last = false;

		if (x->run && is_last(g, l, x, &last, e))
			return -1;
		if ((x->run && !last) || x->logs) {
			if (remove_one(g, l, x, x->run && !last, e))
				return -1;
		}
	}
	return 0;
}

/* Returns how many it looked at; none: the job is done. */
static int one_part(struct engine *g, const struct retention *rule,
		    int64_t now_us, struct err *e)
{
	struct retain *t = g->retain;
	struct look l = {.g = g, .rule = rule, .now_us = now_us};

	if (store_job_runs(g->store, str_from(t->project), str_from(t->job),
			   t->after, LOOK_MAX, on_run, &l, e) ||
	    remove_those(g, &l, e))
		return -1;
	return (int)l.n;
}

/* --- from job to job ---------------------------------------------------- */

static int begin_job(struct engine *g, const struct retention *rule,
		     struct err *e)
{
	struct retain *t = g->retain;

	t->in_job = true;
	t->after = t->boundary = 0;
	return rule->keep_runs ?
		       store_job_boundary(g->store, str_from(t->project),
					  str_from(t->job), rule->keep_runs,
					  &t->boundary, e) :
		       0;
}

/* 1: there is one more; 0: the walk is over. */
static int next_job(struct engine *g, struct err *e)
{
	struct retain *t = g->retain;

	t->in_job = false;
	return store_job_next(g->store, t->project, t->job, e);
}

static void rest(struct engine *g)
{
	struct retain *t = g->retain;

	t->project[0] = t->job[0] = '\0';
	t->in_job = false;
	t->next_us = clock_mono_us() + walk_every_us;
}

/* 1: go on soon; 0: the walk is over. */
static int walk(struct engine *g, int64_t now_us, struct err *e)
{
	struct retain *t = g->retain;
	int n, looked = 0;

	for (int jobs = 0; jobs < JOBS_MAX && looked < LOOK_MAX; jobs++) {
		struct retention rule;

		if (!t->in_job) {
			n = next_job(g, e);
			if (n <= 0)
				return n;
		}
		rule = gate_retention(g, str_from(t->project));
		if (!retention_any(&rule))
			continue;
		if (!t->in_job && begin_job(g, &rule, e))
			return -1;
		n = one_part(g, &rule, now_us, e);
		if (n < 0)
			return -1;
		looked += n;
		if (n < LOOK_MAX)
			t->in_job = false;
	}
	return 1;
}

int retain_some(struct engine *g, int64_t now_us, struct err *e)
{
	struct retain *t = g->retain;
	int more;

	if (clock_mono_us() < t->next_us)
		return 0;
	if (store_begin(g->store, e))
		return -1;
	t->n_gone = t->n_runs = 0;
	more = walk(g, now_us, e);
	CRASH_POINT("retention.before-commit");
	if (more < 0 || store_commit(g->store, e)) {
		store_rollback(g->store);
		rest(g); /* and from the beginning */
		return -1;
	}
	for (size_t i = 0; i < t->n_gone; i++)
		collect_remove_run(g, t->gone[i].s);
	g->stats.runs_expired += t->n_runs;
	g->stats.logs_expired += t->n_gone - t->n_runs;
	if (t->n_gone)
		log_info("%zu runs whose time was over are gone, and the logs "
			 "of %zu others",
			 t->n_runs, t->n_gone - t->n_runs);
	if (!more)
		rest(g);
	return more;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Whether a run may take its first step: maintenance, its project's word, and
 * its concurrency group.  Who has passed holds its places until it has ended,
 * `finally` and all.
 *
 * The first in line goes first: a run waits while one that is as high and
 * older waits for the same.  The smallest limit that anybody in a group has
 * declared counts.
 */
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "sched/trigger.h"
#include "store/resources.h"

#include <string.h>

#define CACHE_MAX ((uint64_t)10 << 30) /* where a project does not say */

struct project {
	bool paused;
	uint32_t max_running; /* 0: no limit */
	uint64_t cache_max_bytes;
	struct retention retention;
};

/* --- what the store says ------------------------------------------------ */

struct projects {
	struct map *by_name;
	const struct retention *otherwise;
};

static int add_project(void *ctx, const struct store_resource *x, struct err *e)
{
	struct projects *to = ctx;
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct project *p = mem_alloc(sizeof(*p));
	int64_t most = 0;
	struct doc *d;

	(void)e;
	p->cache_max_bytes = CACHE_MAX;
	if (doc_parse(x->body, DOC_JSON, &d, ps)) {
		p->paused = true; /* what cannot be read lets nobody go */
	} else {
		if (doc_as_bool(doc_get(d->root, "paused"), &p->paused))
			p->paused = false;
		if (doc_as_i64(doc_get(d->root, "max_running"), &most))
			most = 0;
		p->max_running = (uint32_t)most;
		if (!doc_as_i64(doc_get(d->root, "cache_max_bytes"), &most) &&
		    most >= 0)
			p->cache_max_bytes = (uint64_t)most;
		p->retention = *to->otherwise;
		retention_read(doc_get(d->root, "retention"), &p->retention);
		doc_free(d);
	}
	mem_free(map_put(to->by_name, x->name, p));
	return 0;
}

static int see_maintenance(void *ctx, const struct store_resource *x,
			   struct err *e)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	struct engine *g = ctx;
	struct doc *d;

	(void)e;
	g->maintenance = true;
	if (doc_parse(x->body, DOC_JSON, &d, ps))
		return 0;
	if (doc_as_bool(doc_get(d->root, "on"), &g->maintenance))
		g->maintenance = true;
	doc_free(d);
	return 0;
}

uint64_t gate_cache_max(const struct engine *g, struct str project)
{
	const struct project *p = map_get(g->projects, project);

	return p ? p->cache_max_bytes : CACHE_MAX;
}

static void look_at_waiting(struct engine *g)
{
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		if (!r->passed || r->held)
			live_look(r);
	}
}

int gate_load(struct engine *g, struct err *e)
{
	struct map *projects = map_new();
	struct projects to = {projects, &g->o.retention};
	struct err none = {0};

	g->maintenance = false;
	if (store_resources(g->store, STR("project"), add_project, &to, e)) {
		map_free(projects, mem_free);
		return -1;
	}
	map_free(g->projects, mem_free);
	g->projects = projects;
	if (store_resource_get(g->store, STR("system"), STR("maintenance"),
			       see_maintenance, g, &none) &&
	    none.code != ERR_NOT_FOUND) {
		*e = none;
		return -1;
	}
	look_at_waiting(g);
	return 0;
}

struct retention gate_retention(const struct engine *g, struct str project)
{
	const struct project *p = map_get(g->projects, project);

	return p ? p->retention : g->o.retention;
}

/* --- who is where ------------------------------------------------------- */

static bool same_group(const struct run *a, struct str project,
		       struct str group)
{
	return group.len && str_eq(a->plan->group, group) &&
	       str_eq(a->row.project, project);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Is the group full for one that declares this limit?  *holder: of one. */
static bool is_full(const struct engine *g, struct str project,
		    struct str group, uint32_t limit, const struct run **holder)
{
	uint32_t n = 0;

	*holder = NULL;
	LIST_FOR(l, &g->runs)
	{
		const struct run *r = LIST_ENTRY(l, struct run, link);

		if (!r->passed || !same_group(r, project, group))
			continue;
		limit = smaller(limit, r->plan->group_limit);
		*holder = r;
		n++;
	}
	return n >= limit;
}

static bool is_before(const struct run *a, const struct run *b)
{
	if (a->row.priority != b->row.priority)
		return a->row.priority > b->row.priority;
	return strcmp(a->row.ulid.s, b->row.ulid.s) < 0;
}

/* Does one that goes first wait for the same group? */
static bool others_first(const struct run *r)
{
	LIST_FOR(l, &r->g->runs)
	{
		const struct run *o = LIST_ENTRY(l, struct run, link);

		if (o != r && !o->passed && !o->row.cancelled &&
		    same_group(o, r->row.project, r->plan->group) &&
		    is_before(o, r))
			return true;
	}
	return false;
}

/* One of the same project waits for it, or for one that does: it goes in that
 * one's place. */
static bool has_place(const struct run *r)
{
	for (const struct run *by = r; (by = call_waiting(by));)
		if (str_eq(by->row.project, r->row.project))
			return true;
	return false;
}

/* Are so many of its runs on their way?  Those are the older ones, at the
 * beginning: the rest is not looked at. */
static bool passed_in(const struct engine *g, struct str project, uint32_t most)
{
	uint32_t n = 0;

	LIST_FOR(l, &g->runs)
	{
		const struct run *r = LIST_ENTRY(l, struct run, link);

		n += r->passed && !gitsource_is_fetch(r) &&
		     str_eq(r->row.project, project) && !has_place(r);
		if (n >= most)
			return true;
	}
	return false;
}

/* --- conflict: cancel-running ------------------------------------------- */

/* Those before it in the group end; not one in its `finally`.  Not before it
 * is stored itself, a full disk may turn it away: true when it waits for that. */
static bool displace(struct run *r)
{
	r->displaced = !r->create;
	LIST_FOR(l, &r->g->runs)
	{
		struct run *o = LIST_ENTRY(l, struct run, link);

		if (o == r || o->in_finally || o->row.cancelled || o->ended ||
		    !same_group(o, r->row.project, r->plan->group) ||
		    strcmp(o->row.ulid.s, r->row.ulid.s) > 0)
			continue;
		if (!r->displaced)
			return true;
		o->row.cancelled = true;
		o->row_dirty = true;
		live_put(o);
		live_look(o);
	}
	r->displaced = true;
	return false;
}

/* --- a schedule's earlier runs ------------------------------------------ */

static bool replaces(const struct run *r, struct str schedule)
{
	const struct doc_node *n =
		trigger_find(r->plan->job->doc->root, schedule);

	return str_is(job_text(doc_get(n, "overlap"), "queue"), "replace");
}

/* One by one; with `replace` those before it end, once it is stored. */
static bool waits_for_earlier(struct run *r)
{
	struct str schedule = r->row.submitter;
	bool any = false, end;

	if (!str_is(r->row.trigger, "schedule") ||
	    !str_starts(schedule, STR("schedule:")))
		return false;
	end = replaces(r, str_from_at(schedule, 9));
	LIST_FOR(l, &r->g->runs)
	{
		struct run *o = LIST_ENTRY(l, struct run, link);

		if (o == r || o->ended ||
		    strcmp(o->row.ulid.s, r->row.ulid.s) > 0 ||
		    !str_eq(o->row.submitter, schedule) ||
		    !str_eq(o->row.project, r->row.project) ||
		    !str_eq(o->row.job, r->row.job))
			continue;
		any = true;
		if (!end || r->create || o->in_finally || o->row.cancelled)
			continue;
		o->row.cancelled = true;
		o->row_dirty = true;
		live_put(o);
		live_look(o);
	}
	return any;
}

/* --- the gate ----------------------------------------------------------- */

bool gate_holds(const struct run *r)
{
	const struct project *p = map_get(r->g->projects, r->row.project);

	return r->g->maintenance || (p && p->paused);
}

/* Why it is closed; "" when it is open. */
static struct str closed(struct run *r)
{
	const struct project *p = map_get(r->g->projects, r->row.project);
	const struct run *holder;
	struct str why;

	if (gate_holds(r))
		return STR("maintenance");
	if (gitsource_is_fetch(r))
		return STR("");
	why = gitsource_waits(r);
	if (why.len || r->ended)
		return why;
	if (p && p->max_running && !has_place(r) &&
	    passed_in(r->g, r->row.project, p->max_running))
		return STR("concurrency");
	if (waits_for_earlier(r))
		return STR("concurrency");
	if (!r->plan->group.len)
		return STR("");
	if (r->plan->conflict == CONFLICT_CANCEL && !r->displaced &&
	    displace(r))
		return STR("concurrency");
	if (others_first(r) || is_full(r->g, r->row.project, r->plan->group,
				       r->plan->group_limit, &holder))
		return STR("concurrency");
	return STR("");
}

bool gate_pass(struct run *r)
{
	struct str why;

	if (r->passed)
		return true;
	if (r->row.cancelled) {
		(void)gitsource_waits(r);
		return !r->ended;
	}
	why = closed(r);
	if (r->ended)
		return false;
	if (why.len) {
		if (r->row.state != STATE_BLOCKED ||
		    !str_eq(r->row.blocked, why)) {
			r->row.blocked = why;
			live_run_set(r, STATE_BLOCKED);
		}
		return false;
	}
	r->passed = true;
	r->row.blocked = STR("");
	if (r->row.state == STATE_BLOCKED)
		live_run_set(r, STATE_QUEUED);
	return true;
}

int gate_refuses(struct engine *g, const struct engine_order *o, struct err *e)
{
	const struct job_plan *p = o->plan;
	const struct run *holder;

	if (p->conflict != CONFLICT_REJECT || !p->group.len ||
	    !is_full(g, o->row.project, p->group, p->group_limit, &holder))
		return 0;
	return err_set(e, ERR_CONFLICT,
		       "concurrency group \"" STR_FMT "\" is full: run_%s "
		       "holds it",
		       STR_ARG(p->group), holder ? holder->row.ulid.s : "");
}

void gate_ended(struct run *r)
{
	const struct project *p = map_get(r->g->projects, r->row.project);

	if (!r->plan->group.len && !(p && p->max_running) &&
	    !str_is(r->row.trigger, "schedule"))
		return;
	LIST_FOR(l, &r->g->runs)
	{
		struct run *o = LIST_ENTRY(l, struct run, link);

		if (o != r && !o->passed &&
		    str_eq(o->row.project, r->row.project))
			live_look(o);
	}
}

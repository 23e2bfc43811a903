/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Providers of secrets that are away.  A task that needs one is not launched:
 * it is blocked, and goes on when the provider is back.  Who launched and was
 * told to wait is tried again then, which is no retry of the job's.
 *
 * A provider that nobody has said anything of counts as up; but what was
 * blocked before a restart stays so until there is word of all: that of the
 * local store comes last.
 */
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <stdio.h>
#include <string.h>

#define AGAIN_US     ((uint64_t)1000000)
#define AGAIN_MAX_US ((uint64_t)60000000)

/* --- what is said of them ----------------------------------------------- */

void engine_provider(struct engine *g, struct str name, enum provider_state s,
		     struct str text)
{
	struct away *a = &g->said;
	size_t i = 0;

	pthread_mutex_lock(&g->lock);
	while (i < a->n && !str_is(name, a->items[i].name))
		i++;
	if (i < AWAY_MAX) {
		a->n += i == a->n;
		a->items[i].state = s;
		(void)snprintf(a->items[i].name, sizeof(a->items[i].name),
			       STR_FMT, STR_ARG(name));
		(void)snprintf(a->items[i].text, sizeof(a->items[i].text),
			       STR_FMT, STR_ARG(text));
		g->said_new = true;
	}
	pthread_mutex_unlock(&g->lock);
	loop_wake(g->loop);
}

void away_take(struct engine *g)
{
	bool fresh;

	pthread_mutex_lock(&g->lock);
	fresh = g->said_new;
	g->said_new = false;
	if (fresh)
		g->away = g->said;
	pthread_mutex_unlock(&g->lock);
	if (!fresh)
		return;
	LIST_FOR(l, &g->runs)
	{
		struct run *r = LIST_ENTRY(l, struct run, link);

		if (doc_get(r->plan->job->doc->root, "secrets"))
			live_look(r);
	}
}

/* --- whom a task needs -------------------------------------------------- */

static struct str provider_of(const struct doc_node *secret)
{
	const struct doc_node *exec = doc_get(secret, "exec");

	if (doc_get(secret, "store"))
		return STR("");
	return exec ? exec->text :
		      job_text(doc_get(secret, "provider"), "default");
}

static const struct away_item *find(const struct engine *g, struct str name)
{
	for (size_t i = 0; i < g->away.n; i++)
		if (str_is(name, g->away.items[i].name))
			return &g->away.items[i];
	return NULL;
}

/* One that the task needs and that is not up; NULL: none. */
static const struct away_item *missing(const struct run *r, size_t i)
{
	const struct job *j = r->plan->job;
	const struct doc_node *all = doc_get(j->doc->root, "secrets");
	const struct doc_node *list =
		doc_get(j->tasks[r->plan->instances[i].task].node, "secrets");

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next) {
		const struct away_item *p =
			find(r->g, provider_of(doc_get_str(all, n->text)));

		if (p && p->state != PROVIDER_UP)
			return p;
	}
	return NULL;
}

static bool waits_for_secrets(const struct run *r, size_t i)
{
	struct str why = r->inst[i].blocked;

	return r->states[i] == STATE_BLOCKED &&
	       (str_is(why, "secrets") || str_is(why, "sealed"));
}

/* One of the whole pipe group: its members start together. */
static const struct away_item *group_misses(const struct run *r, size_t of)
{
	uint32_t group = r->plan->instances[of].group;
	const struct away_item *p = missing(r, of);

	for (size_t i = 0; i < r->plan->n && !p; i++)
		if (i != of && r->plan->instances[i].group == group)
			p = missing(r, i);
	return p;
}

static bool all_up(const struct engine *g)
{
	for (size_t i = 0; i < g->away.n; i++)
		if (g->away.items[i].state != PROVIDER_UP)
			return false;
	return true;
}

unsigned char *away_look(struct run *r)
{
	bool up = all_up(r->g), told = find(r->g, STR("")) != NULL;
	unsigned char *away;

	if (!doc_get(r->plan->job->doc->root, "secrets"))
		return NULL;
	away = mem_alloc(r->plan->n + 1);
	for (size_t i = 0; i < r->plan->n; i++) {
		if (state_final(r->states[i]) || r->states[i] == STATE_RUNNING)
			continue;
		away[i] = (!up && missing(r, i)) ||
			  (!told && waits_for_secrets(r, i));
		if (waits_for_secrets(r, i) && told && !group_misses(r, i))
			live_task_set(r, i, STATE_QUEUED, r->inst[i].kind,
				      STR(""));
	}
	return away;
}

/* --- those that wait ---------------------------------------------------- */

static void say(struct instance *in, const struct away_item *p)
{
	struct run *r = in->run;

	if (!in->away_text)
		in->away_text = arena_alloc(r->arena, AWAY_TEXT_MAX);
	if (!in->away_text)
		return;
	if (p->name[0])
		(void)snprintf(in->away_text, AWAY_TEXT_MAX,
			       "provider \"%s\" of secrets is %s%s%s", p->name,
			       provider_state_name(p->state),
			       p->text[0] ? ": " : "", p->text);
	else
		(void)snprintf(in->away_text, AWAY_TEXT_MAX,
			       "the secret store is %s%s%s",
			       provider_state_name(p->state),
			       p->text[0] ? ": " : "", p->text);
}

void away_block(struct run *r, size_t i)
{
	const struct away_item *p = group_misses(r, i);
	struct instance *in = &r->inst[i];
	struct str why;

	if (!p)
		return; /* from before a restart: it stays what it was */
	why = p->name[0] ? STR("secrets") : STR("sealed");
	if (r->states[i] == STATE_BLOCKED && str_eq(in->blocked, why))
		return;
	say(in, p);
	live_task_set(r, i, STATE_BLOCKED, KIND_NONE,
		      str_from(in->away_text ? in->away_text : ""));
	in->blocked = why;
}

/* --- those that were told to wait --------------------------------------- */

static const char again[] = "a new attempt is made when it is back";

void away_ended(struct instance *in, struct sched_end *end)
{
	uint64_t wait = AGAIN_US;

	for (uint32_t n = in->n_away; n && wait < AGAIN_MAX_US; n--)
		wait *= 2;
	end->away = true;
	/* blocked until there is word; else whoever said so is asked again, and
	 * less and less often */
	end->again_us = missing(in->run, in->index) ? 0 :
			wait < AGAIN_MAX_US         ? wait :
						      AGAIN_MAX_US;
	in->row.hint = str_from(again);
}

void away_again(struct instance *in)
{
	in->n_away++;
	in->row.hint = str_from(again);
	live_attempt_changed(in->run, in->index);
}

bool away_was(const struct store_attempt *a)
{
	return state_final(a->state) && str_is(a->hint, again);
}

bool away_told(const struct store_attempt *a)
{
	return away_was(a) && a->state == STATE_FAILED &&
	       a->kind == KIND_SECRET;
}

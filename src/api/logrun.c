/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* All logs of a run as one; see logrun.h. */
#include "api/logrun.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
	PARTS_MAX = 100000
};

void logrun_init(struct logrun *l)
{
	*l = (struct logrun){.n = 0};
}

void logrun_done(struct logrun *l)
{
	for (size_t i = 0; i < l->n; i++) {
		logview_done(&l->parts[i]->v);
		mem_free(l->parts[i]);
	}
	for (size_t i = 0; i < l->n_names; i++)
		mem_free(l->names[i]);
	mem_free(l->parts);
	mem_free(l->names);
}

/* --- what there is ------------------------------------------------------ */

static int see_run(void *ctx, const struct store_run *run, struct err *e)
{
	struct logrun *l = ctx;

	(void)e;
	l->id = run->id;
	l->gone = run->logs_gone;
	l->state = run->state;
	l->kind = run->kind;
	return 0;
}

static int see_task(void *ctx, const struct store_task *t, struct err *e)
{
	struct logrun *l = ctx;

	if (t->index != l->n_names)
		return err_set(e, ERR_INTERNAL, "a task's row is odd");
	l->names = mem_resize(l->names, l->n_names + 1, sizeof(*l->names));
	l->names[l->n_names++] = mem_strndup(t->name.p, t->name.len);
	return 0;
}

static struct logpart *find(struct logrun *l, uint64_t fence)
{
	for (size_t i = l->first; i < l->n; i++)
		if (l->parts[i]->fence == fence)
			return l->parts[i];
	return NULL;
}

static struct logpart *add(struct logrun *l, const struct store_attempt *a)
{
	struct logpart *p = mem_alloc(sizeof(*p));
	uint64_t read = logpos_of(&l->from, (uint32_t)l->n + 1);

	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->parts = mem_resize(l->parts, l->cap, sizeof(*l->parts));
	}
	l->parts[l->n++] = p;
	logview_init(&p->v);
	p->v.run = l->run;
	p->v.run_id = l->id;
	p->v.index = a->index;
	p->v.attempt = a->number;
	(void)snprintf(p->v.task, sizeof(p->v.task), "%s", l->names[a->index]);
	p->fence = a->fence;
	p->over = read == UINT64_MAX;
	p->v.seq = p->over ? 1 : read + 1;
	if (l->n <= l->from.last)
		l->begun = l->n;
	return p;
}

static int see_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct logrun *l = ctx;
	struct logpart *p = find(l, a->fence);

	if (a->index >= l->n_names || l->n == PARTS_MAX)
		return err_set(e, ERR_INTERNAL, "an attempt's row is odd");
	if (!p)
		p = add(l, a);
	p->started_us = a->started_us;
	p->v.state = a->state;
	p->v.kind = a->kind;
	p->v.log_bytes = a->log_bytes;
	return 0;
}

int logrun_find(struct logrun *l, struct store_reader *reader,
		const struct ulid *run, struct err *e)
{
	l->run = *run;
	return store_read_run(reader, run, see_run, l, e) ||
			       store_read_tasks(reader, l->id, see_task, l, e) ?
		       -1 :
		       0;
}

int logrun_refresh(struct logrun *l, struct store_reader *reader, struct err *e)
{
	uint64_t from = 0;

	if (l->first < l->n)
		from = l->parts[l->first]->fence;
	else if (l->n)
		from = l->parts[l->n - 1]->fence + 1;
	/* the run first: when it is final, so is every attempt read after it */
	return store_read_run(reader, &l->run, see_run, l, e) ||
			       store_read_attempts_from(reader, l->id, from,
							see_attempt, l, e) ?
		       -1 :
		       0;
}

/* --- frame by frame ----------------------------------------------------- */

/* Its next frame; one that has ended and has none is over. */
static int peek(struct logpart *p, int state_fd, struct logidx_rec *rec,
		struct err *e)
{
	int there;

	if (logview_open(&p->v, state_fd, e))
		return -1;
	there = logview_peek(&p->v, rec, e);
	if (!there && state_final(p->v.state)) {
		p->over = true;
		logview_close(&p->v);
		mem_free(p->v.batch);
		p->v.batch = NULL;
	}
	return there;
}

int logrun_peek(struct logrun *l, int state_fd, struct logpart **ret,
		struct logidx_rec *rec, struct err *e)
{
	struct logidx_rec mine;
	bool found = false;
	int there;

	while (l->first < l->n && l->parts[l->first]->over)
		l->first++;
	for (size_t i = l->first; i < l->n; i++) {
		struct logpart *p = l->parts[i];

		/* one that began later has nothing earlier */
		if (found && p->started_us > rec->time_us)
			break;
		if (p->over || p->dry)
			continue;
		there = peek(p, state_fd, &mine, e);
		if (there < 0)
			return -1;
		p->dry = !there;
		if (!there || (found && mine.time_us >= rec->time_us))
			continue;
		*ret = p;
		*rec = mine;
		found = true;
	}
	return found;
}

void logrun_took(struct logrun *l, struct logpart *p)
{
	for (size_t i = l->begun; i < l->n; i++)
		if (l->parts[i] == p)
			l->begun = i + 1;
}

bool logrun_over(const struct logrun *l)
{
	for (size_t i = l->first; i < l->n; i++)
		if (!l->parts[i]->over)
			return false;
	return state_final(l->state);
}

bool logrun_awaits(const struct logrun *l)
{
	for (size_t i = l->first; i < l->n; i++)
		if (!l->parts[i]->over && l->parts[i]->v.idx_fd < 0)
			return true;
	return false;
}

void logrun_again(struct logrun *l)
{
	for (size_t i = l->first; i < l->n; i++)
		l->parts[i]->dry = false;
}

void logrun_close(struct logrun *l)
{
	logrun_again(l);
	for (size_t i = l->first; i < l->n; i++)
		logview_close(&l->parts[i]->v);
}

bool logrun_place(const struct logrun *l, struct buf *b)
{
	struct logpos p;

	p.last = (uint32_t)l->begun;
	p.n = 0;
	for (size_t i = l->first; i < l->begun; i++) {
		if (l->parts[i]->over)
			continue;
		if (p.n == LOGPOS_OPEN_MAX)
			return false;
		p.open[p.n++] = (struct logpos_open){(uint32_t)i + 1,
						     l->parts[i]->v.seq - 1};
	}
	logpos_write(&p, b);
	return true;
}

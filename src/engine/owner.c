/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the owner's thread calls: asking, and fetching answers and news. */
#include "base/fd.h"
#include "base/mem.h"
#include "engine/internal.h"

static int post(struct engine *g, struct command *c, struct err *e)
{
	int bad = 0;

	pthread_mutex_lock(&g->lock);
	if (g->stop)
		bad = err_set(e, ERR_UNAVAILABLE, "the server is stopping");
	else if (g->n_in >= g->o.commands)
		bad = err_set(e, ERR_LIMIT, "too many requests are waiting");
	if (!bad) {
		*g->in_tail = c;
		g->in_tail = &c->next;
		g->n_in++;
	}
	pthread_mutex_unlock(&g->lock);
	if (bad)
		commands_drop(c);
	else
		loop_wake(g->loop);
	return bad;
}

static struct command *command_new(int type, struct str who,
				   engine_reply_fn *fn, void *ctx)
{
	struct command *c = mem_alloc(sizeof(*c));

	c->type = type;
	c->who = mem_strndup(who.p, who.len);
	c->fn = fn;
	c->ctx = ctx;
	return c;
}

int engine_run(struct engine *g, struct engine_order *o, engine_reply_fn *fn,
	       void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_RUN, STR(""), fn, ctx);

	c->order = o;
	return post(g, c, e);
}

int engine_cancel(struct engine *g, const struct ulid *run, struct str who,
		  engine_reply_fn *fn, void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_CANCEL, who, fn, ctx);

	c->run = *run;
	return post(g, c, e);
}

int engine_delete(struct engine *g, const struct ulid *run, struct str who,
		  engine_reply_fn *fn, void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_DELETE, who, fn, ctx);

	c->run = *run;
	return post(g, c, e);
}

int engine_audit(struct engine *g, struct str who, struct str action,
		 struct str what, engine_reply_fn *fn, void *ctx, struct err *e)
{
	struct command *c = command_new(COMMAND_AUDIT, who, fn, ctx);

	c->action = mem_strndup(action.p, action.len);
	c->what = mem_strndup(what.p, what.len);
	return post(g, c, e);
}

int engine_fd(const struct engine *g)
{
	return g->out_fd;
}

void engine_drain(struct engine *g, engine_news_fn *news_fn, void *ctx)
{
	struct command *c;
	struct news *n;
	uint64_t count;

	if (fd_read(g->out_fd, &count, sizeof(count)) < 0)
		count = 0;
	pthread_mutex_lock(&g->lock);
	c = g->out_head;
	n = g->news_head;
	g->out_head = NULL;
	g->out_tail = &g->out_head;
	g->news_head = NULL;
	g->news_tail = &g->news_head;
	pthread_mutex_unlock(&g->lock);
	while (c) {
		struct command *next = c->next;

		c->fn(c->ctx, &c->reply);
		commands_drop(c);
		c = next;
	}
	while (n) {
		struct news *next = n->next;

		if (news_fn)
			news_fn(ctx, &n->n);
		mem_free(n);
		n = next;
	}
}

struct engine_stats engine_stats(struct engine *g)
{
	struct engine_stats s;

	pthread_mutex_lock(&g->lock);
	s = g->stats;
	pthread_mutex_unlock(&g->lock);
	return s;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the monitor says to the http thread; see control.h. */
#include "api/control.h"
#include "base/chan.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/edges.h"

#include <stdio.h>

struct waiter {
	struct link link;
	control_done_fn *done;
	void *ctx;
};

struct control {
	struct chan *chan;
	control_take_fn *take;
	void *ctx;
	struct link waiters;
};

static void answer_all(struct control *c, const char *text,
		       const struct err *why)
{
	while (!list_empty(&c->waiters)) {
		struct waiter *w =
			LIST_ENTRY(c->waiters.next, struct waiter, link);

		list_del(&w->link);
		w->done(w->ctx, text, why);
		mem_free(w);
	}
}

static int on_tls(struct control *c, const struct chan_msg *msg)
{
	struct wire_writer w = {.len = 0};
	struct err e = {.text = "a new certificate"};
	bool ok = !c->take(c->ctx, msg->fds, msg->n_fds, &e);

	wire_u8(&w, ok);
	wire_str(&w, str_from(e.text));
	return chan_post(c->chan, MSG_TLS_TAKEN, &w, NULL, 0, &e);
}

static int on_reloaded(struct control *c, struct wire_reader *r)
{
	bool ok = wire_get_u8(r) != 0;
	struct str text = wire_get_str(r, ERR_TEXT_MAX);
	struct err e;

	if (!wire_end(r))
		return -1;
	err_set(&e, ERR_INVALID, STR_FMT, STR_ARG(text));
	answer_all(c, e.text, ok ? NULL : &e);
	return 0;
}

static int on_msg(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct control *c = ctx;

	if (msg->type == MSG_TLS && wire_end(&r))
		return on_tls(c, msg);
	if (msg->type == MSG_RELOADED && !msg->n_fds)
		return on_reloaded(c, &r);
	return -1;
}

static void gone(struct control *c)
{
	struct err e;

	chan_free(c->chan);
	c->chan = NULL;
	err_set(&e, ERR_UNAVAILABLE, "the monitor is away");
	answer_all(c, "", &e);
}

static void on_close(void *ctx, const struct err *why)
{
	if (why)
		log_error("monitor, control: %s", why->text);
	gone(ctx);
}

static const struct chan_ops ops = {on_msg, on_close};

struct control *control_new(struct loop *l, int fd, control_take_fn *take,
			    void *ctx)
{
	struct control *c = mem_alloc(sizeof(*c));

	list_init(&c->waiters);
	c->take = take;
	c->ctx = ctx;
	if (fd >= 0)
		c->chan = chan_new(l, fd, &ops, c);
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	gone(c);
	mem_free(c);
}

int control_reload(struct control *c, control_done_fn *done, void *ctx,
		   struct err *e)
{
	struct waiter *w;

	if (!c->chan)
		return err_set(e, ERR_UNAVAILABLE, "the monitor is away");
	if (chan_post(c->chan, MSG_RELOAD, NULL, NULL, 0, e))
		return -1;
	w = mem_alloc(sizeof(*w));
	w->done = done;
	w->ctx = ctx;
	list_push(&c->waiters, &w->link);
	return 0;
}

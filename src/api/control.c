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
	control_report_fn *report; /* one of the two */
	void *ctx;
};

enum {
	REPORT_MAX = 1 << 20
};

struct control {
	struct chan *chan;
	control_take_fn *take;
	void *ctx;
	struct link waiters, patients;
};

static void answer_all(struct control *c, const struct err *why)
{
	while (!list_empty(&c->waiters)) {
		struct waiter *w =
			LIST_ENTRY(c->waiters.next, struct waiter, link);

		list_del(&w->link);
		w->done(w->ctx, why);
		mem_free(w);
	}
}

static int on_anew(struct control *c, const struct chan_msg *msg,
		   struct wire_reader *r)
{
	struct control_anew n = {.policies_changed = wire_get_u8(r)};
	enum log_format format = LOG_PLAIN;
	enum log_level level = LOG_LEVEL_INFO;
	struct wire_writer w = {.len = 0};
	struct err e = {.text = ""};
	bool ok;

	if (!wire_end(r) || msg->n_fds < 2)
		return -1;
	n.config = msg->fds[0];
	n.policies = msg->fds[1];
	n.tls = msg->fds + 2;
	n.n_tls = msg->n_fds - 2;
	ok = !c->take(c->ctx, &n, &format, &level, &e);
	wire_u8(&w, ok);
	wire_u8(&w, (uint8_t)format);
	wire_u8(&w, (uint8_t)level);
	wire_str(&w, str_from(e.text));
	return chan_post(c->chan, MSG_TAKEN, &w, NULL, 0, &e);
}

static int on_reloaded(struct control *c, struct wire_reader *r)
{
	bool ok = wire_get_u8(r) != 0;
	struct str text = wire_get_str(r, ERR_TEXT_MAX);
	struct err e;

	if (!wire_end(r))
		return -1;
	err_set(&e, ERR_INVALID, STR_FMT, STR_ARG(text));
	answer_all(c, ok ? NULL : &e);
	return 0;
}

/* For the watchdog: this thread is not stuck. */
static int on_ping(struct control *c, struct wire_reader *r)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_u64(&w, wire_get_u64(r));
	if (!wire_end(r))
		return -1;
	return chan_post(c->chan, MSG_PONG, &w, NULL, 0, &e);
}

static void tell_all(struct control *c, struct str report,
		     const struct err *why)
{
	while (!list_empty(&c->patients)) {
		struct waiter *w =
			LIST_ENTRY(c->patients.next, struct waiter, link);

		list_del(&w->link);
		w->report(w->ctx, report, why);
		mem_free(w);
	}
}

static int on_doctored(struct control *c, const struct chan_msg *msg)
{
	CLEANUP_BUF struct buf b = BUF_INIT(REPORT_MAX);
	struct err e;
	bool ok = msg->n_fds == 1 && !fd_memfd_read(msg->fds[0], &b, &e);

	if (!ok)
		err_set(&e, ERR_INTERNAL, "nfo doctor did not come to an end");
	tell_all(c, buf_view(&b), ok ? NULL : &e);
	return 0;
}

static int on_msg(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct control *c = ctx;

	if (msg->type == MSG_ANEW)
		return on_anew(c, msg, &r);
	if (msg->type == MSG_DOCTORED && !msg->body_len)
		return on_doctored(c, msg);
	if (msg->n_fds)
		return -1;
	if (msg->type == MSG_PING)
		return on_ping(c, &r);
	return msg->type == MSG_RELOADED ? on_reloaded(c, &r) : -1;
}

static void gone(struct control *c)
{
	struct err e;

	chan_free(c->chan);
	c->chan = NULL;
	err_set(&e, ERR_UNAVAILABLE, "the monitor is away");
	answer_all(c, &e);
	tell_all(c, STR(""), &e);
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
	list_init(&c->patients);
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

static int ask(struct control *c, uint16_t type, struct link *list,
	       const struct waiter *who, struct err *e)
{
	struct waiter *w;

	if (!c->chan)
		return err_set(e, ERR_UNAVAILABLE, "the monitor is away");
	if (chan_post(c->chan, type, NULL, NULL, 0, e))
		return -1;
	w = mem_alloc(sizeof(*w));
	*w = *who;
	list_push(list, &w->link);
	return 0;
}

int control_reload(struct control *c, control_done_fn *done, void *ctx,
		   struct err *e)
{
	const struct waiter w = {.done = done, .ctx = ctx};

	return ask(c, MSG_RELOAD, &c->waiters, &w, e);
}

int control_doctor(struct control *c, control_report_fn *done, void *ctx,
		   struct err *e)
{
	const struct waiter w = {.report = done, .ctx = ctx};

	return ask(c, MSG_DOCTOR, &c->patients, &w, e);
}

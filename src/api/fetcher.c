/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Questions to the fetcher; see fetcher.h.  It may die and come back on the
 * same channel, so that each question has an end of its own. */
#include "api/fetcher.h"
#include "base/chan.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/edges.h"

enum {
	WAIT_US = 30 * 1000000
};

struct pending {
	struct link link;
	uint64_t tag;
	int64_t until_us;
	fetcher_fn *fn;
	void *ctx;
};

struct fetcher {
	struct chan *chan;   /* NULL: there is none */
	struct link pending; /* the oldest first */
	struct loop_timer *timer;
	uint64_t last_tag;
};

static void finish(struct pending *p, const struct fetched *f)
{
	list_del(&p->link);
	p->fn(p->ctx, f);
	mem_free(p);
}

static void arm(struct fetcher *f)
{
	loop_timer_set(f->timer,
		       list_empty(&f->pending) ?
			       -1 :
			       LIST_ENTRY(f->pending.next, struct pending, link)
				       ->until_us);
}

static void give_up(struct fetcher *f, int64_t before_us)
{
	struct fetched none = {0};

	err_set(&none.err, ERR_UNAVAILABLE, "nothing came in time");
	LIST_FOR(l, &f->pending)
	{
		struct pending *p = LIST_ENTRY(l, struct pending, link);

		if (p->until_us <= before_us)
			finish(p, &none);
	}
}

static void on_timer(void *ctx)
{
	struct fetcher *f = ctx;

	give_up(f, clock_mono_us());
	arm(f);
}

static int read_answer(struct chan_msg *msg, struct wire_reader *r,
		       struct buf *body, struct fetched *ret)
{
	if (msg->type == MSG_FETCH_URL_NO) {
		struct str text = wire_get_str(r, ERR_TEXT_MAX);

		err_set(&ret->err, ERR_UNAVAILABLE, STR_FMT, STR_ARG(text));
		return wire_end(r) ? 0 : -1;
	}
	if (msg->type != MSG_FETCHED_URL || msg->n_fds != 1)
		return -1;
	ret->max_age_s = wire_get_u32(r);
	if (!wire_end(r) || fd_memfd_read(msg->fds[0], body, &ret->err))
		return -1;
	ret->err.code = ERR_NONE;
	ret->body = buf_view(body);
	return 0;
}

/* An answer that nobody waits for any more is none of our business. */
static int on_msg(void *ctx, struct chan_msg *msg)
{
	CLEANUP_BUF struct buf body = BUF_INIT(FETCH_BODY_MAX);
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint64_t tag = wire_get_u64(&r);
	struct fetched got = {0};
	struct fetcher *f = ctx;

	if (read_answer(msg, &r, &body, &got))
		return -1;
	LIST_FOR(l, &f->pending)
	{
		struct pending *p = LIST_ENTRY(l, struct pending, link);

		if (p->tag != tag)
			continue;
		finish(p, &got);
		arm(f);
		break;
	}
	return 0;
}

static void on_close(void *ctx, const struct err *why)
{
	struct fetcher *f = ctx;

	log_warn("the channel to the fetcher closed: %s",
		 why ? why->text : "end of file");
	chan_free(f->chan);
	f->chan = NULL;
	give_up(f, INT64_MAX);
}

static const struct chan_ops ops = {on_msg, on_close};

struct fetcher *fetcher_new(struct loop *l, int fd)
{
	struct fetcher *f = mem_alloc(sizeof(*f));

	list_init(&f->pending);
	f->timer = loop_timer_new(l, on_timer, f);
	/* none of an earlier server's */
	random_bytes(&f->last_tag, sizeof(f->last_tag));
	if (fd >= 0)
		f->chan = chan_new(l, fd, &ops, f);
	return f;
}

void fetcher_free(struct fetcher *f)
{
	if (!f)
		return;
	chan_free(f->chan);
	f->chan = NULL;
	give_up(f, INT64_MAX);
	loop_timer_free(f->timer);
	mem_free(f);
}

int fetcher_ask(struct fetcher *f, struct str url, fetcher_fn *fn, void *ctx,
		struct err *e)
{
	struct hash h = hash_sha256(url.p, url.len);
	struct wire_writer w = {.len = 0};
	struct pending *p;

	if (!f->chan)
		return err_set(e, ERR_UNAVAILABLE, "there is no fetcher");
	wire_u64(&w, ++f->last_tag);
	wire_bytes(&w, h.b, HASH_LEN);
	if (chan_post(f->chan, MSG_FETCH_URL, &w, NULL, 0, e))
		return -1;
	p = mem_alloc(sizeof(*p));
	*p = (struct pending){.tag = f->last_tag,
			      .until_us = clock_mono_us() + WAIT_US,
			      .fn = fn,
			      .ctx = ctx};
	list_push(&f->pending, &p->link);
	arm(f);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Questions to the keeper, each with a tag; see keeper.h. */
#include "api/keeper.h"
#include "base/chan.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/edges.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct pending {
	struct link link;
	uint64_t tag;
	keeper_fn *fn;
	void *ctx;
};

struct keeper {
	struct chan *chan; /* NULL: the keeper is away */
	struct link pending;
	uint64_t last_tag;
	struct keeper_provider providers[KEEPER_PROVIDERS_MAX];
	size_t n_providers;
	keeper_provider_fn *watch;
	void *watch_ctx;
	keeper_public_fn *public_fn;
	void *public_ctx;
	keeper_run_fn *run_fn;
	void *run_ctx;
	uint32_t n_leases;
};

static void finish(struct pending *p, const struct keeper_answer *a)
{
	list_del(&p->link);
	p->fn(p->ctx, a);
	mem_free(p);
}

static void fail_all(struct keeper *k)
{
	struct keeper_answer a = {0};

	err_set(&a.err, ERR_UNAVAILABLE, "the keeper is away");
	LIST_FOR(l, &k->pending)
	finish(LIST_ENTRY(l, struct pending, link), &a);
}

static struct pending *find(struct keeper *k, uint64_t tag)
{
	LIST_FOR(l, &k->pending)
	{
		struct pending *p = LIST_ENTRY(l, struct pending, link);

		if (p->tag == tag)
			return p;
	}
	return NULL;
}

/* Fill the answer from a message; -1: it is not one that may come here. */
static int read_answer(struct chan_msg *msg, struct wire_reader *r,
		       struct buf *json, struct keeper_answer *a)
{
	switch (msg->type) {
	case MSG_OK:
		a->number = wire_get_u64(r);
		a->made = r->left && wire_get_u8(r);
		if (r->left)
			a->masked = wire_get_str(r, ERR_TEXT_MAX);
		break;
	case MSG_NO: {
		uint8_t code = wire_get_u8(r);
		uint32_t sys = wire_get_u32(r);
		struct str text = wire_get_str(r, ERR_TEXT_MAX);

		if (!code || code > ERR_STALE)
			return -1;
		err_set(&a->err, (enum err_code)code, STR_FMT, STR_ARG(text));
		a->err.sys = sys == ENOSPC ? ENOSPC : 0; /* it has a status */
		break;
	}
	case MSG_LISTED:
		if (fd_memfd_read(msg->n_fds ? msg->fds[0] : -1, json, &a->err))
			return -1;
		a->json = buf_view(json);
		a->number = wire_get_u64(r);
		break;
	case MSG_SCANNED:
	case MSG_VERIFIED:
		a->number = wire_get_u8(r);
		break;
	default:
		return -1;
	}
	return wire_end(r) ? 0 : -1;
}

static struct keeper_provider *provider_of(struct keeper *k, struct str name)
{
	for (size_t i = 0; i < k->n_providers; i++)
		if (str_is(name, k->providers[i].name))
			return &k->providers[i];
	return k->n_providers == KEEPER_PROVIDERS_MAX ?
		       NULL :
		       &k->providers[k->n_providers++];
}

static int on_provider(struct keeper *k, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct str name = wire_get_str(&r, sizeof(k->providers[0].name) - 1);
	uint8_t state = wire_get_u8(&r);
	struct str text = wire_get_str(&r, ERR_TEXT_MAX - 1);
	struct keeper_provider *p;

	if (!wire_end(&r) || msg->n_fds || state >= N_PROVIDER_STATES)
		return -1;
	p = provider_of(k, name);
	if (!p)
		return -1;
	(void)snprintf(p->name, sizeof(p->name), STR_FMT, STR_ARG(name));
	(void)snprintf(p->text, sizeof(p->text), STR_FMT, STR_ARG(text));
	p->state = (enum provider_state)state;
	if (k->watch)
		k->watch(k->watch_ctx, p);
	return 0;
}

static int on_public(struct keeper *k, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct public_keys keys;

	if (public_keys_decode(&r, &keys))
		return -1;
	k->public_fn(k->public_ctx, &keys);
	return 0;
}

static int on_lease_count(struct keeper *k, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);

	k->n_leases = wire_get_u32(&r);
	return wire_end(&r) && !msg->n_fds ? 0 : -1;
}

static int on_answer(struct keeper *k, struct chan_msg *msg)
{
	CLEANUP_BUF struct buf json = BUF_INIT(SECRET_FILE_MAX);
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct keeper_answer a = {0};
	struct pending *p = find(k, wire_get_u64(&r));

	if (!p || read_answer(msg, &r, &json, &a))
		return -1;
	finish(p, &a);
	return 0;
}

static int on_run_keys(struct keeper *k, struct chan_msg *msg)
{
	CLEANUP_BUF struct buf b = BUF_INIT(RUN_KEYS_MAX);
	struct str run = {NULL, ULID_LEN};
	struct ulid id = {0};
	struct err e;

	if (msg->body_len || msg->n_fds != 1 || !k->run_fn ||
	    fd_memfd_read(msg->fds[0], &b, &e) || b.len % ULID_LEN)
		return -1;
	for (size_t at = 0; at < b.len; at += ULID_LEN) {
		run.p = b.data + at;
		if (!ulid_valid(run))
			return -1;
		memcpy(id.s, run.p, ULID_LEN);
		k->run_fn(k->run_ctx, &id);
	}
	return 0;
}

/* What it says of itself; all else is an answer. */
static const struct {
	uint16_t type;
	int (*fn)(struct keeper *k, struct chan_msg *msg);
} unasked[] = {
	{MSG_PROVIDER_STATE, on_provider   },
	{MSG_PUBLIC_KEYS,    on_public     },
	{MSG_LEASE_COUNT,    on_lease_count},
	{MSG_RUN_KEYS_OF,    on_run_keys   },
};

static int on_msg(void *ctx, struct chan_msg *msg)
{
	for (size_t i = 0; i < ARRAY_LEN(unasked); i++)
		if (unasked[i].type == msg->type)
			return unasked[i].fn(ctx, msg);
	return on_answer(ctx, msg);
}

static void on_close(void *ctx, const struct err *why)
{
	struct keeper *k = ctx;

	log_warn("the channel to the keeper closed: %s",
		 why ? why->text : "end of file");
	chan_free(k->chan);
	k->chan = NULL;
	fail_all(k);
}

static const struct chan_ops ops = {on_msg, on_close};

struct keeper *keeper_new(struct loop *l, int fd, keeper_public_fn *fn,
			  void *ctx)
{
	struct keeper *k = mem_alloc(sizeof(*k));

	list_init(&k->pending);
	k->public_fn = fn;
	k->public_ctx = ctx;
	k->chan = chan_new(l, fd, &ops, k);
	return k;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	chan_free(k->chan);
	k->chan = NULL;
	fail_all(k);
	mem_free(k);
}

const struct keeper_provider *keeper_providers(const struct keeper *k,
					       size_t *ret_n)
{
	*ret_n = k->n_providers;
	return k->providers;
}

void keeper_watch(struct keeper *k, keeper_provider_fn *fn, void *ctx)
{
	k->watch = fn;
	k->watch_ctx = ctx;
}

void keeper_run_gone(struct keeper *k, const struct ulid *run)
{
	struct wire_writer w = {.len = 0};
	struct err e;

	wire_str(&w, str_from(run->s));
	if (k->chan && chan_post(k->chan, MSG_RUN_GONE, &w, NULL, 0, &e))
		log_warn("run %s: its key: %s", run->s, e.text);
}

void keeper_run_keys(struct keeper *k, keeper_run_fn *fn, void *ctx)
{
	struct err e;

	k->run_fn = fn;
	k->run_ctx = ctx;
	if (k->chan && chan_post(k->chan, MSG_RUN_KEYS, NULL, NULL, 0, &e))
		log_warn("the keys of runs: %s", e.text);
}

bool keeper_sealed(const struct keeper *k)
{
	for (size_t i = 0; i < k->n_providers; i++)
		if (!k->providers[i].name[0])
			return k->providers[i].state != PROVIDER_UP;
	return false;
}

bool keeper_up(const struct keeper *k)
{
	return k->chan != NULL;
}

static int ask(struct keeper *k, enum msg_type type, struct wire_writer *w,
	       int fd, keeper_fn *fn, void *ctx, struct err *e)
{
	struct pending *p;

	if (!k->chan)
		return err_set(e, ERR_UNAVAILABLE, "the keeper is away");
	if (chan_post(k->chan, (uint16_t)type, w, &fd, fd >= 0, e)) {
		/* it died, and its end of the channel was not heard of yet */
		if (e->sys == EPIPE || e->sys == ECONNRESET)
			return err_set(e, ERR_UNAVAILABLE,
				       "the keeper is away");
		return -1;
	}
	p = mem_alloc(sizeof(*p));
	*p = (struct pending){.tag = k->last_tag, .fn = fn, .ctx = ctx};
	list_push(&k->pending, &p->link);
	return 0;
}

/* Whose secrets, or which provider. */
static void start(struct keeper *k, struct wire_writer *w, struct str name)
{
	w->len = 0;
	w->failed = false;
	wire_u64(w, ++k->last_tag);
	wire_str(w, name);
}

int keeper_put(struct keeper *k, struct str project, struct str name,
	       uint64_t expect, struct str value, keeper_fn *fn, void *ctx,
	       struct err *e)
{
	CLEANUP_FD int fd = -1;
	struct wire_writer w;
	int r;

	start(k, &w, project);
	wire_str(&w, name);
	wire_u64(&w, expect);
	if (value.len <= KEEPER_INLINE_MAX) {
		wire_str(&w, value);
	} else {
		fd = fd_memfd_sealed("value", value, e);
		if (fd < 0)
			return -1;
	}
	r = ask(k, MSG_PUT, &w, fd, fn, ctx, e);
	mem_wipe(w.data, w.len);
	return r;
}

int keeper_put_sealed(struct keeper *k, struct str project, struct str name,
		      uint64_t expect, struct str sealed, keeper_fn *fn,
		      void *ctx, struct err *e)
{
	CLEANUP_FD int fd = fd_memfd_sealed("sealed", sealed, e);
	struct wire_writer w;

	if (fd < 0)
		return -1;
	start(k, &w, project);
	wire_str(&w, name);
	wire_u64(&w, expect);
	return ask(k, MSG_PUT_SEALED, &w, fd, fn, ctx, e);
}

int keeper_list(struct keeper *k, struct str project, struct str after,
		uint32_t limit, keeper_fn *fn, void *ctx, struct err *e)
{
	struct wire_writer w;

	start(k, &w, project);
	wire_str(&w, after);
	wire_u32(&w, limit);
	return ask(k, MSG_LIST, &w, -1, fn, ctx, e);
}

static int of_one(struct keeper *k, enum msg_type type, struct str project,
		  struct str name, keeper_fn *fn, void *ctx, struct err *e)
{
	struct wire_writer w;

	start(k, &w, project);
	wire_str(&w, name);
	return ask(k, type, &w, -1, fn, ctx, e);
}

int keeper_show(struct keeper *k, struct str project, struct str name,
		keeper_fn *fn, void *ctx, struct err *e)
{
	return of_one(k, MSG_SHOW, project, name, fn, ctx, e);
}

int keeper_versions(struct keeper *k, struct str project, struct str name,
		    keeper_fn *fn, void *ctx, struct err *e)
{
	return of_one(k, MSG_VERSIONS, project, name, fn, ctx, e);
}

int keeper_remove(struct keeper *k, struct str project, struct str name,
		  uint64_t expect, keeper_fn *fn, void *ctx, struct err *e)
{
	struct wire_writer w;

	start(k, &w, project);
	wire_str(&w, name);
	wire_u64(&w, expect);
	return ask(k, MSG_REMOVE, &w, -1, fn, ctx, e);
}

int keeper_scan(struct keeper *k, struct str project, struct str text,
		keeper_fn *fn, void *ctx, struct err *e)
{
	struct wire_writer w;

	start(k, &w, project);
	wire_str(&w, text);
	return ask(k, MSG_SCAN, &w, -1, fn, ctx, e);
}

int keeper_leases(struct keeper *k, const struct keeper_leases *q,
		  keeper_fn *fn, void *ctx, struct err *e)
{
	struct wire_writer w;

	start(k, &w, q->provider);
	wire_str(&w, q->project);
	wire_str(&w, q->run);
	wire_str(&w, q->after);
	wire_u32(&w, q->limit);
	return ask(k, MSG_LEASES, &w, -1, fn, ctx, e);
}

int keeper_lease_revoke(struct keeper *k, struct str id, keeper_fn *fn,
			void *ctx, struct err *e)
{
	struct wire_writer w;

	start(k, &w, id);
	return ask(k, MSG_LEASE_REVOKE, &w, -1, fn, ctx, e);
}

uint32_t keeper_lease_count(const struct keeper *k)
{
	return k->n_leases;
}

int keeper_verify(struct keeper *k, const struct verify *v, struct str content,
		  keeper_fn *fn, void *ctx, struct err *e)
{
	struct wire_writer w;
	CLEANUP_FD int fd = -1;
	int r;

	if (v->how != VERIFY_TOKEN) {
		fd = fd_memfd_sealed("signed", content, e);
		if (fd < 0)
			return -1;
	}
	w.len = 0;
	w.failed = false;
	wire_u64(&w, ++k->last_tag);
	verify_encode(v, &w);
	r = ask(k, MSG_VERIFY, &w, fd, fn, ctx, e);
	mem_wipe(w.data, w.len);
	return r;
}

int keeper_show_providers(struct keeper *k, struct str name, keeper_fn *fn,
			  void *ctx, struct err *e)
{
	struct wire_writer w;

	start(k, &w, name);
	return ask(k, MSG_PROVIDERS, &w, -1, fn, ctx, e);
}

int keeper_check_provider(struct keeper *k, struct str name, struct str paths,
			  keeper_fn *fn, void *ctx, struct err *e)
{
	CLEANUP_FD int fd = fd_memfd_sealed("paths", paths, e);
	struct wire_writer w;

	if (fd < 0)
		return -1;
	start(k, &w, name);
	return ask(k, MSG_PROVIDER_CHECK, &w, fd, fn, ctx, e);
}

int keeper_ask(struct keeper *k, enum msg_type type,
	       const struct wire_writer *body, struct str beside, keeper_fn *fn,
	       void *ctx, struct err *e)
{
	struct wire_writer w = {.len = 0};
	CLEANUP_FD int fd = -1;
	int r;

	if (beside.len) {
		fd = fd_memfd_sealed("beside", beside, e);
		if (fd < 0)
			return -1;
	}
	wire_u64(&w, ++k->last_tag);
	wire_bytes(&w, body->data, body->len);
	w.failed |= body->failed;
	r = ask(k, type, &w, fd, fn, ctx, e);
	mem_wipe(w.data, w.len);
	return r;
}

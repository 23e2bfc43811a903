/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The keeper: the only holder of keys.  An attempt's channel gets the secrets
 * of its grant and no others; what the server may ask is in keeper_server.c.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/role.h"
#include "secrets/keyfile.h"
#include "secrets/ref.h"
#include "secrets/scanner.h"

#include <stdio.h>
#include <unistd.h>

struct attempt {
	struct link link;
	struct keeper *k;
	struct grant g;
	struct chan *chan;
	struct loop_timer *bury;
};

/* --- attempts ----------------------------------------------------------- */

static bool granted(const struct grant *g, const struct hash *h)
{
	for (size_t i = 0; i < g->n_refs; i++)
		if (hash_eq(&g->refs[i].ref, h))
			return true;
	return false;
}

static int no(struct chan *c, const struct err *e)
{
	struct wire_writer w = {.len = 0};
	struct err ignored;

	wire_u8(&w, (uint8_t)e->code);
	wire_str(&w, str_from(e->text));
	return chan_post(c, MSG_SECRET_NO, &w, NULL, 0, &ignored);
}

static int send_secret(struct chan *c, const struct secret *value)
{
	struct secret_view v = secret_bytes(value);
	struct wire_writer w = {.len = 0};
	CLEANUP_FD int fd = -1;
	struct err e;
	int bad;

	if (v.n_bytes <= KEEPER_INLINE_MAX) {
		wire_str(&w, str_n((const char *)v.bytes, v.n_bytes));
		bad = chan_post(c, MSG_SECRET, &w, NULL, 0, &e);
		mem_wipe(w.data, w.len);
		return bad;
	}
	fd = fd_memfd_sealed("secret", str_n((const char *)v.bytes, v.n_bytes),
			     &e);
	return fd < 0 ? -1 : chan_post(c, MSG_SECRET, NULL, &fd, 1, &e);
}

static int fetch(struct attempt *a, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct str text = wire_get_str(&r, SECRET_REF_TEXT_MAX);
	struct secret *value = NULL;
	struct secret_ref ref;
	struct hash h;
	struct err e;
	int bad;

	if (!wire_end(&r) || msg->n_fds || secret_ref_parse(text, &ref, &e))
		return -1;
	h = hash_sha256(text.p, text.len);
	if (!granted(&a->g, &h)) {
		err_set(&e, ERR_DENIED, "not granted to this attempt");
		return no(a->chan, &e);
	}
	if (ref.kind != SECRET_REF_STORE) {
		err_set(&e, ERR_UNAVAILABLE, "no such provider yet");
		return no(a->chan, &e);
	}
	if (secret_store_get(a->k->store, str_from(ref.project),
			     str_from(ref.path), ref.version, &value, NULL, &e))
		return no(a->chan, &e);
	bad = send_secret(a->chan, value);
	secret_free(value);
	return bad;
}

static int on_attempt(void *ctx, struct chan_msg *msg)
{
	return msg->type == MSG_FETCH ? fetch(ctx, msg) : -1;
}

static void on_bury(void *ctx)
{
	struct attempt *a = ctx;

	chan_free(a->chan);
	loop_timer_free(a->bury);
	list_del(&a->link);
	mem_free(a);
}

static void on_attempt_gone(void *ctx, const struct err *why)
{
	(void)why;
	loop_timer_set(((struct attempt *)ctx)->bury, clock_mono_us());
}

static const struct chan_ops attempt_ops = {on_attempt, on_attempt_gone};

static int take_grant(struct keeper *k, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	struct attempt *a = mem_alloc(sizeof(*a));

	if (grant_decode(&r, &a->g) || !wire_end(&r) || msg->n_fds != 1) {
		mem_free(a);
		return -1;
	}
	a->k = k;
	list_push(&k->attempts, &a->link);
	a->bury = loop_timer_new(k->loop, on_bury, a);
	a->chan = chan_new(k->loop, chan_msg_take(msg, 0), &attempt_ops, a);
	if (!a->chan)
		on_bury(a);
	return 0;
}

/* --- the monitor -------------------------------------------------------- */

static void on_server_gone(void *ctx, const struct err *why)
{
	struct keeper *k = ctx;

	(void)why;
	chan_free(k->server);
	k->server = NULL;
}

static const struct chan_ops server_ops = {keeper_on_server, on_server_gone};

static int on_monitor(void *ctx, struct chan_msg *msg)
{
	struct keeper *k = ctx;

	switch (msg->type) {
	case MSG_GRANT:
		return take_grant(k, msg);
	case MSG_SERVER: /* the end of a new server's channel */
		if (msg->n_fds != 1)
			return -1;
		chan_free(k->server);
		k->server = chan_new(k->loop, chan_msg_take(msg, 0),
				     &server_ops, k);
		return 0;
	case MSG_STOP:
		loop_stop(k->loop);
		return 0;
	default:
		return -1;
	}
}

static void on_monitor_gone(void *ctx, const struct err *why)
{
	(void)why;
	loop_stop(((struct keeper *)ctx)->loop);
}

static const struct chan_ops monitor_ops = {on_monitor, on_monitor_gone};

/* At the first start both key and store are made; later one without the other
 * is an error and stays one. */
static int unseal(struct keeper *k, const char *state, struct err *e)
{
	char dir[INIT_PATH_MAX + 16], key[INIT_PATH_MAX + 32];
	char db[INIT_PATH_MAX + 32], epoch[INIT_PATH_MAX + 32];
	CLEANUP_SECRET struct secret *k32 = NULL;
	struct secret_store_opts o = {.path = db, .epoch_dir = epoch};

	(void)snprintf(dir, sizeof(dir), "%s/keeper", state);
	(void)snprintf(key, sizeof(key), "%s/key", dir);
	(void)snprintf(db, sizeof(db), "%s/secrets.db", dir);
	(void)snprintf(epoch, sizeof(epoch), "%s/epoch", dir);
	if (keyfile_read(key, &k32, e)) {
		if (e->code != ERR_NOT_FOUND || !access(db, F_OK))
			return -1;
		if (keyfile_create(key, e) || keyfile_read(key, &k32, e))
			return -1;
	}
	if (access(db, F_OK) && secret_store_create(&o, k32, e))
		return -1;
	return secret_store_open(&o, k32, &k->store, e);
}

int main(void)
{
	struct keeper k = {0};
	struct role_start start;
	struct err e;

	role_begin(ROLE_KEEPER, &start);
	(void)hash_sha256("", 0); /* libcrypto reads its configuration now */
	role_confine(ROLE_KEEPER, &start);
	list_init(&k.attempts);
	if (secret_process_harden(&e) || secret_store_heap_init(&e) ||
	    unseal(&k, start.init.state, &e) || loop_new(&k.loop, &e))
		role_failed(&e);
	k.scanner = scanner_new(k.store);
	k.monitor = chan_new(k.loop, ROLE_FD, &monitor_ops, &k);
	role_ready();
	if (loop_run(k.loop, &e))
		log_error("%s", e.text);
	scanner_free(k.scanner);
	secret_store_close(k.store);
	return 0;
}

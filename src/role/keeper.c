/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The keeper: the only holder of keys.  An attempt's channel gets the secrets
 * of its grant and no others; the server may put, list and remove, and ask
 * whether a text holds a secret, but never read one.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "role/role.h"
#include "secrets/keyfile.h"
#include "secrets/redact.h"
#include "secrets/ref.h"
#include "secrets/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	INLINE_MAX = 15000,
	LIST_PAGE = 200,
	LIST_MAX = 8 << 20,
	SCANS_PER_S = 200,
};

struct keeper {
	struct loop *loop;
	struct chan *monitor, *server;
	struct secret_store *store;
	struct link attempts;
	int64_t scan_second;
	unsigned scans;
};

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

	if (v.n_bytes <= INLINE_MAX) {
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

/* --- the server --------------------------------------------------------- */

static int answer(struct keeper *k, uint64_t tag, int bad, uint64_t number,
		  const struct err *e)
{
	struct wire_writer w = {.len = 0};
	struct err ignored;

	wire_u64(&w, tag);
	if (!bad) {
		wire_u64(&w, number);
		return chan_post(k->server, MSG_OK, &w, NULL, 0, &ignored);
	}
	wire_u8(&w, (uint8_t)e->code);
	wire_str(&w, str_from(e->text));
	return chan_post(k->server, MSG_NO, &w, NULL, 0, &ignored);
}

static int put(struct keeper *k, uint64_t tag, struct wire_reader *r,
	       struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	CLEANUP_SECRET struct secret *value = NULL;
	uint64_t version = 0;
	struct err e;
	size_t len;
	int bad;

	if (!msg->n_fds) {
		struct str v = wire_get_str(r, INLINE_MAX);

		bad = !wire_end(r) || secret_new(v.p, v.len, 0, &value, &e);
		if (bad)
			return -1;
	} else {
		bad = !wire_end(r) ||
		      fd_memfd_check(msg->fds[0], SECRET_STORE_VALUE_MAX, &len,
				     &e) ||
		      secret_new(NULL, len, 0, &value, &e) ||
		      pread(msg->fds[0], secret_room(value), len, 0) !=
			      (ssize_t)len;
		if (bad)
			return -1;
	}
	bad = secret_store_put(k->store, project, name, value,
			       SECRET_VALUE_BYTES, SECRET_STORE_ANY, &version,
			       &e);
	return answer(k, tag, bad, version, &e);
}

static void list_one(const struct secret_meta *m, struct buf *b)
{
	char created[CLOCK_TEXT_LEN + 1], updated[CLOCK_TEXT_LEN + 1];

	clock_format(m->created_us, created);
	clock_format(m->updated_us, updated);
	buf_printf(b,
		   "%s{\"name\":\"%s\",\"version\":%" PRIu64
		   ",\"versions\":%u,\"created_at\":\"%s\","
		   "\"updated_at\":\"%s\"}",
		   b->len > 1 ? "," : "", m->name, m->current, m->versions,
		   created, updated);
}

/* Every secret of the project, page by page. */
static int each(struct keeper *k, struct str project,
		int (*fn)(void *ctx, const struct secret_meta *m), void *ctx,
		struct err *e)
{
	CLEANUP_MEM struct secret_meta *page =
		mem_array(LIST_PAGE, sizeof(*page));
	char after[SECRET_STORE_NAME_MAX + 1] = "";
	size_t n = LIST_PAGE;

	while (n == LIST_PAGE) {
		if (secret_store_list(k->store, project, str_from(after), page,
				      LIST_PAGE, &n, e))
			return -1;
		for (size_t i = 0; i < n; i++)
			if (fn(ctx, &page[i]))
				return -1;
		if (n)
			memcpy(after, page[n - 1].name, sizeof(after));
	}
	return 0;
}

static int on_listed(void *ctx, const struct secret_meta *m)
{
	list_one(m, ctx);
	return 0;
}

static int list(struct keeper *k, uint64_t tag, struct wire_reader *r)
{
	CLEANUP_BUF struct buf b = BUF_INIT(LIST_MAX);
	struct str project = wire_get_str(r, 63);
	struct wire_writer w = {.len = 0};
	CLEANUP_FD int fd = -1;
	struct err e;

	if (!wire_end(r))
		return -1;
	buf_putc(&b, '[');
	if (each(k, project, on_listed, &b, &e))
		return answer(k, tag, -1, 0, &e);
	buf_putc(&b, ']');
	fd = fd_memfd_sealed("list", buf_view(&b), &e);
	if (fd < 0)
		return answer(k, tag, -1, 0, &e);
	wire_u64(&w, tag);
	return chan_post(k->server, MSG_LISTED, &w, &fd, 1, &e);
}

static int remove_one(struct keeper *k, uint64_t tag, struct wire_reader *r)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	struct err e;
	int bad;

	if (!wire_end(r))
		return -1;
	bad = secret_store_remove(k->store, project, name, 0, &e);
	return answer(k, tag, bad, 0, &e);
}

/* --- scanning ----------------------------------------------------------- */

enum {
	SCAN_SECRETS_MAX = 1000
};

struct scan {
	struct keeper *k;
	struct secret *values[SCAN_SECRETS_MAX];
	struct redact_secret list[SCAN_SECRETS_MAX];
	size_t n;
};

static int on_scanned(void *ctx, const struct secret_meta *m)
{
	struct scan *s = ctx;
	struct err e;

	if (s->n == SCAN_SECRETS_MAX)
		return -1;
	if (secret_store_get(s->k->store, str_from(m->project),
			     str_from(m->name), 0, &s->values[s->n], NULL, &e))
		return 0; /* deleted meanwhile */
	s->list[s->n] = (struct redact_secret){"secret", s->values[s->n]};
	s->n++;
	return 0;
}

static bool too_often(struct keeper *k)
{
	int64_t second = clock_mono_us() / 1000000;

	if (second != k->scan_second) {
		k->scan_second = second;
		k->scans = 0;
	}
	return ++k->scans > SCANS_PER_S;
}

static int scan(struct keeper *k, uint64_t tag, struct wire_reader *r)
{
	struct str project = wire_get_str(r, 63), text = wire_get_str(r, 15000);
	struct wire_writer w = {.len = 0};
	struct redact_set *set = NULL;
	struct scan *s;
	uint64_t hits = 0;
	struct err e;
	int bad;

	if (!wire_end(r))
		return -1;
	if (too_often(k)) {
		err_set(&e, ERR_LIMIT, "too many scans");
		return answer(k, tag, -1, 0, &e);
	}
	s = mem_alloc(sizeof(*s));
	s->k = k;
	bad = each(k, project, on_scanned, s, &e) ||
	      redact_set_new(s->list, s->n, NULL, 0, &set, &e);
	if (!bad) {
		struct redact_watch *watch = redact_watch_new(set);

		hits = redact_watch_write(watch, text.p, text.len);
		redact_watch_free(watch);
	}
	redact_set_free(set);
	for (size_t i = 0; i < s->n; i++)
		secret_free(s->values[i]);
	mem_free(s);
	if (bad)
		return answer(k, tag, -1, 0, &e);
	wire_u64(&w, tag);
	wire_u8(&w, hits > 0);
	return chan_post(k->server, MSG_SCANNED, &w, NULL, 0, &e);
}

static int on_server(void *ctx, struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint64_t tag = wire_get_u64(&r);
	struct keeper *k = ctx;

	switch (msg->type) {
	case MSG_PUT:
		return put(k, tag, &r, msg);
	case MSG_LIST:
		return list(k, tag, &r);
	case MSG_REMOVE:
		return remove_one(k, tag, &r);
	case MSG_SCAN:
		return scan(k, tag, &r);
	case MSG_STATUS:
		return wire_end(&r) ? answer(k, tag, 0, 0, NULL) : -1;
	default:
		return -1;
	}
}

/* --- the monitor -------------------------------------------------------- */

static void on_server_gone(void *ctx, const struct err *why)
{
	struct keeper *k = ctx;

	(void)why;
	chan_free(k->server);
	k->server = NULL;
}

static const struct chan_ops server_ops = {on_server, on_server_gone};

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
	k.monitor = chan_new(k.loop, ROLE_FD, &monitor_ops, &k);
	role_ready();
	if (loop_run(k.loop, &e))
		log_error("%s", e.text);
	secret_store_close(k.store);
	return 0;
}

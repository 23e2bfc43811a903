/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What the keeper does for the server: put, list, remove, and say whether a
 * text holds a secret (keeper_verify.c: or was signed with one).  Nothing here
 * sends a value.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "secrets/scanner.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum {
	LIST_PAGE = 200,
	LIST_MAX = 8 << 20,
	SCAN_TEXT_MAX = 15000,
	SCANS_PER_S = 200,
};

int keeper_answer(struct keeper *k, uint64_t tag, int bad, uint64_t number,
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
	wire_u32(&w, (uint32_t)e->sys);
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
		struct str v = wire_get_str(r, KEEPER_INLINE_MAX);

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
	scanner_changed(k->scanner, project);
	bad = secret_store_put(k->store, project, name, value,
			       SECRET_VALUE_BYTES, SECRET_STORE_ANY, &version,
			       &e);
	return keeper_answer(k, tag, bad, version, &e);
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
		return keeper_answer(k, tag, -1, 0, &e);
	buf_putc(&b, ']');
	fd = fd_memfd_sealed("list", buf_view(&b), &e);
	if (fd < 0)
		return keeper_answer(k, tag, -1, 0, &e);
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
	scanner_changed(k->scanner, project);
	bad = secret_store_remove(k->store, project, name, 0, &e);
	return keeper_answer(k, tag, bad, 0, &e);
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
	struct str project = wire_get_str(r, 63);
	struct str text = wire_get_str(r, SCAN_TEXT_MAX);
	struct wire_writer w = {.len = 0};
	bool hit = false;
	struct err e;

	if (!wire_end(r))
		return -1;
	if (too_often(k)) {
		err_set(&e, ERR_LIMIT, "too many scans");
		return keeper_answer(k, tag, -1, 0, &e);
	}
	if (scanner_hit(k->scanner, project, text, &hit, &e))
		return keeper_answer(k, tag, -1, 0, &e);
	wire_u64(&w, tag);
	wire_u8(&w, hit);
	return chan_post(k->server, MSG_SCANNED, &w, NULL, 0, &e);
}

int keeper_on_server(void *ctx, struct chan_msg *msg)
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
	case MSG_VERIFY:
		return keeper_verify(k, tag, &r, msg);
	case MSG_STATUS:
		return wire_end(&r) ? keeper_answer(k, tag, 0, 0, NULL) : -1;
	default:
		return -1;
	}
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Which secrets there are: names, versions and times; never a value. */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#include <inttypes.h>

enum {
	LIST_PAGE = 500,
	LIST_MAX = 1 << 20
};

/* Too large for a message, so that it goes beside it. */
int keeper_tell(struct keeper *k, uint64_t tag, uint64_t version,
		const struct buf *b)
{
	struct wire_writer w = {.len = 0};
	CLEANUP_FD int fd = -1;
	struct err e;

	fd = fd_memfd_sealed("list", buf_view(b), &e);
	if (fd < 0)
		return keeper_answer(k, tag, -1, 0, &e);
	wire_u64(&w, tag);
	wire_u64(&w, version);
	return chan_post(k->server, MSG_LISTED, &w, &fd, 1, &e);
}

static void put_meta(const struct secret_meta *m, struct buf *b)
{
	char created[CLOCK_TEXT_LEN + 1], updated[CLOCK_TEXT_LEN + 1];

	clock_format(m->created_us, created);
	clock_format(m->updated_us, updated);
	buf_printf(b,
		   "{\"name\":\"%s\",\"version\":%" PRIu64
		   ",\"versions\":%u,\"deleted\":%s,\"created_at\":\"%s\","
		   "\"updated_at\":\"%s\",\"max_versions\":%u,"
		   "\"description\":\"",
		   m->name, m->current, m->versions,
		   m->deleted ? "true" : "false", created, updated, m->keep);
	buf_json(b, str_from(m->description));
	buf_puts(b, "\"}");
}

/* One more is looked for, so that it is known whether there is one. */
int keeper_list(struct keeper *k, uint64_t tag, struct wire_reader *r,
		struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), after = wire_get_str(r, 63);
	uint32_t limit = wire_get_u32(r);
	CLEANUP_BUF struct buf b = BUF_INIT(LIST_MAX);
	CLEANUP_MEM struct secret_meta *page = NULL;
	size_t n = 0;
	struct err e;

	if (!wire_end(r) || msg->n_fds || !limit || limit > LIST_PAGE)
		return -1;
	page = mem_array(limit + 1, sizeof(*page));
	if (secret_store_list(k->store, project, after, page, limit + 1, &n,
			      &e))
		return keeper_answer(k, tag, -1, 0, &e);
	buf_putc(&b, '[');
	for (size_t i = 0; i < n && i < limit; i++) {
		buf_puts(&b, i ? "," : "");
		put_meta(&page[i], &b);
	}
	buf_putc(&b, ']');
	return keeper_tell(k, tag, n > limit, &b);
}

int keeper_show(struct keeper *k, uint64_t tag, struct wire_reader *r,
		struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	CLEANUP_BUF struct buf b = BUF_INIT(LIST_MAX);
	struct secret_meta m;
	struct err e;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	if (secret_store_stat(k->store, project, name, &m, &e))
		return keeper_answer(k, tag, -1, 0, &e);
	put_meta(&m, &b);
	return keeper_tell(k, tag, m.current, &b);
}

int keeper_versions(struct keeper *k, uint64_t tag, struct wire_reader *r,
		    struct chan_msg *msg)
{
	struct str project = wire_get_str(r, 63), name = wire_get_str(r, 63);
	CLEANUP_MEM struct secret_version *v =
		mem_array(SECRET_STORE_VERSIONS_MAX, sizeof(*v));
	CLEANUP_BUF struct buf b = BUF_INIT(LIST_MAX);
	char created[CLOCK_TEXT_LEN + 1];
	size_t n = 0;
	struct err e;

	if (!wire_end(r) || msg->n_fds)
		return -1;
	if (secret_store_versions(k->store, project, name, v, &n, &e))
		return keeper_answer(k, tag, -1, 0, &e);
	buf_putc(&b, '[');
	for (size_t i = n; i-- > 0;) {
		clock_format(v[i].created_us, created);
		buf_printf(&b,
			   "%s{\"version\":%" PRIu64 ",\"created_at\":\"%s\","
			   "\"state\":\"%s\"}",
			   i + 1 == n ? "" : ",", v[i].version, created,
			   v[i].deleted ? "deleted" : "kept");
	}
	buf_putc(&b, ']');
	return keeper_tell(k, tag, n ? v[n - 1].version : 0, &b);
}

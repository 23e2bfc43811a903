/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The fetcher: the one role that connects to others.  It has a list of URLs
 * from the settings; the server names one of them by its hash and gets what is
 * there.  It holds no secret, and understands nothing of what it fetches.
 *
 * The channel to the server is the same over all lives of both, so that either
 * may start anew.
 */
#include "base/chan.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "role/role.h"

#include <string.h>

enum {
	URLS_MAX = 8,
	LIST_MAX = 4 << 20,
	FD_LIST = 0, /* among the descriptors of INIT */
	FD_SERVER = 1,
};

struct place {
	struct hash hash; /* of the URL */
	char *url;
	struct str ca; /* PEM; "": whom the system trusts */
};

struct fetching {
	struct fetches *fetches;
	struct place places[URLS_MAX];
	size_t n;
	struct buf list;
	int server;
	unsigned char room[WIRE_MAX + 2];
};

/* --- the list ----------------------------------------------------------- */

/* "URL LENGTH\n", so many bytes of PEM, "\n". */
static int read_list(struct fetching *f, struct str rest, struct err *e)
{
	while (rest.len) {
		struct str url, head = str_cut(&rest, '\n');
		uint64_t len;

		url = str_cut(&head, ' ');
		if (f->n == URLS_MAX || !rest.p ||
		    str_to_u64(head, rest.len, &len) || len == rest.len)
			return err_set(e, ERR_INVALID, "INIT: no such list");
		f->places[f->n++] = (struct place){hash_sha256(url.p, url.len),
						   mem_strndup(url.p, url.len),
						   str_n(rest.p, len)};
		rest = str_from_at(rest, (size_t)len + 1);
	}
	return 0;
}

static const struct place *find(const struct fetching *f, const struct hash *h)
{
	for (size_t i = 0; i < f->n; i++)
		if (hash_eq(&f->places[i].hash, h))
			return &f->places[i];
	return NULL;
}

/* --- questions and answers ---------------------------------------------- */

/* Who does not read its answers has none. */
static void answer(const struct fetching *f, enum msg_type type,
		   const struct wire_writer *w, int fd)
{
	struct err e;

	if (chan_send(f->server, (uint16_t)type, w, &fd, fd >= 0, &e) < 0)
		log_warn("server: %s", e.text);
}

static void refuse(const struct fetching *f, uint64_t tag,
		   const struct err *why)
{
	struct wire_writer w = {.len = 0};

	wire_u64(&w, tag);
	wire_str(&w, str_from(why->text));
	answer(f, MSG_FETCH_URL_NO, &w, -1);
}

static void on_done(void *ctx, uint64_t tag, struct str body,
		    uint32_t max_age_s, const struct err *why)
{
	struct wire_writer w = {.len = 0};
	struct fetching *f = ctx;
	CLEANUP_FD int fd = -1;
	struct err e;

	if (why) {
		refuse(f, tag, why);
		return;
	}
	fd = fd_memfd_sealed("fetched", body, &e);
	if (fd < 0) {
		refuse(f, tag, &e);
		return;
	}
	wire_u64(&w, tag);
	wire_u32(&w, max_age_s);
	answer(f, MSG_FETCHED_URL, &w, fd);
}

static int on_ask(struct fetching *f, const struct chan_msg *msg)
{
	struct wire_reader r = wire_reader(msg->body, msg->body_len);
	uint64_t tag = wire_get_u64(&r);
	const struct place *p;
	struct hash h;
	struct err e;

	wire_get_bytes(&r, h.b, HASH_LEN);
	if (!wire_end(&r) || msg->n_fds)
		return -1;
	p = find(f, &h);
	if (!p)
		err_set(&e, ERR_DENIED,
			"that is no URL of the settings the "
			"server was started with");
	else if (!fetches_add(f->fetches, p->url, p->ca, tag, &e))
		return 0;
	refuse(f, tag, &e);
	return 0;
}

/* Who may say what.  -1: it is time to go. */
static const struct {
	uint16_t type;
	enum role from;
	int (*gate)(struct fetching *f, const struct chan_msg *msg);
} gates[] = {
	{MSG_FETCH_URL, ROLE_SERVER, on_ask},
};

static int hear(struct fetching *f, enum role from, int fd)
{
	struct chan_msg msg;
	struct err e;
	int r = chan_recv(fd, f->room, &msg, &e), bad = -1;

	if (r <= 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(gates); i++)
		if (gates[i].type == msg.type && gates[i].from == from)
			bad = gates[i].gate(f, &msg);
	if (bad && from == ROLE_SERVER)
		log_error("server: a message that it may not send");
	chan_msg_done(&msg);
	return bad;
}

static int serve(struct fetching *f, struct err *e)
{
	struct pollfd fds[] = {{.fd = ROLE_FD}, {.fd = f->server}};

	for (;;) {
		if (fetches_turn(f->fetches, fds, ARRAY_LEN(fds), e))
			return -1;
		/* STOP, or the monitor has gone */
		if (fds[0].revents && hear(f, ROLE_MONITOR, ROLE_FD))
			return 0;
		if (fds[1].revents && hear(f, ROLE_SERVER, f->server))
			return 0;
	}
}

int main(void)
{
	struct fetching *f = mem_alloc(sizeof(*f));
	struct role_start start;
	struct err e;

	role_begin(ROLE_FETCHER, &start);
	f->list = BUF_INIT(LIST_MAX);
	if (start.n_fds != 2 || fetch_begin(&e))
		role_failed(start.n_fds != 2 ?
				    &(struct err){.text = "INIT without list"} :
				    &e);
	(void)hash_sha256("", 0); /* libcrypto reads its configuration now */
	role_confine(ROLE_FETCHER, &start);
	f->server = start.fds[FD_SERVER];
	if (fd_memfd_read(start.fds[FD_LIST], &f->list, &e) ||
	    read_list(f, buf_view(&f->list), &e) ||
	    fetches_new(FETCH_BODY_MAX, on_done, f, &f->fetches, &e))
		role_failed(&e);
	role_ready();
	if (serve(f, &e))
		log_error("%s", e.text);
	return 0;
}

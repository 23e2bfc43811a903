/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the server may know of the providers of secrets: MSG_PROVIDERS,
 * MSG_PROVIDER_CHECK; and how they end.  No secret is in any of it. */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "vault/check.h"

#include <stdio.h>

enum {
	LIST_MAX = 256 * 1024,
	PATHS_TEXT_MAX = 256 * 1024,
	CHECKS_MAX = 8, /* at once */
	LEAVE_US = 3 * 1000000,
};

/* One check of the server that asked; another server hears nothing of it. */
struct keeper_check {
	struct link link;
	struct keeper *k;
	uint64_t tag;
	struct check *check;
};

static int tell(struct keeper *k, uint64_t tag, struct str json)
{
	struct wire_writer w = {.len = 0};
	CLEANUP_FD int fd = -1;
	struct err e;

	fd = fd_memfd_sealed("providers", json, &e);
	if (fd < 0)
		return keeper_answer(k, tag, -1, 0, &e);
	wire_u64(&w, tag);
	wire_u64(&w, 0);
	return chan_post(k->server, MSG_LISTED, &w, &fd, 1, &e);
}

static int no(struct keeper *k, uint64_t tag, enum err_code code,
	      const char *text)
{
	struct err e;

	err_set(&e, code, "%s", text);
	return keeper_answer(k, tag, -1, 0, &e);
}

static void get_name(struct wire_reader *r, char name[SECRET_REF_NAME_MAX + 1])
{
	struct str s = wire_get_str(r, SECRET_REF_NAME_MAX);

	(void)snprintf(name, SECRET_REF_NAME_MAX + 1, STR_FMT, STR_ARG(s));
}

int keeper_providers(struct keeper *k, uint64_t tag, struct wire_reader *r,
		     struct chan_msg *msg)
{
	CLEANUP_BUF struct buf b = BUF_INIT(LIST_MAX);
	char name[SECRET_REF_NAME_MAX + 1];

	get_name(r, name);
	if (!wire_end(r) || msg->n_fds)
		return -1;
	if (*name && (!k->vault || vault_describe_one(k->vault, name, &b)))
		return no(k, tag, ERR_NOT_FOUND, "no such provider");
	if (!*name && k->vault)
		vault_describe(k->vault, &b);
	else if (!*name)
		buf_puts(&b, "[]");
	return tell(k, tag, buf_view(&b));
}

/* --- checks -------------------------------------------------------------- */

static void check_end_of(struct keeper_check *c)
{
	list_del(&c->link);
	c->k->n_checks--;
	mem_free(c);
}

static void on_checked(void *ctx, struct str json)
{
	struct keeper_check *c = ctx;

	(void)!tell(c->k, c->tag, json);
	check_end_of(c);
}

int keeper_provider_check(struct keeper *k, uint64_t tag, struct wire_reader *r,
			  struct chan_msg *msg)
{
	CLEANUP_BUF struct buf paths = BUF_INIT(PATHS_TEXT_MAX);
	char name[SECRET_REF_NAME_MAX + 1];
	struct keeper_check *c;
	struct err e;

	get_name(r, name);
	if (!wire_end(r) || msg->n_fds != 1 ||
	    fd_memfd_read(msg->fds[0], &paths, &e))
		return -1;
	if (k->n_checks == CHECKS_MAX)
		return no(k, tag, ERR_LIMIT, "too many checks at once");
	c = mem_alloc(sizeof(*c));
	*c = (struct keeper_check){.k = k, .tag = tag};
	c->check = k->vault ? check_start(k->vault, name, buf_view(&paths),
					  on_checked, c) :
			      NULL;
	if (!c->check) {
		mem_free(c);
		return no(k, tag, ERR_NOT_FOUND, "no such provider");
	}
	list_push(&k->checks, &c->link);
	k->n_checks++;
	return 0;
}

void keeper_checks_end(struct keeper *k)
{
	LIST_FOR(l, &k->checks)
	{
		struct keeper_check *c =
			LIST_ENTRY(l, struct keeper_check, link);

		check_cancel(c->check);
		check_end_of(c);
	}
}

/* --- the end ------------------------------------------------------------- */

static void leave(void *ctx)
{
	loop_stop(((struct keeper *)ctx)->loop);
}

/* Our logins are ended; who does not answer does not hold us up. */
void keeper_leave(struct keeper *k)
{
	if (!k->vault) {
		leave(k);
		return;
	}
	keeper_checks_end(k);
	keeper_transit_stop(k, "the server is being stopped");
	k->leaving = loop_timer_new(k->loop, leave, k);
	loop_timer_set(k->leaving, clock_mono_us() + LEAVE_US);
	vault_stop(k->vault, leave, k);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the server may know of the providers of secrets: MSG_PROVIDERS,
 * MSG_PROVIDER_CHECK.  No secret is in any of it. */
#include "role/keeper.h"

#include "base/fd.h"

enum {
	PROVIDER_NAME_MAX = 63
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

static int none(struct keeper *k, uint64_t tag)
{
	struct err e;

	err_set(&e, ERR_NOT_FOUND, "no such provider");
	return keeper_answer(k, tag, -1, 0, &e);
}

int keeper_providers(struct keeper *k, uint64_t tag, struct wire_reader *r,
		     struct chan_msg *msg)
{
	struct str name = wire_get_str(r, PROVIDER_NAME_MAX);

	if (!wire_end(r) || msg->n_fds)
		return -1;
	return name.len ? none(k, tag) : tell(k, tag, STR("[]"));
}

int keeper_provider_check(struct keeper *k, uint64_t tag, struct wire_reader *r,
			  struct chan_msg *msg)
{
	(void)wire_get_str(r, PROVIDER_NAME_MAX);
	if (!wire_end(r) || msg->n_fds != 1)
		return -1;
	return none(k, tag);
}

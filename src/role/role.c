/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The start of a role; see role.h. */
#include "role/role.h"
#include "base/log.h"
#include "role/confine.h"

#include <signal.h>
#include <unistd.h>

void role_begin(enum role role, struct role_start *ret)
{
	static unsigned char room[WIRE_MAX + 2];
	struct wire_reader r;
	struct chan_msg msg;
	struct err e;

	log_init(role_name(role), LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	*ret = (struct role_start){.n_fds = 0};
	if (chan_recv(ROLE_FD, room, &msg, &e) <= 0 || msg.type != MSG_INIT) {
		log_error("started by hand? the monitor does that");
		_exit(1);
	}
	r = wire_reader(msg.body, msg.body_len);
	if (role_init_decode(&r, &ret->init)) {
		log_error("INIT: malformed");
		_exit(1);
	}
	log_configure(ret->init.log_format, ret->init.log_level,
		      ret->init.log_journal);
	for (; ret->n_fds < msg.n_fds; ret->n_fds++)
		ret->fds[ret->n_fds] = chan_msg_take(&msg, ret->n_fds);
}

void role_confine_ports(enum role role, const struct role_start *start,
			const uint16_t *ports, size_t n)
{
	const struct confine_ports list = {ports, n};
	struct err e;

	if (confine_role(role, &start->init, &list, &e))
		role_failed(&e);
}

void role_confine(enum role role, const struct role_start *start)
{
	role_confine_ports(role, start, NULL, 0);
}

void role_ready(void)
{
	struct err e;

	if (chan_send(ROLE_FD, MSG_READY, NULL, NULL, 0, &e) <= 0)
		_exit(1);
}

void role_failed(const struct err *e)
{
	struct wire_writer w = {.len = 0};
	struct err ignored;

	log_error("%s", e->text);
	wire_str(&w, str_from(e->text));
	(void)!chan_send(ROLE_FD, MSG_FAILED, &w, NULL, 0, &ignored);
	_exit(1);
}

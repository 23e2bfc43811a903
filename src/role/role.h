/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What every role's main has in common. */
#pragma once

#include "base/loop.h"
#include "proto/edges.h"

/*
 * A role's start: log name, the channel at ROLE_FD and the INIT message on it
 * (blocking).  fds get its descriptors.  Ends the process
 * with a word on standard error when anything is wrong.
 */
struct role_start {
	struct role_init init;
	int fds[CHAN_FDS_MAX];
	size_t n_fds;
};
void role_begin(enum role r, struct role_start *ret);
/* Give up what confine.h's table says, or end; at once after role_begin(), but
 * for what a library reads at its first use. */
void role_confine(enum role r, const struct role_start *start);
/* The same of a keeper that may connect to these TCP ports. */
void role_confine_ports(enum role r, const struct role_start *start,
			const uint16_t *ports, size_t n);
/* To the monitor: READY; or FAILED with a reason, and exit. */
void role_ready(void);
void role_failed(const struct err *e) NORETURN;

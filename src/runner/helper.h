/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A helper that gives secrets, carried out: a sandbox, its program, its end.
 * What goes in and comes out passes here only as descriptors.  No policy is
 * asked, because no job says anything of it: program and network are those of
 * the settings, by way of the monitor.
 */
#pragma once

#include "proto/edges.h"

struct helper_order {
	const struct grant *g;
	int *fds; /* enum helper_fd; its own */
	char *const *args;
};

/* In the zygote's child, confined; the exit code of the process. */
int helper_main(const struct helper_order *o);

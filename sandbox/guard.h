/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Hand-made BPF for what no profile can allow: it stands before a profile's
 * own rules, and is PID 1's whole filter.
 */
#pragma once

#include "sandbox/profile.h"

enum {
	GUARD_MAX = 256
};

/* Before the rules of a profile: arguments, by the low 32 bits the kernel
 * reads.  Falls through to what follows; returns the number written, 0 when
 * they do not fit. */
size_t guard_profile(const struct profile_text *t,
		     struct sock_filter out[GUARD_MAX]);
/* A filter of its own for PID 1, which every payload inherits: a list of
 * what is denied in all profiles.  0 when it does not fit: no kernel loads
 * that. */
size_t guard_pid1(struct sock_filter out[GUARD_MAX]);

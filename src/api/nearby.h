/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Processes of our own pid namespace, and those of others. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Is it in the pid namespace that we are in, and not in one below?  Linux tells
 * it with a pidfd: NSpid in its fdinfo has a number for each namespace from ours
 * down to the process's own (proc(5), pidfd_open(2)).  fdinfo_fd is
 * /proc/self/fdinfo; what cannot be told is no.
 */
bool nearby(int fdinfo_fd, pid_t pid);

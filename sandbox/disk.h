/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How much a workspace holds, by counting: file systems that limit a directory
 * by themselves are rare.  PID 1 of the sandbox counts, as the task's own user,
 * so that a hostile tree costs the task's own time and nobody else's.
 */
#pragma once

#include <stdint.h>

/* Of one count: directories in one another, and entries. */
enum {
	DISK_DEPTH_MAX = 128,
	DISK_ENTRIES_MAX = 1000000
};

/*
 * The bytes of the blocks below dir_fd (kept), on its own file system, each
 * file once if all its names are there.  Counting ends at most.  What its
 * owner made unreadable, or deleted and holds open, is not seen.
 */
uint64_t disk_used(int dir_fd, uint64_t most);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Places where a test lets the process die, as by SIGKILL: only in builds with
 * -DNFO_CRASH_POINTS=ON, which cannot be installed.  In any other a place is
 * nothing, and its name is not in the program.
 *
 * A process that has a directory (server, keeper) looks for the file "crash" there
 * at each place: "NAME" or "NAME N", the Nth time from now.  It is renamed to
 * "crashed" before the process dies, so that each is met once.  The others have
 * NFO_CRASH in their environment, which the monitor hands on in such a build;
 * those forked after crash_begin() count together.
 */
#pragma once

#ifdef NFO_CRASH_POINTS
/* dir_fd: borrowed for ever; -1: the environment says where. */
void crash_begin(int dir_fd);
void crash_point(const char *name);
#define CRASH_POINT(name) crash_point(name)
#else
#define crash_begin(dir_fd) ((void)(dir_fd))
#define CRASH_POINT(name)   ((void)0)
#endif

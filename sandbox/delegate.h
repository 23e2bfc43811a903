/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * An ordinary user's control group under systemd: a shell's is not given to
 * the user, so that nothing can be limited below it.  systemd makes one that
 * is, when asked.
 */
#pragma once

/*
 * Execute this program once more, in a scope of the user's systemd with
 * Delegate=yes (systemd-run(1)), where that is needed and can be had.  Returns
 * when it is not: as root, without systemd or cgroup v2, in a group that may
 * be used, the second time, or when systemd-run fails to start.  Call it
 * before anything else is done: descriptors, directory, environment and pid
 * stay.
 *
 * args  the command line behind the program's name, NULL-terminated
 */
void sandbox_delegate(char *const *args);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * An ordinary user's control group under systemd: a shell's is not given to
 * the user, so that nothing can be limited below it.  systemd makes one that
 * is, when asked.
 */
#pragma once

/*
 * Execute a program in a scope of the user's systemd with Delegate=yes
 * (systemd-run(1)), where that is needed and can be had.  Returns when it is
 * not: as root, without systemd or cgroup v2, in a group that may be used, the
 * second time, or when systemd-run fails to start.  Descriptors, directory,
 * environment and pid stay.
 *
 * argv  the program's path and its arguments, NULL-terminated
 */
void sandbox_delegate_exec(char *const *argv);

/* The same for this program once more: call it before anything else is done.
 * args is the command line behind the program's name. */
void sandbox_delegate(char *const *args);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* System calls that the C library of Debian 12 has no names for, or names
 * only in part.  Each returns -1 with errno. */
#pragma once

#include <linux/landlock.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct kernel_clone {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack,
		stack_size, tls, set_tid, set_tid_size, cgroup;
};

static inline int kernel_clone3(struct kernel_clone *a)
{
	return (int)syscall(SYS_clone3, a, sizeof(*a));
}

static inline int kernel_open_tree(int dir, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir, path, flags);
}

/* Attach the mount fd at path below dir. */
static inline int kernel_move_mount(int fd, int dir, const char *path)
{
	return (int)syscall(SYS_move_mount, fd, "", dir, path,
			    MOVE_MOUNT_F_EMPTY_PATH);
}

/* The same over what the descriptor `at` is. */
static inline int kernel_move_mount_at(int fd, int at)
{
	return (int)syscall(SYS_move_mount, fd, "", at, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int kernel_fsopen(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int kernel_fsconfig_str(int fd, const char *key,
				      const char *value)
{
	return (int)syscall(SYS_fsconfig, fd, FSCONFIG_SET_STRING, key, value,
			    0);
}

static inline int kernel_fsconfig_flag(int fd, const char *key)
{
	return (int)syscall(SYS_fsconfig, fd, FSCONFIG_SET_FLAG, key, NULL, 0);
}

static inline int kernel_fsconfig_create(int fd)
{
	return (int)syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL,
			    0);
}

static inline int kernel_fsmount(int fd, unsigned attr)
{
	return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attr);
}

static inline int kernel_mount_setattr(int dir, const char *path,
				       unsigned flags, uint64_t set)
{
	struct mount_attr attr = {.attr_set = set};

	return (int)syscall(SYS_mount_setattr, dir, path, flags, &attr,
			    sizeof(attr));
}

static inline int kernel_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

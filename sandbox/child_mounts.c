/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The steps of child.c that need CAP_SYS_ADMIN: what hangs where in a sandbox,
 * and the pivot into it.
 */
#include "base/fd.h"
#include "sandbox/child.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

int child_mount_proc(struct child *c)
{
	CLEANUP_FD int fs = kernel_fsopen("proc"), fd = -1;

	(void)c;
	if (fs < 0 || kernel_fsconfig_str(fs, "subset", "pid") ||
	    kernel_fsconfig_str(fs, "hidepid", "invisible") ||
	    kernel_fsconfig_create(fs))
		return -1;
	fd = kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -1 :
			kernel_move_mount(fd, AT_FDCWD, TEMPLATE_ROOT "/proc");
}

static int attach_tmpfs(const char *size, const char *inodes, const char *mode,
			unsigned attr, bool noswap, const char *to)
{
	CLEANUP_FD int fd = mount_tmpfs(size, inodes, mode, attr, noswap);

	return fd < 0 ? -1 : kernel_move_mount(fd, AT_FDCWD, to);
}

int child_mount_tmp(struct child *c)
{
	uint64_t bytes = c->spec.limits.tmp_bytes;
	char size[24];

	(void)snprintf(size, sizeof(size), "%llu",
		       (unsigned long long)(bytes ? bytes : 1ULL << 30));
	return attach_tmpfs(size, "1000000", "1777",
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false,
			    TEMPLATE_ROOT "/tmp");
}

/*
 * A place must be there, in a read-only root or in a bind before.  Such a bind
 * may be a workspace that a payload wrote: the place is found beneath the root
 * and through no link, and the mount goes on what was found, not on its name.
 * The descriptors stay open, for Landlock's rules.
 */
int child_mount_binds(struct child *c)
{
	CLEANUP_FD int root =
		open(TEMPLATE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (uint32_t i = 0; i < c->spec.n_binds; i++) {
		const char *to = c->spec.binds[i].to;
		CLEANUP_FD int at = fd_open_beneath(root, to + 1, O_PATH, 0);

		if (at >= 0 && !kernel_move_mount_at(c->binds[i], at))
			continue;
		(void)snprintf(
			child_made.failed_on, sizeof(child_made.failed_on),
			"%s must exist in the sandbox, through no link", to);
		return -1;
	}
	return 0;
}

/* With the host's network come its names. */
int child_mount_names(struct child *c)
{
	static const char *const names[] = {"hosts", "resolv.conf"};
	const uint64_t attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
			      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

	if (c->spec.network != SANDBOX_NET_HOST)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP_FD int fd = -1;
		char path[64];

		(void)snprintf(path, sizeof(path), TEMPLATE_NAMES "/%s",
			       names[i]);
		fd = kernel_open_tree(AT_FDCWD, path,
				      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		(void)snprintf(path, sizeof(path), TEMPLATE_ROOT "/etc/%s",
			       names[i]);
		if (fd < 0 ||
		    kernel_mount_setattr(fd, "", AT_EMPTY_PATH, attr) ||
		    kernel_move_mount(fd, AT_FDCWD, path))
			return -1;
	}
	return 0;
}

int child_mount_work(struct child *c)
{
	char size[24];

	if (!c->spec.work_in_memory)
		return 0;
	(void)snprintf(size, sizeof(size), "%llu",
		       (unsigned long long)c->spec.work_bytes);
	if (attach_tmpfs(size, "1000000", "0700",
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false,
			 TEMPLATE_ROOT SANDBOX_WORK))
		return -1;
	return chown(TEMPLATE_ROOT SANDBOX_WORK, c->uid, c->uid);
}

/* An empty file that the task may read and we may write, once. */
static int make_file(struct child *c, int dir, const char *name, mode_t mode)
{
	int fd = openat(dir, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			mode);

	if (fd < 0 || fchown(fd, c->uid, c->uid) || fchmod(fd, mode))
		return -1;
	child_made.fds[child_made.n_fds++] = fd;
	return 0;
}

/*
 * Read-only, what was filled at TEMPLATE_STAGE: a copy of that mount.  (The
 * mount itself is busy, by the descriptors that the files are to be written
 * by; it stays behind at the pivot.)
 */
static int seal(const char *to)
{
	CLEANUP_FD int fd = kernel_open_tree(
		AT_FDCWD, TEMPLATE_STAGE, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 ||
	    kernel_mount_setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY))
		return -1;
	return kernel_move_mount(fd, AT_FDCWD, to);
}

/* Of all this the task may write the outputs alone. */
int child_make_control(struct child *c)
{
	const char *outputs = TEMPLATE_ROOT SANDBOX_CONTROL "/outputs";
	const unsigned attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	CLEANUP_FD int dir = -1;

	if (attach_tmpfs("64m", "64", "0755", attr, false, TEMPLATE_STAGE))
		return -1;
	dir = open(TEMPLATE_STAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || mkdirat(dir, "secrets", 0755) ||
	    mkdirat(dir, "outputs", 0700) ||
	    make_file(c, dir, "script", 0500) ||
	    seal(TEMPLATE_ROOT SANDBOX_CONTROL))
		return -1;
	if (attach_tmpfs("64m", "4096", "0700", attr, false, outputs))
		return -1;
	return chown(outputs, c->uid, c->uid);
}

int child_make_secrets(struct child *c)
{
	const unsigned attr =
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	CLEANUP_FD int dir = -1;

	c->secrets = -1;
	if (!c->spec.n_secrets)
		return 0;
	if (attach_tmpfs("8m", "256", "0755", attr, true, TEMPLATE_STAGE)) {
		child_made.not_enforced |= SANDBOX_NO_SWAP;
		if (attach_tmpfs("8m", "256", "0755", attr, false,
				 TEMPLATE_STAGE))
			return -1;
	}
	dir = open(TEMPLATE_STAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (uint32_t i = 0; dir >= 0 && i < c->spec.n_secrets; i++) {
		const char *name = c->spec.secrets[i];
		const char *slash = strchr(name, '/');
		char sub[SANDBOX_NAME_MAX + 1];

		if (slash) {
			(void)snprintf(sub, sizeof(sub), "%.*s",
				       (int)(slash - name), name);
			if (mkdirat(dir, sub, 0755) && errno != EEXIST)
				return -1;
			if (fchownat(dir, sub, c->uid, c->uid, 0))
				return -1;
		}
		if (make_file(c, dir, name, 0400))
			return -1;
	}
	/* PID 1 puts new values in the place of old ones; what the task sees
	 * is read-only, whoever owns it. */
	if (dir < 0 || fchown(dir, c->uid, c->uid) ||
	    seal(TEMPLATE_ROOT SANDBOX_SECRETS))
		return -1;
	c->secrets = fd_take(&dir);
	return 0;
}

/* A copy into a user namespace is locked where it hangs; a bind of it onto
 * itself is ours, and can become the root. */
int child_pivot(struct child *c)
{
	if (c->host->rootless &&
	    mount(TEMPLATE_ROOT, TEMPLATE_ROOT, NULL, MS_BIND | MS_REC, NULL))
		return -1;
	if (chdir(TEMPLATE_ROOT) || kernel_pivot_root(".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return -1;
	return 0;
}

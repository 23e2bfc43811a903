/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The template mount namespace, built once: a read-only root for sandboxes at
 * /root, the bind roots at /roots/N, and nothing else of the host.  A sandbox
 * starts as a copy of it and pivots into /root, so the rest is out of reach.
 */
#include "base/buf.h"
#include "base/fd.h"
#include "sandbox/internal.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define STAGE "/tmp" /* any directory: the new root is attached over it */

static const struct {
	const char *name;
	mode_t mode;
} dirs[] = {
	{"usr",              0755},
        {"proc",             0555},
        {"dev",              0755},
	{"tmp",              0755},
        {"work",             0755},
        {"run",              0755},
	{"run/nfo",          0755},
        {"etc",              0755},
        {"etc/ssl",          0755},
	{"var",              0755},
        {"mnt",              0755},
        {"srv",              0755},
	{"opt",              0755},
        {"etc/ssl/certs",    0755},
        {"etc/alternatives", 0755},
};

static const struct {
	const char *name, *to;
} links[] = {
	{"bin",     "usr/bin"   },
        {"sbin",    "usr/sbin"  },
	{"lib",     "usr/lib"   },
        {"lib64",   "usr/lib64" },
	{"lib32",   "usr/lib32" },
        {"libx32",  "usr/libx32"},
	{"var/tmp", "/tmp"      },
};

static const struct {
	const char *name;
	unsigned minor;
} devices[] = {
	{"null",    3},
        {"zero",    5},
        {"full",    7},
        {"random",  8},
        {"urandom", 9},
};

/* Of the host's /etc only what says nothing about the host. */
static const char *const copied[] = {"etc/ld.so.cache", "etc/ssl/openssl.cnf",
				     "etc/mime.types", "etc/services",
				     "etc/protocols"};

static const struct {
	const char *name, *text;
} made[] = {
	{"etc/group",         "root:x:0:\ntask:x:1000:\nnogroup:x:65534:\n"},
	{"etc/hosts",         "127.0.0.1 localhost\n::1 localhost\n"       },
	{"etc/nsswitch.conf",
	 "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"},
	{"etc/localtime",     ""					   },
 /* with the host's network the host's hangs here */
	{"etc/resolv.conf",   ""					   },
};

int mount_tmpfs(const char *size, const char *inodes, const char *mode,
		unsigned attr, bool noswap)
{
	CLEANUP_FD int fs = kernel_fsopen("tmpfs");

	if (fs < 0 || kernel_fsconfig_str(fs, "size", size) ||
	    kernel_fsconfig_str(fs, "nr_inodes", inodes) ||
	    kernel_fsconfig_str(fs, "mode", mode))
		return -1;
	/* Linux 6.4; refused in a user namespace: the caller reports it. */
	if (noswap && kernel_fsconfig_flag(fs, "noswap"))
		return -1;
	if (kernel_fsconfig_create(fs))
		return -1;
	return kernel_fsmount(fs, attr);
}

static int put_file(int dir, const char *name, struct str text, struct err *e)
{
	CLEANUP_FD int fd = openat(
		dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		0644);

	if (fd < 0 || fd_write_all(fd, text.p, text.len))
		return err_sys(e, errno, "template: %s", name);
	return 0;
}

static int fill_etc(int t, uint32_t uid, struct err *e)
{
	char passwd[256];

	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		if (put_file(t, made[i].name, str_from(made[i].text), e))
			return -1;
	(void)snprintf(passwd, sizeof(passwd),
		       "root:x:0:0:root:/:/bin/sh\n"
		       "task:x:%u:%u:task:" SANDBOX_WORK ":/bin/sh\n"
		       "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
		       uid, uid);
	if (put_file(t, "etc/passwd", str_from(passwd), e))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(8 << 20);
		char path[64];
		struct err ignored;

		(void)snprintf(path, sizeof(path), "/%s", copied[i]);
		if (!fd_read_file(AT_FDCWD, path, &b, &ignored) &&
		    put_file(t, copied[i], buf_view(&b), e))
			return -1;
	}
	return 0;
}

/* A clone of a directory (or file) of the host, attached at name below t. */
static int graft(const char *path, int t, const char *name, unsigned recursive,
		 uint64_t attr, struct err *e)
{
	CLEANUP_FD int fd = kernel_open_tree(
		AT_FDCWD, path,
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);

	if (fd < 0)
		return err_sys(e, errno, "template: %s", path);
	if (attr &&
	    kernel_mount_setattr(fd, "", AT_EMPTY_PATH | recursive, attr))
		return err_sys(e, errno, "template: %s: attributes", path);
	if (kernel_move_mount(fd, t, name))
		return err_sys(e, errno, "template: attach %s", name);
	return 0;
}

/* Nodes where we may make them; else the host's, one by one. */
static int fill_dev(const struct sandbox_host *h, int t, struct err *e)
{
	/* Read-only is the node, not what is written to the device. */
	const uint64_t ro =
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	CLEANUP_FD int dev =
		mount_tmpfs("64k", "64", "0755",
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false);

	if (dev < 0)
		return err_sys(e, errno, "template: /dev");
	if (h->rootless && kernel_move_mount(dev, t, "dev"))
		return err_sys(e, errno, "template: attach /dev");
	for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/dev/%s", devices[i].name);
		if (!h->rootless) {
			if (mknodat(dev, devices[i].name, S_IFCHR | 0666,
				    makedev(1, devices[i].minor)) ||
			    fchmodat(dev, devices[i].name, 0666, 0))
				return err_sys(e, errno, "template: %s", path);
			continue;
		}
		if (put_file(dev, devices[i].name, STR(""), e) ||
		    graft(path, dev, devices[i].name, 0, ro, e))
			return -1;
	}
	if (symlinkat("/proc/self/fd", dev, "fd") ||
	    symlinkat("/proc/self/fd/0", dev, "stdin") ||
	    symlinkat("/proc/self/fd/1", dev, "stdout") ||
	    symlinkat("/proc/self/fd/2", dev, "stderr") ||
	    symlinkat("/tmp", dev, "shm"))
		return err_sys(e, errno, "template: /dev links");
	if (kernel_mount_setattr(dev, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY))
		return err_sys(e, errno, "template: /dev read-only");
	if (!h->rootless && kernel_move_mount(dev, t, "dev"))
		return err_sys(e, errno, "template: attach /dev");
	return 0;
}

static int fill_root(const struct sandbox_host *h, int t, struct err *e)
{
	const uint64_t ro =
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(t, dirs[i].name, dirs[i].mode))
			return err_sys(e, errno, "template: %s", dirs[i].name);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (symlinkat(links[i].to, t, links[i].name))
			return err_sys(e, errno, "template: %s", links[i].name);
	if (fill_etc(t, h->rootless ? INNER_UID : h->uid_base, e) ||
	    graft("/usr", t, "usr", AT_RECURSIVE, ro, e))
		return -1;
	if (!access("/etc/ssl/certs", R_OK) &&
	    graft("/etc/ssl/certs", t, "etc/ssl/certs", 0, ro, e))
		return -1;
	if (!access("/etc/alternatives", R_OK) &&
	    graft("/etc/alternatives", t, "etc/alternatives", 0, ro, e))
		return -1;
	if (fill_dev(h, t, e))
		return -1;
	if (kernel_mount_setattr(t, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY))
		return err_sys(e, errno, "template: read-only");
	return 0;
}

/* How the host finds names, for sandboxes that have its network; the others
 * never see it. */
static int keep_names(int top, struct err *e)
{
	static const char *const names[] = {"hosts", "resolv.conf"};

	if (mkdirat(top, "names", 0755))
		return err_sys(e, errno, "template: names");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP_BUF struct buf b = BUF_INIT(256 << 10);
		struct err ignored;
		char path[40];

		(void)snprintf(path, sizeof(path), "/etc/%s", names[i]);
		if (fd_read_file(AT_FDCWD, path, &b, &ignored))
			buf_reset(&b);
		(void)snprintf(path, sizeof(path), "names/%s", names[i]);
		if (put_file(top, path, buf_view(&b), e))
			return -1;
	}
	return 0;
}

/* Clones of the bind roots, while the host's paths can still be read. */
static int clone_roots(const struct sandbox_host_opts *o, int *fds,
		       struct err *e)
{
	for (size_t i = 0; i < o->n_roots; i++) {
		uint64_t attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

		if (!o->roots[i].writable)
			attr |= MOUNT_ATTR_RDONLY;
		fds[i] = kernel_open_tree(AT_FDCWD, o->roots[i].path,
					  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
						  AT_RECURSIVE);
		if (fds[i] < 0 ||
		    kernel_mount_setattr(fds[i], "",
					 AT_EMPTY_PATH | AT_RECURSIVE, attr))
			return err_sys(e, errno, "%s", o->roots[i].path);
	}
	return 0;
}

static int attach_roots(const struct sandbox_host_opts *o, int top,
			const int *fds, struct err *e)
{
	for (size_t i = 0; i < o->n_roots; i++) {
		char name[40];
		struct stat st;

		(void)snprintf(name, sizeof(name), "roots/%zu", i);
		if (fstat(fds[i], &st))
			return err_sys(e, errno, "%s", o->roots[i].path);
		if (S_ISDIR(st.st_mode) ? mkdirat(top, name, 0755) :
					  put_file(top, name, STR(""), e))
			return err_sys(e, errno, "template: %s", name);
		if (kernel_move_mount(fds[i], top, name))
			return err_sys(e, errno, "attach %s", o->roots[i].path);
	}
	return 0;
}

/* As they are seen from inside: clones are made from these. */
static int open_roots(struct sandbox_host *h, const struct sandbox_host_opts *o,
		      struct err *e)
{
	for (size_t i = 0; i < o->n_roots; i++) {
		char path[40];

		(void)snprintf(path, sizeof(path), TEMPLATE_ROOTS "/%zu", i);
		h->roots[i] = open(path, O_PATH | O_CLOEXEC);
		if (h->roots[i] < 0)
			return err_sys(e, errno, "bind root %zu", i);
		h->root_writable[i] = o->roots[i].writable;
		h->n_roots++;
	}
	return 0;
}

int template_enter(struct sandbox_host *h, const struct sandbox_host_opts *o,
		   struct err *e)
{
	CLEANUP_FD int top = -1, root = -1;
	int roots[SANDBOX_ROOTS_MAX], bad;
	mode_t mask = umask(0); /* the modes here are meant as they stand */

	for (size_t i = 0; i < SANDBOX_ROOTS_MAX; i++)
		roots[i] = -1;
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_sys(e, errno, "template: mount namespace");
	top = mount_tmpfs("1m", "256", "0755", MOUNT_ATTR_NOSUID, false);
	root = mount_tmpfs("16m", "512", "0755",
			   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false);
	if (top < 0 || root < 0)
		return err_sys(e, errno, "template: tmpfs");
	bad = clone_roots(o, roots, e);
	/* Attached first: what hangs below a mount must be in a namespace. */
	if (!bad &&
	    (kernel_move_mount(top, AT_FDCWD, STAGE) ||
	     mkdirat(top, "root", 0755) || mkdirat(top, "roots", 0755) ||
	     mkdirat(top, "proc", 0555) || mkdirat(top, "stage", 0700) ||
	     kernel_move_mount(root, top, "root")))
		bad = err_sys(e, errno, "template: attach");
	/* A new proc mounts in a user namespace only while a full one is
	 * visible; sandboxes leave it behind when they pivot. */
	if (!bad && h->rootless)
		bad = graft("/proc", top, "proc", AT_RECURSIVE, 0, e);
	if (!bad)
		bad = fill_root(h, root, e) || keep_names(top, e) ||
		      attach_roots(o, top, roots, e);
	for (size_t i = 0; i < o->n_roots; i++)
		fd_close(&roots[i]);
	(void)umask(mask);
	if (bad)
		return -1;
	if (fchdir(top) || kernel_pivot_root(".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return err_sys(e, errno, "template: pivot");
	return open_roots(h, o, e);
}

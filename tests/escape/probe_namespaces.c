/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SANDBOX.md list 13-21: namespaces, mounts, devices, what is shared. */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* <sys/mount.h> and <linux/mount.h> of Debian 12 cannot be had both. */
enum {
	OLD_MS_REMOUNT = 32,
	OLD_MS_BIND = 4096,
	OLD_MNT_DETACH = 2,
	NR_STATMOUNT = 457,
	NR_LISTMOUNT = 458,
};

static const struct {
	const char *name;
	unsigned long flag;
} spaces[] = {
	{"user",   CLONE_NEWUSER  },
        {"mnt",    CLONE_NEWNS    },
	{"pid",    CLONE_NEWPID   },
        {"net",    CLONE_NEWNET   },
	{"ipc",    CLONE_NEWIPC   },
        {"uts",    CLONE_NEWUTS   },
	{"cgroup", CLONE_NEWCGROUP},
        {"time",   0x80           },
};

enum {
	N_SPACES = sizeof(spaces) / sizeof(spaces[0])
};

static void unshare_one(void *arg)
{
	size_t i = *(size_t *)arg;

	probe_tried(spaces[i].name, unshare((int)spaces[i].flag));
}

static void unshare_all(char **args)
{
	(void)args;
	for (size_t i = 0; i < N_SPACES; i++)
		probe_apart("unshare", unshare_one, &i);
}

/* Also with flags in the high half, which the kernel ignores. */
static void clone_all(char **args)
{
	(void)args;
	for (size_t i = 0; i < 2 * N_SPACES; i++) {
		unsigned long flags = spaces[i / 2].flag | SIGCHLD;
		long pid;

		if (spaces[i / 2].flag == 0x80) /* clone3 only */
			continue;
		flags |= i % 2 ? 1UL << 40 : 0;
		pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
		if (pid == 0)
			_exit(0);
		probe_tried(spaces[i / 2].name, pid);
	}
}

static void clone3_any(char **args)
{
	uint64_t a[11] = {0};
	long pid;

	(void)args;
	a[4] = SIGCHLD; /* exit_signal */
	pid = syscall(SYS_clone3, a, sizeof(a));
	if (pid == 0)
		_exit(0);
	probe_tried("clone3", pid);
	a[0] = CLONE_NEWUSER;
	pid = syscall(SYS_clone3, a, sizeof(a));
	if (pid == 0)
		_exit(0);
	probe_tried("clone3 user", pid);
}

static void join_spaces(char **args)
{
	static const char *const whose[] = {"1", "self"};
	char path[64];
	int fd;

	(void)args;
	for (size_t i = 0; i < 2 * N_SPACES; i++) {
		(void)snprintf(path, sizeof(path), "/proc/%s/ns/%s",
			       whose[i % 2], spaces[i / 2].name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && i % 2 == 0) {
			probe_tried(path, -1);
			continue;
		}
		probe_tried(path, setns(fd, 0));
	}
	fd = (int)syscall(SYS_pidfd_open, 1, 0);
	if (fd >= 0)
		probe_tried("pidfd", setns(fd, CLONE_NEWNS | CLONE_NEWPID));
}

static uint64_t no_attributes[4];

static const struct probe_call mount_calls[] = {
	{"mount",
	 SYS_mount, {PROBE_STR("none"), PROBE_STR("/tmp"), PROBE_STR("tmpfs"), 0, 0}},
	{"mount bind",
	 SYS_mount, {PROBE_STR("/usr"), PROBE_STR("/tmp"), 0, OLD_MS_BIND, 0}},
	{"remount",
	 SYS_mount, {0, PROBE_STR("/"), 0, OLD_MS_REMOUNT | OLD_MS_BIND, 0}},
	{"umount2",        SYS_umount2, {PROBE_STR("/tmp"), OLD_MNT_DETACH}},
	{"pivot_root",							 SYS_pivot_root, {PROBE_STR("/tmp"), PROBE_STR("/tmp")}},
	{"chroot",          SYS_chroot, {PROBE_STR("/tmp")}},
	{"fsopen",							 SYS_fsopen, {PROBE_STR("tmpfs"), 0}},
	{"fsconfig",			      SYS_fsconfig, {0, FSCONFIG_CMD_CREATE, 0, 0, 0}},
	{"fsmount",						      SYS_fsmount, {0, 0, 0}},
	{"fspick",			   SYS_fspick, {(uintptr_t)AT_FDCWD, PROBE_STR("/"), 0}},
	{"move_mount",
	 SYS_move_mount, {(uintptr_t)AT_FDCWD, PROBE_STR("/usr"), (uintptr_t)AT_FDCWD,
	  PROBE_STR("/tmp"), 0}},
	{"open_tree",
	 SYS_open_tree, {(uintptr_t)AT_FDCWD, PROBE_STR("/"), OPEN_TREE_CLONE}},
	{"mount_setattr",
	 SYS_mount_setattr, {(uintptr_t)AT_FDCWD, PROBE_STR("/"), 0, PROBE_STR(no_attributes),
	  sizeof(no_attributes)}},
	{"statmount",					  NR_STATMOUNT, {0, 0, 0, 0}},
	{"listmount",							NR_LISTMOUNT, {0, 0, 0, 0}},
	{0			       },
};

static void mounts(char **args)
{
	(void)args;
	probe_calls(mount_calls);
}

static void handles(char **args)
{
	struct {
		struct file_handle h;
		unsigned char bytes[128];
	} f = {.h.handle_bytes = 128};
	int id;

	(void)args;
	probe_tried("name_to_handle_at",
		    name_to_handle_at(AT_FDCWD, "/", &f.h, &id, 0));
	f.h.handle_type = 1;
	f.h.handle_bytes = 8;
	probe_tried("open_by_handle_at",
		    open_by_handle_at(AT_FDCWD, &f.h, O_RDONLY));
}

static void make_nodes(char **args)
{
	(void)args;
	probe_tried("block",
		    mknod("/tmp/probe-b", S_IFBLK | 0600, makedev(254, 0)));
	probe_tried("character",
		    mknod("/tmp/probe-c", S_IFCHR | 0600, makedev(1, 1)));
	(void)unlink("/tmp/probe-b");
	(void)unlink("/tmp/probe-c");
}

static void devices(char **args)
{
	static const char *const paths[] = {
		"/dev/vda",     "/dev/sda",
		"/dev/nvme0n1", "/dev/mem",
		"/dev/port",    "/dev/kmsg",
		"/dev/fuse",    "/dev/kvm",
		"/dev/ptmx",    "/dev/console",
		"/dev/tty0",    "/dev/net/tun",
		"/dev/loop0",   "/dev/mapper/control",
		"/dev/vsock",   "/dev/userfaultfd",
		"/dev/uinput",  "/dev/vhost-net"};

	(void)args;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		probe_open(paths[i], O_RDONLY);
}

/* Whatever is in /dev, of these kinds and no others. */
static void device_list(char **args)
{
	static const unsigned minors =
		1U << 3 | 1U << 5 | 1U << 7 | 1U << 8 | 1U << 9;
	DIR *d = opendir("/dev");
	struct dirent *de;
	char what[300];

	(void)args;
	probe_held("/dev can be read", d != NULL);
	while (d && (de = readdir(d))) {
		struct stat st;

		if (fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		(void)snprintf(what, sizeof(what), "/dev/%s", de->d_name);
		probe_held(what, !S_ISBLK(st.st_mode));
		if (S_ISCHR(st.st_mode))
			probe_held(what,
				   major(st.st_rdev) == 1 &&
					   minor(st.st_rdev) < 32 &&
					   minors >> minor(st.st_rdev) & 1);
	}
	if (d)
		(void)closedir(d);
}

static void read_only(char **args)
{
	static const char *const dirs[] = {
		"/",     "/usr", "/usr/bin", "/usr/lib",       "/etc",
		"/bin",  "/lib", "/dev",     "/proc",          "/sys",
		"/run",  "/var", "/home",    "/root",          "/opt",
		"/boot", "/mnt", "/srv",     "/etc/ssl/certs", "/run/nfo"};
	char path[64];

	(void)args;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "%s/probe-ro", dirs[i]);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		probe_tried(dirs[i], fd);
		if (fd >= 0)
			(void)unlink(path);
	}
	probe_open("/etc/passwd", O_WRONLY);
	probe_open("/usr/bin/env", O_WRONLY);
}

/* args: where a writable file system of the host may be. */
static void mount_table(char **args)
{
	char text[65536], *line, *next;
	unsigned n = 0;

	probe_read("/proc/self/mountinfo", text, sizeof(text));
	for (line = text; *line; line = next, n++) {
		char at[256] = "", options[256] = "", type[64] = "";
		char *dash = strstr(line, " - ");
		bool own = false;

		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (!dash ||
		    sscanf(line, "%*s %*s %*s %*s %255s %255s", at, options) !=
			    2 ||
		    sscanf(dash, " - %63s", type) != 1)
			continue;
		for (char **a = args; *a; a++)
			own = own || !strcmp(*a, at);
		probe_held(at, strstr(options, "nosuid") != NULL);
		probe_held(at, !strncmp(options, "ro", 2) || own ||
				       !strcmp(type, "tmpfs") ||
				       !strcmp(type, "proc"));
		probe_held(at, strcmp(type, "cgroup") &&
				       strcmp(type, "sysfs") &&
				       strcmp(type, "cgroup2") &&
				       strcmp(type, "overlay"));
	}
	probe_held("there are mounts", n > 1);
}

static void pids(char **args)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	unsigned n = 0;

	(void)args;
	while (d && (de = readdir(d)))
		n += de->d_name[0] >= '0' && de->d_name[0] <= '9';
	if (d)
		(void)closedir(d);
	probe_held("own pid is small", getpid() < 10);
	probe_held("few processes", n < 5);
}

/* args: key of SysV objects, name of a POSIX queue, of a file in /dev/shm. */
static void ipc(char **args)
{
	key_t key = (key_t)strtol(args[0], NULL, 0);
	char path[128];

	probe_tried("shmget", shmget(key, 0, 0));
	probe_tried("semget", semget(key, 0, 0));
	probe_tried("msgget", msgget(key, 0));
	probe_tried("mq_open", mq_open(args[1], O_RDONLY));
	(void)snprintf(path, sizeof(path), "/dev/shm/%s", args[2]);
	probe_open(path, O_RDONLY);
}

/* args: the host's name. */
static void hostname(char **args)
{
	char name[128] = "";

	(void)gethostname(name, sizeof(name) - 1);
	probe_held("not the host's", strcmp(name, args[0]) != 0);
	/* Too long for any kernel, should it be allowed. */
	probe_tried("sethostname", syscall(SYS_sethostname, NULL, 5000));
	probe_tried("setdomainname", syscall(SYS_setdomainname, NULL, 5000));
}

const struct probe probes_namespaces[] = {
	{"unshare_all", unshare_all},
	{"clone_all",   clone_all  },
	{"clone3_any",  clone3_any },
	{"join_spaces", join_spaces},
	{"mounts",      mounts     },
	{"handles",     handles    },
	{"make_nodes",  make_nodes },
	{"devices",     devices    },
	{"device_list", device_list},
	{"read_only",   read_only  },
	{"mount_table", mount_table},
	{"pids",        pids       },
	{"ipc",         ipc        },
	{"hostname",    hostname   },
	{NULL,          NULL       },
};

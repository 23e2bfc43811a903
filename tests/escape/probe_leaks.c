/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SANDBOX.md list 41-47: what of the host may be read or changed. */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const written[] = {
	"/proc/sysrq-trigger",           "/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/modprobe",     "/proc/sys/kernel/hotplug",
	"/proc/sys/kernel/ns_last_pid",  "/proc/sys/vm/drop_caches",
	"/proc/sys/net/ipv4/ip_forward", "/sys/kernel/uevent_helper",
	"/proc/irq/0/smp_affinity",      "/proc/acpi",
	"/proc/bus/pci/00/00.0",         "/proc/1/oom_score_adj",
};

static int try_write(const char *path, const struct stat *st, int flag,
		     struct FTW *at)
{
	(void)st;
	(void)at;
	if (flag == FTW_F)
		probe_open(path, O_WRONLY);
	return 0;
}

/* Opening must fail already: no write could be taken back. */
static void kernel_writes(char **args)
{
	(void)args;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		probe_open(written[i], O_WRONLY);
	(void)nftw("/proc/sys", try_write, 16, FTW_PHYS);
}

/* These open for anybody and refuse what is written. */
static void map_ids(char **args)
{
	static const char *const maps[] = {"/proc/self/uid_map",
					   "/proc/self/gid_map"};

	(void)args;
	for (size_t i = 0; i < 2; i++) {
		int fd = open(maps[i], O_WRONLY | O_CLOEXEC);

		probe_tried(maps[i], fd < 0 ? fd : write(fd, "0 0 1\n", 6));
		if (fd >= 0)
			(void)close(fd);
	}
	probe_open("/proc/self/setgroups", O_WRONLY);
}

static const char *const secret_files[] = {
	"/proc/kallsyms",
	"/proc/kcore",
	"/proc/keys",
	"/proc/key-users",
	"/proc/timer_list",
	"/proc/sched_debug",
	"/proc/config.gz",
	"/proc/kmsg",
	"/proc/kpagecount",
	"/proc/kpageflags",
	"/proc/slabinfo",
	"/proc/modules",
	"/proc/iomem",
	"/proc/ioports",
	"/proc/cmdline",
	"/proc/cpuinfo",
	"/proc/meminfo",
	"/proc/stat",
	"/proc/loadavg",
	"/proc/version",
	"/proc/swaps",
	"/proc/interrupts",
	"/proc/diskstats",
	"/proc/partitions",
	"/sys/firmware",
	"/sys/kernel/debug",
	"/sys/kernel/tracing",
	"/sys/fs/cgroup",
	"/sys/fs/bpf",
	"/sys/class/net",
	"/sys/class/dmi/id/product_uuid",
	"/sys/devices",
	"/etc/shadow",
	"/etc/gshadow",
	"/etc/machine-id",
	"/etc/hostname",
	"/etc/sudoers",
	"/root",
	"/home",
	"/boot",
	"/run/systemd",
	"/run/dbus/system_bus_socket",
	"/run/docker.sock",
	"/var/lib",
	"/var/log",
	"/var/run/utmp",
};

static void host_files(char **args)
{
	for (size_t i = 0; i < sizeof(secret_files) / sizeof(secret_files[0]);
	     i++)
		probe_open(secret_files[i], O_RDONLY);
	for (; *args; args++) /* what the driver knows of */
		probe_open(*args, O_RDONLY);
}

static void control_groups(char **args)
{
	static const char *const paths[] = {
		"/sys/fs/cgroup/cgroup.procs",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes",
		"/sys/fs/cgroup/pids/release_agent",
		"/sys/fs/cgroup/memory/notify_on_release",
		"/sys/fs/cgroup/unified/cgroup.procs"};
	char text[8192], *line, *next;

	(void)args;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		probe_open(paths[i], O_WRONLY);
	probe_tried("mkdir", mkdir("/sys/fs/cgroup/probe", 0755));
	probe_read("/proc/self/cgroup", text, sizeof(text));
	for (line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		probe_held(line,
			   strlen(line) > 1 &&
				   !strcmp(line + strlen(line) - 2, ":/"));
	}
}

/* args: a value nobody may see, then the names that may be there. */
static void environment(char **args)
{
	extern char **environ;

	for (char **e = environ; *e; e++) {
		size_t len = strcspn(*e, "=");
		bool known = false;

		for (char **a = args + 1; *a; a++)
			known = known || (!strncmp(*a, *e, len) && !(*a)[len]);
		probe_held(*e, known);
		probe_held(*e, !strstr(*e, args[0]));
	}
	probe_held("counted", true);
}

static void crash(void *arg)
{
	(void)arg;
	(void)raise(SIGABRT);
}

static void core(char **args)
{
	struct rlimit r = {1, RLIM_INFINITY};
	struct dirent *de;
	int status = 0;
	pid_t pid = fork();
	DIR *d;

	(void)args;
	(void)getrlimit(RLIMIT_CORE, &r);
	/* 1 byte: as good, and it also stops a core_pattern with a pipe. */
	probe_held("RLIMIT_CORE", r.rlim_max <= 1);
	if (pid == 0) {
		crash(NULL);
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	probe_held("it crashed", WIFSIGNALED(status));
	probe_held("no core", !WCOREDUMP(status));
	d = opendir(".");
	while (d && (de = readdir(d)))
		probe_held(de->d_name, strncmp(de->d_name, "core", 4) != 0);
	if (d)
		(void)closedir(d);
}

/* args: a directory that may be written. */
static void foreign_links(char **args)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/probe-link", args[0]);
	probe_tried("link passwd", link("/etc/passwd", path));
	(void)unlink(path);
	probe_tried("link proc", link("/proc/self/environ", path));
	(void)unlink(path);
	/* What it is already: harmless where the sandbox is broken. */
	probe_tried("rename", rename("/etc/passwd", "/etc/passwd"));
	probe_tried("chmod", chmod("/etc/passwd", 0644));
	probe_tried("chown", chown("/etc/passwd", (uid_t)-1, (gid_t)-1));
	probe_tried("utime", utimensat(AT_FDCWD, "/etc/passwd",
				       (struct timespec[2]){
					       {0, UTIME_OMIT},
                                               {0, UTIME_NOW }
        },
				       0));
	probe_tried("unlink", unlink("/etc/no-such-file"));
	probe_tried("through root",
		    open("/proc/self/root/etc/passwd", O_RDWR | O_CLOEXEC));
}

const struct probe probes_leaks[] = {
	{"kernel_writes",  kernel_writes },
        {"map_ids",        map_ids       },
	{"host_files",     host_files    },
        {"control_groups", control_groups},
	{"environment",    environment   },
        {"core",           core          },
	{"foreign_links",  foreign_links },
        {NULL,             NULL          },
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SANDBOX.md list 8-12: the launcher and PID 1 as targets. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* args: paths of the launcher on the host. */
static void launcher_files(char **args)
{
	static const char *const links[] = {"/proc/self/exe", "/proc/1/exe"};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		probe_open(links[i], O_WRONLY);
	probe_open("/proc/1/exe", O_RDONLY);
	for (; *args; args++)
		probe_open(*args, O_RDONLY);
}

static void proc_init(char **args)
{
	static const char *const files[] = {
		"mem", "environ",   "maps",   "auxv",  "fd",      "root",
		"cwd", "map_files", "fdinfo", "stack", "syscall", "pagemap"};
	char path[64], link[256];

	(void)args;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "/proc/1/%s", files[i]);
		probe_open(path, O_RDONLY);
	}
	probe_open("/proc/1/mem", O_RDWR);
	probe_tried("readlink exe", readlink("/proc/1/exe", link, 255));
	probe_tried("readlink root", readlink("/proc/1/root", link, 255));
	probe_tried("readlink cwd", readlink("/proc/1/cwd", link, 255));
}

static void trace(char **args)
{
	char word[8] = "";
	struct iovec iov = {word, sizeof(word)};
	int fd = (int)syscall(SYS_pidfd_open, 1, 0);

	(void)args;
	probe_tried("PTRACE_ATTACH", ptrace(PTRACE_ATTACH, 1, 0, 0));
	probe_tried("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, 1, 0, 0));
	probe_tried("process_vm_readv",
		    process_vm_readv(1, &iov, 1, &iov, 1, 0));
	probe_tried("process_vm_writev",
		    process_vm_writev(1, &iov, 1, &iov, 1, 0));
	if (fd >= 0)
		probe_tried("pidfd_getfd", syscall(SYS_pidfd_getfd, fd, 0, 0));
	probe_tried("kcmp", syscall(SYS_kcmp, getpid(), 1, 0, 0, 0));
	probe_tried("process_madvise",
		    fd < 0 ? -1 :
			     syscall(SYS_process_madvise, fd, &iov, 1, 4, 0));
}

static void sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* After this the driver must still get our line and our exit code. */
static void kill_init(char **args)
{
	(void)args;
	/* Never where "all" would be more than this sandbox. */
	probe_held("a pid namespace", getpid() < 10);
	if (getpid() >= 10)
		return;
	for (int s = 1; s < 65; s++)
		(void)kill(1, s);
	(void)kill(-1, SIGKILL);
	(void)kill(-1, SIGSTOP);
	sleep_ms(100); /* for what must not happen */
	probe_held("still here", getppid() >= 0);
}

/* Lower its limits, and it can no longer open or write. */
static void limits_of_init(char **args)
{
	struct rlimit now;

	(void)args;
	probe_tried("set",
		    prlimit(1, RLIMIT_NOFILE, &(struct rlimit){3, 3}, NULL));
	probe_tried("get", prlimit(1, RLIMIT_NOFILE, NULL, &now));
}

/* args: the pid of a process of the driver; hardly a number in here. */
static void kill_host(char **args)
{
	pid_t pid = (pid_t)strtol(args[0], NULL, 10);
	char path[64];

	if (pid == getpid())
		pid++;
	(void)snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	probe_tried("kill", kill(pid, 0));
	probe_tried("pidfd_open", syscall(SYS_pidfd_open, pid, 0));
	probe_open(path, O_RDONLY);
}

const struct probe probes_launcher[] = {
	{"launcher_files", launcher_files},
	{"proc_init",      proc_init     },
	{"trace",          trace         },
	{"kill_init",      kill_init     },
	{"limits_of_init", limits_of_init},
	{"kill_host",      kill_host     },
	{NULL,             NULL          },
};

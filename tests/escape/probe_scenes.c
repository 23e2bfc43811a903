/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Parts for scenes that the driver plays: payloads that will not end, that
 * leave or look for traces, and a launcher whose kernel refuses one call.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void say(const char *line)
{
	(void)!write(1, line, strlen(line));
}

static void ignore_signals(void)
{
	for (int s = 1; s < 65; s++)
		(void)signal(s, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
}

static void wait_for_ever(void)
{
	for (;;)
		(void)pause();
}

/* args: how it refuses to end.  Never returns. */
static void stubborn(char **args)
{
	ignore_signals();
	say("started\n");
	if (!strcmp(args[0], "spin"))
		for (;;)
			(void)getppid();
	if (!strcmp(args[0], "stop")) {
		(void)kill(0, SIGSTOP);
		(void)raise(SIGSTOP);
	}
	if (!strcmp(args[0], "vfork") && vfork() == 0)
		wait_for_ever();
	if (!strcmp(args[0], "many"))
		for (int i = 0; i < 40; i++)
			if (fork() == 0)
				break;
	wait_for_ever();
}

/* Ends at once, and leaves a daemon that holds stdout. */
static void leave_daemon(char **args)
{
	(void)args;
	if (fork() == 0) {
		(void)setsid();
		if (fork())
			_exit(0);
		ignore_signals();
		say("daemon\n");
		wait_for_ever();
	}
	probe_word("left", "held");
}

/* args: "exit" or "signal", and the number. */
static void end_with(char **args)
{
	int n = (int)strtol(args[1], NULL, 10);

	if (!strcmp(args[0], "exit"))
		_exit(n);
	(void)signal(n, SIG_DFL);
	(void)raise(n);
	probe_word("survived", "ok");
}

static int abstract(const char *name, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "%s", name);
	return (int)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

/* args: a name for all.  Holds them until its input ends. */
static void leave_traces(char **args)
{
	char path[128], c;
	struct sockaddr_un a;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), len = abstract(args[0], &a);

	(void)snprintf(path, sizeof(path), "/tmp/%s", args[0]);
	(void)!open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	(void)snprintf(path, sizeof(path), "/dev/shm/%s", args[0]);
	(void)!open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	(void)!shmget((key_t)strtol(args[1], NULL, 0), 4096, IPC_CREAT | 0666);
	(void)bind(s, (struct sockaddr *)&a, (socklen_t)len);
	(void)listen(s, 1);
	(void)flock(open("/etc/passwd", O_RDONLY | O_CLOEXEC), LOCK_EX);
	say("ready\n");
	while (read(0, &c, 1) > 0)
		;
	probe_held("done", true);
}

/* args: as of leave_traces. */
static void find_traces(char **args)
{
	char path[128];
	struct sockaddr_un a;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), len = abstract(args[0], &a);

	(void)snprintf(path, sizeof(path), "/tmp/%s", args[0]);
	probe_open(path, O_RDONLY);
	(void)snprintf(path, sizeof(path), "/dev/shm/%s", args[0]);
	probe_open(path, O_RDONLY);
	probe_tried("shmget", shmget((key_t)strtol(args[1], NULL, 0), 0, 0));
	probe_tried("abstract",
		    connect(s, (struct sockaddr *)&a, (socklen_t)len));
}

/* args: as of leave_traces; for traces left without a sandbox. */
static void remove_traces(char **args)
{
	char path[128];
	int id = shmget((key_t)strtol(args[1], NULL, 0), 0, 0);

	(void)snprintf(path, sizeof(path), "/tmp/%s", args[0]);
	probe_tried(path, unlink(path));
	(void)snprintf(path, sizeof(path), "/dev/shm/%s", args[0]);
	probe_tried(path, unlink(path));
	probe_tried("segment", shmctl(id, IPC_RMID, NULL));
}

/* args: pairs of a probe's name and its words; all must be as expected. */
static void each(char **args)
{
	for (; args[0] && args[1]; args += 2) {
		char *argv[] = {(char *)(uintptr_t)probe_self, args[0], args[1],
				NULL};

		probe_held(args[0], probe_spawn(argv) == 0);
	}
}

/* args: number of a system call, errno, program and its arguments.  The
 * program is run on a kernel that answers the call with errno. */
static void refuse(char **args)
{
	uint32_t nr = (uint32_t)strtoul(args[0], NULL, 10);
	uint32_t error = (uint32_t)strtoul(args[1], NULL, 10);
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {4, f};

	/* Without privilege only so; a launcher that needs more refuses. */
	if (geteuid())
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog)) {
		probe_tried("seccomp", -1);
		return;
	}
	execv(args[2], args + 2);
	probe_tried(args[2], -1);
}

/* args: the host's mount namespace, program and arguments.  Runs the program
 * only in another mount namespace: the guard of everything that mounts. */
static void guard(char **args)
{
	char mine[64] = "";

	if (readlink("/proc/self/ns/mnt", mine, sizeof(mine) - 1) < 0 ||
	    strncmp(mine, "mnt:[", 5) != 0 ||
	    strncmp(args[0], "mnt:[", 5) != 0 || !strcmp(mine, args[0])) {
		fprintf(stderr, "guard: this is the host's mount namespace\n");
		_exit(124);
	}
	execv(args[1], args + 1);
	probe_tried(args[1], -1);
}

const struct probe probes_scenes[] = {
	{"stubborn",      stubborn     },
	{"leave_daemon",  leave_daemon },
	{"end_with",      end_with     },
	{"leave_traces",  leave_traces },
	{"find_traces",   find_traces  },
	{"remove_traces", remove_traces},
	{"each",          each         },
	{"refuse",        refuse       },
	{"guard",         guard        },
	{NULL,            NULL         },
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What must work: a sandbox in which nothing runs would pass all the rest. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Make, fill, read, rename and remove a file in each directory. */
static void write_files(char **dirs)
{
	for (; *dirs; dirs++) {
		char a[256], b[256], text[8];
		int fd;

		(void)snprintf(a, sizeof(a), "%s/probe-a", *dirs);
		(void)snprintf(b, sizeof(b), "%s/probe-b", *dirs);
		fd = open(a, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		probe_tried(a, fd);
		if (fd < 0)
			continue;
		probe_tried("write", write(fd, "full", 4) == 4 ? 0 : -1);
		(void)close(fd);
		probe_tried("rename", rename(a, b));
		probe_held(b,
			   !strcmp(probe_read(b, text, sizeof(text)), "full"));
		probe_tried("unlink", unlink(b));
	}
}

static void run_program(char **argv)
{
	probe_word(argv[0], probe_spawn(argv) == 0 ? "ok" : "failed");
}

static void *thread_main(void *arg)
{
	*(bool *)arg = true;
	return NULL;
}

static void thread(char **args)
{
	pthread_t t;
	bool ran = false;

	(void)args;
	errno = pthread_create(&t, NULL, thread_main, &ran);
	probe_tried("pthread_create", errno ? -1 : 0);
	if (errno)
		return;
	(void)pthread_join(t, NULL);
	probe_held("ran", ran);
}

static void unix_pair(char **args)
{
	int s[2];
	char c = 0;

	(void)args;
	probe_tried("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	if (write(s[0], "x", 1) != 1 || read(s[1], &c, 1) != 1)
		c = 0;
	probe_held("a byte goes through", c == 'x');
}

/* A listener on the sandbox's own loopback, and a connection to it. */
static void inet_loopback(char **args)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	int c = socket(AF_INET, SOCK_STREAM, 0);

	(void)args;
	probe_tried("socket", l);
	probe_tried("bind", bind(l, (struct sockaddr *)&a, len));
	probe_tried("listen", listen(l, 1));
	probe_tried("name", getsockname(l, (struct sockaddr *)&a, &len));
	probe_tried("connect", connect(c, (struct sockaddr *)&a, len));
}

static void socket_of(char **args)
{
	(void)args;
	probe_tried("socket(AF_INET)", socket(AF_INET, SOCK_STREAM, 0));
	probe_tried("socket(AF_INET6)", socket(AF_INET6, SOCK_DGRAM, 0));
}

static void trace_child(char **args)
{
	int status = 0;
	pid_t pid = fork();

	(void)args;
	if (pid == 0) {
		long rc = ptrace(PTRACE_TRACEME, 0, 0, 0);

		probe_tried("PTRACE_TRACEME", rc);
		if (rc == 0)
			(void)raise(SIGSTOP);
		_exit(0);
	}
	if (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
		probe_tried("PTRACE_CONT", ptrace(PTRACE_CONT, pid, 0, 0));
		(void)waitpid(pid, &status, 0);
	}
}

const struct probe probes_control[] = {
	{"write_files",   write_files  },
	{"run_program",   run_program  },
	{"thread",        thread       },
	{"unix_pair",     unix_pair    },
	{"inet_loopback", inet_loopback},
	{"socket_of",     socket_of    },
	{"trace_child",   trace_child  },
	{NULL,            NULL         },
};

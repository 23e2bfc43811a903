/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SANDBOX.md list 48-59: taking more than one's share.  Each has a bound of its
 * own, so that a sandbox without limits is found and the host not hurt. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHUNK = 1 << 20,
	TOO_MUCH = 192 * CHUNK, /* with a limit of 64 MiB */
	TOO_MANY = 200,         /* with a limit of 64 */
};

static void pause_for_ever(void)
{
	for (;;)
		(void)pause();
}

/* args: the limit.  Children wait; the end of the sandbox is theirs. */
static void fork_bomb(char **args)
{
	long limit = strtol(args[0], NULL, 10), n;

	for (n = 0; n < TOO_MANY; n++) {
		pid_t pid = fork();

		if (pid == 0)
			pause_for_ever();
		if (pid < 0) {
			probe_tried("fork", -1);
			break;
		}
	}
	if (n == TOO_MANY)
		probe_word("fork", "ok");
	probe_held("some", n > 0);
	probe_held("within the limit", n <= limit);
}

static void *wait_main(void *arg)
{
	(void)arg;
	pause_for_ever();
	return NULL;
}

static void threads(char **args)
{
	long limit = strtol(args[0], NULL, 10), n;
	pthread_attr_t small;
	pthread_t t;

	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, 64 << 10);
	for (n = 0; n < TOO_MANY; n++) {
		errno = pthread_create(&t, &small, wait_main, NULL);
		if (errno) {
			probe_tried("pthread_create", -1);
			break;
		}
	}
	if (n == TOO_MANY)
		probe_word("pthread_create", "ok");
	probe_held("within the limit", n <= limit);
}

static void fill_fd(const char *what, int fd)
{
	static char chunk[CHUNK];
	size_t done = 0;

	memset(chunk, 'x', sizeof(chunk));
	while (fd >= 0 && done < TOO_MUCH) {
		ssize_t n = write(fd, chunk, sizeof(chunk));

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	probe_tried(what, done < TOO_MUCH ? -1 : 0);
}

static void eat_anonymous(void *arg)
{
	char *p = mmap(NULL, TOO_MUCH, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (p != MAP_FAILED)
		for (size_t i = 0; i < TOO_MUCH; i += 4096)
			((volatile char *)p)[i] = 1;
	probe_tried("anonymous", p == MAP_FAILED ? -1 : 0);
}

static void eat_file(void *arg)
{
	const char *path = arg;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)signal(SIGXFSZ, SIG_IGN);
	fill_fd(path, fd);
}

static void eat_memfd(void *arg)
{
	(void)arg;
	fill_fd("memfd", memfd_create("probe", MFD_CLOEXEC));
}

static void eat_shared(void *arg)
{
	char *p = mmap(NULL, TOO_MUCH, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (p != MAP_FAILED)
		for (size_t i = 0; i < TOO_MUCH; i += 4096)
			((volatile char *)p)[i] = 1;
	probe_tried("shared", p == MAP_FAILED ? -1 : 0);
}

/* Pipes, enlarged; the user's soft limit ends it where memory does not. */
static void eat_pipes(void *arg)
{
	static char chunk[CHUNK];
	size_t done = 0;
	int p[2];

	(void)arg;
	while (done < TOO_MUCH && !pipe2(p, O_NONBLOCK | O_CLOEXEC)) {
		ssize_t n;

		(void)fcntl(p[1], F_SETPIPE_SZ, CHUNK);
		while ((n = write(p[1], chunk, sizeof(chunk))) > 0)
			done += (size_t)n;
	}
	probe_tried("pipes", done < TOO_MUCH ? -1 : 0);
}

/* args: the kind. */
static void memory(char **args)
{
	static const struct {
		const char *name;
		void (*eat)(void *);
		const char *path;
	} kinds[] = {
		{"anonymous", eat_anonymous, NULL                 },
		{"tmp",       eat_file,      "/tmp/probe-full"    },
		{"shm",       eat_file,      "/dev/shm/probe-full"},
		{"memfd",     eat_memfd,     NULL                 },
		{"shared",    eat_shared,    NULL                 },
		{"pipes",     eat_pipes,     NULL                 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, args[0]))
			probe_apart(args[0], kinds[i].eat,
				    (void *)(uintptr_t)kinds[i].path);
}

/* args: directories on a file system of bounded size. */
static void disk(char **args)
{
	char path[256];

	for (; *args; args++) {
		struct statvfs s = {0};
		int fd;

		probe_held(*args, !statvfs(*args, &s) && s.f_blocks > 0 &&
					  s.f_files > 0);
		(void)snprintf(path, sizeof(path), "%s/probe-big", *args);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		(void)signal(SIGXFSZ, SIG_IGN);
		probe_tried("fallocate 1 TiB", fallocate(fd, 0, 0, 1L << 40));
		(void)close(fd);
		(void)unlink(path);
	}
}

static void eat_inodes(void *arg)
{
	char **args = arg;
	long max = strtol(args[1], NULL, 10), n;
	char path[256];

	for (n = 0; n < max; n++) {
		(void)snprintf(path, sizeof(path), "%s/i%ld", args[0], n);
		int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

		if (fd < 0)
			break;
		(void)close(fd);
	}
	probe_tried(args[0], n < max ? -1 : 0);
}

static void raise_limits(char **args)
{
	static const struct {
		const char *name;
		int resource;
	} limits[] = {
		{"NOFILE",     RLIMIT_NOFILE    },
		{"CORE",       RLIMIT_CORE      },
		{"MEMLOCK",    RLIMIT_MEMLOCK   },
		{"MSGQUEUE",   RLIMIT_MSGQUEUE  },
		{"NICE",       RLIMIT_NICE      },
		{"RTPRIO",     RLIMIT_RTPRIO    },
		{"SIGPENDING", RLIMIT_SIGPENDING},
		{"NPROC",      RLIMIT_NPROC     },
		{"STACK",      RLIMIT_STACK     },
		{"FSIZE",      RLIMIT_FSIZE     },
	};

	(void)args;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit r = {0};

		(void)prlimit(0, (enum __rlimit_resource)limits[i].resource,
			      NULL, &r);
		if (r.rlim_max == RLIM_INFINITY) {
			probe_held(limits[i].name, i > 5);
			continue;
		}
		r.rlim_max++;
		probe_tried(limits[i].name,
			    prlimit(0,
				    (enum __rlimit_resource)limits[i].resource,
				    &r, NULL));
	}
}

/* args: a directory; how many is too many. */
static void inodes(char **args)
{
	probe_apart(args[0], eat_inodes, args);
}

/* Descriptors that stand for kernel memory, until none is given. */
static void kernel_objects(char **args)
{
	int (*const make[])(int) = {epoll_create1, inotify_init1};

	(void)args;
	for (size_t i = 0; i < 3; i++) {
		int n, fd = 0, last = 0;

		for (n = 0; n < 100000 && fd >= 0; n++) {
			fd = i < 2 ? make[i](0) : eventfd(0, 0);
			last = fd >= 0 ? fd : last;
		}
		probe_tried("object", fd);
		for (fd = 3; fd <= last; fd++)
			(void)close(fd);
	}
}

/* Orphans must be reaped by PID 1, or the limit of processes is used up. */
static void orphans(char **args)
{
	long n = strtol(args[0], NULL, 10), lost = 0;

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)fork();
			_exit(0);
		}
		if (pid < 0) { /* give PID 1 a turn */
			lost++;
			(void)poll(NULL, 0, 1);
			if (lost > n)
				break;
			i--;
			continue;
		}
		(void)waitpid(pid, NULL, 0);
	}
	probe_held("all could be made", lost <= n);
}

const struct probe probes_resources[] = {
	{"fork_bomb",      fork_bomb     },
	{"threads",        threads       },
	{"memory",         memory        },
	{"disk",           disk          },
	{"inodes",         inodes        },
	{"raise_limits",   raise_limits  },
	{"kernel_objects", kernel_objects},
	{"orphans",        orphans       },
	{NULL,             NULL          },
};

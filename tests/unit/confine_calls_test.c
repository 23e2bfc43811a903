/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a role's filter refuses, tried in children behind it.  Each probe is
 * tried without the filter as well, so that it is the filter that refuses. */
#include "base/fd.h"
#include "role/confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __x86_64__
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

/* Each returns as the call does: -1 with errno. */
static int do_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int do_io_uring(void)
{
	return (int)syscall(SYS_io_uring_setup, 0, NULL);
}

static int do_peek(void)
{
	return (int)syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0,
			    0);
}

static int do_trace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int do_limits_of_parent(void)
{
	struct rlimit r;

	return prlimit(getppid(), RLIMIT_NOFILE, NULL, &r);
}

static int do_unshare(void)
{
	return unshare(0);
}

/* Not glibc's, which asks every thread, also a sanitizer's. */
static int do_setuid(void)
{
	return (int)syscall(SYS_setresuid, getuid(), getuid(), getuid());
}

static int do_exec(void)
{
	return execve("/", (char *[]){NULL}, (char *[]){NULL});
}

static int do_execveat(void)
{
	return (int)syscall(SYS_execveat, AT_FDCWD, "/", NULL, NULL, 0);
}

static int do_map_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int do_make_code(void)
{
	void *p =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int do_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int do_kill(void)
{
	return kill(getppid(), 0);
}

static int do_tgkill(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int do_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd < 0 ? -1 : close(fd);
}

static int do_accept(void)
{
	return accept(-1, NULL, NULL);
}

static const struct {
	unsigned group;
	const char *name;
	int (*call)(void);
} probes[] = {
	{REFUSE_RARE,    "bpf",              do_bpf             },
	{REFUSE_RARE,    "io_uring",         do_io_uring        },
	{REFUSE_PEEK,    "process_vm_readv", do_peek            },
	{REFUSE_PEEK,    "ptrace",           do_trace           },
	{REFUSE_PEEK,    "prlimit",          do_limits_of_parent},
	{REFUSE_ADMIN,   "unshare",          do_unshare         },
	{REFUSE_ADMIN,   "setresuid",        do_setuid          },
	{REFUSE_EXEC,    "execve",           do_exec            },
	{REFUSE_EXEC,    "execveat",         do_execveat        },
	{REFUSE_EXEC,    "mmap",             do_map_code        },
	{REFUSE_EXEC,    "mprotect",         do_make_code       },
	{REFUSE_FORK,    "fork",             do_fork            },
	{REFUSE_SIGNAL,  "kill",             do_kill            },
	{REFUSE_SIGNAL,  "tgkill",           do_tgkill          },
	{REFUSE_CONNECT, "socket",           do_socket          },
	{REFUSE_ACCEPT,  "accept",           do_accept          },
};

/* The exit status of a child that does fn behind a filter. */
static int status_behind(unsigned groups, int (*fn)(void))
{
	pid_t pid = fork();
	struct err e;
	int status;

	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    confine_calls(groups, (uint32_t)getpid(), &e))
			_exit(255);
		errno = 0;
		_exit(fn() < 0 ? errno : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int errno_behind(unsigned groups, int (*fn)(void))
{
	int status = status_behind(groups, fn);

	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

static void each_group_refuses_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		if (errno_behind(probes[i].group, probes[i].call) != EPERM)
			fail_msg("%s was not refused", probes[i].name);
}

/* What even without a filter is EPERM here proves nothing. */
static void no_group_refuses_anothers(void **state)
{
	unsigned proved = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		int bare = errno_behind(0, probes[i].call);
		int behind =
			errno_behind(255 & ~probes[i].group, probes[i].call);

		if (bare == EPERM)
			continue;
		proved++;
		if (behind == EPERM)
			fail_msg("%s is refused by another group",
				 probes[i].name);
	}
	assert_true(proved > ARRAY_LEN(probes) / 2);
}

static void *nothing(void *arg)
{
	return arg;
}

static int do_thread(void)
{
	pthread_t t;
	int r = pthread_create(&t, NULL, nothing, NULL);

	errno = r;
	return r || pthread_join(t, NULL) ? -1 : 0;
}

static int do_own_things(void)
{
	struct rlimit r;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED || mprotect(p, 4096, PROT_READ) ||
			       getrlimit(RLIMIT_NOFILE, &r) ||
			       syscall(SYS_tgkill, getpid(), gettid(), 0) ?
		       -1 :
		       0;
}

static void what_roles_need_still_goes(void **state)
{
	(void)state;
	assert_int_equal(errno_behind(255, do_thread), 0);
	assert_int_equal(errno_behind(255, do_own_things), 0);
}

#ifdef __x86_64__
static int do_x32(void)
{
	return (int)syscall(0x40000000 | SYS_getpid);
}

static void other_ways_into_the_kernel_are_fatal(void **state)
{
	int status = status_behind(REFUSE_RARE, do_x32);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}
#endif

/* What the kernel would answer: only what our filters are made of. */
static uint32_t answer(const struct sock_filter *c, uint32_t nr, uint32_t arg)
{
	struct seccomp_data d = {.nr = (int)nr, .arch = NATIVE_ARCH};
	uint32_t a = 0;
	size_t i = 0;

	for (size_t k = 0; k < 6; k++)
		d.args[k] = arg;
	for (;; i++) {
		const struct sock_filter *f = &c[i];
		bool yes;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)&d + f->k, sizeof(a));
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JA:
			i += f->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= f->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = (a & f->k) != 0;
			break;
		default:
			fail_msg("an instruction of another kind");
			return 0;
		}
		i += yes ? f->jt : f->jf;
	}
}

/* Each group alone and all together agree on every number: none hides what
 * another says, and what nobody names is allowed. */
static void groups_add_up(void **state)
{
	struct sock_filter all[CONFINE_CALLS_MAX], one[CONFINE_CALLS_MAX];
	unsigned n_refused = 0;

	(void)state;
	(void)confine_calls_build(255, 7, all);
	for (uint32_t nr = 0; nr < 1024; nr++)
		for (uint32_t arg = 0; arg < 8; arg++) {
			uint32_t want = SECCOMP_RET_ALLOW;

			for (unsigned g = 1; g < 256; g *= 2) {
				uint32_t is;

				(void)confine_calls_build(g, 7, one);
				is = answer(one, nr, arg);
				if (is != SECCOMP_RET_ALLOW)
					want = is;
			}
			if (answer(all, nr, arg) != want)
				fail_msg("call %u, argument %u", nr, arg);
			n_refused += want != SECCOMP_RET_ALLOW && !arg;
		}
	assert_in_range(n_refused, 80, 140);
	assert_int_equal(answer(all, SYS_read, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(all, UINT32_MAX, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(all, SYS_tgkill, 7), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(all, SYS_tgkill, 6), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(answer(all, SYS_clone3, 0),
			 SECCOMP_RET_ERRNO | ENOSYS);
}

static void filters_fit(void **state)
{
	struct sock_filter code[CONFINE_CALLS_MAX];
	size_t n = confine_calls_build(255, 1, code);

	(void)state;
	assert_true(n > 100 && n < CONFINE_CALLS_MAX);
	assert_int_equal(code[n - 1].code, BPF_RET | BPF_K);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_group_refuses_its_own),
		cmocka_unit_test(no_group_refuses_anothers),
		cmocka_unit_test(what_roles_need_still_goes),
#ifdef __x86_64__
		cmocka_unit_test(other_ways_into_the_kernel_are_fatal),
#endif
		cmocka_unit_test(groups_add_up),
		cmocka_unit_test(filters_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

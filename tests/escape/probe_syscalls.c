/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SANDBOX.md list 26-40: what the filter must refuse, with arguments that the
 * kernel would accept or answer with another error. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static char zeros[256];

static const struct probe_call keyring_calls[] = {
	{"keyctl",			  SYS_keyctl, {0, (uintptr_t)-3, 0, 0, 0}},
	{"keyctl join",      SYS_keyctl, {1, PROBE_STR("probe"), 0, 0, 0}},
	{"add_key",
	 SYS_add_key, {PROBE_STR("user"), PROBE_STR("probe"), PROBE_STR("x"), 1,
	  (uintptr_t)-2}},
	{"request_key",
	 SYS_request_key, {PROBE_STR("user"), PROBE_STR("probe"), 0, (uintptr_t)-3}},
	{0			},
};

static const struct probe_call uring_calls[] = {
	{"io_uring_setup",       SYS_io_uring_setup, {4, PROBE_STR(zeros)}},
	{"io_uring_enter", SYS_io_uring_enter, {0, 0, 0, 0, 0}},
	{"io_uring_register",       SYS_io_uring_register, {0, 0, 0, 0}},
	{0      },
};

/* The zeros: an array map without a size, a counter of cpu cycles. */
static const struct probe_call watch_calls[] = {
	{"bpf",						   SYS_bpf, {0, PROBE_STR(zeros), sizeof(zeros)}},
	{"perf_event_open",
	 SYS_perf_event_open, {PROBE_STR(zeros), 0, (uintptr_t)-1, (uintptr_t)-1, 0}},
	{"userfaultfd",				       SYS_userfaultfd, {0}},
	{"userfaultfd user", SYS_userfaultfd, {1}},
	{"fanotify_init",					   SYS_fanotify_init, {0, 0}},
	{"fanotify_mark",						    SYS_fanotify_mark, {0, 0, 0, 0, 0}},
	{"lookup_dcookie",				      SYS_lookup_dcookie, {0, 0, 0}},
	{0						   },
};

static const struct probe_call machine_calls[] = {
	{"kexec_load",               SYS_kexec_load, {0, 0, 0, (uintptr_t)-1}},
	{"kexec_file_load",  SYS_kexec_file_load, {0, 0, 0, 0, 0}},
	{"init_module",          SYS_init_module, {0, 0, PROBE_STR("")}},
	{"finit_module",           SYS_finit_module, {0, PROBE_STR(""), 0}},
	{"delete_module",              SYS_delete_module, {PROBE_STR("no-such"), 0}},
	{"reboot",     SYS_reboot, {0, 0, 0, 0}}, /* without the magic */
	{"swapon",             SYS_swapon, {0, 0}},
	{"swapoff",     SYS_swapoff, {0}},
	{"acct",            SYS_acct, {(uintptr_t)-1}},
	{"quotactl", SYS_quotactl, {0, 0, 0, 0}},
	{"quotactl_fd",                   SYS_quotactl_fd, {(uintptr_t)-1, 0, 0, 0}},
	{"syslog",              SYS_syslog, {10, 0, 0}},
	{"iopl",		   SYS_iopl, {0}},
	{"ioperm",		    SYS_ioperm, {0x80, 1, 0}},
	{"modify_ldt",                  SYS_modify_ldt, {0, PROBE_STR(zeros), 0}},
	{0		      },
};

static void keyrings(char **args)
{
	(void)args;
	probe_calls(keyring_calls);
}

static void uring(char **args)
{
	(void)args;
	probe_calls(uring_calls);
}

static void watchers(char **args)
{
	(void)args;
	probe_calls(watch_calls);
}

static void machine(char **args)
{
	(void)args;
	probe_calls(machine_calls);
}

/* No arguments, and it would hang up a terminal: apart from the table. */
static void hang_up(char **args)
{
	(void)args;
	probe_tried("vhangup", syscall(SYS_vhangup));
}

/* args: personas. */
static void change_personality(char **args)
{
	for (; *args; args++)
		probe_tried(*args, personality(strtoul(*args, NULL, 16)));
}

static void clocks(char **args)
{
	struct timespec t = {1, -1}; /* refused by any kernel */
	struct timeval v = {1, -1};
	struct timex x = {.modes = ADJ_TICK, .tick = 1};

	(void)args; /* raw: the C library looks at the values first */
	probe_tried("clock_settime",
		    syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
	probe_tried("settimeofday", syscall(SYS_settimeofday, &v, NULL));
	probe_tried("adjtimex", syscall(SYS_adjtimex, &x));
	probe_tried("clock_adjtime",
		    syscall(SYS_clock_adjtime, CLOCK_REALTIME, &x));
}

#ifdef __x86_64__
static void call_i386(void *arg)
{
	long rc;

	(void)arg;
	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20L) : "memory");
	probe_tried("int 0x80", rc);
}

static void call_x32(void *arg)
{
	(void)arg;
	probe_tried("x32", syscall(0x40000000L | SYS_getpid));
}

static void foreign(char **args)
{
	(void)args;
	probe_apart("int 0x80", call_i386, NULL);
	probe_apart("x32", call_x32, NULL);
}
#else
static void foreign(char **args)
{
	(void)args;
	probe_word("no other architecture is known here", "SIGSYS");
}
#endif

/* Numbers that no kernel of today has: nothing may happen. */
static void unknown_numbers(char **args)
{
	(void)args;
	for (long nr = 337; nr < 424; nr++) /* 335, 336: uretprobe, uprobe */
		probe_tried("gap", syscall(nr, -1, -1, -1, -1, -1, -1));
	for (long nr = 480; nr <= 600; nr++)
		probe_tried("above", syscall(nr, -1, -1, -1, -1, -1, -1));
	probe_tried("-1", syscall(-1L));
}

/* The kernel looks at the low half of a request only. */
static void terminal_ioctls(char **args)
{
	static const struct {
		const char *name;
		unsigned long request;
	} bad[] = {
		{"TIOCSTI",              TIOCSTI                       },
		{"TIOCSTI, high half",   0x100000000UL | TIOCSTI       },
		{"TIOCSTI, all high",    0xffffffff00000000UL | TIOCSTI},
		{"TIOCLINUX",            TIOCLINUX                     },
		{"TIOCLINUX, high half", 0x100000000UL | TIOCLINUX     },
	};
	char c = 2;

	(void)args;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		probe_tried(bad[i].name,
			    syscall(SYS_ioctl, 0, bad[i].request, &c));
}

static void terminal(char **args)
{
	(void)args;
	probe_open("/dev/tty", O_RDWR);
	probe_tried("TIOCSCTTY", ioctl(0, TIOCSCTTY, 1));
	probe_held("session of its own", getsid(0) > 0);
	probe_held("group of its own", getpgid(0) > 0);
}

static int load_allow_all(void)
{
	struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
	struct sock_fprog prog = {1, &allow};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* A filter of the payload may only add to ours. */
static void own_filter(char **args)
{
	(void)args;
	if (load_allow_all() && errno != EPERM && errno != EACCES)
		probe_tried("load", -1);
	probe_calls(keyring_calls);
}

static void process_controls(char **args)
{
	(void)args;
	probe_tried("PR_SET_MM", prctl(PR_SET_MM, PR_SET_MM_BRK, 4096, 0, 0));
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	(void)prctl(PR_SET_PTRACER, -1L, 0, 0, 0);
	probe_open("/proc/1/mem", O_RDONLY);
	probe_open("/proc/1/environ", O_RDONLY);
}

/* args: a probe that must still be refused, and its words. */
static void exec_from_memory(char **args)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("probe", 0);
	char path[32];
	struct stat st = {0};
	void *text;

	if (fd < 0) {
		probe_tried("memfd_create", fd);
		return;
	}
	(void)fstat(from, &st);
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, from, 0);
	if (text == MAP_FAILED ||
	    write(fd, text, (size_t)st.st_size) != st.st_size) {
		probe_tried("copy", -1);
		return;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	char *argv[] = {path, args[0], args[1], NULL};

	probe_held(args[0], probe_spawn(argv) == 0);
}

static void priorities(char **args)
{
	struct sched_param p = {.sched_priority = 1};
	/* size, policy SCHED_DEADLINE, flags, nice, priority, runtime, … */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} dl = {48, 6, 0, 0, 0, 1000000, 10000000, 10000000};
	struct rlimit lock = {0};
	size_t more;

	(void)args;
	probe_tried("SCHED_FIFO", sched_setscheduler(0, SCHED_FIFO, &p));
	probe_tried("SCHED_DEADLINE", syscall(SYS_sched_setattr, 0, &dl, 0));
	probe_tried("nice -5", setpriority(PRIO_PROCESS, 0, -5));
	probe_tried("ioprio RT", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
	(void)getrlimit(RLIMIT_MEMLOCK, &lock);
	probe_held("RLIMIT_MEMLOCK is small", lock.rlim_max <= 64UL << 20);
	more = (size_t)(lock.rlim_max <= 64UL << 20 ? lock.rlim_max : 0) +
	       (1U << 20);
	probe_tried("mlock", mlock(mmap(NULL, more, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
				   more));
}

const struct probe probes_syscalls[] = {
	{"keyrings",           keyrings          },
	{"uring",              uring             },
	{"watchers",           watchers          },
	{"machine",            machine           },
	{"hang_up",            hang_up           },
	{"change_personality", change_personality},
	{"clocks",             clocks            },
	{"foreign",            foreign           },
	{"unknown_numbers",    unknown_numbers   },
	{"terminal_ioctls",    terminal_ioctls   },
	{"terminal",           terminal          },
	{"own_filter",         own_filter        },
	{"process_controls",   process_controls  },
	{"exec_from_memory",   exec_from_memory  },
	{"priorities",         priorities        },
	{NULL,		 NULL              },
};

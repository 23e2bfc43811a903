/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Guards; see guard.h.  An argument is compared by its low 32 bits, as the
 * kernel reads an int: compare all 64 (libseccomp does) and a high bit walks
 * around the filter (TIOCSTI as 0x100005412).
 */
#include "sandbox/guard.h"
#include "base/bpf.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define NAMESPACE_FLAGS                                                        \
	((uint32_t)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |                \
		    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |              \
		    CLONE_NEWCGROUP))
#define X32_BIT 0x40000000U

static void jump(struct bpf *p, unsigned op, uint32_t k, size_t yes, size_t no)
{
	bpf_put(p, BPF_JMP | op | BPF_K, k, yes, no);
}

/* To the end: finish() knows how far that is. */
static void leave(struct bpf *p)
{
	bpf_put(p, BPF_JMP | BPF_JA, 0, 0, 0);
}

static void answer(struct bpf *p, int error)
{
	bpf_return(p, SECCOMP_RET_ERRNO | (uint32_t)error);
}

enum guard_kind {
	REFUSE_THESE, /* values that are refused, all others are not */
	ONLY_THESE,   /* the contrary */
	REFUSE_BITS,  /* one value: a mask, no bit of it may be set */
};

struct guard {
	const char *call;
	unsigned arg;
	enum guard_kind kind;
	int error;
	uint32_t values[8];
	size_t n;
};

/* In: the number is loaded.  Out: the same, or a jump to the end (k = 0, set
 * by the caller), or an answer.  The block is n + 4 long. */
static void put_guard(struct bpf *p, const struct guard *g)
{
	int nr = seccomp_syscall_resolve_name(g->call);

	if (nr < 0)
		return;
	jump(p, BPF_JEQ, (uint32_t)nr, 0, g->n + 3);
	bpf_load(p, bpf_argument(g->arg));
	if (g->kind == ONLY_THESE) {
		for (size_t i = 0; i < g->n; i++)
			jump(p, BPF_JEQ, g->values[i], g->n - i, 0);
		answer(p, g->error);
		leave(p);
		return;
	}
	for (size_t i = 0; i < g->n; i++)
		jump(p, g->kind == REFUSE_BITS ? BPF_JSET : BPF_JEQ,
		     g->values[i], g->n - i, 0);
	leave(p);
	answer(p, g->error);
}

/* What holds for everybody, PID 1 too. */
static const struct guard common[] = {
  /* Bytes into somebody's terminal, or taking the console. */
	{"ioctl",
	 1,	      REFUSE_THESE,
	 EPERM,				{TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD},
	 4										},
	{"clone",     0, REFUSE_BITS,  EPERM,  {NAMESPACE_FLAGS},                        1},
 /* It hides its flags in memory; the C library falls back. */
	{"clone3",    0, ONLY_THESE,   ENOSYS, {0},                                      0},
 /* Of others not even the limits: PID 1 has the same uid. */
	{"prlimit64", 0, ONLY_THESE,   EPERM,  {0},                                      1},
};

/* Returns where the jump over everything is that is not for this machine. */
static size_t put_arch(struct bpf *p)
{
	bpf_load(p, offsetof(struct seccomp_data, arch));
	jump(p, BPF_JEQ, seccomp_arch_native(), 1, 0);
	leave(p);
	bpf_load(p, offsetof(struct seccomp_data, nr));
	return 2;
}

/* Every open jump goes to the end. */
static void finish(struct bpf *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->out[i].code == (BPF_JMP | BPF_JA))
			p->out[i].k = (uint32_t)(p->n - i - 1);
}

/* The families of a profile; where it has none the calls do not exist. */
static void put_families(struct bpf *p, const struct profile_text *t)
{
	struct guard g = {"socket", 0, ONLY_THESE, EAFNOSUPPORT, {0}, 0};

	if (t->unix_sockets)
		g.values[g.n++] = AF_UNIX;
	if (t->inet_sockets) {
		g.values[g.n++] = AF_INET;
		g.values[g.n++] = AF_INET6;
	}
	if (g.n)
		put_guard(p, &g);
	g = (struct guard){"socketpair", 0,         ONLY_THESE,
			   EAFNOSUPPORT, {AF_UNIX}, 1};
	if (t->unix_sockets)
		put_guard(p, &g);
}

size_t guard_profile(const struct profile_text *t,
		     struct sock_filter out[GUARD_MAX])
{
	struct bpf p = {.out = out, .max = GUARD_MAX};

	put_arch(&p);
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		put_guard(&p, &common[i]);
	put_families(&p, t);
	finish(&p);
	return p.failed ? 0 : p.n;
}

/* In no profile; ptrace and its like are not here, `build` has them. */
static const char *const never[] = {
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"move_mount",
	"open_tree",
	"mount_setattr",
	"setns",
	"unshare",
	"bpf",
	"perf_event_open",
	"keyctl",
	"add_key",
	"request_key",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"open_by_handle_at",
	"name_to_handle_at",
	"userfaultfd",
	"fanotify_init",
	"reboot",
	"swapon",
	"swapoff",
	"acct",
	"quotactl",
	"syslog",
	"settimeofday",
	"clock_settime",
	"adjtimex",
	"clock_adjtime",
	"sethostname",
	"setdomainname",
	"iopl",
	"ioperm",
	"modify_ldt",
	"vhangup",
	"lookup_dcookie",
	"pidfd_getfd",
	"nfsservctl",
	"_sysctl",
	"uselib",
	"create_module",
	"ustat",
	"sysfs",
};

/* Newer than libseccomp's names; the same number on every architecture. */
static const uint32_t never_numbers[] = {
	443, /* quotactl_fd */
	457, /* statmount */
	458, /* listmount */
	467, /* open_tree_attr */
};

static void put_never(struct bpf *p)
{
	const uint32_t no = SECCOMP_RET_ERRNO | EPERM;
	struct bpf_call calls[ARRAY_LEN(never) + ARRAY_LEN(never_numbers)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		int nr = seccomp_syscall_resolve_name(never[i]);

		if (nr >= 0)
			calls[n++] = (struct bpf_call){(uint32_t)nr, no, NULL};
	}
	for (size_t i = 0; i < ARRAY_LEN(never_numbers); i++)
		calls[n++] = (struct bpf_call){never_numbers[i], no, NULL};
	bpf_calls(p, calls, n, NULL, NULL);
}

size_t guard_pid1(struct sock_filter out[GUARD_MAX])
{
	const uint32_t kill = SECCOMP_RET_KILL_PROCESS;
	struct bpf p = {.out = out, .max = GUARD_MAX};
	size_t foreign = put_arch(&p);

	out[foreign] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, kill);
	if (seccomp_arch_native() == SCMP_ARCH_X86_64) {
		/* -1 is what a tracer makes of a call it skips. */
		jump(&p, BPF_JEQ, UINT32_MAX, 2, 0);
		jump(&p, BPF_JSET, X32_BIT, 0, 1);
		bpf_return(&p, kill);
	}
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		put_guard(&p, &common[i]);
	finish(&p);
	put_never(&p);
	return p.failed ? 0 : p.n;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Guards; see guard.h.  An argument is compared by its low 32 bits, as the
 * kernel reads an int: compare all 64 (libseccomp does) and a high bit walks
 * around the filter (TIOCSTI as 0x100005412).
 */
#include "sandbox/guard.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define NAMESPACE_FLAGS                                                        \
	((uint32_t)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |                \
		    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |              \
		    CLONE_NEWCGROUP))
#define X32_BIT 0x40000000U

struct program {
	struct sock_filter *out;
	size_t n;
};

static void put(struct program *p, struct sock_filter f)
{
	if (p->n < GUARD_MAX) /* the sizes below are known to fit */
		p->out[p->n++] = f;
}

static void load(struct program *p, size_t offset)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					    (uint32_t)offset));
}

static void answer(struct program *p, int error)
{
	put(p, (struct sock_filter)BPF_STMT(
		       BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error));
}

static void jump(struct program *p, unsigned op, uint32_t k, size_t yes,
		 size_t no)
{
	put(p, (struct sock_filter)BPF_JUMP(
		       (unsigned short)(BPF_JMP | op | BPF_K), k,
		       (unsigned char)yes, (unsigned char)no));
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

/* The low half of an argument. */
static size_t argument(unsigned i)
{
	size_t at = offsetof(struct seccomp_data, args) + i * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? at + 4 : at;
}

/* In: the number is loaded.  Out: the same, or a jump to the end (k = 0, set
 * by the caller), or an answer.  The block is n + 4 long. */
static void put_guard(struct program *p, const struct guard *g)
{
	int nr = seccomp_syscall_resolve_name(g->call);

	if (nr < 0)
		return;
	jump(p, BPF_JEQ, (uint32_t)nr, 0, g->n + 3);
	load(p, argument(g->arg));
	if (g->kind == ONLY_THESE) {
		for (size_t i = 0; i < g->n; i++)
			jump(p, BPF_JEQ, g->values[i], g->n - i, 0);
		answer(p, g->error);
		put(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
		return;
	}
	for (size_t i = 0; i < g->n; i++)
		jump(p, g->kind == REFUSE_BITS ? BPF_JSET : BPF_JEQ,
		     g->values[i], g->n - i, 0);
	put(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
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
static size_t put_arch(struct program *p)
{
	load(p, offsetof(struct seccomp_data, arch));
	jump(p, BPF_JEQ, seccomp_arch_native(), 1, 0);
	put(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	load(p, offsetof(struct seccomp_data, nr));
	return 2;
}

/* Every open jump goes to the end. */
static size_t finish(struct program *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->out[i].code == (BPF_JMP | BPF_JA))
			p->out[i].k = (uint32_t)(p->n - i - 1);
	return p->n;
}

/* The families of a profile; where it has none the calls do not exist. */
static void put_families(struct program *p, const struct profile_text *t)
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
	struct program p = {out, 0};

	put_arch(&p);
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		put_guard(&p, &common[i]);
	put_families(&p, t);
	return finish(&p);
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

enum {
	NEVER_MAX = ARRAY_LEN(never) + ARRAY_LEN(never_numbers)
};

/* From this number on (to the next edge). */
struct edge {
	uint32_t from;
	bool refused;
};

/* A list would be run for every number when the kernel loads the filter (it
 * remembers what is always allowed): 100 us a launch; a search tree, 35. */
static void put_tree(struct program *p, const struct edge *e, size_t n)
{
	size_t half = n / 2, at = p->n;

	if (n == 1 && e->refused) {
		answer(p, EPERM);
		return;
	}
	if (n == 1) {
		put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						    SECCOMP_RET_ALLOW));
		return;
	}
	jump(p, BPF_JGE, e[half].from, 0, 0);
	put_tree(p, e, half);
	p->out[at].jt = (unsigned char)(p->n - at - 1);
	put_tree(p, e + half, n - half);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void put_never(struct program *p)
{
	uint32_t numbers[NEVER_MAX];
	struct edge edges[2 * NEVER_MAX + 1] = {
		{0, false}
        };
	size_t n = 0, n_edges = 1;

	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		int nr = seccomp_syscall_resolve_name(never[i]);

		if (nr >= 0)
			numbers[n++] = (uint32_t)nr;
	}
	for (size_t i = 0; i < ARRAY_LEN(never_numbers); i++)
		numbers[n++] = never_numbers[i];
	qsort(numbers, n, sizeof(*numbers), by_number);
	for (size_t i = 0; i < n; i++) {
		struct edge *last = &edges[n_edges - 1];

		if (last->from == numbers[i]) /* right behind the one before */
			last->refused = true;
		else
			edges[n_edges++] = (struct edge){numbers[i], true};
		edges[n_edges++] = (struct edge){numbers[i] + 1, false};
	}
	put_tree(p, edges, n_edges);
}

size_t guard_pid1(struct sock_filter out[GUARD_MAX])
{
	const struct sock_filter kill =
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	struct program p = {out, 0};
	size_t foreign = put_arch(&p);

	out[foreign] = kill;
	if (seccomp_arch_native() == SCMP_ARCH_X86_64) {
		/* -1 is what a tracer makes of a call it skips. */
		jump(&p, BPF_JEQ, UINT32_MAX, 2, 0);
		jump(&p, BPF_JSET, X32_BIT, 0, 1);
		put(&p, kill);
	}
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		put_guard(&p, &common[i]);
	finish(&p);
	put_never(&p);
	return p.n;
}

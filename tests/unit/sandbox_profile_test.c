/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The built-in profiles as the kernel would read them: their BPF programs, and
 * that of PID 1, are run here by a small interpreter.
 */
#include "base/mem.h"
#include "sandbox/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE  AUDIT_ARCH_X86_64
#define FOREIGN AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define NATIVE  AUDIT_ARCH_AARCH64
#define FOREIGN AUDIT_ARCH_ARM
#else
#error "an architecture to add"
#endif

enum {
	NR_END = 601
};

#define ALLOW     SECCOMP_RET_ALLOW
#define KILL      SECCOMP_RET_KILL_PROCESS
#define REFUSE(n) (SECCOMP_RET_ERRNO | (uint32_t)(n))

/* --- the interpreter ---------------------------------------------------- */

static bool holds(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == f->k;
	case BPF_JGT:
		return a > f->k;
	case BPF_JGE:
		return a >= f->k;
	case BPF_JSET:
		return (a & f->k) != 0;
	default:
		fail_msg("jump %#x", f->code);
		return false;
	}
}

/* Classic BPF as far as seccomp filters use it; backward jumps do not exist,
 * and a jump over the end is a failure. */
static uint32_t interpret(const struct sock_fprog *p,
			  const struct seccomp_data *d)
{
	uint32_t a = 0, memory[BPF_MEMWORDS] = {0};

	for (size_t pc = 0; pc < p->len; pc++) {
		const struct sock_filter *f = &p->filter[pc];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k + 4 <= sizeof(*d) && f->k % 4 == 0);
			memcpy(&a, (const char *)d + f->k, 4);
			break;
		case BPF_LD | BPF_MEM:
			assert_true(f->k < BPF_MEMWORDS);
			a = memory[f->k];
			break;
		case BPF_ST:
			assert_true(f->k < BPF_MEMWORDS);
			memory[f->k] = a;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			break;
		default:
			assert_int_equal(BPF_CLASS(f->code), BPF_JMP);
			pc += holds(f, a) ? f->jt : f->jf;
		}
	}
	fail_msg("ran over the end");
	return 0;
}

static uint32_t call(const struct sock_fprog *p, long nr, uint64_t a0,
		     uint64_t a1)
{
	struct seccomp_data d = {
		.nr = (int)nr, .arch = NATIVE, .args = {a0, a1}
        };

	return interpret(p, &d);
}

/* --- the profiles ------------------------------------------------------- */

static const char *const names[] = {"strict", "default", "net", "build"};
static struct profile_set *set;
static struct sock_filter pid1_filter[GUARD_MAX];
static struct sock_fprog pid1;

static int set_up(void **state)
{
	struct err e = {.text = ""};

	(void)state;
	pid1.filter = pid1_filter;
	pid1.len = (unsigned short)guard_pid1(pid1_filter);
	if (!profile_set_new(NULL, &set, &e))
		return 0;
	fprintf(stderr, "%s\n", e.text);
	return -1;
}

static int tear_down(void **state)
{
	(void)state;
	profile_set_free(set);
	return 0;
}

static const struct sock_fprog *filter(const char *name)
{
	const struct profile *p = profile_find(set, name);

	assert_non_null(p);
	return &p->filter;
}

static bool refused(uint32_t verdict)
{
	return verdict == REFUSE(EPERM) || verdict == REFUSE(ENOSYS);
}

/* Which programs: every profile, and PID 1 as the last. */
static const struct sock_fprog *program(size_t i)
{
	return i < ARRAY_LEN(names) ? filter(names[i]) : &pid1;
}

enum {
	N_PROGRAMS = ARRAY_LEN(names) + 1
};

static const struct {
	const char *name;
	long nr;
} dangerous[] = {
#define CALL(name)                                                             \
	{                                                                      \
#name, SYS_##name                                              \
	}
	CALL(mount),
	CALL(umount2),
	CALL(pivot_root),
	CALL(chroot),
	CALL(fsopen),
	CALL(fsconfig),
	CALL(fsmount),
	CALL(fspick),
	CALL(move_mount),
	CALL(open_tree),
	CALL(mount_setattr),
	CALL(setns),
	CALL(unshare),
	CALL(bpf),
	CALL(perf_event_open),
	CALL(keyctl),
	CALL(add_key),
	CALL(request_key),
	CALL(io_uring_setup),
	CALL(io_uring_enter),
	CALL(io_uring_register),
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(kexec_load),
	CALL(kexec_file_load),
	CALL(open_by_handle_at),
	CALL(name_to_handle_at),
	CALL(userfaultfd),
	CALL(fanotify_init),
	CALL(reboot),
	CALL(swapon),
	CALL(swapoff),
	CALL(acct),
	CALL(quotactl),
	CALL(syslog),
	CALL(settimeofday),
	CALL(clock_settime),
	CALL(adjtimex),
	CALL(clock_adjtime),
	CALL(sethostname),
	CALL(setdomainname),
	CALL(vhangup),
	CALL(lookup_dcookie),
	CALL(pidfd_getfd),
#if defined(__x86_64__)
	CALL(iopl),
	CALL(ioperm),
	CALL(modify_ldt),
#endif
#undef CALL
	{"statmount",      457},
	{"listmount",      458},
	{"open_tree_attr", 467},
};

static void test_dangerous(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PROGRAMS; i++)
		for (size_t k = 0; k < ARRAY_LEN(dangerous); k++)
			if (!refused(call(program(i), dangerous[k].nr, 0, 0)))
				fail_msg("%zu allows %s", i, dangerous[k].name);
}

/* Numbers the kernel has not given out, and may one day. */
static void test_unknown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (long nr = 470; nr < NR_END; nr++)
			assert_int_equal(call(filter(names[i]), nr, 0, 0),
					 REFUSE(ENOSYS));
}

static void test_needed(void **state)
{
	static const long nrs[] = {SYS_read,  SYS_write,       SYS_openat,
				   SYS_mmap,  SYS_execve,      SYS_exit_group,
				   SYS_clone, SYS_wait4,       SYS_futex,
				   SYS_ioctl, SYS_prlimit64,   SYS_getrandom,
				   SYS_kill,  SYS_rt_sigreturn};

	(void)state;
	for (size_t i = 0; i < N_PROGRAMS; i++)
		for (size_t k = 0; k < ARRAY_LEN(nrs); k++)
			assert_int_equal(call(program(i), nrs[k], 0, 0), ALLOW);
}

/* A payload inherits PID 1's filter: it must not forbid what is promised. */
static void test_pid1_is_wider(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (long nr = 0; nr < NR_END; nr++)
			if (call(filter(names[i]), nr, 0, 0) == ALLOW &&
			    call(&pid1, nr, 0, 0) != ALLOW)
				fail_msg("%s allows %ld, PID 1 does not",
					 names[i], nr);
}

static void test_foreign(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		struct seccomp_data d = {.arch = FOREIGN};

		for (d.nr = 0; d.nr < NR_END; d.nr++)
			assert_int_equal(interpret(program(i), &d), KILL);
		d.arch = 0;
		assert_int_equal(interpret(program(i), &d), KILL);
#if defined(__x86_64__)
		for (long nr = 0; nr < NR_END; nr++)
			assert_int_equal(
				call(program(i), 0x40000000 | nr, 0, 0), KILL);
#endif
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(call(filter(names[i]), -1, 0, 0),
				 REFUSE(ENOSYS));
}

/* The kernel looks at the low half of a request only. */
static void test_ioctl(void **state)
{
	static const uint32_t bad[] = {TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD};
	static const uint64_t high[] = {0, 1ULL << 32, 1ULL << 63, ~0ULL << 32};

	(void)state;
	for (size_t i = 0; i < N_PROGRAMS; i++)
		for (size_t h = 0; h < ARRAY_LEN(high); h++) {
			for (size_t k = 0; k < ARRAY_LEN(bad); k++)
				assert_int_equal(call(program(i), SYS_ioctl, 0,
						      high[h] | bad[k]),
						 REFUSE(EPERM));
			assert_int_equal(call(program(i), SYS_ioctl, 0,
					      high[h] | TIOCGWINSZ),
					 ALLOW);
			assert_int_equal(call(program(i), SYS_ioctl, 0,
					      high[h] | FIONREAD),
					 ALLOW);
		}
}

static void test_clone(void **state)
{
	static const uint32_t spaces[] = {
		CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
		CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES |
				CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
				CLONE_SETTLS | CLONE_PARENT_SETTID |
				CLONE_CHILD_CLEARTID;

	(void)state;
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		assert_int_equal(call(program(i), SYS_clone, thread, 0), ALLOW);
		assert_int_equal(call(program(i), SYS_clone, 17, 0), ALLOW);
		assert_int_equal(call(program(i), SYS_clone3, 0, 0),
				 REFUSE(ENOSYS));
		/* Every set of them, plain and among other flags. */
		for (unsigned bits = 1; bits < 1U << ARRAY_LEN(spaces);
		     bits++) {
			uint64_t flags = 0;

			for (size_t k = 0; k < ARRAY_LEN(spaces); k++)
				if (bits & 1U << k)
					flags |= spaces[k];
			assert_int_equal(call(program(i), SYS_clone, flags, 0),
					 REFUSE(EPERM));
			assert_int_equal(call(program(i), SYS_clone,
					      flags | thread | 1ULL << 32, 0),
					 REFUSE(EPERM));
		}
	}
}

static bool family_of(const char *profile, uint32_t af)
{
	bool inet = !strcmp(profile, "net");

	return af == AF_UNIX || (inet && (af == AF_INET || af == AF_INET6));
}

static void test_families(void **state)
{
	(void)state;
	for (uint32_t af = 0; af < 64; af++) {
		assert_int_equal(call(filter("strict"), SYS_socket, af, 0),
				 REFUSE(ENOSYS));
		for (size_t i = 1; i < ARRAY_LEN(names); i++) {
			const struct sock_fprog *p = filter(names[i]);

			assert_int_equal(call(p, SYS_socket, af, 1),
					 family_of(names[i], af) ?
						 ALLOW :
						 REFUSE(EAFNOSUPPORT));
			assert_int_equal(call(p, SYS_socketpair, af, 1),
					 af == AF_UNIX ? ALLOW :
							 REFUSE(EAFNOSUPPORT));
		}
	}
	/* AF_VSOCK with a high bit is AF_VSOCK. */
	assert_int_equal(
		call(filter("net"), SYS_socket, 1ULL << 32 | AF_VSOCK, 1),
		REFUSE(EAFNOSUPPORT));
}

static void test_limits_of_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		assert_int_equal(call(program(i), SYS_prlimit64, 1, 0),
				 REFUSE(EPERM));
		assert_int_equal(
			call(program(i), SYS_prlimit64, 1ULL << 32 | 1, 0),
			REFUSE(EPERM));
	}
}

/* What one profile has and the others have not. */
static void test_differences(void **state)
{
	static const long traces[] = {SYS_ptrace, SYS_process_vm_readv,
				      SYS_process_vm_writev, SYS_kcmp};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct sock_fprog *p = filter(names[i]);
		bool build = !strcmp(names[i], "build");

		for (size_t k = 0; k < ARRAY_LEN(traces); k++)
			assert_int_equal(call(p, traces[k], 0, 0),
					 build ? ALLOW : REFUSE(EPERM));
		assert_int_equal(call(p, SYS_personality, 0, 0), ALLOW);
		assert_int_equal(call(p, SYS_personality, ADDR_NO_RANDOMIZE, 0),
				 build ? ALLOW : REFUSE(ENOSYS));
		assert_int_equal(call(p, SYS_personality, READ_IMPLIES_EXEC, 0),
				 REFUSE(ENOSYS));
	}
	assert_true(profile_find(set, "net")->inet);
	assert_false(profile_find(set, "default")->inet);
}

static int read_text(const char *yaml, struct err *e)
{
	static struct profile_text t;
	struct profile p = {.name = ""};
	int bad = profile_read(STR("x.yaml"), str_from(yaml), &t, e) ||
		  profile_compile(&t, &p, e);

	if (!bad)
		mem_free(p.filter.filter);
	return bad ? -1 : 0;
}

static void test_text(void **state)
{
	static const struct {
		const char *yaml, *says;
	} bad[] = {
		{"allow: [read]\n",                    "no profile"    },
		{"profile: a\nallow: [raed]\n",        "raed"          },
		{"profile: a\nallow: [read, read]\n",  "listed twice"  },
		{"profile: a\nalow: [read]\n",         "x.yaml:2"      },
		{"profile: a\nsockets: [vsock]\n",     "socket family" },
		{"profile: a\ndefault: allow\n",       "default is"    },
		{"profile: a\nallow: [socket]\n",      "key `sockets`" },
		{"profile: a\nallow: [personality]\n", "key `also`"    },
		{"- a\n",			      "not wanted for"},
		{"profile: a\nallow: {read: 1}\n",     "a map is not"  },
		{"profile: a\nother: []\n",            "x.yaml:2"      },
		{"profile: a/b\n",                     "not a name"    },
		{"profile: \"a\\0b\"\n",               "not a name"    },
	};
	struct err e = {.text = ""};

	(void)state;
	assert_int_equal(read_text("profile: a\nallow: [read]\n", &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(read_text(bad[i].yaml, &e), -1);
		if (!strstr(e.text, bad[i].says))
			fail_msg("%s: not \"%s\"", e.text, bad[i].says);
	}
}

/* No list of a profile's own opens what the guards close. */
static void test_guards_win(void **state)
{
	static struct profile_text t;
	struct profile p = {.name = ""};
	struct err e = {.text = ""};

	(void)state;
	assert_int_equal(
		profile_read(STR("x.yaml"),
			     STR("profile: a\nallow: [clone, clone3, ioctl, "
				 "prlimit64]\n"),
			     &t, &e) ||
			profile_compile(&t, &p, &e),
		0);
	assert_int_equal(call(&p.filter, SYS_clone, CLONE_NEWUSER, 0),
			 REFUSE(EPERM));
	assert_int_equal(call(&p.filter, SYS_clone3, 0, 0), REFUSE(ENOSYS));
	assert_int_equal(call(&p.filter, SYS_ioctl, 0, TIOCSTI), REFUSE(EPERM));
	assert_int_equal(call(&p.filter, SYS_prlimit64, 1, 0), REFUSE(EPERM));
	mem_free(p.filter.filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dangerous),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_pid1_is_wider),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_ioctl),
		cmocka_unit_test(test_clone),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_limits_of_others),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_guards_win),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Profiles into BPF, by libseccomp with its binary-tree optimisation.  Done
 * once for a profile; for a task the bytes are loaded by seccomp(2) alone.
 */
#include "base/mem.h"
#include "sandbox/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FILTER_MAX = 4096
};

#define NAMESPACE_FLAGS                                                        \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |           \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

static const int namespace_bits[] = {CLONE_NEWNS,    CLONE_NEWUTS, CLONE_NEWIPC,
				     CLONE_NEWUSER,  CLONE_NEWPID, CLONE_NEWNET,
				     CLONE_NEWCGROUP};

/* ioctls that put bytes into somebody's terminal, or take the console. */
static const unsigned terminal_ioctls[] = {TIOCSTI, TIOCLINUX, TIOCCONS,
					   TIOCSETD};

static int number(const char *name)
{
	return seccomp_syscall_resolve_name(name);
}

static int rule(scmp_filter_ctx c, uint32_t action, int nr, unsigned n,
		const struct scmp_arg_cmp *args)
{
	int r = seccomp_rule_add_array(c, action, nr, n, args);

	/* EACCES: it is what the default does already. */
	return r == -EACCES || r == -EDOM || r == -EEXIST ? 0 : r;
}

/* clone without any new namespace: one rule a bit, as EPERM; clone3 hides its
 * flags in memory, so it does not exist (glibc falls back). */
static int clone_rules(scmp_filter_ctx c)
{
	for (size_t i = 0; i < ARRAY_LEN(namespace_bits); i++) {
		struct scmp_arg_cmp a = SCMP_A0(
			SCMP_CMP_MASKED_EQ, (scmp_datum_t)namespace_bits[i],
			(scmp_datum_t)namespace_bits[i]);

		if (rule(c, SCMP_ACT_ERRNO(EPERM), number("clone"), 1, &a))
			return -1;
	}
	return 0;
}

static int clone_allow(scmp_filter_ctx c)
{
	struct scmp_arg_cmp a = SCMP_A0(
		SCMP_CMP_MASKED_EQ, (scmp_datum_t)(unsigned)NAMESPACE_FLAGS, 0);

	if (clone_rules(c))
		return -1;
	if (rule(c, SCMP_ACT_ERRNO(ENOSYS), number("clone3"), 0, NULL))
		return -1;
	return rule(c, SCMP_ACT_ALLOW, number("clone"), 1, &a);
}

static int family(scmp_filter_ctx c, int nr, int af)
{
	struct scmp_arg_cmp a = SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)af);

	return rule(c, SCMP_ACT_ALLOW, nr, 1, &a);
}

static int socket_rules(scmp_filter_ctx c, const struct profile_text *t)
{
	if (t->unix_sockets && (family(c, number("socket"), AF_UNIX) ||
				family(c, number("socketpair"), AF_UNIX)))
		return -1;
	/* SOCK_RAW and SOCK_PACKET need a capability that nobody has. */
	if (t->inet_sockets && (family(c, number("socket"), AF_INET) ||
				family(c, number("socket"), AF_INET6)))
		return -1;
	return 0;
}

static int ioctl_when(scmp_filter_ctx c, enum scmp_compare op, unsigned v)
{
	struct scmp_arg_cmp a = SCMP_A1_32(op, v);

	return rule(c, SCMP_ACT_ALLOW, number("ioctl"), 1, &a);
}

/*
 * Every number but those, by the low 32 bits, as the kernel reads it (compare
 * all 64 and a high bit walks around the filter).  libseccomp takes one
 * comparison an argument: below the first, above the last, and each between.
 */
static int ioctl_rules(scmp_filter_ctx c)
{
	const unsigned first = TIOCSTI, last = TIOCSETD;

	if (ioctl_when(c, SCMP_CMP_LT, first) ||
	    ioctl_when(c, SCMP_CMP_GT, last))
		return -1;
	for (unsigned v = first; v <= last; v++) {
		bool bad = false;

		for (size_t i = 0; i < ARRAY_LEN(terminal_ioctls); i++)
			bad |= v == terminal_ioctls[i];
		if (!bad && ioctl_when(c, SCMP_CMP_EQ, v))
			return -1;
	}
	return 0;
}

static int personality_rules(scmp_filter_ctx c, bool any)
{
	static const uint32_t fine[] = {0, 0xffffffff}; /* as it is; ask */

	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		struct scmp_arg_cmp a = SCMP_A0_32(SCMP_CMP_EQ, fine[i]);

		if (rule(c, SCMP_ACT_ALLOW, number("personality"), 1, &a))
			return -1;
	}
	if (any) {
		struct scmp_arg_cmp a =
			SCMP_A0_32(SCMP_CMP_EQ, ADDR_NO_RANDOMIZE);

		return rule(c, SCMP_ACT_ALLOW, number("personality"), 1, &a);
	}
	return 0;
}

static int call_rules(scmp_filter_ctx c, const struct profile_text *t,
		      struct err *e)
{
	for (size_t i = 0; i < t->n_calls; i++) {
		static const uint32_t actions[] = {
			[CALL_DEFAULT] = SCMP_ACT_ERRNO(ENOSYS),
			[CALL_ALLOW] = SCMP_ACT_ALLOW,
			[CALL_ERRNO] = SCMP_ACT_ERRNO(EPERM),
			[CALL_KILL] = SCMP_ACT_KILL_PROCESS,
		};
		int nr = number(t->calls[i].name);

		if (nr == __NR_SCMP_ERROR)
			return err_set(e, ERR_INVALID,
				       "profile \"%s\": no system call \"%s\"",
				       t->name, t->calls[i].name);
		/* Not on this machine's architecture: nothing to allow. */
		if (nr < 0)
			continue;
		if (rule(c, actions[t->calls[i].verdict], nr, 0, NULL))
			return err_set(e, ERR_INVALID, "profile \"%s\": \"%s\"",
				       t->name, t->calls[i].name);
	}
	return 0;
}

static int export(scmp_filter_ctx c, struct profile *ret, struct err *e)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	off_t len;
	int bad = 0;

	if (fd < 0 || seccomp_export_bpf(c, fd) ||
	    (len = lseek(fd, 0, SEEK_END)) <= 0 ||
	    (size_t)len > FILTER_MAX * sizeof(struct sock_filter)) {
		if (fd >= 0)
			close(fd);
		return err_set(e, ERR_INTERNAL, "profile \"%s\": no filter",
			       ret->name);
	}
	ret->filter.filter = mem_alloc((size_t)len);
	ret->filter.len =
		(unsigned short)((size_t)len / sizeof(struct sock_filter));
	if (pread(fd, ret->filter.filter, (size_t)len, 0) != len)
		bad = err_sys(e, errno, "filter");
	close(fd);
	return bad;
}

int profile_compile(const struct profile_text *t, struct profile *ret,
		    struct err *e)
{
	scmp_filter_ctx c =
		seccomp_init(t->kill_default ? SCMP_ACT_KILL_PROCESS :
					       SCMP_ACT_ERRNO(ENOSYS));
	int bad;

	if (!c)
		return err_set(e, ERR_INTERNAL, "libseccomp");
	*ret = (struct profile){.inet = t->inet_sockets};
	(void)snprintf(ret->name, sizeof(ret->name), "%s", t->name);
	/* i386 and x32 calls kill: their numbers mean something else. */
	bad = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH,
			       SCMP_ACT_KILL_PROCESS) ||
	      seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (bad)
		err_set(e, ERR_INTERNAL, "libseccomp: attributes");
	bad = bad || call_rules(c, t, e);
	if (!bad && (clone_allow(c) || ioctl_rules(c) || socket_rules(c, t) ||
		     personality_rules(c, t->any_personality)))
		bad = err_set(e, ERR_INTERNAL, "profile \"%s\": rules",
			      t->name);
	bad = bad || export(c, ret, e);
	seccomp_release(c);
	return bad ? -1 : 0;
}

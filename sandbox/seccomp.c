/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Profiles into BPF, by libseccomp with its binary-tree optimisation, behind
 * the guards of guard.c.  Done once for a profile; for a task the bytes are
 * loaded by seccomp(2) alone.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/guard.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

enum {
	FILTER_MAX = 4096
};

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

/* Calls whose arguments the guards in front have checked. */
static int guarded_rules(scmp_filter_ctx c, const struct profile_text *t)
{
	static const char *const always[] = {"clone", "ioctl"};

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (rule(c, SCMP_ACT_ALLOW, number(always[i]), 0, NULL))
			return -1;
	if ((t->unix_sockets || t->inet_sockets) &&
	    rule(c, SCMP_ACT_ALLOW, number("socket"), 0, NULL))
		return -1;
	return t->unix_sockets ?
		       rule(c, SCMP_ACT_ALLOW, number("socketpair"), 0, NULL) :
		       0;
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

/* Calls that a list would open for every argument. */
static const char *key_of(const char *call)
{
	static const struct {
		const char *call, *key;
	} keys[] = {
		{"socket",      "sockets"},
		{"socketpair",  "sockets"},
		{"personality", "also"   }
        };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!strcmp(keys[i].call, call))
			return keys[i].key;
	return NULL;
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
		const char *key = key_of(t->calls[i].name);

		if (key && t->calls[i].verdict == CALL_ALLOW)
			return err_set(e, ERR_INVALID,
				       "profile \"%s\": \"%s\" is allowed "
				       "by the key `%s` only",
				       t->name, t->calls[i].name, key);
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

/* Guards first: jumps are relative, so what follows them stays as it is. */
static int export(scmp_filter_ctx c, const struct profile_text *t,
		  struct profile *ret, struct err *e)
{
	struct sock_filter guard[GUARD_MAX];
	size_t n = guard_profile(t, guard);
	CLEANUP_FD int fd = memfd_create("filter", MFD_CLOEXEC);
	off_t len;

	if (!n || fd < 0 || seccomp_export_bpf(c, fd) ||
	    (len = lseek(fd, 0, SEEK_END)) <= 0 ||
	    (size_t)len > (FILTER_MAX - n) * sizeof(*guard))
		return err_set(e, ERR_INTERNAL, "profile \"%s\": no filter",
			       ret->name);
	ret->filter.len = (unsigned short)(n + (size_t)len / sizeof(*guard));
	ret->filter.filter = mem_array(ret->filter.len, sizeof(*guard));
	memcpy(ret->filter.filter, guard, n * sizeof(*guard));
	if (pread(fd, ret->filter.filter + n, (size_t)len, 0) != len)
		return err_sys(e, errno, "filter");
	return 0;
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
	if (!bad &&
	    (guarded_rules(c, t) || personality_rules(c, t->any_personality)))
		bad = err_set(e, ERR_INTERNAL, "profile \"%s\": rules",
			      t->name);
	bad = bad || export(c, t, ret, e);
	seccomp_release(c);
	return bad ? -1 : 0;
}

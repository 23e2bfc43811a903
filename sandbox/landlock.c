/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Landlock: a second wall inside the mount namespace.  Everything may be read
 * and executed, written only what is meant for it; signals and abstract
 * sockets stay inside (ABI 6).
 */
#include "base/fd.h"
#include "sandbox/internal.h"
#include "sandbox/kernel.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Newer than Debian 12's headers. */
#define FS_REFER            (1ULL << 13)
#define FS_TRUNCATE         (1ULL << 14)
#define FS_IOCTL_DEV        (1ULL << 15)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL        (1ULL << 1)

#define FS_READ                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |           \
	 LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_ALL_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define FS_FILE                                                                \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |        \
	 FS_TRUNCATE | FS_IOCTL_DEV)

/* Of PID 1 alone: for the task the mount is read-only. */
#define FS_REPLACE                                                             \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE |                             \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

static const struct {
	const char *path;
	uint64_t access;
	bool optional;
} rules[] = {
	{"/",			FS_READ,				 false},
	{"/dev",		     FS_FILE | LANDLOCK_ACCESS_FS_READ_DIR,   false},
	{"/proc",		    FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE, false},
	{"/tmp",		     ~0ULL,				   false},
	{SANDBOX_WORK,               ~0ULL,				   false},
	{SANDBOX_CONTROL "/outputs", ~0ULL,                                   false},
};

int landlock_abi(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0,
			 LANDLOCK_CREATE_RULESET_VERSION);

	return v < 0 ? 0 : (int)v;
}

static uint64_t handled_fs(int abi)
{
	return FS_ALL_1 | (abi >= 2 ? FS_REFER : 0) |
	       (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static int add_fd(int set, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr a = {.allowed_access = access,
					       .parent_fd = fd};
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	/* A right over directories is refused for a file. */
	if (!S_ISDIR(st.st_mode))
		a.allowed_access &= FS_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
	return (int)syscall(SYS_landlock_add_rule, set,
			    LANDLOCK_RULE_PATH_BENEATH, &a, 0);
}

static int add(int set, const char *path, uint64_t access)
{
	CLEANUP_FD int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -1 : add_fd(set, fd, access);
}

int landlock_confine(const struct child *c)
{
	int abi = c->host->landlock_abi;
	struct ruleset_attr attr = {.fs = handled_fs(abi)};
	/* Devices stay closed everywhere: nobody makes nodes. */
	uint64_t all = attr.fs & ~(uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR |
					     LANDLOCK_ACCESS_FS_MAKE_BLOCK);
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	CLEANUP_FD int set = -1;

	if (!abi)
		return 0; /* the host was told to do without (host.c) */
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	set = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (set < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (add(set, rules[i].path, rules[i].access & all))
			return -1;
	for (uint32_t i = 0; i < c->spec.n_binds; i++)
		if (!c->spec.binds[i].read_only &&
		    add_fd(set, c->binds[i], all))
			return -1;
	if (c->secrets >= 0 && add_fd(set, c->secrets, FS_REPLACE & all))
		return -1;
	return (int)syscall(SYS_landlock_restrict_self, set, 0);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Landlock for roles; see confine.h and landlock(7). */
#include "base/fd.h"
#include "role/confine.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than Debian 12's headers. */
#define FS_REFER            (1ULL << 13)
#define FS_TRUNCATE         (1ULL << 14)
#define FS_IOCTL_DEV        (1ULL << 15)
#define NET_BIND_TCP        (1ULL << 0)
#define NET_CONNECT_TCP     (1ULL << 1)
#define RULE_NET_PORT       2
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL        (1ULL << 1)

#define FS_ALL_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define FS_READ  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                               \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE |                             \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |      \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |           \
	 FS_REFER | FS_TRUNCATE)
#define FS_OF_A_FILE                                                           \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |        \
	 FS_TRUNCATE)

enum {
	DNS_PORT = 53,
	ABI_MIN = 2 /* before it nothing can be linked or moved */
};

struct ruleset {
	uint64_t fs, net, scoped;
};

int confine_landlock_abi(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0,
			 LANDLOCK_CREATE_RULESET_VERSION);

	return v < ABI_MIN ? 0 : (int)v;
}

static int add(int set, const struct confine_place *p, uint64_t handled)
{
	struct landlock_path_beneath_attr a = {
		.allowed_access = (p->write ? FS_WRITE : FS_READ) & handled,
		.parent_fd = p->fd,
	};
	struct stat st;

	if (fstat(p->fd, &st))
		return -1;
	if (!S_ISDIR(st.st_mode))
		a.allowed_access &= FS_OF_A_FILE;
	return (int)syscall(SYS_landlock_add_rule, set,
			    LANDLOCK_RULE_PATH_BENEATH, &a, 0);
}

static int add_port(int set, uint16_t port)
{
	const struct {
		uint64_t allowed_access, port;
	} a = {NET_CONNECT_TCP, port};

	return (int)syscall(SYS_landlock_add_rule, set, RULE_NET_PORT, &a, 0);
}

static int add_ports(int set, const struct confine_ports *ports)
{
	for (size_t i = 0; ports && i < ports->n; i++)
		if (add_port(set, ports->items[i]))
			return -1;
	return ports && ports->n ? add_port(set, DNS_PORT) : 0;
}

int confine_files(bool files, bool tcp, const struct confine_place *places,
		  size_t n, const struct confine_ports *ports, struct err *e)
{
	int abi = confine_landlock_abi();
	struct ruleset r = {
		.fs = !files ? 0 :
			       FS_ALL_1 | FS_REFER |
				       (abi >= 3 ? FS_TRUNCATE : 0) |
				       (abi >= 5 ? FS_IOCTL_DEV : 0),
		.net = tcp && abi >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0,
		.scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0,
	};
	size_t len = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	CLEANUP_FD int set = -1;

	if (!abi || (!r.fs && !r.net && !r.scoped))
		return 0; /* nothing that this kernel could be asked for */
	set = (int)syscall(SYS_landlock_create_ruleset, &r, len, 0);
	if (set < 0)
		return err_sys(e, errno, "Landlock: ruleset");
	for (size_t i = 0; i < n; i++)
		if (add(set, &places[i], r.fs))
			return err_sys(e, errno, "Landlock: rule");
	if (r.net && add_ports(set, ports))
		return err_sys(e, errno, "Landlock: port");
	if (syscall(SYS_landlock_restrict_self, set, 0))
		return err_sys(e, errno, "Landlock: restrict");
	return 0;
}

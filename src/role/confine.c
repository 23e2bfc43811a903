/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What each role gives up; see confine.h. */
#include "role/confine.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE_ALL                                                             \
	(REFUSE_RARE | REFUSE_PEEK | REFUSE_ADMIN | REFUSE_EXEC |              \
	 REFUSE_FORK | REFUSE_SIGNAL | REFUSE_CONNECT | REFUSE_ACCEPT)

enum {
	FDS_SPARE = 256,
	FDS_SERVER = 65536
};

/*
 * files   paths are closed but for `dir` below the state directory
 * tcp     no TCP of its own
 * procs   how many processes more it may make; -1: as it was
 * fds     open files: so many, and two for each attempt; 0: as it was
 */
#define REFUSE_CONNECTED (REFUSE_ALL & ~(unsigned)REFUSE_CONNECT)

static const struct {
	bool privileged, files, tcp;
	const char *dir;
	unsigned refuse;
	int procs;
	unsigned fds;
} roles[N_ROLES] = {
  /* accepts connections, has one thread more */
	[ROLE_SERVER] = {false, true,  true,  "server",
			 REFUSE_ALL & ~(unsigned)REFUSE_ACCEPT,           -1, FDS_SERVER},
	[ROLE_KEEPER] = {false, true,  true,  "keeper", REFUSE_ALL,       0,  FDS_SPARE },
 /* Forks.  Its paths are closed in each child: a layer here would take
	 * the child's two directories as well. */
	[ROLE_ZYGOTE] = {false, false, true,  NULL,
			 REFUSE_ALL & ~(unsigned)REFUSE_FORK,             -1, FDS_SPARE },
 /* Only what comes on top of what it has from the zygote. */
	[ROLE_RUNNER] = {false, true,  false, NULL,     REFUSE_FORK,      0,  0         },
 /* Connects, and has threads that look up names. */
	[ROLE_FETCHER] = {false, true,  false, NULL,     REFUSE_CONNECTED, -1,
                         FDS_SPARE						      },
 /* Mounts, forks, execs: and every payload inherits what is refused. */
	[ROLE_SPAWNER] = {true,  false, false, NULL,     REFUSE_RARE,      -1, 0         },
};

/* As a user the spawner has to stay dumpable until its id map is written;
 * sandbox_host_new() sees to it. */
static int forbid_cores(bool dumpable, struct err *e)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) ||
	    (!dumpable && prctl(PR_SET_DUMPABLE, 0)))
		return err_sys(e, errno, "core dumps");
	return 0;
}

/* What neither the monitor nor a launch ever needs. */
static const int never[] = {
	CAP_SYS_MODULE,      CAP_SYS_RAWIO,     CAP_SYS_BOOT,
	CAP_SYS_TIME,        CAP_SYSLOG,        CAP_MAC_ADMIN,
	CAP_MAC_OVERRIDE,    CAP_AUDIT_READ,    CAP_AUDIT_WRITE,
	CAP_AUDIT_CONTROL,   CAP_WAKE_ALARM,    CAP_BLOCK_SUSPEND,
	CAP_NET_RAW,         CAP_NET_BROADCAST, CAP_LEASE,
	CAP_LINUX_IMMUTABLE, CAP_SYS_PACCT,     CAP_SYS_TTY_CONFIG,
	CAP_SYS_NICE,        CAP_IPC_OWNER,     CAP_IPC_LOCK,
	CAP_PERFMON,         CAP_BPF,           CAP_CHECKPOINT_RESTORE,
};

int confine_monitor(struct err *e)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	if (forbid_cores(false, e))
		return -1;
	if (geteuid())
		return 0; /* has none */
	if (syscall(SYS_capget, &h, d))
		return err_sys(e, errno, "capabilities");
	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		struct __user_cap_data_struct *w = &d[never[i] / 32];
		uint32_t bit = ~(1u << (never[i] % 32));

		/* EINVAL: newer than this kernel; EPERM: a container's root. */
		if (prctl(PR_CAPBSET_DROP, never[i]) && errno != EINVAL &&
		    errno != EPERM)
			return err_sys(e, errno, "capabilities");
		w->effective &= bit;
		w->permitted &= bit;
		w->inheritable &= bit;
	}
	if (syscall(SYS_capset, &h, d))
		return err_sys(e, errno, "capabilities");
	return 0;
}

static int limit(__rlimit_resource_t what, rlim_t v)
{
	struct rlimit r;

	if (getrlimit(what, &r))
		return -1;
	if (r.rlim_max > v)
		r.rlim_max = v;
	r.rlim_cur = r.rlim_max;
	return setrlimit(what, &r);
}

/* Threads count as processes, and names are looked up by threads. */
static int lower_limits(enum role role, const struct role_init *init,
			bool connects, struct err *e)
{
	rlim_t fds = roles[role].fds + 2 * (rlim_t)init->max_attempts;

	if ((roles[role].fds && limit(RLIMIT_NOFILE, fds)) ||
	    (roles[role].procs >= 0 && !connects &&
	     limit(RLIMIT_NPROC, (rlim_t)roles[role].procs)))
		return err_sys(e, errno, "limits");
	return 0;
}

/* Of root's roles only the spawner has any; the change of uid took them. */
static int drop_capabilities(struct err *e)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    syscall(SYS_capset, &h, none))
		return err_sys(e, errno, "capabilities");
	return 0;
}

static int check_landlock(const struct role_init *init, struct err *e)
{
	if (confine_landlock_abi() || init->landlock_optional)
		return 0;
	return err_set(e, ERR_UNAVAILABLE,
		       "Landlock: this kernel has none, or it is off (nfo "
		       "doctor tells more).  It is what keeps the roles apart; "
		       "--allow-no-landlock goes on without");
}

/* What a role reads besides its directory, where it is there: the server's
 * schedules the time zones, and what its own pidfds tell of peers; who connects
 * how names are looked up and who may sign a certificate. */
static const struct {
	bool connects; /* of who does; else the server's */
	const char *path;
} reads[] = {
	{false, "/usr/share/zoneinfo"             },
	{false, "/proc/self/fdinfo"               },
	{true,  "/etc"			    },
	{true,  "/run/systemd/resolve"            },
	{true,  "/run/resolvconf"                 },
	{true,  "/run/NetworkManager"             },
	{true,  "/usr/share/ca-certificates"      },
	{true,  "/usr/local/share/ca-certificates"},
};

enum {
	PLACES_MAX = ARRAY_LEN(reads) + 2
};

static bool reads_it(enum role role, bool connects, size_t i)
{
	return reads[i].connects ? connects : role == ROLE_SERVER;
}

static int open_places(enum role role, bool connects, const char *dir,
		       struct confine_place places[PLACES_MAX], size_t *n,
		       struct err *e)
{
	int fd = open("/dev/urandom", O_PATH | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "/dev/urandom");
	places[(*n)++] = (struct confine_place){fd, false};
	fd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir && fd < 0)
		return err_sys(e, errno, "%s", dir);
	if (dir)
		places[(*n)++] = (struct confine_place){fd, true};
	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		if (!reads_it(role, connects, i))
			continue;
		fd = open(reads[i].path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			places[(*n)++] = (struct confine_place){fd, false};
	}
	return 0;
}

/* The role's directory, what libraries read to get randomness, and what is in
 * the list above. */
static int close_paths(enum role role, const struct role_init *init,
		       bool connects, const struct confine_ports *ports,
		       struct err *e)
{
	struct confine_place places[PLACES_MAX];
	char path[INIT_PATH_MAX + 16];
	size_t n = 0;
	int bad;

	/* A layer that only scopes would still refuse links and renames
	 * between directories (REFER) to every payload below it. */
	if (roles[role].privileged)
		return 0;
	if (!roles[role].files)
		return confine_files(false, roles[role].tcp, NULL, 0, NULL, e);
	(void)snprintf(path, sizeof(path), "%s/%s", init->state,
		       roles[role].dir ? roles[role].dir : "");
	bad = open_places(role, connects, roles[role].dir ? path : NULL, places,
			  &n, e) ||
	      confine_files(true, roles[role].tcp, places, n, ports, e);
	for (size_t i = 0; i < n; i++)
		fd_close(&places[i].fd);
	return bad ? -1 : 0;
}

static int no_new_privileges(struct err *e)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?
		       err_sys(e, errno, "no_new_privs") :
		       0;
}

/* What a zygote may do to itself its runners could do to it. */
static uint32_t signals_of(enum role r)
{
	return r == ROLE_ZYGOTE ? 0 : (uint32_t)getpid();
}

/* The order matters: each step needs what a later one takes. */
int confine_role(enum role r, const struct role_init *init,
		 const struct confine_ports *ports, struct err *e)
{
	bool dials = r == ROLE_KEEPER && ports && ports->n;
	bool connects = r == ROLE_FETCHER || dials;

	if (forbid_cores(roles[r].privileged, e) || no_new_privileges(e) ||
	    check_landlock(init, e) || lower_limits(r, init, connects, e) ||
	    close_paths(r, init, connects, dials ? ports : NULL, e) ||
	    (!roles[r].privileged && drop_capabilities(e)) ||
	    confine_calls(dials ? REFUSE_CONNECTED : roles[r].refuse,
			  signals_of(r), e))
		return err_wrap(e, "%s: confinement", role_name(r));
	return 0;
}

int confine_runner(const struct role_init *init, int staging_fd, int files_fd,
		   struct err *e)
{
	const struct confine_place places[] = {
		{staging_fd, true },
                {files_fd,   false}
        };

	return lower_limits(ROLE_RUNNER, init, false, e) ||
			       confine_files(
				       true, roles[ROLE_RUNNER].tcp, places,
				       staging_fd < 0 ? 0 : ARRAY_LEN(places),
				       NULL, e) ||
			       confine_calls(roles[ROLE_RUNNER].refuse, 0, e) ?
		       -1 :
		       0;
}

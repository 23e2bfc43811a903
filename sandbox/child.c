/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * From a fresh clone to a PID 1 without any privilege.  The table at the end
 * is the security argument: read it from top to bottom.
 */
#include "base/chan.h"
#include "base/fd.h"
#include "sandbox/internal.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum {
	CAP_LAST_MAX = 63
};

/* Made on the way, handed to the parent with READY. */
static int file_fds[1 + SANDBOX_FILES_MAX];
static size_t n_file_fds;
static uint32_t not_enforced;
static char failed_on[256]; /* what the step was about */

static int die_with_parent(struct child *c)
{
	struct pollfd p = {.fd = c->sock, .events = POLLIN};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -1;
	/* Did it die before we said so?  Its end of the socket tells. */
	if (poll(&p, 1, 0) < 0 || p.revents & POLLHUP) {
		errno = ESRCH;
		return -1;
	}
	return 0;
}

static int own_session(struct child *c)
{
	sigset_t none;

	(void)c;
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL))
		return -1;
	umask(0);
	return setsid() < 0 ? -1 : 0;
}

/* The id maps are written by the parent: wait for its word. */
static int wait_for_ids(struct child *c)
{
	char word;

	if (fd_read(c->sock, &word, 1) != 1) {
		errno = ESRCH;
		return -1;
	}
	return 0;
}

/* Close all but our two sockets and the mounts, before any limit is lowered. */
static int close_others(struct child *c)
{
	int keep[2 + SANDBOX_BINDS_MAX], n = 0, from = 3;

	keep[n++] = c->sock;
	keep[n++] = c->ctl;
	for (uint32_t i = 0; i < c->spec.n_binds; i++)
		keep[n++] = c->binds[i];
	for (int i = 1; i < n; i++) /* insertion sort: a handful */
		for (int k = i; k && keep[k] < keep[k - 1]; k--) {
			int t = keep[k];

			keep[k] = keep[k - 1];
			keep[k - 1] = t;
		}
	for (int i = 0; i < n; i++) {
		if (keep[i] > from &&
		    close_range((unsigned)from, (unsigned)keep[i] - 1, 0))
			return -1;
		from = keep[i] + 1;
	}
	return close_range((unsigned)from, ~0U, 0);
}

static int mount_proc(struct child *c)
{
	CLEANUP_FD int fs = kernel_fsopen("proc"), fd = -1;

	(void)c;
	if (fs < 0 || kernel_fsconfig_str(fs, "subset", "pid") ||
	    kernel_fsconfig_str(fs, "hidepid", "invisible") ||
	    kernel_fsconfig_create(fs))
		return -1;
	fd = kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -1 :
			kernel_move_mount(fd, AT_FDCWD, TEMPLATE_ROOT "/proc");
}

static int attach_tmpfs(const char *size, const char *inodes, const char *mode,
			unsigned attr, bool noswap, const char *to)
{
	CLEANUP_FD int fd = mount_tmpfs(size, inodes, mode, attr, noswap);

	return fd < 0 ? -1 : kernel_move_mount(fd, AT_FDCWD, to);
}

static int mount_tmp(struct child *c)
{
	uint64_t bytes = c->spec.limits.tmp_bytes;
	char size[24];

	(void)snprintf(size, sizeof(size), "%llu",
		       (unsigned long long)(bytes ? bytes : 1ULL << 30));
	return attach_tmpfs(size, "1000000", "1777",
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false,
			    TEMPLATE_ROOT "/tmp");
}

/*
 * A place must be there, in a read-only root or in a bind before.  Such a bind
 * may be a workspace that a payload wrote: the place is found beneath the root
 * and through no link, and the mount goes on what was found, not on its name.
 * The descriptors stay open, for Landlock's rules.
 */
static int mount_binds(struct child *c)
{
	CLEANUP_FD int root =
		open(TEMPLATE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (uint32_t i = 0; i < c->spec.n_binds; i++) {
		const char *to = c->spec.binds[i].to;
		CLEANUP_FD int at = fd_open_beneath(root, to + 1, O_PATH, 0);

		if (at >= 0 && !kernel_move_mount_at(c->binds[i], at))
			continue;
		(void)snprintf(failed_on, sizeof(failed_on),
			       "%s must exist in the sandbox, through no link",
			       to);
		return -1;
	}
	return 0;
}

static int mount_work(struct child *c)
{
	char size[24];

	if (!c->spec.work_in_memory)
		return 0;
	(void)snprintf(size, sizeof(size), "%llu",
		       (unsigned long long)c->spec.work_bytes);
	if (attach_tmpfs(size, "1000000", "0700",
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false,
			 TEMPLATE_ROOT SANDBOX_WORK))
		return -1;
	return chown(TEMPLATE_ROOT SANDBOX_WORK, c->uid, c->uid);
}

/* An empty file that the task may read and we may write, once. */
static int make_file(struct child *c, int dir, const char *name, mode_t mode)
{
	int fd = openat(dir, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			mode);

	if (fd < 0 || fchown(fd, c->uid, c->uid) || fchmod(fd, mode))
		return -1;
	file_fds[n_file_fds++] = fd;
	return 0;
}

/*
 * From now on read-only: a copy of the mount takes its place.  (The mount
 * itself is busy, by the descriptors that the files are to be written by.)
 */
static int seal(const char *at)
{
	CLEANUP_FD int fd = kernel_open_tree(
		AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 ||
	    kernel_mount_setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) ||
	    umount2(at, MNT_DETACH))
		return -1;
	return kernel_move_mount(fd, AT_FDCWD, at);
}

/* Of all this the task may write the outputs alone. */
static int make_control(struct child *c)
{
	const char *at = TEMPLATE_ROOT SANDBOX_CONTROL;
	const char *outputs = TEMPLATE_ROOT SANDBOX_CONTROL "/outputs";
	const unsigned attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	CLEANUP_FD int dir = -1;

	if (attach_tmpfs("64m", "64", "0755", attr, false, at))
		return -1;
	dir = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || mkdirat(dir, "secrets", 0755) ||
	    mkdirat(dir, "outputs", 0700) ||
	    make_file(c, dir, "script", 0500) || seal(at))
		return -1;
	if (attach_tmpfs("64m", "4096", "0700", attr, false, outputs))
		return -1;
	return chown(outputs, c->uid, c->uid);
}

static int make_secrets(struct child *c)
{
	const char *at = TEMPLATE_ROOT SANDBOX_SECRETS;
	const unsigned attr =
		MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	CLEANUP_FD int dir = -1;

	if (!c->spec.n_secrets)
		return 0;
	if (attach_tmpfs("8m", "256", "0755", attr, true, at)) {
		not_enforced |= SANDBOX_NO_SWAP;
		if (attach_tmpfs("8m", "256", "0755", attr, false, at))
			return -1;
	}
	dir = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (uint32_t i = 0; dir >= 0 && i < c->spec.n_secrets; i++) {
		const char *name = c->spec.secrets[i];
		const char *slash = strchr(name, '/');
		char sub[SANDBOX_NAME_MAX + 1];

		if (slash) {
			(void)snprintf(sub, sizeof(sub), "%.*s",
				       (int)(slash - name), name);
			if (mkdirat(dir, sub, 0755) && errno != EEXIST)
				return -1;
		}
		if (make_file(c, dir, name, 0400))
			return -1;
	}
	return dir < 0 ? -1 : seal(at);
}

/* A copy into a user namespace is locked where it hangs; a bind of it onto
 * itself is ours, and can become the root. */
static int pivot(struct child *c)
{
	if (c->host->rootless &&
	    mount(TEMPLATE_ROOT, TEMPLATE_ROOT, NULL, MS_BIND | MS_REC, NULL))
		return -1;
	if (chdir(TEMPLATE_ROOT) || kernel_pivot_root(".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return -1;
	return 0;
}

static int loopback(struct child *c)
{
	CLEANUP_FD int s = -1;
	struct ifreq ifr = {.ifr_name = "lo"};

	if (c->spec.network != SANDBOX_NET_NONE)
		return 0;
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -1;
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(s, SIOCSIFFLAGS, &ifr);
}

static int name_host(struct child *c)
{
	const char *name = c->spec.hostname[0] ? c->spec.hostname : "sandbox";

	return sethostname(name, strlen(name));
}

static int limit(int what, uint64_t v)
{
	struct rlimit now, r = {v, v};

	if (getrlimit((__rlimit_resource_t)what, &now))
		return -1;
	if (now.rlim_max < v)
		r.rlim_cur = r.rlim_max = now.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &r);
}

static int set_limits(struct child *c)
{
	const struct sandbox_limits *l = &c->spec.limits;

	if (limit(RLIMIT_CORE, 0) || limit(RLIMIT_MEMLOCK, 64 << 10) ||
	    limit(RLIMIT_MSGQUEUE, 819200) || limit(RLIMIT_RTPRIO, 0) ||
	    limit(RLIMIT_NICE, 0) ||
	    limit(RLIMIT_NOFILE, l->open_files ? l->open_files : 1024))
		return -1;
	if (l->file_bytes && limit(RLIMIT_FSIZE, l->file_bytes))
		return -1;
	return 0;
}

static int drop_bounding(struct child *c)
{
	(void)c;
	if (prctl(PR_SET_SECUREBITS,
		  SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_SETUID_FIXUP |
			  SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NOROOT |
			  SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
			  SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED))
		return -1;
	for (int i = 0; i <= CAP_LAST_MAX; i++)
		if (prctl(PR_CAPBSET_DROP, i) && errno != EINVAL)
			return -1;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int no_new_privs(struct child *c)
{
	(void)c;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int confine_files(struct child *c)
{
	if (landlock_confine(c))
		return -1;
	for (uint32_t i = 0; i < c->spec.n_binds; i++)
		fd_close(&c->binds[i]);
	return 0;
}

static int become_task(struct child *c)
{
	if (c->host->rootless) /* born as the only id there is */
		return 0;
	return setgroups(0, NULL) || setresgid(c->uid, c->uid, c->uid) ||
			       setresuid(c->uid, c->uid, c->uid) ?
		       -1 :
		       0;
}

static int drop_caps(struct child *c)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};

	(void)c;
	if (syscall(SYS_capset, &h, d))
		return -1;
	return prctl(PR_SET_DUMPABLE, 0);
}

/* A session keyring of its own; where keyrings are off there is none to share. */
static int own_keyring(struct child *c)
{
	(void)c;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 &&
	    errno != ENOSYS && errno != EPERM && errno != EDQUOT)
		return -1;
	return 0;
}

/* Before the first message is read; the payload's own comes on top of it. */
static int confine_calls(struct child *c)
{
	struct sock_fprog f = {
		.len = (unsigned short)c->host->pid1_filter_len,
		.filter = (struct sock_filter *)c->host->pid1_filter,
	};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f);
}

/* The order is the security argument. */
static const struct {
	const char *name;
	int (*apply)(struct child *c);
} steps[] = {
	{"parent-death", die_with_parent},
	{"descriptors",  close_others   },
	{"session",      own_session    },
	{"id-maps",      wait_for_ids   },
	{"proc",         mount_proc     }, /* these need CAP_SYS_ADMIN */
	{"tmp",          mount_tmp      },
	{"work",         mount_work     },
	{"binds",        mount_binds    },
	{"control",      make_control   },
	{"secrets",      make_secrets   },
	{"root",         pivot          },
	{"loopback",     loopback       },
	{"hostname",     name_host      },
	{"limits",       set_limits     },
	{"keyring",      own_keyring    },
	{"bounding",     drop_bounding  }, /* from here on only less */
	{"no-new-privs", no_new_privs   },
	{"landlock",     confine_files  },
	{"identity",     become_task    },
	{"capabilities", drop_caps      },
 /* The kernel clears it on every change of credentials. */
	{"parent-death", die_with_parent},
	{"seccomp",      confine_calls  },
};

static void report(struct child *c, const char *step, int sys)
{
	struct wire_writer w = {.len = 0};
	struct err e;
	size_t n = 0;

	wire_str(&w, str_from(step));
	wire_u32(&w, (uint32_t)sys);
	wire_u32(&w, not_enforced);
	wire_str(&w, str_from(failed_on));
	/* Descriptors go in as many messages as they need. */
	do {
		size_t part = n_file_fds - n < CHAN_FDS_MAX ? n_file_fds - n :
							      CHAN_FDS_MAX;

		if (chan_send(c->sock, 1, &w, file_fds + n, sys ? 0 : part,
			      &e) <= 0)
			_exit(125);
		n += part;
	} while (!sys && n < n_file_fds);
	for (size_t i = 0; i < n_file_fds; i++)
		fd_close(&file_fds[i]);
}

void child_main(struct child *c)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (steps[i].apply(c)) {
			report(c, steps[i].name, errno ? errno : EINVAL);
			_exit(125);
		}
	report(c, "", 0);
	pid1_main(c);
}

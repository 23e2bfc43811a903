/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * From a fresh clone to a PID 1 without any privilege.  The table at the end
 * is the security argument: read it from top to bottom.
 */
#include "sandbox/child.h"
#include "base/chan.h"
#include "base/fd.h"
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum {
	CAP_LAST_MAX = 63
};

/* Made on the way, handed to the parent with READY. */
struct child_made child_made;

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

	if (!c->host->rootless)
		return 0;
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

int bounding_drop(void)
{
	for (int i = 0; i <= CAP_LAST_MAX; i++) {
		int has = prctl(PR_CAPBSET_READ, i);

		if (has < 0)
			return errno == EINVAL ? 0 : -1; /* behind the last */
		if (has && prctl(PR_CAPBSET_DROP, i))
			return -1;
	}
	return 0;
}

/* Root's is empty already, from the host; a user namespace fills it. */
static int drop_bounding(struct child *c)
{
	(void)c;
	if (prctl(PR_SET_SECUREBITS,
		  SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_SETUID_FIXUP |
			  SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NOROOT |
			  SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
			  SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED))
		return -1;
	if (bounding_drop())
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
	{"parent-death", die_with_parent   },
	{"descriptors",  close_others      },
	{"session",      own_session       },
	{"id-maps",      wait_for_ids      },
	{"proc",         child_mount_proc  }, /* these need CAP_SYS_ADMIN */
	{"tmp",          child_mount_tmp   },
	{"work",         child_mount_work  },
	{"names",        child_mount_names },
	{"binds",        child_mount_binds },
	{"control",      child_make_control},
	{"secrets",      child_make_secrets},
	{"root",         child_pivot       },
	{"loopback",     loopback          },
	{"hostname",     name_host         },
	{"limits",       set_limits        },
	{"keyring",      own_keyring       },
	{"bounding",     drop_bounding     }, /* from here on only less */
	{"no-new-privs", no_new_privs      },
	{"landlock",     confine_files     },
	{"identity",     become_task       },
	{"capabilities", drop_caps         },
 /* The kernel clears it on every change of credentials. */
	{"parent-death", die_with_parent   },
	{"seccomp",      confine_calls     },
};

static void report(struct child *c, const char *step, int sys)
{
	struct wire_writer w = {.len = 0};
	struct err e;
	size_t n = 0;

	wire_str(&w, str_from(step));
	wire_u32(&w, (uint32_t)sys);
	wire_u32(&w, child_made.not_enforced);
	wire_str(&w, str_from(child_made.failed_on));
	/* Descriptors go in as many messages as they need. */
	do {
		size_t part = child_made.n_fds - n < CHAN_FDS_MAX ?
				      child_made.n_fds - n :
				      CHAN_FDS_MAX;

		if (chan_send(c->sock, 1, &w, child_made.fds + n,
			      sys ? 0 : part, &e) <= 0)
			_exit(125);
		n += part;
	} while (!sys && n < child_made.n_fds);
	for (size_t i = 0; i < child_made.n_fds; i++)
		fd_close(&child_made.fds[i]);
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

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One check a step of a launch; see doctor_own.h.  Each is run in a process of
 * its own, in the space it names, and may leave that in any state.
 */
#include "base/fd.h"
#include "sandbox/doctor_own.h"
#include "sandbox/internal.h"
#include "sandbox/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum {
	SCOPES_ABI = 6 /* Landlock's, Linux 6.12 */
};

void doctor_say(char *detail, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, DOCTOR_DETAIL_MAX + 1, fmt, ap);
	va_end(ap);
}

static int put(const char *path, const char *text)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fd_write_all(fd, text, strlen(text));
}

int doctor_map_ids(uint32_t uid, uint32_t gid)
{
	char u[48], g[48];

	(void)snprintf(u, sizeof(u), "0 %u 1", uid);
	(void)snprintf(g, sizeof(g), "0 %u 1", gid);
	return put("/proc/self/uid_map", u) ||
			       put("/proc/self/setgroups", "deny") ||
			       put("/proc/self/gid_map", g) ?
		       -1 :
		       0;
}

/* --- the kernel's doors ------------------------------------------------- */

static int check_kernel(char *detail)
{
	struct utsname u;

	if (uname(&u))
		return -1;
	doctor_say(detail, "%s %s %s", u.sysname, u.release, u.machine);
	/* The newest call without which nothing works: Linux 5.12. */
	if (kernel_mount_setattr(-1, "", AT_EMPTY_PATH, 0) && errno == ENOSYS)
		return -1;
	return DOCTOR_OK;
}

static int check_user_namespace(char *detail)
{
	uint32_t uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWUSER))
		return -1;
	if (doctor_map_ids(uid, gid)) {
		doctor_say(detail, "made, but its id maps were refused");
		return -1;
	}
	return DOCTOR_OK;
}

/* Each sandbox has one in that of the host process. */
static int check_nested(char *detail)
{
	return check_user_namespace(detail);
}

static int check_mount_namespace(char *detail)
{
	(void)detail;
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL,
					     MS_REC | MS_PRIVATE, NULL) ?
		       -1 :
		       DOCTOR_OK;
}

static int check_namespaces(char *detail)
{
	static const struct {
		const char *name;
		int flag;
	} spaces[] = {
		{"pid",     CLONE_NEWPID   },
                {"ipc",     CLONE_NEWIPC   },
		{"uts",     CLONE_NEWUTS   },
                {"cgroup",  CLONE_NEWCGROUP},
		{"network", CLONE_NEWNET   },
	};
	struct ifreq ifr = {.ifr_name = "lo"};
	CLEANUP_FD int s = -1;

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
		if (unshare(spaces[i].flag)) {
			doctor_say(detail, "%s", spaces[i].name);
			return -1;
		}
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &ifr)) {
		doctor_say(detail, "the loopback of a new network namespace");
		return -1;
	}
	return DOCTOR_OK;
}

static int check_clone3(char *detail)
{
	int pidfd = -1, status;
	struct kernel_clone a = {
		.flags = CLONE_PIDFD | 0x100000000ULL, /* CLEAR_SIGHAND */
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	int pid = kernel_clone3(&a);

	if (!pid)
		for (;;)
			(void)pause();
	if (pid < 0)
		return -1;
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0)) {
		int sys = errno;

		doctor_say(detail, "a signal by pidfd");
		(void)kill(pid, SIGKILL);
		errno = sys;
		return -1;
	}
	return waitpid(pid, &status, 0) == pid ? DOCTOR_OK : -1;
}

/* --- the root ----------------------------------------------------------- */

static int check_mounts(char *detail)
{
	CLEANUP_FD int top =
		mount_tmpfs("64k", "16", "0755", MOUNT_ATTR_NOSUID, false);
	CLEANUP_FD int usr = -1;

	if (top < 0) {
		doctor_say(detail, "a tmpfs by fsopen(2)");
		return -1;
	}
	if (kernel_move_mount(top, AT_FDCWD, "/tmp") ||
	    mkdirat(top, "usr", 0755)) {
		doctor_say(detail, "attach a tmpfs");
		return -1;
	}
	usr = kernel_open_tree(AT_FDCWD, "/usr",
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				       AT_RECURSIVE);
	if (usr < 0 ||
	    kernel_mount_setattr(usr, "", AT_EMPTY_PATH | AT_RECURSIVE,
				 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					 MOUNT_ATTR_NODEV) ||
	    kernel_move_mount(usr, top, "usr")) {
		doctor_say(detail, "a read-only copy of /usr");
		return -1;
	}
	if (fchdir(top) || kernel_pivot_root(".", ".") ||
	    umount2(".", MNT_DETACH)) {
		doctor_say(detail, "pivot_root(2)");
		return -1;
	}
	return DOCTOR_OK;
}

static int check_proc(char *detail)
{
	CLEANUP_FD int fs = kernel_fsopen("proc"), fd = -1;

	if (fs < 0 || kernel_fsconfig_str(fs, "subset", "pid") ||
	    kernel_fsconfig_str(fs, "hidepid", "invisible") ||
	    kernel_fsconfig_create(fs))
		return -1;
	fd = kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					MOUNT_ATTR_NOEXEC);
	doctor_say(detail, "of its own, with its own processes alone");
	return fd < 0 ? -1 : DOCTOR_OK;
}

/* --- walls -------------------------------------------------------------- */

static int check_seccomp(char *detail)
{
	struct sock_filter guard[GUARD_MAX];
	struct sock_fprog f = {.filter = guard};

	f.len = (unsigned short)guard_pid1(guard);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f))
		return -1;
	/* It must bite, too. */
	if (!unshare(CLONE_NEWUTS) || errno != EPERM) {
		doctor_say(detail, "loaded, but it does not hold");
		errno = EINVAL;
		return -1;
	}
	return DOCTOR_OK;
}

static int check_landlock(char *detail)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		return -1;
	doctor_say(detail, "ABI %d%s", abi,
		   abi >= SCOPES_ABI ?
			   "" :
			   ": signals and abstract sockets are kept "
			   "apart by namespaces alone (scopes come "
			   "with Linux 6.12)");
	return DOCTOR_OK;
}

static int check_keyring(char *detail)
{
	(void)detail;
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ?
		       -1 :
		       DOCTOR_OK;
}

/* Secrets are files of a tmpfs: can its pages go to a disk? */
static int check_swap(char *detail)
{
	CLEANUP_FD int fd = mount_tmpfs("64k", "16", "0755", 0, true);
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	int sys = errno;
	struct err e;

	if (fd >= 0) {
		doctor_say(detail, "a tmpfs that is never swapped out");
		return DOCTOR_OK;
	}
	if (!fd_read_file(AT_FDCWD, "/proc/swaps", &b, &e) &&
	    !strstr(buf_cstr(&b), "\n/")) {
		doctor_say(detail, "this machine has no swap");
		return DOCTOR_OK;
	}
	errno = sys;
	return -1;
}

/* As they are needed in a launch; the whole comes last. */
/* clang-format off */
const struct doctor_check doctor_checks[] = {
	{"kernel", "new mount calls, Linux 5.12 or newer",
	 SPACE_PLAIN, DOCTOR_REFUSED, false, check_kernel},
	{"user-namespace", "privileges for mounts, without being root",
	 SPACE_PLAIN, DOCTOR_REFUSED, true, check_user_namespace},
	{"nested-user-namespace", "one of its own for each sandbox",
	 SPACE_USER, DOCTOR_REFUSED, true, check_nested},
	{"mount-namespace", "mounts that nobody else sees",
	 SPACE_USER, DOCTOR_REFUSED, false, check_mount_namespace},
	{"mounts", "a root of its own, read-only",
	 SPACE_MOUNTS, DOCTOR_REFUSED, false, check_mounts},
	{"namespaces", "no processes, sockets or names of the host",
	 SPACE_MOUNTS, DOCTOR_REFUSED, false, check_namespaces},
	{"clone3", "start and end of a sandbox without races",
	 SPACE_PLAIN, DOCTOR_REFUSED, false, check_clone3},
	{"proc", "a /proc without the host's",
	 SPACE_PIDS, DOCTOR_REFUSED, false, check_proc},
	{"seccomp", "which system calls there are",
	 SPACE_MOUNTS, DOCTOR_REFUSED, false, check_seccomp},
	{"landlock", "a second wall around files",
	 SPACE_PLAIN, DOCTOR_REFUSED, false, check_landlock},
	{"keyring", "no keys of the host",
	 SPACE_PLAIN, DOCTOR_WEAKER, false, check_keyring},
	{"swap", "secrets never reach a disk",
	 SPACE_MOUNTS, DOCTOR_WEAKER, false, check_swap},
	{"cgroups", "limits of memory, processes and CPU",
	 SPACE_PLAIN, DOCTOR_WEAKER, false, doctor_check_cgroups},
	{"sandbox", "all steps together",
	 SPACE_PLAIN, DOCTOR_REFUSED, false, doctor_check_whole},
};
/* clang-format on */

const size_t doctor_n_checks = ARRAY_LEN(doctor_checks);

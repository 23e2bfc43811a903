/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What stands in the way, and the remedy.  One table: the first row that fits
 * speaks.  No remedy begins with switching a protection off.
 */
#include "base/fd.h"
#include "sandbox/doctor_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- where are we ------------------------------------------------------- */

static long number_in(const char *path)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	struct err e;
	char *end;
	long v;

	if (fd_read_file(AT_FDCWD, path, &b, &e) || !b.len)
		return -1;
	v = strtol(buf_cstr(&b), &end, 10);
	return end == b.data ? -1 : v;
}

/* The value behind "NAME:\t" of /proc/self/status, in the given base. */
static unsigned long long status_of(const char *text, const char *name,
				    int base)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

/* The mount points are the fifth field of each line. */
static void read_mounts(struct doctor_facts *f)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4 << 20);
	struct str rest;
	struct err e;

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", &b, &e))
		return;
	f->in_chroot = true;
	rest = buf_view(&b);
	while (rest.len) {
		struct str line = str_cut(&rest, '\n'), point = {NULL, 0};

		for (int i = 0; i < 5; i++)
			point = str_cut(&line, ' ');
		if (str_is(point, "/"))
			f->in_chroot = false;
		/* systemd's automount hides nothing. */
		if (str_starts(point, STR("/proc/")) &&
		    !str_starts(point, STR("/proc/sys/fs/binfmt_misc")))
			f->proc_masked = true;
	}
}

void doctor_look_around(struct doctor_facts *f)
{
	CLEANUP_BUF struct buf b = BUF_INIT(65536);
	const int sys_admin = 21;
	struct err e;

	*f = (struct doctor_facts){.root = geteuid() == 0};
	if (!fd_read_file(AT_FDCWD, "/proc/self/status", &b, &e)) {
		const char *text = buf_cstr(&b);

		f->has_sys_admin =
			status_of(text, "\nCapEff:\t", 16) >> sys_admin & 1;
		f->has_seccomp = status_of(text, "\nSeccomp:\t", 10) != 0;
	}
	read_mounts(f);
	f->systemd = !access("/run/systemd/system", F_OK);
	f->cgroup_v2 = !access("/sys/fs/cgroup/cgroup.controllers", F_OK);
	f->apparmor_userns = number_in(
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
	f->max_user_ns = number_in("/proc/sys/user/max_user_namespaces");
	f->unprivileged_userns =
		number_in("/proc/sys/kernel/unprivileged_userns_clone");
}

/* --- why ---------------------------------------------------------------- */

static bool apparmor(const struct doctor_facts *f)
{
	return !f->root && f->apparmor_userns > 0;
}

static bool no_user_ns(const struct doctor_facts *f)
{
	return f->max_user_ns == 0;
}

static bool clone_off(const struct doctor_facts *f)
{
	return !f->root && f->unprivileged_userns == 0;
}

static bool in_chroot(const struct doctor_facts *f)
{
	return f->in_chroot;
}

static bool bare_root(const struct doctor_facts *f)
{
	return f->root && !f->has_sys_admin;
}

static bool masked(const struct doctor_facts *f)
{
	return f->proc_masked;
}

static bool filtered(const struct doctor_facts *f)
{
	return f->has_seccomp;
}

static bool user_systemd(const struct doctor_facts *f)
{
	return !f->root && f->cgroup_v2 && f->systemd;
}

static bool user_v2(const struct doctor_facts *f)
{
	return !f->root && f->cgroup_v2;
}

static bool user_v1(const struct doctor_facts *f)
{
	return !f->root && !f->cgroup_v2;
}

static bool root_systemd(const struct doctor_facts *f)
{
	return f->root && f->systemd;
}

#define SERVICE                                                                \
	"Or let root run `nfo serve` as a service, which needs no user "       \
	"namespace."
#define ANY -1

/* step NULL: every step but the last; sys ANY: every errno. */
/* clang-format off */
static const struct {
	const char *step;
	int sys;
	bool (*where)(const struct doctor_facts *f); /* NULL: everywhere */
	const char *cause, *remedy;
} causes[] = {
	{"user-namespace", ENOSPC, no_user_ns,
	 "user.max_user_namespaces is 0: nobody may make user namespaces.",
	 "As root, for this machine: echo 'user.max_user_namespaces = "
	 "15000' > /etc/sysctl.d/50-nfo.conf && sysctl --system. " SERVICE},
	{"user-namespace", ENOSPC, NULL,
	 "The limit user.max_user_namespaces is reached, or 32 of them are "
	 "nested here.",
	 "Look what holds them (lsns -t user); as root raise "
	 "user.max_user_namespaces in /etc/sysctl.d/50-nfo.conf."},
	{"user-namespace", EPERM, in_chroot,
	 "This is a chroot: the kernel makes no user namespaces in one.",
	 "Enter the directory with systemd-nspawn -D DIR, or with unshare "
	 "--mount and pivot_root, in place of chroot."},
	{"user-namespace", ANY, apparmor,
	 "AppArmor lets only programs with a profile of their own use user "
	 "namespaces (kernel.apparmor_restrict_unprivileged_userns, as on "
	 "Ubuntu since 24.04).",
	 "As root: copy packaging/apparmor/nfo to /etc/apparmor.d/nfo, set "
	 "the path of this program in it, and run apparmor_parser -r "
	 "/etc/apparmor.d/nfo. All other programs stay restricted."},
	{"user-namespace", EPERM, clone_off,
	 "kernel.unprivileged_userns_clone is 0: only root may make user "
	 "namespaces.",
	 "Let root run `nfo serve` as a service, which needs no user "
	 "namespace. Where every user of the machine may make them: sysctl "
	 "kernel.unprivileged_userns_clone=1."},
	{"mount-namespace", ANY, apparmor,
	 "AppArmor takes the privileges away that a user namespace gives "
	 "(kernel.apparmor_restrict_unprivileged_userns).",
	 "As root: copy packaging/apparmor/nfo to /etc/apparmor.d/nfo, set "
	 "the path of this program in it, and run apparmor_parser -r "
	 "/etc/apparmor.d/nfo. All other programs stay restricted."},
	{"proc", EPERM, masked,
	 "Parts of /proc are covered by other mounts, as containers do: the "
	 "kernel then refuses a new /proc.",
	 "Run nfo outside of the container, or in a virtual machine. In a "
	 "container that you trust: one whose /proc is whole (podman run "
	 "--security-opt unmask=/proc/*)."},
	{"landlock", ENOSYS, filtered,
	 "A seccomp filter around this process, a container's, does not "
	 "know Landlock; or the kernel has none.",
	 "Run nfo outside of the container, or with a newer container "
	 "runtime: its default filter allows landlock_create_ruleset."},
	{"landlock", ENOSYS, NULL,
	 "This kernel was built without Landlock.",
	 "Use a kernel with CONFIG_SECURITY_LANDLOCK (Debian 12's has it). "
	 "To go on without it must be said: nfo sandbox --allow-no-landlock."},
	{"landlock", EOPNOTSUPP, NULL,
	 "Landlock is in this kernel, but not switched on.",
	 "Add landlock to the list lsm= of the kernel's command line (what "
	 "is on now: cat /sys/kernel/security/lsm) and boot again."},
	{"keyring", ANY, NULL,
	 "Session keyrings are refused here; programs in a sandbox have no "
	 "keyring calls either way.",
	 "Nothing needs to be done."},
	{"swap", ANY, NULL,
	 "There is swap, and tmpfs cannot be told to stay out of it here "
	 "(it wants Linux 6.4 and real root).",
	 "Encrypt the swap (crypttab(5): a random key), or let root run "
	 "`nfo serve`."},
	{"cgroups", ENOENT, user_systemd,
	 "systemd gives users no cpu controller.",
	 "As root: put the lines \"[Service]\" and \"Delegate=cpu cpuset io "
	 "memory pids\" into /etc/systemd/system/user@.service.d/nfo.conf, "
	 "then systemctl daemon-reload; log in again."},
	{"cgroups", ANY, user_systemd,
	 "The control group that this shell is in was not given to you.",
	 "Start it in one that is: systemd-run --user --scope -p "
	 "Delegate=yes -- nfo ... (or say --cgroups prefer: limits are then "
	 "not enforced, and the report says so)."},
	{"cgroups", ANY, user_v2,
	 "The control group that this process is in does not belong to you.",
	 "As root, make one that does: a directory below /sys/fs/cgroup "
	 "with cgroup.procs and cgroup.subtree_control owned by the user."},
	{"cgroups", ANY, user_v1,
	 "Version 1 of control groups belongs to root alone.",
	 "Boot with version 2 (systemd.unified_cgroup_hierarchy=1 on the "
	 "kernel's command line), or let root run `nfo serve`."},
	{"cgroups", ENOENT, NULL,
	 "There is no cpu controller here.",
	 "A limit of `cpu` is not enforced, and the report says so; the "
	 "kernel needs CONFIG_CFS_BANDWIDTH and the controller a mount."},
	{"cgroups", ANY, root_systemd,
	 "No control group can be made in this service.",
	 "Give the unit Delegate=yes (packaging has one), and no "
	 "ProtectControlGroups=."},
	{"cgroups", ANY, NULL,
	 "No writable control groups with memory and pids are mounted.",
	 "Mount them (mount -t cgroup2 none /sys/fs/cgroup); a container "
	 "must be given its own, writable."},
	{NULL, EPERM, bare_root,
	 "This is root without CAP_SYS_ADMIN, as in most containers.",
	 "Run nfo outside of the container, or as an ordinary user where "
	 "user namespaces are allowed (nfo doctor as that user tells)."},
	{NULL, EPERM, filtered,
	 "A seccomp filter around this process, a container's, refuses it.",
	 "Run nfo outside of the container, or give the container a filter "
	 "that adds: clone3 unshare mount umount2 pivot_root fsopen "
	 "fsconfig fsmount open_tree move_mount mount_setattr sethostname "
	 "seccomp."},
	{NULL, ENOSYS, filtered,
	 "A seccomp filter around this process, a container's, hides the "
	 "call, or the kernel is too old for it.",
	 "Run nfo outside of the container, or give the container a filter "
	 "that adds: clone3 unshare mount umount2 pivot_root fsopen "
	 "fsconfig fsmount open_tree move_mount mount_setattr sethostname "
	 "seccomp."},
	{NULL, ENOSYS, NULL,
	 "The kernel does not know the call.",
	 "Linux 5.12 or newer is needed (Debian 12 has 6.1), with "
	 "CONFIG_NAMESPACES and CONFIG_SECCOMP_FILTER."},
	{NULL, ENOSPC, NULL,
	 "A limit on namespaces is reached (user.max_*_namespaces).",
	 "As root: sysctl -a | grep user.max_ shows them; raise the one "
	 "that is low in /etc/sysctl.d/50-nfo.conf."},
};
/* clang-format on */

void doctor_explain(const struct doctor_facts *f, struct doctor_step *s)
{
	if (s->verdict == DOCTOR_OK || s->verdict == DOCTOR_SKIPPED)
		return;
	for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
		if (causes[i].step ? strcmp(causes[i].step, s->name) :
				     !strcmp(s->name, "sandbox"))
			continue;
		if ((causes[i].sys != ANY && causes[i].sys != s->sys) ||
		    (causes[i].where && !causes[i].where(f)))
			continue;
		s->cause = causes[i].cause;
		s->remedy = causes[i].remedy;
		return;
	}
}

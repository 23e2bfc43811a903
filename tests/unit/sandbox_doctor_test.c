/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What `nfo doctor` says to machines that are not at hand. */
#include "sandbox/doctor_own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

/* A place where nothing stands in the way. */
static const struct doctor_facts fine = {.cgroup_v2 = true,
					 .systemd = true,
					 .apparmor_userns = -1,
					 .max_user_ns = 60000,
					 .unprivileged_userns = -1};

static struct doctor_step refused(const struct doctor_facts *f,
				  const char *name, int sys)
{
	struct doctor_step s = {
		.name = name, .verdict = DOCTOR_REFUSED, .sys = sys};

	doctor_explain(f, &s);
	return s;
}

static void says(const struct doctor_facts *f, const char *name, int sys,
		 const char *cause, const char *remedy)
{
	struct doctor_step s = refused(f, name, sys);

	assert_non_null(s.cause);
	assert_non_null(strstr(s.cause, cause));
	assert_non_null(strstr(s.remedy, remedy));
}

static void test_apparmor(void **state)
{
	struct doctor_facts f = fine;

	(void)state;
	f.apparmor_userns = 1;
	says(&f, "user-namespace", EPERM, "AppArmor", "apparmor_parser -r");
	says(&f, "user-namespace", EACCES, "AppArmor", "apparmor_parser -r");
	/* Ubuntu makes it, and takes its privileges away. */
	says(&f, "mount-namespace", EPERM, "AppArmor", "apparmor_parser -r");
	f.apparmor_userns = 0;
	assert_null(refused(&f, "user-namespace", EPERM).cause);
	f.apparmor_userns = 1;
	f.root = f.has_sys_admin = true;
	assert_null(refused(&f, "mount-namespace", EPERM).cause);
}

static void test_user_namespaces(void **state)
{
	struct doctor_facts f = fine;

	(void)state;
	says(&f, "user-namespace", ENOSPC, "reached", "lsns");
	f.max_user_ns = 0;
	says(&f, "user-namespace", ENOSPC, "is 0", "sysctl --system");
	f = fine;
	f.unprivileged_userns = 0;
	says(&f, "user-namespace", EPERM, "unprivileged_userns_clone",
	     "as a service");
	f.in_chroot = true;
	says(&f, "user-namespace", EPERM, "chroot", "systemd-nspawn");
}

static void test_containers(void **state)
{
	struct doctor_facts f = fine;

	(void)state;
	f.proc_masked = true;
	says(&f, "proc", EPERM, "covered", "unmask");
	f = fine;
	f.has_seccomp = true;
	says(&f, "clone3", ENOSYS, "seccomp filter", "clone3");
	says(&f, "mounts", EPERM, "seccomp filter", "move_mount");
	f.root = true;
	says(&f, "mount-namespace", EPERM, "CAP_SYS_ADMIN", "ordinary user");
}

static void test_landlock(void **state)
{
	(void)state;
	says(&fine, "landlock", EOPNOTSUPP, "not switched on", "lsm=");
	says(&fine, "landlock", ENOSYS, "without Landlock",
	     "--allow-no-landlock");
}

static void test_cgroups(void **state)
{
	struct doctor_facts f = fine;

	(void)state;
	says(&f, "cgroups", EACCES, "not given to you",
	     "systemd-run --user --scope -p Delegate=yes");
	says(&f, "cgroups", ENOENT, "cpu controller", "user@.service.d");
	f.systemd = false;
	says(&f, "cgroups", EACCES, "does not belong to you", "/sys/fs/cgroup");
	f.cgroup_v2 = false;
	says(&f, "cgroups", EACCES, "Version 1", "unified_cgroup_hierarchy");
	f.root = f.systemd = true;
	says(&f, "cgroups", EACCES, "this service", "Delegate=yes");
}

/* What is fine, or only stands on what is not, is not explained. */
static void test_silent(void **state)
{
	struct doctor_step s = {
		.name = "cgroups", .verdict = DOCTOR_SKIPPED, .sys = EPERM};

	(void)state;
	doctor_explain(&fine, &s);
	assert_null(s.cause);
	s.verdict = DOCTOR_OK;
	doctor_explain(&fine, &s);
	assert_null(s.cause);
	/* The whole says at which step in its own words. */
	assert_null(refused(&fine, "sandbox", ENOSYS).cause);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apparmor),
		cmocka_unit_test(test_user_namespaces),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_landlock),
		cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

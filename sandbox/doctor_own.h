/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Between doctor.c (the order), doctor_checks.c (each check) and
 * doctor_cause.c (what stands in the way). */
#pragma once

#include "sandbox/doctor.h"

#include <stdint.h>

/* In what a check is run; each includes those before it. */
enum doctor_space {
	SPACE_PLAIN,
	SPACE_USER,   /* a user namespace, unless root */
	SPACE_MOUNTS, /* a private mount namespace */
	SPACE_PIDS,   /* PID 1 of a pid namespace */
};

struct doctor_check {
	const char *name, *purpose;
	enum doctor_space space;
	enum doctor_verdict otherwise; /* when it is refused */
	bool rootless_only;
	/* In a process of its own; -1 with errno, or a verdict. */
	int (*run)(char detail[DOCTOR_DETAIL_MAX + 1]);
};

extern const struct doctor_check doctor_checks[];
extern const size_t doctor_n_checks;

/* doctor_whole.c */
int doctor_check_cgroups(char *detail);
int doctor_check_whole(char *detail);
/* Into the detail of a check, cut where it is too long. */
void doctor_say(char *detail, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The identity maps of a fresh user namespace; -1 with errno. */
int doctor_map_ids(uint32_t uid, uint32_t gid);

/* What is known of the place we are in. */
struct doctor_facts {
	bool root, has_sys_admin, has_seccomp, proc_masked, in_chroot, systemd;
	bool cgroup_v2;
	long apparmor_userns, max_user_ns,
		unprivileged_userns; /* -1: no such */
};

void doctor_look_around(struct doctor_facts *f);
/* Pure: fill cause and remedy of a step that is not DOCTOR_OK. */
void doctor_explain(const struct doctor_facts *f, struct doctor_step *s);

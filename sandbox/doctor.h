/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What this kernel lets this user do: each step of a launch alone, in a
 * process that is thrown away, and what stands in its way with the exact
 * remedy.  Data only; printing is doctor_command.c.
 */
#pragma once

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

enum {
	DOCTOR_STEPS_MAX = 32,
	DOCTOR_DETAIL_MAX = 255
};

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_WEAKER,  /* a sandbox can be made; this part of it is missing */
	DOCTOR_REFUSED, /* no sandbox without it */
	DOCTOR_SKIPPED, /* what it stands on was refused */
};

struct doctor_step {
	const char *name, *purpose; /* static */
	enum doctor_verdict verdict;
	int sys; /* errno of what was refused; 0: none */
	char detail[DOCTOR_DETAIL_MAX + 1];
	const char *cause, *remedy; /* static; NULL: nothing is known */
};

struct doctor_report {
	bool rootless;
	bool usable; /* a whole sandbox ran a program */
	size_t n_steps;
	struct doctor_step steps[DOCTOR_STEPS_MAX];
};

/* Leaves nothing behind and changes nothing of the calling process.  Fails
 * with ERR_UNAVAILABLE when no process can be made. */
MUST_USE int doctor_examine(struct doctor_report *ret, struct err *e);

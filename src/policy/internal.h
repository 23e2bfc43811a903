/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A set of policies, for the files of src/policy. */
#pragma once

#include "policy/policy.h"

enum {
	POLICY_FILES_MAX = 64
};

struct policy_file {
	char *name, *text;
	size_t len;
	struct doc *doc;
};

struct policy_set {
	struct policy_file files[POLICY_FILES_MAX];
	size_t n;
};

/* A decimal number such as 4096 or 1.5; 0 when it is none. */
double policy_number(struct str s);

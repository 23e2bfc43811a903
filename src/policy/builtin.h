/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The default policy as text, made at build time from the policies folder. */
#pragma once

#include "base/str.h"

struct policy_builtin {
	const char *name, *text;
};

extern const struct policy_builtin policy_builtin[];
extern const size_t policy_n_builtin;

/* What a private server starts with. */
struct str policy_builtin_default(void);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The profiles of policies/profiles as text, made at build time (cmake/embed.cmake). */
#pragma once

#include <stddef.h>

struct sandbox_builtin {
	const char *name, *text;
};

extern const struct sandbox_builtin sandbox_builtin[];
extern const size_t sandbox_n_builtin;

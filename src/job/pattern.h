/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Regular expressions that users write (POSIX, extended), kept small: what a
 * library makes of `((a{1,255}){1,255}){1,255}` would fill the memory.
 */
#pragma once

#include "base/str.h"

enum {
	PATTERN_LEN_MAX = 1000,
	PATTERN_COST_MAX = 4000, /* characters, repetitions written out */
	PATTERN_DEPTH_MAX = 16
};

/* Does it compile, is it small enough, and free of back references? */
bool pattern_ok(struct str pattern);
/* Does it match all of s?  A text with a NUL or a line feed never fits. */
bool pattern_fits(struct str pattern, struct str s);

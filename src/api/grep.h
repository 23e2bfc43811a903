/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Does a line have a word?  A literal, so that no pattern can take long.
 * Pure. */
#pragma once

#include "base/str.h"

enum {
	GREP_WORD_MAX = 256
};

struct grep {
	struct str word;  /* borrowed; len 0: all lines have it */
	bool ignore_case; /* of ASCII letters */
};

bool grep_match(const struct grep *g, struct str line);

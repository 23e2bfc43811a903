/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* ULIDs: 48 bits of milliseconds and 80 random bits, 26 characters of
 * Crockford's base 32, upper case; sortable by the time of making.
 * https://github.com/ulid/spec */
#pragma once

#include "base/str.h"

enum {
	ULID_LEN = 26
};

struct ulid {
	char s[ULID_LEN + 1];
};

/* Grows strictly within one process, also within one millisecond. */
struct ulid ulid_new(void);
bool ulid_valid(struct str s);

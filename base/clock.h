/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Time.  Deadlines are monotonic; what users see is UTC with microseconds. */
#pragma once

#include "base/str.h"
#include <stdint.h>

int64_t clock_mono_us(void); /* CLOCK_MONOTONIC */
int64_t clock_real_us(void); /* since 1970, UTC */

enum {
	CLOCK_TEXT_LEN = 27
}; /* 2026-11-23T15:04:05.123456Z */
/* RFC 3339 with microseconds, always UTC. */
void clock_format(int64_t real_us, char out[CLOCK_TEXT_LEN + 1]);
/* RFC 3339, any offset; -1 when it is not one. */
MUST_USE int clock_parse(struct str s, int64_t *ret_us);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How far a long transfer is, in one line on standard error.  Only on a
 * terminal, only when it takes a while, and gone when it is done.
 */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	const char *what; /* "artifact build.bin"; NULL: say nothing */
	int64_t since_us, drawn_us;
	bool shown;
};

void progress_begin(struct progress *p, const char *what);
/* total 0: not known. */
void progress_at(struct progress *p, uint64_t done, uint64_t total);
void progress_end(struct progress *p);
/* The line itself, for a terminal of so many columns; pure. */
void progress_line(const char *what, uint64_t done, uint64_t total,
		   int64_t took_us, unsigned columns, char *out, size_t max);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Who shows wrong tokens, and how long the answer to the next one waits.  A
 * fixed table: whoever has not tried for the longest, or the least, makes room.
 * Pure; the time is the caller's.
 *
 * Right tokens are not asked about here, so that nobody can lock out those who
 * share an address with him.
 */
#pragma once

#include "base/str.h"

enum {
	GUESSES_FREE = 3,          /* answered at once: people mistype */
	GUESSES_FIRST_US = 100000, /* then this, and twice as long each time */
	GUESSES_LONGEST_US = 4000000,
	GUESSES_FORGET_US = 10000000, /* one is forgotten each */
	GUESSES_MOST = 12,            /* so that all are after two minutes */
	GUESSES_TABLE = 1024
};

struct guesses;
struct guesses *guesses_new(void) MUST_USE;
void guesses_free(struct guesses *g);

/* One more, by this client ("uid:7", bytes of an address); how long to wait. */
int64_t guesses_wrong(struct guesses *g, struct str client, int64_t mono_us);
/* How many count against it now. */
unsigned guesses_count(const struct guesses *g, struct str client,
		       int64_t mono_us);

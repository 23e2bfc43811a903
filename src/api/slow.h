/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Answers to wrong tokens wait: longer with each (access/guesses.h), on a timer,
 * with the connection asleep.  How many wait at once is bounded, in all and of
 * one client; beyond that the answer is 429, at once.
 *
 * A right token never waits, whoever else is at its address: it is found by a
 * hash, which costs less than a refusal, so nothing would be gained by not
 * looking, and an attacker behind the same proxy could lock out the others.
 * What keeps guesses out is that tokens have 256 bits; this keeps guessing from
 * costing others anything.  A signature costs more than a hash: of those who
 * guess only so many are checked in a second (a token that is in is found by its
 * hash, like the others).
 */
#pragma once

#include "api/request.h"

struct guesses;
struct loop_timer;

enum {
	SLOW_MOST = 128,
	SLOW_MOST_OF_ONE = 8,
	/* Signatures a second, of all clients that guess as fast as they can:
	 * a tenth of the loop's time at worst. */
	SLOW_CHECKS = 100
};

struct slow {
	struct guesses *guesses;
	struct link waiting;
	size_t n_waiting;
	struct loop_timer *timer;
	uint64_t n_wrong;  /* so far */
	int64_t checks_us; /* since then: */
	unsigned n_checks;
};

void slow_begin(struct api *a);
/* Whoever waits is answered now. */
void slow_end(struct api *a);

/* Whom it counts against, right behind a trusted proxy; of IPv6 the network: an
 * address there costs nothing. */
struct str slow_client(const struct request *r, char out[CLIENT_MAX]);
/* A wrong token was shown.  0: answer, it will wait as long as it has to.  -1:
 * answered with 429. */
MUST_USE int slow_wrong(struct request *r);
/* A signature is to be checked, which costs something.  -1: answered with 429,
 * the client has guessed much, and others have as well. */
MUST_USE int slow_check(struct request *r);
/* Does its answer wait?  Then it is resumed when the time has come. */
bool slow_waits(struct request *r);
/* The request is gone. */
void slow_forget(struct request *r);

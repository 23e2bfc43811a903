/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The life of one lease: when it is renewed, when read anew, when revoked, and
 * when nobody has to care any more.  Pure: times and random numbers come in,
 * what to do goes out.  All times are CLOCK_MONOTONIC, in microseconds.
 *
 * Renewed at two thirds of what is left, less up to a tenth, so that those that
 * were made together do not come together.  What fails is tried again after 1,
 * 2, 4, ... up to 60 s, each with half of it at random, while the lease lasts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum lease_state {
	LEASE_OPEN,   /* the attempt lives */
	LEASE_LAST,   /* it lives, but the lease cannot be renewed any more */
	LEASE_KEPT,   /* the attempt has ended, and wanted it kept */
	LEASE_ENDING, /* the attempt has ended: to be revoked */
	LEASE_STUCK,  /* could not be revoked: ends by itself, unless
			 LEASE_ENDED is heard again */
	LEASE_GONE,
	N_LEASE_STATES,
};
const char *lease_state_name(enum lease_state s);

enum lease_event {
	LEASE_RENEWED,  /* with the duration that it has now */
	LEASE_REFUSED,  /* no renewal: it is at its end, or we may not */
	LEASE_AWAY,     /* no answer */
	LEASE_READ,     /* read anew: another one is in its place */
	LEASE_ENDED,    /* the attempt has, or somebody wants it revoked */
	LEASE_REVOKED,  /* or the server does not know it */
	LEASE_NOT_OURS, /* the server does not let us revoke it */
	N_LEASE_EVENTS,
};

enum lease_do {
	LEASE_WAIT, /* until at_us */
	LEASE_DO_RENEW,
	LEASE_DO_READ, /* the value anew, in place of this one */
	LEASE_DO_REVOKE,
	LEASE_DO_FORGET,
};

enum {
	LEASE_REVOKE_TRIES = 12 /* about six minutes */
};

struct lease_life {
	enum lease_state state;
	bool renewable, keep, refresh;
	int64_t duration_us; /* what was asked for, or first given */
	int64_t ends_us;
	int64_t at_us; /* nothing to do before */
	unsigned tries;
};

/* state, renewable, keep and refresh are set; the rest follows. */
void lease_begin(struct lease_life *l, int64_t duration_us, int64_t now_us,
		 uint32_t random);
/* duration_us: with LEASE_RENEWED.  After LEASE_ENDED at_us is now. */
void lease_heard(struct lease_life *l, enum lease_event ev, int64_t duration_us,
		 int64_t now_us, uint32_t random);
enum lease_do lease_due(const struct lease_life *l, int64_t now_us);

/* Two thirds of the way from now to ends_us, less up to a tenth of it. */
int64_t lease_renew_at(int64_t now_us, int64_t ends_us, uint32_t random);
/* How long to wait after so many failures in a row (at least 1). */
int64_t lease_backoff_us(unsigned failures, uint32_t random);

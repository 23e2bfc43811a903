/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The life of one login, as a table of states and events: when a token may be
 * used, when it is renewed, when a new login is due, when nothing more is tried.
 * Pure: time, dice and what was answered come in, what is to be done goes out.
 * Knows no token's bytes and no HTTP.
 *
 * Renewal is at two thirds of what is left, with jitter; after an error again
 * and again, each time later, until a tenth is left; then there is a new login
 * while the old token still serves.  (As OpenBao's api/lifetime_watcher.go
 * does, but that a new login follows.)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum life_state {
	LIFE_NONE,      /* the next who needs one makes a login */
	LIFE_LOGIN,     /* a login is under way, there is no token */
	LIFE_GOOD,      /* there is a token, nothing is under way */
	LIFE_RENEWING,  /* it serves while it is renewed */
	LIFE_REPLACING, /* it serves while there is a new login */
	LIFE_CHECKING,  /* somebody was refused: does it still live? */
	LIFE_WAITING,   /* a login failed: none before next_us */
	LIFE_REVOKING,  /* the end */
	LIFE_ENDED,
	N_LIFE_STATES,
};

enum life_event {
	LIFE_EV_NEED,    /* somebody wants to use it */
	LIFE_EV_TIMER,   /* next_us has come */
	LIFE_EV_IN,      /* the login is done: news */
	LIFE_EV_RENEWED, /* news */
	LIFE_EV_FAILED,  /* what is under way: try it later */
	LIFE_EV_REFUSED, /* what is under way: it will not do */
	LIFE_EV_DENIED,  /* a request of this token's got 403 */
	LIFE_EV_ALIVE,   /* the check says so */
	LIFE_EV_STOP,
	LIFE_EV_REVOKED, /* or not: nothing more can be done */
	N_LIFE_EVENTS,
};

/* What the caller does now.  Exactly one thing is under way at a time. */
enum life_do {
	LIFE_DO_NOTHING,
	LIFE_DO_LOGIN,  /* until EV_IN, EV_FAILED, EV_REFUSED */
	LIFE_DO_RENEW,  /* until EV_RENEWED, EV_FAILED, EV_REFUSED */
	LIFE_DO_CHECK,  /* until EV_ALIVE, EV_FAILED, EV_REFUSED (it is dead) */
	LIFE_DO_REVOKE, /* until EV_REVOKED */
};

#define LIFE_NEVER INT64_MAX

/* What a login or a renewal brought. */
struct life_news {
	int64_t asked_us; /* when the request went out: the life begins there */
	uint64_t ttl_s;   /* 0: for ever */
	uint64_t uses;    /* num_uses; 0: as many as wanted */
	bool renewable;
	/* Made by our own login, not by somebody who gave it to us: ended with
	 * us. */
	bool ours;
};

/* LIFE_EV_NEED answers with LIFE_DO_LOGIN, or life_usable() is true, or
 * life_coming() is, or it is LIFE_WAITING: there is none to be had now. */
struct life {
	enum life_state state;
	int64_t expires_us;   /* monotonic; LIFE_NEVER */
	int64_t next_us;      /* when EV_TIMER is due; LIFE_NEVER: not */
	uint64_t generation;  /* counts logins: a token is the n-th */
	uint64_t uses_left;   /* UINT64_MAX: no limit */
	uint64_t first_ttl_s; /* as the login gave it */
	unsigned failures;    /* in a row */
	bool renewable;
	bool capped; /* renewing does not make it longer any more */
	bool ours;
};

void life_init(struct life *t);

/*
 * dice: any number, for jitter; news: of EV_IN and EV_RENEWED, else NULL.
 * An event that the state does not expect is ours and aborts, but EV_TIMER,
 * EV_NEED, EV_DENIED and EV_STOP may come at any time.
 */
enum life_do life_on(struct life *t, enum life_event ev, int64_t now_us,
		     uint32_t dice, const struct life_news *news);

/* May a request go out under it now? */
bool life_usable(const struct life *t, int64_t now_us);
/* Is it worth waiting for: something is under way that may bring one? */
bool life_coming(const struct life *t);
/* A request goes out under it. */
void life_used(struct life *t);

const char *life_state_name(enum life_state s);

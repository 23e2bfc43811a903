/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is tried again, when, and what never is.  Pure: the numbers come in,
 * the decision goes out.
 *
 * Never tried again: what leaves something behind at the server (a lease, a
 * login, a use of something that has few) once the server may have seen it.
 * It may be tried again only when nothing was sent, or when the server said
 * that it did nothing (429, 503, 412, a redirect).
 */
#pragma once

#include "proto/edges.h"

enum {
	RETRY_TRIES_MAX = 6,
	RETRY_BASE_MS = 250, /* of the first wait; doubles */
	RETRY_WAIT_MAX_MS = 10000,
	RETRY_AFTER_MAX_S = 60,   /* what a server may make us wait */
	RETRY_TIMEOUT_MS = 60000, /* what it all may take, where nobody says */
};

enum retry_kind {
	RETRY_READ,  /* as often as one likes gives the same */
	RETRY_MAKES, /* leaves something behind */
};

/* How one exchange ended. */
struct retry_event {
	int status;            /* 0: no answer */
	int64_t retry_after_s; /* -1: not said */
	bool sent;             /* the server may have seen it */
	bool sealed;           /* 503, and it says why */
	bool inactive;         /* 500, as there is no active node */
	bool tls_failed;       /* no trust: asking again does not help */
	bool too_long;         /* it answered with more than we take */
	bool garbled;          /* or with something that is not Vault's */
	bool location;         /* a redirect says where */
};

/* The life of one request; zeroed to begin with, but for the first two. */
struct retry {
	enum retry_kind kind;
	int64_t deadline_us; /* CLOCK_MONOTONIC */
	unsigned tries;
	bool redirected; /* once in a row is enough */
};

enum retry_what {
	RETRY_DONE,     /* it is an answer, good or not */
	RETRY_REDIRECT, /* once more, there */
	RETRY_AGAIN,    /* after wait_us */
	RETRY_GIVE_UP,  /* no answer; state tells whether it is away */
};

struct retry_verdict {
	enum retry_what what;
	int64_t wait_us;
	/* what this says about the server; UP for a refusal */
	enum provider_state state;
};

/* random: any 32 bits, for the jitter; counts the try in *r. */
struct retry_verdict retry_judge(struct retry *r, const struct retry_event *ev,
				 int64_t now_us, uint32_t random);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Whether a provider is worth asking.  Closed: it is.  Open: it failed several
 * times in a row, or is sealed; nothing is sent, who asks hears "away" at once.
 * Half open: one probe (sys/health) is under way and decides.  Pure.
 */
#pragma once

#include "proto/edges.h"

enum {
	BREAKER_FAILURES = 3,        /* in a row */
	BREAKER_PROBE_MIN_MS = 1000, /* then twice as long, ... */
	BREAKER_PROBE_MAX_MS = 30000,
};

struct breaker {
	enum provider_state state; /* UP: closed */
	unsigned failures;         /* in a row */
	unsigned probes;           /* since it opened */
	bool probing;
	int64_t probe_at_us; /* when open; CLOCK_MONOTONIC */
};

/* May an ordinary request go now? */
bool breaker_lets(const struct breaker *b);
/* How a request, or the probe, ended.  True: the state is another one now, and
 * somebody should be told. */
bool breaker_heard(struct breaker *b, enum provider_state state, int64_t now_us,
		   uint32_t random);
/* It is away, and there is no need to count: likewise. */
bool breaker_open(struct breaker *b, enum provider_state state, int64_t now_us,
		  uint32_t random);
/* Is it time for a probe?  Then one is under way. */
bool breaker_probe(struct breaker *b, int64_t now_us);
/* The state that a status of sys/health stands for (0: no answer). */
enum provider_state breaker_health(int status);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* When a lease wants something; see lease_life.h. */
#include "vault/lease_life.h"

enum {
	SECOND = 1000000,
	BACKOFF_MAX_S = 60
};

static const char *const names[N_LEASE_STATES] = {
	[LEASE_OPEN] = "open",   [LEASE_LAST] = "last",
	[LEASE_KEPT] = "kept",   [LEASE_ENDING] = "revoking",
	[LEASE_STUCK] = "stuck", [LEASE_GONE] = "gone",
};

const char *lease_state_name(enum lease_state s)
{
	return names[s];
}

/* Part of span that random stands for: [0, span). */
static int64_t part(int64_t span, uint32_t random)
{
	return (int64_t)((double)span * ((double)random / 4294967296.0));
}

int64_t lease_renew_at(int64_t now_us, int64_t ends_us, uint32_t random)
{
	int64_t left = ends_us > now_us ? ends_us - now_us : 0;

	return now_us + left / 3 * 2 - part(left / 10, random);
}

int64_t lease_backoff_us(unsigned failures, uint32_t random)
{
	int64_t s = failures > 6 ? BACKOFF_MAX_S :
				   INT64_C(1) << (failures ? failures - 1 : 0);

	if (s > BACKOFF_MAX_S)
		s = BACKOFF_MAX_S;
	return s * SECOND / 2 + part(s * SECOND / 2, random);
}

/* What waits until the end of the lease, and what wants something before. */
static int64_t next_at(const struct lease_life *l, int64_t now_us,
		       uint32_t random)
{
	if ((l->state == LEASE_OPEN && l->renewable) ||
	    (l->state <= LEASE_LAST && l->refresh))
		return lease_renew_at(now_us, l->ends_us, random);
	return l->ends_us;
}

void lease_begin(struct lease_life *l, int64_t duration_us, int64_t now_us,
		 uint32_t random)
{
	l->duration_us = duration_us;
	l->ends_us = now_us + duration_us;
	l->tries = 0;
	if (l->state == LEASE_OPEN && !l->renewable)
		l->state = LEASE_LAST;
	l->at_us = next_at(l, now_us, random);
}

/* A server that is at its limit gives less than it gave before: then this was
 * the last time. */
static void renewed(struct lease_life *l, int64_t duration_us, int64_t now_us,
		    uint32_t random)
{
	l->tries = 0;
	l->ends_us = now_us + duration_us;
	if (l->state == LEASE_OPEN && duration_us < l->duration_us / 10 * 9)
		l->state = LEASE_LAST;
	l->at_us = next_at(l, now_us, random);
}

static void away(struct lease_life *l, int64_t now_us, uint32_t random)
{
	int64_t at = now_us + lease_backoff_us(++l->tries, random);

	if (l->state == LEASE_ENDING && l->tries >= LEASE_REVOKE_TRIES) {
		l->state = LEASE_STUCK;
		at = l->ends_us;
	}
	l->at_us =
		at < l->ends_us || l->state == LEASE_ENDING ? at : l->ends_us;
}

static void ended(struct lease_life *l, int64_t now_us)
{
	if (l->state == LEASE_ENDING)
		return;
	l->tries = 0;
	l->state = LEASE_ENDING;
	l->at_us = now_us;
}

void lease_heard(struct lease_life *l, enum lease_event ev, int64_t duration_us,
		 int64_t now_us, uint32_t random)
{
	if (l->state == LEASE_GONE)
		return;
	switch (ev) {
	case LEASE_RENEWED:
		renewed(l, duration_us, now_us, random);
		break;
	case LEASE_REFUSED:
		l->tries = 0;
		if (l->state == LEASE_OPEN)
			l->state = LEASE_LAST;
		l->at_us = l->refresh ? now_us : l->ends_us;
		break;
	case LEASE_AWAY:
		away(l, now_us, random);
		break;
	case LEASE_READ: /* the new one is what is used from now on */
	case LEASE_ENDED:
		ended(l, now_us);
		break;
	case LEASE_REVOKED:
		l->state = LEASE_GONE;
		l->at_us = now_us;
		break;
	case LEASE_NOT_OURS:
		l->state = LEASE_STUCK;
		l->at_us = l->ends_us;
		break;
	case N_LEASE_EVENTS:
	default:
		break;
	}
}

enum lease_do lease_due(const struct lease_life *l, int64_t now_us)
{
	static const enum lease_do what[N_LEASE_STATES] = {
		[LEASE_OPEN] = LEASE_DO_RENEW, [LEASE_LAST] = LEASE_DO_READ,
		[LEASE_KEPT] = LEASE_WAIT,     [LEASE_ENDING] = LEASE_DO_REVOKE,
		[LEASE_STUCK] = LEASE_WAIT,    [LEASE_GONE] = LEASE_DO_FORGET,
	};

	if (l->state == LEASE_GONE ||
	    (now_us >= l->ends_us && l->state != LEASE_ENDING))
		return LEASE_DO_FORGET;
	if (now_us < l->at_us)
		return LEASE_WAIT;
	if (what[l->state] == LEASE_DO_READ && !l->refresh)
		return LEASE_WAIT;
	return what[l->state];
}

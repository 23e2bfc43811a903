/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whether a provider is worth asking; see breaker.h. */
#include "vault/breaker.h"

bool breaker_lets(const struct breaker *b)
{
	return b->state == PROVIDER_UP;
}

/* 1 s, 2 s, ... 30 s, each up to a quarter more: not all servers at once. */
static void plan_probe(struct breaker *b, int64_t now_us, uint32_t random)
{
	int64_t ms = BREAKER_PROBE_MIN_MS;

	for (unsigned i = 0; i < b->probes && ms < BREAKER_PROBE_MAX_MS; i++)
		ms *= 2;
	if (ms > BREAKER_PROBE_MAX_MS)
		ms = BREAKER_PROBE_MAX_MS;
	ms += (int64_t)(((uint64_t)ms / 4 * random) >> 32);
	b->probe_at_us = now_us + ms * 1000;
	b->probing = false;
}

static bool close_it(struct breaker *b)
{
	bool was_open = b->state != PROVIDER_UP;

	*b = (struct breaker){.state = PROVIDER_UP};
	return was_open;
}

bool breaker_open(struct breaker *b, enum provider_state state, int64_t now_us,
		  uint32_t random)
{
	bool changed = b->state != state;

	if (b->state == PROVIDER_UP || b->probing) {
		b->probes = b->state == PROVIDER_UP ? 0 : b->probes + 1;
		plan_probe(b, now_us, random);
	}
	b->state = state;
	return changed;
}

bool breaker_heard(struct breaker *b, enum provider_state state, int64_t now_us,
		   uint32_t random)
{
	if (state == PROVIDER_UP)
		return close_it(b);
	b->failures++;
	if (b->state == PROVIDER_UP && state == PROVIDER_DOWN &&
	    b->failures < BREAKER_FAILURES)
		return false;
	return breaker_open(b, state, now_us, random);
}

bool breaker_probe(struct breaker *b, int64_t now_us)
{
	if (b->state == PROVIDER_UP || b->probing || now_us < b->probe_at_us)
		return false;
	b->probing = true;
	return true;
}

enum provider_state breaker_health(int status)
{
	switch (status) {
	case 503:
		return PROVIDER_SEALED;
	case 429: /* a standby: it hands on what it is asked */
	case 472:
	case 473:
		return PROVIDER_UP;
	case 501: /* not initialised */
		return PROVIDER_DOWN;
	default:
		/* It answers, even if somebody before it does not let us ask
		 * this. */
		return status >= 200 && status < 500 ? PROVIDER_UP :
						       PROVIDER_DOWN;
	}
}

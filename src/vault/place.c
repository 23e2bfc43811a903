/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How a provider is: what is heard of it, and the probe that asks when it was
 * away. */
#include "vault/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "vault/lease.h"

#include <stdio.h>

#define PROBE_US (INT64_C(5) * 1000000)

/* It is another state now: one line, whatever waits for it. */
static void tell(struct place *p, const char *why)
{
	enum provider_state s = p->breaker.state;

	(void)snprintf(p->why, sizeof(p->why), "%s",
		       s == PROVIDER_UP     ? "" :
		       s == PROVIDER_SEALED ? "it is sealed" :
		       *why                 ? why :
					      "it does not answer");
	if (s == PROVIDER_UP)
		log_info("secrets: provider %s is up", p->p->name);
	else
		log_warn("secrets: provider %s is %s: %s", p->p->name,
			 provider_state_name(s), p->why);
	p->v->host->state(p->v->ctx, p->p->name, s, p->why);
}

static void plan_probe(struct place *p)
{
	bool open = p->breaker.state != PROVIDER_UP;

	if (!p->breaker.probing)
		loop_timer_set(p->probe_at, open ? p->breaker.probe_at_us : -1);
}

void place_heard(struct place *p, enum provider_state state, const char *why)
{
	char text[ANSWER_TEXT_MAX + 1];

	if (breaker_heard(&p->breaker, state, clock_mono_us(), vault_dice())) {
		answer_clean(str_from(why), NULL, text);
		tell(p, text);
		if (p->breaker.state == PROVIDER_UP)
			leases_provider_up(p->v->leases, p->p->name);
	}
	plan_probe(p);
}

void place_open(struct place *p, enum provider_state state, const char *why)
{
	if (breaker_open(&p->breaker, state, clock_mono_us(), vault_dice()))
		tell(p, why);
	plan_probe(p);
}

static void on_probed(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct place *p = ctx;

	place_heard(p, breaker_health(a ? a->status : 0), why ? why->text : "");
}

/* Any answer of sys/health is one; 503 is its word for sealed. */
static void on_probe_at(void *ctx)
{
	struct place *p = ctx;
	struct call_request r = {
		.method = "GET",
		.path = "v1/sys/health",
		.kind = RETRY_MAKES, /* once */
		.deadline_us = clock_mono_us() + PROBE_US,
		.always = true,
		.of_server = true,
	};

	if (!breaker_probe(&p->breaker, clock_mono_us())) {
		plan_probe(p);
		return;
	}
	(void)!call_start(p, &r, on_probed, p); /* until place_end() */
}

void place_begin(struct place *p)
{
	list_init(&p->calls);
	list_init(&p->waiting);
	p->probe_at = loop_timer_new(p->v->loop, on_probe_at, p);
	trust_begin(p);
}

void place_end(struct place *p)
{
	calls_cancel(p);
	loop_timer_free(p->probe_at);
	trust_end(p);
}

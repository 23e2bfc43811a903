/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The tokens of one attempt (`identity` of its task): made when it asks, and
 * again when two thirds of their time are over, as long as it lives.
 */
#include "role/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

enum {
	TOKENS_MAX = 8, /* of an attempt; what a job may ask for, too */
};

/* Where it could not be made: the store is sealed, say. */
#define AGAIN_US INT64_C(5000000)

struct token {
	uint8_t tag;
	uint32_t ttl_s;
	int64_t due_us; /* monotonic */
	char audience[SECRET_REF_PATH_MAX + 1];
};

struct keeper_tokens {
	struct keeper *k;
	const struct grant *g;
	int64_t ends_us;
	keeper_token_fn *fn;
	void *ctx;
	struct loop_timer *timer;
	struct token tokens[TOKENS_MAX];
	size_t n;
	bool told; /* that it cannot be made: once */
};

static int make(struct keeper_tokens *t, struct token *x, struct secret **ret,
		struct err *e)
{
	int64_t expires_us, left_us;

	if (keeper_mint(t->k, t->g, str_from(x->audience), x->ttl_s, t->ends_us,
			ret, &expires_us, e))
		return -1;
	left_us = expires_us - clock_real_us();
	/* one that ends with the attempt is the last */
	x->due_us = expires_us >= t->ends_us - 1000000 ?
			    INT64_MAX :
			    clock_mono_us() + left_us * 2 / 3;
	return 0;
}

static void arm(struct keeper_tokens *t)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < t->n; i++)
		if (t->tokens[i].due_us < due)
			due = t->tokens[i].due_us;
	loop_timer_set(t->timer, due == INT64_MAX ? -1 : due);
}

static void renew(struct keeper_tokens *t, struct token *x)
{
	CLEANUP_SECRET struct secret *token = NULL;
	struct err e;

	if (!make(t, x, &token, &e)) {
		t->told = false;
		if (t->fn(t->ctx, x->tag, token))
			x->due_us = INT64_MAX;
		return;
	}
	x->due_us =
		e.code == ERR_DENIED ? INT64_MAX : clock_mono_us() + AGAIN_US;
	if (!t->told)
		log_warn("attempt %s: no new token: %s", t->g->attempt.s,
			 e.text);
	t->told = true;
}

static void on_timer(void *ctx)
{
	struct keeper_tokens *t = ctx;

	for (size_t i = 0; i < t->n; i++)
		if (t->tokens[i].due_us <= clock_mono_us())
			renew(t, &t->tokens[i]);
	arm(t);
}

struct keeper_tokens *keeper_tokens_new(struct keeper *k, const struct grant *g,
					int64_t ends_us, keeper_token_fn *fn,
					void *ctx)
{
	struct keeper_tokens *t = mem_alloc(sizeof(*t));

	t->k = k;
	t->g = g;
	t->ends_us = ends_us;
	t->fn = fn;
	t->ctx = ctx;
	t->timer = loop_timer_new(k->loop, on_timer, t);
	return t;
}

void keeper_tokens_free(struct keeper_tokens *t)
{
	if (!t)
		return;
	loop_timer_free(t->timer);
	mem_free(t);
}

int keeper_tokens_add(struct keeper_tokens *t, uint8_t tag,
		      const struct secret_ref *ref, bool refresh,
		      struct secret **ret, struct err *e)
{
	struct token *x = &t->tokens[t->n];
	uint64_t ttl_us;

	if (t->n == TOKENS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d tokens", TOKENS_MAX);
	*x = (struct token){.tag = tag};
	memcpy(x->audience, ref->path, sizeof(x->audience));
	if (str_to_duration(str_from(ref->params[0].value), &ttl_us) ||
	    ttl_us > (uint64_t)UINT32_MAX * 1000000)
		return err_set(e, ERR_INVALID, "a token for how long?");
	x->ttl_s = (uint32_t)(ttl_us / 1000000);
	if (make(t, x, ret, e))
		return -1;
	if (!refresh)
		return 0;
	t->n++;
	arm(t);
	return 0;
}

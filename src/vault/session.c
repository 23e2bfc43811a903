/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Logins of a provider: life.c says what is due, this does it; and who waits
 * for one. */
#include "vault/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

/* Known to live such a short time ago it is not doubted again: what it was
 * refused is not allowed. */
#define DOUBT_US (2 * 1000000)

static void say(struct session *s, enum life_event ev,
		const struct life_news *n);

/* It is not the newest any more. */
static void let_go(struct session *s)
{
	struct token *t = s->newest;

	if (!t)
		return;
	s->newest = NULL;
	t->s = NULL;
	token_put(t);
}

/* --- who waits ----------------------------------------------------------- */

static void wait_free(struct token_wait *w)
{
	list_del(&w->link);
	loop_timer_free(w->late);
	mem_free(w);
}

/* t NULL: why.  Whatever is done there, w is not in the list any more. */
static void wait_end(struct token_wait *w, struct token *t,
		     const struct err *why)
{
	list_del(&w->link);
	w->fn(w->ctx, t, why);
	wait_free(w);
}

static void on_late(void *ctx)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "the login takes too long");
	wait_end(ctx, NULL, &e);
}

/* While the provider is away its breaker says when it is asked again; once it
 * is back a login need not wait for the end of its own pause. */
static void hurry(struct session *s)
{
	if (s->away && s->life.state == LIFE_WAITING &&
	    breaker_lets(&s->p->breaker)) {
		s->away = false;
		s->life.next_us = clock_mono_us();
	}
}

/* All who can have one get it; when none will come all hear why. */
static void settle(struct session *s)
{
	hurry(s);
	while (!list_empty(&s->waits)) {
		struct token_wait *w =
			LIST_ENTRY(s->waits.next, struct token_wait, link);

		say(s, LIFE_EV_NEED, NULL);
		if (s->newest && life_usable(&s->life, clock_mono_us())) {
			life_used(&s->life);
			s->newest->n_holders++;
			wait_end(w, s->newest, NULL);
		} else if (!life_coming(&s->life)) {
			wait_end(w, NULL, &s->why);
		} else {
			return;
		}
	}
}

static bool is_over(const struct session *s)
{
	return s->life.state == LIFE_ENDED && !s->signin;
}

static void session_free(struct session *s);

static void on_soon(void *ctx)
{
	struct session *s = ctx;
	struct tokens *all = s->p->tokens;

	settle(s);
	if (!is_over(s))
		return;
	session_free(s);
	tokens_may_be_idle(all);
}

static void settle_soon(struct session *s)
{
	loop_timer_set(s->soon, clock_mono_us());
}

/* --- what is done -------------------------------------------------------- */

static void on_signed_in(void *ctx, struct secret *secret,
			 const struct life_news *news, const struct err *why)
{
	struct session *s = ctx;
	struct token *t;

	s->signin = NULL;
	if (!secret) {
		if (!s->life.failures) /* of several in a row the first */
			log_warn("%s", why->text);
		s->why = *why;
		s->away = !breaker_lets(&s->p->breaker);
		say(s,
		    why->code == ERR_UNAVAILABLE ? LIFE_EV_FAILED :
						   LIFE_EV_REFUSED,
		    NULL);
		return;
	}
	t = token_new(s, secret, news->ours);
	let_go(s);
	s->newest = t;
	s->checked_us = -DOUBT_US;
	say(s, LIFE_EV_IN, news);
}

static void login(struct session *s)
{
	s->signin = signin_start(s->p, s->own ? &s->who : NULL, &s->memory,
				 on_signed_in, s);
}

static void on_renewed(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct session *s = ctx;
	struct life_news n = {.asked_us = s->asked_us};
	struct err e;

	s->call = NULL;
	if (!why && !login_read_renewal(a, &n, &e))
		say(s, LIFE_EV_RENEWED, &n);
	else
		say(s,
		    why && a && why->code != ERR_UNAVAILABLE &&
				    why->code != ERR_LIMIT ?
			    LIFE_EV_REFUSED :
			    LIFE_EV_FAILED,
		    NULL);
}

static void on_checked(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct session *s = ctx;

	s->call = NULL;
	if (!why)
		s->checked_us = clock_mono_us();
	if (!why)
		say(s, LIFE_EV_ALIVE, NULL);
	else
		say(s,
		    a && why->code == ERR_DENIED ? LIFE_EV_REFUSED :
						   LIFE_EV_FAILED,
		    NULL);
}

/* About the newest token, which stays until the answer. */
static void ask(struct session *s, const char *method, const char *path,
		call_fn *fn)
{
	struct call_request r = {.method = method,
				 .path = path,
				 .token = s->newest->secret,
				 .kind = RETRY_READ};

	if (*method == 'P')
		r.body = STR("{}");
	s->asked_us = clock_mono_us();
	s->call = call_start(s->p, &r, fn, s);
}

static void act(struct session *s, enum life_do what)
{
	switch (what) {
	case LIFE_DO_LOGIN:
		login(s);
		break;
	case LIFE_DO_RENEW:
		ask(s, "POST", "v1/auth/token/renew-self", on_renewed);
		break;
	case LIFE_DO_CHECK:
		ask(s, "GET", "v1/auth/token/lookup-self", on_checked);
		break;
	case LIFE_DO_REVOKE: /* when nobody holds it any more: retire() */
		let_go(s);
		say(s, LIFE_EV_REVOKED, NULL);
		break;
	case LIFE_DO_NOTHING:
		break;
	}
}

static uint32_t dice(void)
{
	uint32_t n;

	random_bytes(&n, sizeof(n));
	return n;
}

static void say(struct session *s, enum life_event ev,
		const struct life_news *n)
{
	act(s, life_on(&s->life, ev, clock_mono_us(), dice(), n));
	loop_timer_set(s->due,
		       s->life.next_us == LIFE_NEVER ? -1 : s->life.next_us);
	if (ev != LIFE_EV_NEED && (!list_empty(&s->waits) || is_over(s)))
		settle_soon(s);
}

static void on_due(void *ctx)
{
	say(ctx, LIFE_EV_TIMER, NULL);
}

/* --- sessions ------------------------------------------------------------ */

static struct session *session_new(struct place *p, const struct grant *who)
{
	struct session *s = mem_alloc(sizeof(*s));

	s->p = p;
	s->own = who != NULL;
	if (who)
		s->who = *who;
	life_init(&s->life);
	list_init(&s->waits);
	s->due = loop_timer_new(p->v->loop, on_due, s);
	s->soon = loop_timer_new(p->v->loop, on_soon, s);
	list_push(&p->tokens->sessions, &s->link);
	return s;
}

static void session_free(struct session *s)
{
	LIST_FOR(l, &s->waits)
	wait_free(LIST_ENTRY(l, struct token_wait, link));
	if (s->newest)
		s->newest->s = NULL;
	signin_cancel(s->signin);
	call_cancel(s->call);
	signin_forget(&s->memory);
	loop_timer_free(s->due);
	loop_timer_free(s->soon);
	list_del(&s->link);
	mem_free(s);
}

static struct session *session_of(struct place *p, const struct ulid *attempt)
{
	LIST_FOR(l, &p->tokens->sessions)
	{
		struct session *s = LIST_ENTRY(l, struct session, link);

		if (attempt ? s->own && !memcmp(s->who.attempt.s, attempt->s,
						ULID_LEN) :
			      !s->own)
			return s;
	}
	return NULL;
}

/* A login that is under way is waited for, so that it can be revoked. */
static void session_end(struct session *s)
{
	err_set(&s->why, ERR_UNAVAILABLE, "that has ended");
	call_cancel(s->call);
	s->call = NULL;
	say(s, LIFE_EV_STOP, NULL);
	let_go(s);
}

struct token_wait *token_get(struct place *p, const struct grant *who,
			     int64_t deadline_us, token_fn *fn, void *ctx)
{
	struct token_wait *w = mem_alloc(sizeof(*w));
	struct session *s;

	if (!login_methods[p->p->auth].identity)
		who = NULL;
	s = session_of(p, who ? &who->attempt : NULL);
	if (!s) {
		s = session_new(p, who);
		if (p->tokens->stopping)
			session_end(s);
	}
	*w = (struct token_wait){
		.s = s, .deadline_us = deadline_us, .fn = fn, .ctx = ctx};
	w->late = loop_timer_new(p->v->loop, on_late, w);
	loop_timer_set(w->late, deadline_us);
	list_push(&s->waits, &w->link);
	settle_soon(s);
	return w;
}

void token_wait_cancel(struct token_wait *w)
{
	if (w)
		wait_free(w);
}

/* One that is not the newest any more, or was never doubted: the next one may
 * do. */
bool token_refused(struct token *t)
{
	struct session *s = t->s;

	if (!s)
		return true;
	if (clock_mono_us() - s->checked_us < DOUBT_US)
		return false;
	say(s, LIFE_EV_DENIED, NULL);
	return true;
}

void token_doom(struct place *p, const struct secret *value)
{
	LIST_FOR(l, &p->tokens->tokens)
	{
		struct token *t = LIST_ENTRY(l, struct token, link);
		struct session *s = t->s;

		if (!s || !secret_eq(t->secret, value))
			continue;
		life_init(&s->life);
		loop_timer_set(s->due, -1);
		call_cancel(s->call);
		s->call = NULL;
		signin_cancel(s->signin);
		s->signin = NULL;
		let_go(s);
		if (!list_empty(&s->waits))
			settle_soon(s);
		return;
	}
}

void token_attempt_ended(struct place *p, const struct ulid *attempt)
{
	struct session *s = session_of(p, attempt);

	if (s)
		session_end(s);
}

/* --- all of a place ------------------------------------------------------ */

void tokens_stop(struct place *p, void (*idle)(void *ctx), void *ctx)
{
	struct tokens *all = p->tokens;

	all->stopping = true;
	all->idle = idle;
	all->idle_ctx = ctx;
	LIST_FOR(l, &all->sessions)
	session_end(LIST_ENTRY(l, struct session, link));
	tokens_may_be_idle(all);
}

void token_end(struct place *p)
{
	struct tokens *all = p->tokens;

	all->idle = NULL;
	LIST_FOR(l, &all->sessions)
	session_free(LIST_ENTRY(l, struct session, link));
	tokens_forget(all);
	mem_free(all);
	p->tokens = NULL;
}

const char *tokens_state(const struct place *p)
{
	LIST_FOR(l, &p->tokens->sessions)
	{
		const struct session *s = LIST_ENTRY(l, struct session, link);

		if (!s->own)
			return life_state_name(s->life.state);
	}
	return life_state_name(LIFE_NONE);
}

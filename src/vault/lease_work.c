/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What leases and logins ask their providers: renew, revoke. */
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "vault/lease_internal.h"

#include <stdio.h>

static struct place *place_of(const struct lease_login *g)
{
	return g->l->host->place(g->l->ctx, g->provider);
}

/* --- leases --------------------------------------------------------------- */

static void heard(struct lease *le, enum lease_event ev, int64_t duration_s)
{
	enum lease_state before = le->life.state;

	lease_heard(&le->life, ev, duration_s * 1000000, clock_mono_us(),
		    lease_dice());
	if (le->life.state == LEASE_STUCK && before != LEASE_STUCK)
		log_warn("provider %s: a lease of %s (attempt %s) could not "
			 "be revoked and ends by itself",
			 le->rec.provider, le->rec.path, le->rec.attempt.s);
	leases_wake(le->l);
}

/* What the provider said, as an event. */
static enum lease_event event_of(const struct err *why, enum lease_event good,
				 enum lease_event unknown,
				 enum lease_event denied)
{
	if (!why)
		return good;
	if (why->code == ERR_DENIED)
		return denied;
	return why->code == ERR_INVALID || why->code == ERR_NOT_FOUND ?
		       unknown :
		       LEASE_AWAY;
}

/*
 * A login that may not revoke one lease may revoke itself, with all leases
 * under it: it is for nothing new any more, and goes when its last living
 * lease does.
 */
static void goes_with_login(const struct lease *le)
{
	struct lease_login *g = le->login;
	struct place *p = place_of(g);

	if (g->ours && !g->foster && p)
		le->l->host->doom(le->l->ctx, p, g->token);
}

static void on_revoked(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct lease *le = ctx;
	enum lease_event ev =
		event_of(why, LEASE_REVOKED, LEASE_REVOKED, LEASE_NOT_OURS);

	(void)a;
	le->call = NULL;
	CRASH_POINT("keeper.lease-revoked");
	if (ev == LEASE_NOT_OURS)
		goes_with_login(le);
	heard(le, ev, 0);
}

static void on_renewed(void *ctx, struct vault_answer *a, const struct err *why)
{
	struct lease *le = ctx;
	enum lease_event ev =
		event_of(why, LEASE_RENEWED, LEASE_REFUSED, LEASE_REFUSED);

	le->call = NULL;
	/* One that somebody wants revoked meanwhile lives no longer for it. */
	if (le->life.state == LEASE_ENDING)
		return leases_wake(le->l);
	if (ev == LEASE_REFUSED)
		log_info("provider %s: a lease of %s is not renewed: %s",
			 le->rec.provider, le->rec.path, why->text);
	heard(le, ev, ev == LEASE_RENEWED ? a->lease_duration_s : 0);
	if (ev != LEASE_RENEWED)
		return;
	le->rec.renewable = a->renewable;
	if (!a->renewable && le->life.state == LEASE_OPEN)
		lease_heard(&le->life, LEASE_REFUSED, 0, clock_mono_us(), 0);
	lease_note_renewed(le);
}

static struct call *ask(struct lease *le, const char *path, const char *more,
			call_fn *fn)
{
	struct place *p = place_of(le->login);
	CLEANUP_BUF struct buf body = BUF_INIT(4096);
	struct call_request r = {.method = "POST",
				 .path = path,
				 .token = le->login->token,
				 .kind = RETRY_READ};

	if (!p)
		return NULL;
	buf_puts(&body, "{\"lease_id\":\"");
	buf_json(&body, str_from(le->rec.lease_id));
	buf_printf(&body, "\",%s}", more);
	r.body = buf_view(&body);
	return call_start(p, &r, fn, le);
}

static void revoke(struct lease *le)
{
	le->call = ask(le, "v1/sys/leases/revoke", "\"sync\":true", on_revoked);
	if (!le->call) /* the settings have no such provider any more */
		heard(le, LEASE_NOT_OURS, 0);
}

static void renew(struct lease *le)
{
	char more[48];

	(void)snprintf(more, sizeof(more), "\"increment\":%lld",
		       (long long)(le->life.duration_us / 1000000));
	le->call = ask(le, "v1/sys/leases/renew", more, on_renewed);
	if (!le->call)
		heard(le, LEASE_REFUSED, 0);
}

static void read_anew(struct lease *le, int64_t now)
{
	/* It says lease_replaced() when it has another. */
	le->life.at_us = now + lease_backoff_us(++le->life.tries, lease_dice());
	if (le->again)
		le->again(le->ctx, le);
}

static void work_lease(struct lease *le, int64_t now)
{
	if (le->call)
		return;
	switch (lease_due(&le->life, now)) {
	case LEASE_DO_RENEW:
		renew(le);
		break;
	case LEASE_DO_READ:
		read_anew(le, now);
		break;
	case LEASE_DO_REVOKE:
		revoke(le);
		break;
	case LEASE_DO_FORGET:
		lease_forget(le);
		break;
	case LEASE_WAIT:
	default:
		break;
	}
}

/* --- logins --------------------------------------------------------------- */

/* It is going, with whatever is under it. */
static bool going(const struct lease_login *g)
{
	return g->foster && g->ours && !g->kept && !g->n_needed;
}

static void login_away(struct lease_login *g)
{
	g->at_us = clock_mono_us() + lease_backoff_us(++g->tries, lease_dice());
	leases_wake(g->l);
}

static void on_login_revoked(void *ctx, struct vault_answer *a,
			     const struct err *why)
{
	struct lease_login *g = ctx;

	(void)a;
	g->call = NULL;
	if (why && why->code == ERR_INVALID) {
		g->kept = true; /* a batch token: each lease by itself */
		leases_wake(g->l);
	} else if (!why || why->code == ERR_DENIED ||
		   why->code == ERR_NOT_FOUND) {
		/* Revoked, or dead before, and with it what was under it. */
		login_forget(g);
	} else {
		login_away(g);
	}
}

static void on_login_renewed(void *ctx, struct vault_answer *a,
			     const struct err *why)
{
	struct lease_login *g = ctx;
	int64_t now = clock_mono_us();

	g->call = NULL;
	if (why && why->code == ERR_UNAVAILABLE) {
		login_away(g);
		return;
	}
	g->tries = 0;
	if (why || !a->auth || !a->auth->renewable ||
	    !a->auth->lease_duration_s)
		g->renewable = false;
	else
		g->at_us = lease_renew_at(
			now, now + a->auth->lease_duration_s * 1000000,
			lease_dice());
	leases_wake(g->l);
}

static void ask_login(struct lease_login *g, struct place *p, const char *path,
		      call_fn *fn)
{
	struct call_request r = {.method = "POST",
				 .path = path,
				 .token = g->token,
				 .body = STR("{}"),
				 .kind = RETRY_READ};

	g->call = call_start(p, &r, fn, g);
}

static void end_login(struct lease_login *g, struct place *p, int64_t now)
{
	if (!g->ours || g->kept || !p) {
		if (!g->n_leases)
			login_forget(g);
	} else if (!g->tries || now >= g->at_us) {
		ask_login(g, p, "v1/auth/token/revoke-self", on_login_revoked);
	}
}

static void work_login(struct lease_login *g, int64_t now)
{
	struct place *p;

	if (g->call || !g->foster || !g->l->settled)
		return;
	p = place_of(g);
	/* Each lease by itself first: that is done when it is answered, and the
	 * end of a login is not. */
	if (!g->n_needed && !g->n_ending)
		end_login(g, p, now);
	else if (g->n_needed && p && g->renewable && now >= g->at_us)
		ask_login(g, p, "v1/auth/token/renew-self", on_login_renewed);
}

/* --- all of it ------------------------------------------------------------ */

static void count(struct leases *l)
{
	LIST_FOR(at, &l->logins)
	{
		struct lease_login *g =
			LIST_ENTRY(at, struct lease_login, link);

		g->n_needed = g->pending;
		g->n_leases = g->n_ending = 0;
	}
	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		le->login->n_leases++;
		le->login->n_needed += le->life.state <= LEASE_KEPT;
		le->login->n_ending +=
			le->life.state == LEASE_ENDING && !le->life.tries;
	}
}

static void sooner(int64_t *next, int64_t at, int64_t now)
{
	/* What is due and was not done waits for something else. */
	if (at > now && (*next < 0 || at < *next))
		*next = at;
}

static int64_t next_time(struct leases *l, int64_t now, bool *ret_busy)
{
	int64_t next = -1;

	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		*ret_busy |= le->call || le->life.state == LEASE_ENDING;
		if (!le->call) {
			sooner(&next, le->life.at_us, now);
			sooner(&next, le->life.ends_us, now);
		}
	}
	LIST_FOR(at, &l->logins)
	{
		struct lease_login *g =
			LIST_ENTRY(at, struct lease_login, link);

		*ret_busy |= g->call || g->pending || going(g);
		if (!g->call && g->foster)
			sooner(&next, g->at_us, now);
	}
	return next;
}

void leases_work(struct leases *l)
{
	int64_t now = clock_mono_us();
	bool busy = false;

	if (l->journal && l->settled) {
		count(l);
		LIST_FOR(at, &l->logins)
		work_login(LIST_ENTRY(at, struct lease_login, link), now);
		LIST_FOR(at, &l->leases)
		work_lease(LIST_ENTRY(at, struct lease, link), now);
		count(l);
		loop_timer_set(l->timer, next_time(l, now, &busy));
	}
	if (l->stopping && !busy && l->idle) {
		void (*idle)(void *) = l->idle;

		l->idle = NULL;
		idle(l->idle_ctx);
	}
}

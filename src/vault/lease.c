/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The tables of logins and leases, and what of them is on disk. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vault/lease_internal.h"

#include <stdio.h>
#include <string.h>

enum {
	LEASE_LEAST_S = 1,
	LEASE_MOST_S = 10 * 366 * 86400
};

uint32_t lease_dice(void)
{
	uint32_t n;

	random_bytes(&n, sizeof(n));
	return n;
}

static void on_timer(void *ctx)
{
	leases_work(ctx);
}

struct leases *leases_new(struct loop *loop, const struct leases_host *host,
			  void *ctx)
{
	struct leases *l = mem_alloc(sizeof(*l));

	l->loop = loop;
	l->host = host;
	l->ctx = ctx;
	l->timer = loop_timer_new(loop, on_timer, l);
	l->alive = map_new();
	list_init(&l->logins);
	list_init(&l->leases);
	return l;
}

void lease_free(struct lease *le)
{
	call_cancel(le->call);
	list_del(&le->link);
	le->l->n_leases--;
	if (le->gone)
		le->gone(le->ctx, le->life.refresh);
	mem_free(le);
}

void login_free(struct lease_login *g)
{
	call_cancel(g->call);
	secret_free(g->token);
	list_del(&g->link);
	mem_free(g);
}

void leases_free(struct leases *l)
{
	if (!l)
		return;
	LIST_FOR(at, &l->leases)
	{
		lease_release(LIST_ENTRY(at, struct lease, link));
		lease_free(LIST_ENTRY(at, struct lease, link));
	}
	LIST_FOR(at, &l->logins)
	login_free(LIST_ENTRY(at, struct lease_login, link));
	loop_timer_free(l->timer);
	journal_free(l->journal);
	map_free(l->alive, NULL);
	mem_free(l);
}

void leases_wake(struct leases *l)
{
	loop_timer_set(l->timer, clock_mono_us());
}

void leases_changed(struct leases *l)
{
	l->host->changed(l->ctx);
	leases_wake(l);
}

size_t leases_count(const struct leases *l)
{
	return l->n_leases;
}

/* --- the tables ---------------------------------------------------------- */

struct lease_login *login_by_number(struct leases *l, uint64_t number)
{
	LIST_FOR(at, &l->logins)
	{
		struct lease_login *g =
			LIST_ENTRY(at, struct lease_login, link);

		if (g->number == number)
			return g;
	}
	return NULL;
}

struct lease *lease_by_id(struct leases *l, const char *id)
{
	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		if (!strcmp(le->rec.id.s, id))
			return le;
	}
	return NULL;
}

struct lease_login *login_new(struct leases *l, const struct journal_record *r,
			      struct err *e)
{
	struct secret_view v = secret_bytes(r->token);
	struct secret *copy;
	struct lease_login *g;

	if (secret_new(v.bytes, v.n_bytes, 0, &copy, e))
		return NULL;
	g = mem_alloc(sizeof(*g));
	g->l = l;
	g->number = r->login;
	g->attempt = r->attempt;
	g->token = copy;
	g->ours = r->ours;
	memcpy(g->provider, r->provider, sizeof(g->provider));
	list_push(&l->logins, &g->link);
	if (r->login > l->last_login)
		l->last_login = r->login;
	return g;
}

struct lease *lease_new(struct lease_login *g, const struct journal_record *r)
{
	struct lease *le = mem_alloc(sizeof(*le));

	le->l = g->l;
	le->login = g;
	le->rec = *r;
	le->life.renewable = r->renewable;
	le->life.keep = r->keep;
	list_push(&g->l->leases, &le->link);
	g->l->n_leases++;
	return le;
}

void lease_forget(struct lease *le)
{
	struct journal_record r = {.what = JOURNAL_LEASE_GONE,
				   .id = le->rec.id};
	struct leases *l = le->l;

	lease_free(le);
	lease_note_history(l, &r);
	leases_changed(l);
}

void login_forget(struct lease_login *g)
{
	struct journal_record r = {.what = JOURNAL_LOGIN_GONE,
				   .login = g->number};
	struct leases *l = g->l;

	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		if (le->login == g)
			lease_forget(le);
	}
	login_free(g);
	lease_note_history(l, &r);
	leases_wake(l);
}

static int copy(char *to, size_t size, const char *from)
{
	int n = snprintf(to, size, "%s", from);

	return n < 0 || (size_t)n >= size ? -1 : 0;
}

/* --- requests ------------------------------------------------------------- */

static struct lease_login *login_find(struct leases *l, const char *provider,
				      const struct secret *token)
{
	LIST_FOR(at, &l->logins)
	{
		struct lease_login *g =
			LIST_ENTRY(at, struct lease_login, link);

		if (!strcmp(g->provider, provider) &&
		    secret_eq(g->token, token))
			return g;
	}
	return NULL;
}

int lease_prepare(struct leases *l, const struct lease_under *u,
		  struct lease_login **ret, struct err *e)
{
	struct journal_record r = {.what = JOURNAL_LOGIN,
				   .login = l->last_login + 1,
				   .token = u->token,
				   .ours = u->ours};
	struct lease_login *g;

	if (!l->journal || l->stopping)
		return err_set(e, ERR_UNAVAILABLE,
			       l->stopping ? "the server is being stopped" :
					     "the local store is sealed, and "
					     "with it the journal of leases");
	g = login_find(l, u->provider, u->token);
	if (!g) {
		(void)!copy(r.provider, sizeof(r.provider), u->provider);
		if (u->attempt)
			r.attempt = *u->attempt;
		if (lease_note(l, &r, true, e))
			return -1;
		g = login_new(l, &r, e);
		if (!g)
			return -1;
	}
	g->pending++;
	*ret = g;
	return 0;
}

void lease_none(struct lease_login *g)
{
	g->pending--;
	leases_wake(g->l);
}

void lease_lost(struct lease_login *g)
{
	struct place *p = g->l->host->place(g->l->ctx, g->provider);

	if (p && g->ours && !g->foster)
		g->l->host->doom(g->l->ctx, p, g->token);
	if (!g->ours)
		log_warn("provider %s: an answer was lost, and with it perhaps "
			 "a lease that only ends by itself: its login is not "
			 "ours to revoke",
			 g->provider);
	lease_none(g);
}

static int64_t bounded_us(int64_t duration_s)
{
	if (duration_s < LEASE_LEAST_S)
		duration_s = LEASE_LEAST_S;
	if (duration_s > LEASE_MOST_S)
		duration_s = LEASE_MOST_S;
	return duration_s * 1000000;
}

int lease_made(struct lease_login *g, const struct lease_new *n,
	       struct lease **ret, struct err *e)
{
	struct journal_record r = {.what = JOURNAL_LEASE,
				   .login = g->number,
				   .attempt = n->who->attempt,
				   .run = n->who->who.run,
				   .id = ulid_new(),
				   .made_us = clock_real_us(),
				   .renewable = n->renewable,
				   .keep = n->keep};
	int64_t us = bounded_us(n->duration_s);
	struct lease *le;
	int bad;

	r.expires_us = r.made_us + us;
	memcpy(r.provider, g->provider, sizeof(r.provider));
	if (copy(r.lease_id, sizeof(r.lease_id), n->lease_id) ||
	    copy(r.project, sizeof(r.project), n->who->project) ||
	    copy(r.path, sizeof(r.path), n->path)) {
		lease_lost(g);
		return err_set(e, ERR_LIMIT, "the lease's id is too long");
	}
	bad = lease_note(g->l, &r, true, e);
	le = lease_new(g, &r);
	le->alive = !bad;
	if (!bad) {
		le->again = n->again;
		le->gone = n->gone;
		le->ctx = n->ctx;
	}
	le->life.refresh = le->again != NULL;
	lease_begin(&le->life, us, clock_mono_us(), lease_dice());
	if (bad)
		lease_heard(&le->life, LEASE_ENDED, 0, clock_mono_us(), 0);
	g->pending--;
	leases_changed(g->l);
	if (!bad)
		*ret = le;
	return bad;
}

/* Nothing new is to come in its place. */
static void unwanted(struct lease *le)
{
	le->again = NULL;
	le->life.refresh = false;
}

void lease_release(struct lease *le)
{
	if (!le)
		return;
	unwanted(le);
	le->gone = NULL;
}

/* --- ends ----------------------------------------------------------------- */

static void end(struct lease *le)
{
	le->alive = false;
	unwanted(le);
	if (le->life.keep && le->life.state <= LEASE_LAST) {
		le->life.state = LEASE_KEPT;
		le->life.at_us = le->life.ends_us;
	} else if (le->life.state != LEASE_KEPT) {
		lease_heard(&le->life, LEASE_ENDED, 0, clock_mono_us(), 0);
	}
	leases_wake(le->l);
}

void lease_replaced(struct lease *le)
{
	lease_release(le);
	lease_heard(&le->life, LEASE_READ, 0, clock_mono_us(), 0);
	leases_wake(le->l);
}

void leases_attempt_ended(struct leases *l, const struct ulid *attempt)
{
	(void)map_del(l->alive, str_from(attempt->s));
	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		if (!strcmp(le->rec.attempt.s, attempt->s))
			end(le);
	}
}

void leases_attempt_alive(struct leases *l, const struct ulid *attempt)
{
	(void)map_put(l->alive, str_from(attempt->s), l);
}

void leases_settle(struct leases *l)
{
	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		if (!map_get(l->alive, str_from(le->rec.attempt.s)))
			end(le);
	}
	leases_wake(l);
}

void leases_alive_end(struct leases *l)
{
	l->settled = true;
	if (l->journal)
		leases_settle(l);
}

void leases_provider_up(struct leases *l, const char *provider)
{
	int64_t now = clock_mono_us();

	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		if (strcmp(le->rec.provider, provider))
			continue;
		if (le->life.state == LEASE_STUCK)
			lease_heard(&le->life, LEASE_ENDED, 0, now, 0);
		if (le->life.tries)
			le->life.at_us = now;
	}
	LIST_FOR(at, &l->logins)
	{
		struct lease_login *g =
			LIST_ENTRY(at, struct lease_login, link);

		if (!strcmp(g->provider, provider) && g->tries)
			g->at_us = now;
	}
	leases_wake(l);
}

bool lease_takes_login(struct leases *l, const char *provider,
		       const struct secret *token)
{
	struct lease_login *g = login_find(l, provider, token);

	if (!g)
		return false;
	g->foster = true;
	g->renewable = true;
	g->at_us = clock_mono_us();
	leases_wake(l);
	return true;
}

void leases_stop(struct leases *l, void (*idle)(void *ctx), void *ctx)
{
	l->stopping = l->settled = true;
	l->idle = idle;
	l->idle_ctx = ctx;
	LIST_FOR(at, &l->leases)
	end(LIST_ENTRY(at, struct lease, link));
	leases_wake(l);
}

int leases_revoke(struct leases *l, const char *id)
{
	struct lease *le = lease_by_id(l, id);

	if (!le)
		return -1;
	unwanted(le);
	lease_heard(&le->life, LEASE_ENDED, 0, clock_mono_us(), 0);
	leases_wake(l);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Logins and leases on disk: written down, and found again after a start. */
#include "base/clock.h"
#include "base/log.h"
#include "vault/lease_internal.h"

#include <string.h>

enum {
	/* History in the journal that is not worth a new file. */
	HISTORY = 1000
};

/* --- writing -------------------------------------------------------------- */

static struct journal_record login_record(const struct lease_login *g)
{
	struct journal_record r = {.what = JOURNAL_LOGIN,
				   .login = g->number,
				   .attempt = g->attempt,
				   .token = g->token,
				   .ours = g->ours};

	memcpy(r.provider, g->provider, sizeof(r.provider));
	return r;
}

/* All that is, into a new file. */
static int write_anew(struct leases *l, struct err *e)
{
	if (journal_renew(l->journal, e))
		return -1;
	LIST_FOR(at, &l->logins)
	{
		struct lease_login *g =
			LIST_ENTRY(at, struct lease_login, link);
		struct journal_record r = login_record(g);

		if (journal_append(l->journal, &r, false, e))
			return -1;
	}
	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		if (journal_append(l->journal, &le->rec, false, e))
			return -1;
	}
	return journal_renewed(l->journal, e);
}

int lease_note(struct leases *l, const struct journal_record *r, bool sync,
	       struct err *e)
{
	size_t n = journal_records(l->journal);

	if ((journal_failed(l->journal) || n > HISTORY + 4 * l->n_leases) &&
	    write_anew(l, e)) {
		if (journal_failed(l->journal))
			return -1;
		log_warn("leases: %s", e->text); /* the old one still works */
	}
	return journal_append(l->journal, r, sync, e);
}

void lease_note_history(struct leases *l, const struct journal_record *r)
{
	struct err e;

	if (lease_note(l, r, false, &e))
		log_warn("leases: %s", e.text);
}

void lease_note_renewed(struct lease *le)
{
	struct journal_record r = {.what = JOURNAL_RENEWED,
				   .id = le->rec.id,
				   .renewable = le->rec.renewable,
				   .keep = le->rec.keep};

	le->rec.expires_us =
		clock_real_us() + le->life.ends_us - clock_mono_us();
	r.expires_us = le->rec.expires_us;
	lease_note_history(le->l, &r);
}

/* --- what the journal has ------------------------------------------------- */

/* An earlier keeper's login: ours to see to, as nobody else knows it. */
static void heard_login(struct leases *l, const struct journal_record *r)
{
	struct lease_login *g;
	struct err e;

	if (login_by_number(l, r->login))
		return;
	g = login_new(l, r, &e);
	if (!g) {
		log_error("a login of the journal: %s", e.text);
		return;
	}
	g->foster = true;
	g->renewable = true; /* until the provider says otherwise */
}

static void heard_lease(struct leases *l, const struct journal_record *r)
{
	struct lease_login *g = login_by_number(l, r->login);

	if (g && !lease_by_id(l, r->id.s))
		(void)lease_new(g, r);
}

static void heard_renewed(struct leases *l, const struct journal_record *r)
{
	struct lease *le = lease_by_id(l, r->id.s);

	if (le)
		le->rec.expires_us = r->expires_us;
}

static void heard_gone(struct leases *l, const struct journal_record *r)
{
	struct lease *le = lease_by_id(l, r->id.s);

	if (le)
		lease_free(le);
}

static void heard_login_gone(struct leases *l, const struct journal_record *r)
{
	struct lease_login *g = login_by_number(l, r->login);

	if (!g)
		return;
	LIST_FOR(at, &l->leases)
	{
		struct lease *le = LIST_ENTRY(at, struct lease, link);

		if (le->login == g)
			lease_free(le);
	}
	login_free(g);
}

static void (*const hear[N_JOURNAL_WHATS])(struct leases *,
					   const struct journal_record *) = {
	[JOURNAL_LOGIN] = heard_login,
	[JOURNAL_LOGIN_GONE] = heard_login_gone,
	[JOURNAL_LEASE] = heard_lease,
	[JOURNAL_RENEWED] = heard_renewed,
	[JOURNAL_LEASE_GONE] = heard_gone,
};

static void on_record(void *ctx, const struct journal_record *r)
{
	hear[r->what](ctx, r);
}

/* By its own clock; what the journal does not know of (a renewal that was not
 * written) makes it longer, and it is revoked or renewed all the same. */
static void start_life(struct lease *le)
{
	int64_t left = le->rec.expires_us - clock_real_us();
	int64_t whole = le->rec.expires_us - le->rec.made_us;

	le->alive = !le->l->settled ||
		    map_get(le->l->alive, str_from(le->rec.attempt.s));
	lease_begin(&le->life, left > 0 ? left : 0, clock_mono_us(),
		    lease_dice());
	le->life.duration_us = whole > 0 ? whole : 0;
}

int leases_open(struct leases *l, int dir, const struct secret *key,
		struct err *e)
{
	size_t lost;

	if (l->journal) /* sealed and unsealed: it is the same */
		return 0;
	if (journal_open(dir, key, on_record, l, &l->journal, &lost, e))
		return -1;
	if (lost)
		log_error("leases: %zu records of the journal do not open; it "
			  "is kept as leases.bad",
			  lost);
	if (write_anew(l, e))
		log_error("leases: %s", e->text); /* tried again */
	LIST_FOR(at, &l->leases)
	start_life(LIST_ENTRY(at, struct lease, link));
	if (l->settled)
		leases_settle(l);
	leases_changed(l);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See life.h: one table, one small function for each of its cells. */
#include "vault/life.h"

#include "base/attr.h"

#include <assert.h>
#include <stddef.h>

#define SECOND_US    ((int64_t)1000000)
#define SOONEST_US   SECOND_US        /* no timer comes sooner than this */
#define SLACK_MAX_US (2 * SECOND_US)  /* a request on its way takes so long */
#define PAUSE_MAX_US (60 * SECOND_US) /* between two tries */
#define TTL_MAX_S    ((uint64_t)10 * 366 * 86400)

struct step {
	struct life *t;
	int64_t now_us;
	uint32_t dice;
	const struct life_news *news;
};

/* --- when ---------------------------------------------------------------- */

/* From 0 to span - 1. */
static int64_t roll(const struct step *s, int64_t span)
{
	return span > 0 ?
		       (int64_t)(((uint64_t)s->dice * (uint64_t)span) >> 32) :
		       0;
}

static int64_t left(const struct step *s)
{
	return s->t->expires_us - s->now_us;
}

static int64_t span(const struct life *t)
{
	return (int64_t)t->first_ttl_s * SECOND_US;
}

/* The last tenth: renewing is given up there. */
static int64_t grace(const struct life *t)
{
	return span(t) / 10;
}

static void in(const struct step *s, int64_t us)
{
	s->t->next_us = s->now_us + (us < SOONEST_US ? SOONEST_US : us);
}

/* Two thirds of what is left, and up to a thirtieth more. */
static void plan(const struct step *s)
{
	if (s->t->expires_us == LIFE_NEVER) {
		s->t->next_us = LIFE_NEVER;
		return;
	}
	in(s, left(s) / 3 * 2 + roll(s, left(s) / 30));
}

/* 1 s, 2 s, 4 s ... a minute; each from half of it to all of it. */
static int64_t pause(const struct step *s)
{
	unsigned n = s->t->failures > 6 ? 6 : s->t->failures;
	int64_t us = SECOND_US << (n ? n - 1 : 0);

	us = us > PAUSE_MAX_US ? PAUSE_MAX_US : us;
	return us / 2 + roll(s, us / 2);
}

/* --- the cells ----------------------------------------------------------- */

static enum life_do nothing(const struct step *s)
{
	(void)s;
	return LIFE_DO_NOTHING;
}

static enum life_do become(const struct step *s, enum life_state state,
			   enum life_do what)
{
	s->t->state = state;
	s->t->next_us = LIFE_NEVER;
	return what;
}

static enum life_do login(const struct step *s)
{
	return become(s, LIFE_LOGIN, LIFE_DO_LOGIN);
}

static enum life_do replace(const struct step *s)
{
	return become(s, LIFE_REPLACING, LIFE_DO_LOGIN);
}

/* Somebody wants it: it serves, or there is a login first. */
static enum life_do need(const struct step *s)
{
	return life_usable(s->t, s->now_us) ? LIFE_DO_NOTHING : login(s);
}

static enum life_do need_later(const struct step *s)
{
	return s->now_us < s->t->next_us ? LIFE_DO_NOTHING : login(s);
}

static void learn(const struct step *s)
{
	const struct life_news *n = s->news;
	struct life *t = s->t;
	uint64_t ttl = n->ttl_s > TTL_MAX_S ? TTL_MAX_S : n->ttl_s;

	t->expires_us =
		ttl ? n->asked_us + (int64_t)ttl * SECOND_US : LIFE_NEVER;
	t->failures = 0;
}

static enum life_do logged_in(const struct step *s)
{
	struct life *t = s->t;

	learn(s);
	t->first_ttl_s =
		s->news->ttl_s > TTL_MAX_S ? TTL_MAX_S : s->news->ttl_s;
	t->uses_left = s->news->uses ? s->news->uses : UINT64_MAX;
	t->renewable = s->news->renewable;
	t->ours = s->news->ours;
	t->capped = false;
	t->generation++;
	(void)become(s, LIFE_GOOD, LIFE_DO_NOTHING);
	plan(s);
	return LIFE_DO_NOTHING;
}

/* Less than it had at first: the longest life of the token is near, and each
 * renewal would bring less. */
static enum life_do renewed(const struct step *s)
{
	struct life *t = s->t;

	learn(s);
	t->capped = s->news->ttl_s && s->news->ttl_s * 10 < t->first_ttl_s * 9;
	t->renewable = s->news->renewable;
	(void)become(s, LIFE_GOOD, LIFE_DO_NOTHING);
	plan(s);
	return LIFE_DO_NOTHING;
}

/* A renewal is a use as well. */
static bool worth_renewing(const struct life *t)
{
	return t->renewable && !t->capped && t->uses_left > 1;
}

static enum life_do due(const struct step *s)
{
	if (s->now_us < s->t->next_us)
		return LIFE_DO_NOTHING;
	if (s->t->expires_us == LIFE_NEVER)
		return become(s, LIFE_GOOD, LIFE_DO_NOTHING);
	if (!worth_renewing(s->t) || left(s) <= grace(s->t))
		return replace(s);
	life_used(s->t);
	return become(s, LIFE_RENEWING, LIFE_DO_RENEW);
}

/* No login before the pause is over, whoever wants one. */
static enum life_do wait(const struct step *s)
{
	s->t->failures++;
	(void)become(s, LIFE_WAITING, LIFE_DO_NOTHING);
	in(s, pause(s));
	return LIFE_DO_NOTHING;
}

/* The token serves on; the timer asks again what is to be done. */
static enum life_do serve_on(const struct step *s)
{
	int64_t us;

	s->t->failures++;
	(void)become(s, LIFE_GOOD, LIFE_DO_NOTHING);
	us = pause(s);
	/* not beyond the grace, unless that has begun */
	if (left(s) > grace(s->t) && us > left(s) - grace(s->t))
		us = left(s) - grace(s->t);
	in(s, us);
	return LIFE_DO_NOTHING;
}

/* It serves while it lives. */
static enum life_do not_replaced(const struct step *s)
{
	return life_usable(s->t, s->now_us) ? serve_on(s) : wait(s);
}

/* Its holder was refused: whether it lives is asked once, for all. */
static enum life_do check(const struct step *s)
{
	life_used(s->t);
	return become(s, LIFE_CHECKING, LIFE_DO_CHECK);
}

static enum life_do alive(const struct step *s)
{
	(void)become(s, LIFE_GOOD, LIFE_DO_NOTHING);
	s->t->failures = 0;
	plan(s);
	return LIFE_DO_NOTHING;
}

/* The pause is over; how many failed is remembered until one does not. */
static enum life_do pause_over(const struct step *s)
{
	if (s->now_us < s->t->next_us)
		return LIFE_DO_NOTHING;
	return become(s, LIFE_NONE, LIFE_DO_NOTHING);
}

static enum life_do end(const struct step *s)
{
	return become(s, LIFE_ENDED, LIFE_DO_NOTHING);
}

/* A login that was under way when the end came: it goes as well, and whoever
 * has its bytes knows whether there is somebody to tell. */
static enum life_do too_late(const struct step *s)
{
	return become(s, LIFE_REVOKING, LIFE_DO_REVOKE);
}

/* What was given to us is left as it was. */
static enum life_do stop(const struct step *s)
{
	if (!s->t->ours)
		return end(s);
	return become(s, LIFE_REVOKING, LIFE_DO_REVOKE);
}

/* Where nothing is written, nothing is done: of NEED, TIMER and DENIED; the
 * others may not come there. */
static const struct {
	enum life_state state;
	enum life_event event;
	enum life_do (*cell)(const struct step *s);
} table[] = {
	{LIFE_NONE,      LIFE_EV_NEED,    login       },
	{LIFE_NONE,      LIFE_EV_STOP,    end         },

	{LIFE_LOGIN,     LIFE_EV_IN,      logged_in   },
	{LIFE_LOGIN,     LIFE_EV_FAILED,  wait        },
	{LIFE_LOGIN,     LIFE_EV_REFUSED, wait        },
	{LIFE_LOGIN,     LIFE_EV_STOP,    end         },

	{LIFE_GOOD,      LIFE_EV_NEED,    need        },
	{LIFE_GOOD,      LIFE_EV_TIMER,   due         },
	{LIFE_GOOD,      LIFE_EV_DENIED,  check       },
	{LIFE_GOOD,      LIFE_EV_STOP,    stop        },

	{LIFE_RENEWING,  LIFE_EV_RENEWED, renewed     },
	{LIFE_RENEWING,  LIFE_EV_FAILED,  serve_on    },
	{LIFE_RENEWING,  LIFE_EV_REFUSED, replace     },
	{LIFE_RENEWING,  LIFE_EV_STOP,    stop        },
	{LIFE_REPLACING, LIFE_EV_IN,      logged_in   },
	{LIFE_REPLACING, LIFE_EV_FAILED,  not_replaced},
	{LIFE_REPLACING, LIFE_EV_REFUSED, not_replaced},
	{LIFE_REPLACING, LIFE_EV_STOP,    stop        },
	{LIFE_CHECKING,  LIFE_EV_ALIVE,   alive       },
	{LIFE_CHECKING,  LIFE_EV_FAILED,  serve_on    },
	{LIFE_CHECKING,  LIFE_EV_REFUSED, login       },
	{LIFE_CHECKING,  LIFE_EV_STOP,    stop        },

	{LIFE_WAITING,   LIFE_EV_NEED,    need_later  },
	{LIFE_WAITING,   LIFE_EV_TIMER,   pause_over  },
	{LIFE_WAITING,   LIFE_EV_STOP,    end         },

	{LIFE_REVOKING,  LIFE_EV_REVOKED, end         },
	{LIFE_REVOKING,  LIFE_EV_STOP,    nothing     },
	{LIFE_REVOKING,  LIFE_EV_IN,      too_late    },
	{LIFE_REVOKING,  LIFE_EV_RENEWED, nothing     },
	{LIFE_REVOKING,  LIFE_EV_FAILED,  nothing     },
	{LIFE_REVOKING,  LIFE_EV_REFUSED, nothing     },
	{LIFE_REVOKING,  LIFE_EV_ALIVE,   nothing     },
	{LIFE_ENDED,     LIFE_EV_REVOKED, nothing     },
	{LIFE_ENDED,     LIFE_EV_STOP,    nothing     },
	{LIFE_ENDED,     LIFE_EV_IN,      too_late    },
	{LIFE_ENDED,     LIFE_EV_RENEWED, nothing     },
	{LIFE_ENDED,     LIFE_EV_FAILED,  nothing     },
	{LIFE_ENDED,     LIFE_EV_REFUSED, nothing     },
	{LIFE_ENDED,     LIFE_EV_ALIVE,   nothing     },
};

/* --- the outside --------------------------------------------------------- */

void life_init(struct life *t)
{
	*t = (struct life){.state = LIFE_NONE, .next_us = LIFE_NEVER};
}

enum life_do life_on(struct life *t, enum life_event ev, int64_t now_us,
		     uint32_t dice, const struct life_news *news)
{
	struct step s = {t, now_us, dice, news};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].state == t->state && table[i].event == ev)
			return table[i].cell(&s);
	assert(ev == LIFE_EV_NEED || ev == LIFE_EV_TIMER ||
	       ev == LIFE_EV_DENIED);
	return LIFE_DO_NOTHING;
}

bool life_usable(const struct life *t, int64_t now_us)
{
	int64_t slack = span(t) / 10;

	if (t->state != LIFE_GOOD && t->state != LIFE_RENEWING &&
	    t->state != LIFE_REPLACING)
		return false;
	if (!t->uses_left)
		return false;
	if (slack > SLACK_MAX_US)
		slack = SLACK_MAX_US;
	return t->expires_us == LIFE_NEVER || now_us < t->expires_us - slack;
}

bool life_coming(const struct life *t)
{
	return t->state == LIFE_LOGIN || t->state == LIFE_RENEWING ||
	       t->state == LIFE_REPLACING || t->state == LIFE_CHECKING;
}

void life_used(struct life *t)
{
	if (t->uses_left && t->uses_left != UINT64_MAX)
		t->uses_left--;
}

const char *life_state_name(enum life_state s)
{
	static const char *const names[N_LIFE_STATES] = {
		"none",     "logging in", "good",     "renewing", "replacing",
		"checking", "waiting",    "revoking", "ended"};

	return names[s];
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The life of a login: when it is renewed, made anew, given up, ended. */
#include "vault/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S ((int64_t)1000000)

static enum life_do say(struct life *l, enum life_event ev, int64_t now)
{
	return life_on(l, ev, now, 0, NULL);
}

static struct life_news news(int64_t asked, uint64_t ttl)
{
	return (struct life_news){.asked_us = asked,
				  .ttl_s = ttl,
				  .renewable = true,
				  .ours = true};
}

/* A login of ttl seconds, done at `now`. */
static struct life logged_in(int64_t now, const struct life_news *n)
{
	struct life l;

	life_init(&l);
	assert_int_equal(say(&l, LIFE_EV_NEED, now), LIFE_DO_LOGIN);
	assert_int_equal(life_on(&l, LIFE_EV_IN, now, 0, n), LIFE_DO_NOTHING);
	assert_int_equal(l.state, LIFE_GOOD);
	return l;
}

static struct life of_ttl(int64_t now, uint64_t ttl)
{
	struct life_news n = news(now, ttl);

	return logged_in(now, &n);
}

/* --- login --------------------------------------------------------------- */

static void one_login_for_all_who_wait(void **state)
{
	struct life_news n = news(0, 3600);
	struct life l;

	(void)state;
	life_init(&l);
	assert_false(life_usable(&l, 0));
	assert_int_equal(say(&l, LIFE_EV_NEED, 0), LIFE_DO_LOGIN);
	for (int i = 0; i < 500; i++) {
		assert_int_equal(say(&l, LIFE_EV_NEED, i), LIFE_DO_NOTHING);
		assert_true(life_coming(&l));
	}
	assert_int_equal(life_on(&l, LIFE_EV_IN, S, 0, &n), LIFE_DO_NOTHING);
	assert_true(life_usable(&l, S));
	assert_int_equal(l.generation, 1);
	assert_int_equal(say(&l, LIFE_EV_NEED, S), LIFE_DO_NOTHING);
}

static void the_life_begins_when_it_was_asked_for(void **state)
{
	struct life_news n = news(0, 60);
	struct life l = logged_in(20 * S, &n); /* a slow answer */

	(void)state;
	assert_int_equal(l.expires_us, 60 * S);
	assert_true(life_usable(&l, 57 * S));
	assert_false(life_usable(&l, 58 * S)); /* it would be late there */
}

static void a_failed_login_is_not_tried_at_once(void **state)
{
	struct life l;
	int64_t now = 0, waited = 0;

	(void)state;
	life_init(&l);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(say(&l, LIFE_EV_NEED, now), LIFE_DO_LOGIN);
		assert_int_equal(
			say(&l, i % 2 ? LIFE_EV_FAILED : LIFE_EV_REFUSED, now),
			LIFE_DO_NOTHING);
		assert_int_equal(l.state, LIFE_WAITING);
		assert_false(life_coming(&l));
		assert_int_equal(say(&l, LIFE_EV_NEED, l.next_us - 1),
				 LIFE_DO_NOTHING);
		assert_true(l.next_us - now >= waited); /* longer each time */
		waited = l.next_us - now;
		now = l.next_us;
		if (i % 3 == 0) { /* the pause ends by itself as well */
			assert_int_equal(say(&l, LIFE_EV_TIMER, now),
					 LIFE_DO_NOTHING);
			assert_int_equal(l.state, LIFE_NONE);
		}
	}
	assert_true(waited >= 15 * S && waited <= 60 * S);
}

static void a_login_that_works_forgets_the_failures(void **state)
{
	struct life_news n = news(0, 3600);
	struct life l;

	(void)state;
	life_init(&l);
	for (int i = 0; i < 5; i++) {
		(void)say(&l, LIFE_EV_NEED, i * 100 * S);
		(void)say(&l, LIFE_EV_REFUSED, i * 100 * S);
	}
	assert_int_equal(say(&l, LIFE_EV_NEED, 900 * S), LIFE_DO_LOGIN);
	(void)life_on(&l, LIFE_EV_IN, 900 * S, 0, &n);
	assert_int_equal(l.failures, 0);
}

/* --- renewal ------------------------------------------------------------- */

static void it_is_renewed_at_two_thirds_with_jitter(void **state)
{
	struct life_news n = news(0, 3600);
	struct life l;

	(void)state;
	for (uint32_t dice = 0; dice < 0xf0000000; dice += 0x10000000) {
		life_init(&l);
		(void)say(&l, LIFE_EV_NEED, 0);
		(void)life_on(&l, LIFE_EV_IN, 0, dice, &n);
		assert_true(l.next_us >= 2400 * S && l.next_us < 2520 * S);
		assert_true(dice == 0 || l.next_us > 2400 * S);
	}
	assert_int_equal(say(&l, LIFE_EV_TIMER, l.next_us - 1),
			 LIFE_DO_NOTHING);
	assert_int_equal(say(&l, LIFE_EV_TIMER, l.next_us), LIFE_DO_RENEW);
	assert_int_equal(l.state, LIFE_RENEWING);
	assert_true(life_usable(&l, 2600 * S)); /* it serves all the while */
	n = news(2600 * S, 3600);
	(void)life_on(&l, LIFE_EV_RENEWED, 2601 * S, 0, &n);
	assert_int_equal(l.expires_us, 6200 * S);
	assert_true(l.next_us >= 5000 * S && l.next_us < 5010 * S);
	assert_int_equal(l.generation, 1); /* it is the same one */
}

static void renewing_is_tried_until_the_last_tenth(void **state)
{
	struct life l = of_ttl(0, 600);
	int64_t waited = 0;
	int tries = 0;

	(void)state;
	for (;;) {
		int64_t now = l.next_us;
		enum life_do what = say(&l, LIFE_EV_TIMER, now);

		if (what == LIFE_DO_LOGIN) {
			assert_true(now >= 540 * S && now < 600 * S);
			assert_int_equal(l.state, LIFE_REPLACING);
			assert_true(life_usable(&l, now));
			break;
		}
		assert_int_equal(what, LIFE_DO_RENEW);
		assert_int_equal(say(&l, LIFE_EV_FAILED, now), LIFE_DO_NOTHING);
		assert_true(l.next_us - now >= (waited < 30 * S ? waited : S) ||
			    l.next_us == 540 * S);
		waited = l.next_us - now;
		tries++;
	}
	assert_true(tries >= 6 && tries <= 20);
}

static void a_refused_renewal_is_a_new_login(void **state)
{
	struct life_news n = news(500 * S, 600);
	struct life l = of_ttl(0, 600);

	(void)state;
	assert_int_equal(say(&l, LIFE_EV_TIMER, l.next_us), LIFE_DO_RENEW);
	assert_int_equal(say(&l, LIFE_EV_REFUSED, 410 * S), LIFE_DO_LOGIN);
	assert_true(life_usable(&l, 420 * S));
	(void)life_on(&l, LIFE_EV_IN, 500 * S, 0, &n);
	assert_int_equal(l.generation, 2);
	assert_int_equal(l.expires_us, 1100 * S);
}

static void what_cannot_be_renewed_is_replaced(void **state)
{
	struct life_news n = news(0, 600);
	struct life l;

	(void)state;
	n.renewable = false; /* batch tokens, for one */
	l = logged_in(0, &n);
	assert_int_equal(say(&l, LIFE_EV_TIMER, l.next_us), LIFE_DO_LOGIN);
	assert_int_equal(l.state, LIFE_REPLACING);
	/* a login that fails leaves the old one its time */
	assert_int_equal(say(&l, LIFE_EV_REFUSED, 500 * S), LIFE_DO_NOTHING);
	assert_int_equal(l.state, LIFE_GOOD);
	assert_true(life_usable(&l, 590 * S));
	assert_int_equal(say(&l, LIFE_EV_TIMER, l.next_us), LIFE_DO_LOGIN);
	assert_int_equal(say(&l, LIFE_EV_FAILED, 599 * S), LIFE_DO_NOTHING);
	assert_int_equal(l.state, LIFE_WAITING); /* its time is over */
}

/* The server caps a renewal at the longest life: it brings less and less. */
static void near_its_longest_life_it_is_replaced(void **state)
{
	struct life l = of_ttl(0, 600);
	int64_t end = 1500 * S;
	int renewals = 0;

	(void)state;
	for (;;) {
		int64_t now = l.next_us;
		enum life_do what = say(&l, LIFE_EV_TIMER, now);
		struct life_news n = news(now, 600);

		if (what == LIFE_DO_LOGIN)
			break;
		assert_int_equal(what, LIFE_DO_RENEW);
		if (now + 600 * S > end)
			n.ttl_s = (uint64_t)((end - now) / S);
		(void)life_on(&l, LIFE_EV_RENEWED, now, 0, &n);
		renewals++;
	}
	assert_int_equal(renewals, 3); /* 400, 800, 1200 */
	assert_true(l.capped);
	assert_int_equal(l.state, LIFE_REPLACING);
}

static void what_does_not_end_is_left_alone(void **state)
{
	struct life l = of_ttl(0, 0);

	(void)state;
	assert_true(l.next_us == LIFE_NEVER);
	assert_int_equal(say(&l, LIFE_EV_TIMER, 1000000 * S), LIFE_DO_NOTHING);
	assert_true(life_usable(&l, 1000000 * S));
	/* also after a check that was not answered */
	assert_int_equal(say(&l, LIFE_EV_DENIED, S), LIFE_DO_CHECK);
	(void)say(&l, LIFE_EV_FAILED, S);
	assert_int_equal(say(&l, LIFE_EV_TIMER, l.next_us), LIFE_DO_NOTHING);
	assert_true(l.next_us == LIFE_NEVER && l.state == LIFE_GOOD);
}

static void a_life_of_a_second_makes_no_storm(void **state)
{
	(void)state;
	for (uint64_t ttl = 1; ttl < 4; ttl++) {
		struct life_news n = news(0, ttl);
		struct life l = logged_in(0, &n);
		int asked = 0;

		while (l.next_us < 100 * S) {
			int64_t now = l.next_us;
			enum life_do what = say(&l, LIFE_EV_TIMER, now);

			n = news(now, ttl);
			if (what == LIFE_DO_RENEW)
				(void)life_on(&l, LIFE_EV_RENEWED, now, 0, &n);
			else if (what == LIFE_DO_LOGIN)
				(void)life_on(&l, LIFE_EV_IN, now, 0, &n);
			assert_true(++asked <= 101);
		}
	}
}

static void an_absurd_ttl_is_bounded(void **state)
{
	struct life l = of_ttl(0, UINT64_MAX);

	(void)state;
	assert_true(l.expires_us > 0 && l.expires_us < LIFE_NEVER);
	assert_true(l.next_us > 0 && l.next_us < l.expires_us);
}

/* --- uses ---------------------------------------------------------------- */

static void a_token_of_few_uses_is_not_used_up_twice(void **state)
{
	struct life_news n = news(0, 600);
	struct life l;

	(void)state;
	n.uses = 3;
	l = logged_in(0, &n);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(say(&l, LIFE_EV_NEED, S), LIFE_DO_NOTHING);
		assert_true(life_usable(&l, S));
		life_used(&l);
	}
	assert_false(life_usable(&l, S));
	assert_int_equal(say(&l, LIFE_EV_NEED, S), LIFE_DO_LOGIN);
	assert_int_equal(l.state, LIFE_LOGIN);
	/* and the last use is not spent on a renewal */
	n.uses = 1;
	l = logged_in(0, &n);
	assert_int_equal(say(&l, LIFE_EV_TIMER, l.next_us), LIFE_DO_LOGIN);
	assert_int_equal(l.state, LIFE_REPLACING);
}

/* --- refused requests ---------------------------------------------------- */

static void many_refusals_are_one_check(void **state)
{
	struct life l = of_ttl(0, 600);

	(void)state;
	assert_int_equal(say(&l, LIFE_EV_DENIED, S), LIFE_DO_CHECK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(say(&l, LIFE_EV_DENIED, S), LIFE_DO_NOTHING);
	assert_false(life_usable(&l, S)); /* nobody uses it meanwhile */
	assert_true(life_coming(&l));
	assert_int_equal(say(&l, LIFE_EV_ALIVE, 2 * S), LIFE_DO_NOTHING);
	assert_true(life_usable(&l, 2 * S));
	assert_int_equal(l.generation, 1);
	assert_true(l.next_us > 390 * S && l.next_us < 430 * S);
}

static void a_dead_token_is_one_new_login(void **state)
{
	struct life_news n = news(3 * S, 600);
	struct life l = of_ttl(0, 600);

	(void)state;
	(void)say(&l, LIFE_EV_DENIED, S);
	assert_int_equal(say(&l, LIFE_EV_REFUSED, 2 * S), LIFE_DO_LOGIN);
	assert_int_equal(say(&l, LIFE_EV_NEED, 2 * S), LIFE_DO_NOTHING);
	(void)life_on(&l, LIFE_EV_IN, 3 * S, 0, &n);
	assert_int_equal(l.generation, 2);
	/* a login that does not help either is not repeated at once */
	(void)say(&l, LIFE_EV_DENIED, 4 * S);
	(void)say(&l, LIFE_EV_REFUSED, 4 * S);
	assert_int_equal(say(&l, LIFE_EV_REFUSED, 4 * S), LIFE_DO_NOTHING);
	assert_int_equal(l.state, LIFE_WAITING);
}

/* --- the end ------------------------------------------------------------- */

static void our_own_is_revoked_and_a_given_one_is_not(void **state)
{
	struct life_news n = news(0, 600);
	struct life l = logged_in(0, &n);

	(void)state;
	assert_int_equal(say(&l, LIFE_EV_STOP, S), LIFE_DO_REVOKE);
	assert_false(life_usable(&l, S));
	assert_int_equal(say(&l, LIFE_EV_NEED, S), LIFE_DO_NOTHING);
	assert_int_equal(say(&l, LIFE_EV_REVOKED, S), LIFE_DO_NOTHING);
	assert_int_equal(l.state, LIFE_ENDED);
	n.ours = false;
	l = logged_in(0, &n);
	assert_int_equal(say(&l, LIFE_EV_STOP, S), LIFE_DO_NOTHING);
	assert_int_equal(l.state, LIFE_ENDED);
}

static void a_login_that_comes_after_the_end_is_revoked(void **state)
{
	struct life_news n = news(0, 600);
	struct life l;

	(void)state;
	life_init(&l);
	(void)say(&l, LIFE_EV_NEED, 0);
	assert_int_equal(say(&l, LIFE_EV_STOP, 0), LIFE_DO_NOTHING);
	assert_int_equal(life_on(&l, LIFE_EV_IN, S, 0, &n), LIFE_DO_REVOKE);
	assert_int_equal(say(&l, LIFE_EV_REVOKED, S), LIFE_DO_NOTHING);
	/* what cannot be revoked is let go as well: nobody else would */
	n.ours = false;
	assert_int_equal(life_on(&l, LIFE_EV_IN, S, 0, &n), LIFE_DO_REVOKE);
	assert_int_equal(say(&l, LIFE_EV_REVOKED, S), LIFE_DO_NOTHING);
	assert_int_equal(l.state, LIFE_ENDED);
	n.ours = true;
	/* both: the old one, and the one that was to replace it */
	n.renewable = false;
	l = logged_in(0, &n);
	(void)say(&l, LIFE_EV_TIMER, l.next_us);
	assert_int_equal(say(&l, LIFE_EV_STOP, 500 * S), LIFE_DO_REVOKE);
	assert_int_equal(life_on(&l, LIFE_EV_IN, 501 * S, 0, &n),
			 LIFE_DO_REVOKE);
	(void)say(&l, LIFE_EV_REVOKED, 502 * S);
	(void)say(&l, LIFE_EV_REVOKED, 502 * S);
	assert_int_equal(l.state, LIFE_ENDED);
}

/* --- whatever happens ---------------------------------------------------- */

struct world {
	struct life l;
	int64_t now;
	enum life_do under_way; /* LIFE_DO_NOTHING: nothing */
	unsigned asked;
};

static void act(struct world *w, enum life_event ev, const struct life_news *n)
{
	enum life_do what =
		life_on(&w->l, ev, w->now, (uint32_t)random() << 1, n);

	if (what == LIFE_DO_NOTHING)
		return;
	assert_int_equal(w->under_way, LIFE_DO_NOTHING);
	w->under_way = what;
	w->asked++;
}

static void answer(struct world *w)
{
	struct life_news n = news(w->now, (uint64_t)(random() % 600));
	enum life_do what = w->under_way;
	long r = random() % 4;

	n.renewable = random() % 2;
	n.uses = random() % 3 ? 0 : (uint64_t)(random() % 5);
	w->under_way = LIFE_DO_NOTHING;
	if (what == LIFE_DO_REVOKE)
		act(w, LIFE_EV_REVOKED, NULL);
	else if (r < 2)
		act(w, r ? LIFE_EV_FAILED : LIFE_EV_REFUSED, NULL);
	else if (what == LIFE_DO_LOGIN)
		act(w, LIFE_EV_IN, &n);
	else if (what == LIFE_DO_RENEW)
		act(w, LIFE_EV_RENEWED, &n);
	else
		act(w, LIFE_EV_ALIVE, NULL);
}

/* Ten thousand seconds with somebody who wants it ten times a second and a
 * server that does as it likes: one thing at a time, and few of them. */
static void whatever_comes_it_asks_little(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct world w = {.under_way = LIFE_DO_NOTHING};

		srandom(seed);
		life_init(&w.l);
		for (int i = 0; i < 100000; i++) {
			w.now += S / 10;
			if (w.now >= w.l.next_us)
				act(&w, LIFE_EV_TIMER, NULL);
			act(&w, LIFE_EV_NEED, NULL);
			if (life_usable(&w.l, w.now)) {
				assert_true(w.l.expires_us > w.now);
				if (random() % 50 == 0)
					life_used(&w.l);
			} else {
				assert_true(life_coming(&w.l) ||
					    w.l.state == LIFE_WAITING);
			}
			if (w.under_way && random() % 3 == 0)
				answer(&w);
		}
		assert_true(w.asked > 20 && w.asked < 12000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_login_for_all_who_wait),
		cmocka_unit_test(the_life_begins_when_it_was_asked_for),
		cmocka_unit_test(a_failed_login_is_not_tried_at_once),
		cmocka_unit_test(a_login_that_works_forgets_the_failures),
		cmocka_unit_test(it_is_renewed_at_two_thirds_with_jitter),
		cmocka_unit_test(renewing_is_tried_until_the_last_tenth),
		cmocka_unit_test(a_refused_renewal_is_a_new_login),
		cmocka_unit_test(what_cannot_be_renewed_is_replaced),
		cmocka_unit_test(near_its_longest_life_it_is_replaced),
		cmocka_unit_test(what_does_not_end_is_left_alone),
		cmocka_unit_test(a_life_of_a_second_makes_no_storm),
		cmocka_unit_test(an_absurd_ttl_is_bounded),
		cmocka_unit_test(a_token_of_few_uses_is_not_used_up_twice),
		cmocka_unit_test(many_refusals_are_one_check),
		cmocka_unit_test(a_dead_token_is_one_new_login),
		cmocka_unit_test(our_own_is_revoked_and_a_given_one_is_not),
		cmocka_unit_test(a_login_that_comes_after_the_end_is_revoked),
		cmocka_unit_test(whatever_comes_it_asks_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

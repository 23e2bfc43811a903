/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* When a lease is renewed, read anew, revoked, forgotten. */
#include "base/attr.h"
#include "vault/lease_life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S     INT64_C(1000000)
#define HALF  UINT32_C(0x80000000)
#define START (1000 * S)

static struct lease_life life(bool renewable, bool refresh, int64_t duration_s)
{
	struct lease_life l = {.state = LEASE_OPEN,
			       .renewable = renewable,
			       .refresh = refresh};

	lease_begin(&l, duration_s * S, START, 0);
	return l;
}

static void renewed_at_two_thirds(void **state)
{
	(void)state;
	assert_int_equal(lease_renew_at(0, 300 * S, 0), 200 * S);
	assert_in_range(lease_renew_at(0, 300 * S, UINT32_MAX), 170 * S,
			170 * S + S);
	assert_int_equal(lease_renew_at(5, 5, HALF), 5);
	assert_int_equal(lease_renew_at(10, 5, HALF), 10);
}

static void failures_wait_longer(void **state)
{
	int64_t before = 0;

	(void)state;
	for (unsigned i = 1; i < 40; i++) {
		int64_t least = lease_backoff_us(i, 0);
		int64_t most = lease_backoff_us(i, UINT32_MAX);

		assert_true(least >= before && most <= 60 * S);
		assert_true(most > least && most <= 2 * least);
		before = least;
	}
	assert_int_equal(lease_backoff_us(1, 0), S / 2);
	assert_int_equal(lease_backoff_us(7, 0), 30 * S);
}

static void a_long_task_renews(void **state)
{
	struct lease_life l = life(true, false, 60);
	int64_t now = START;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(lease_due(&l, now), LEASE_WAIT);
		assert_true(l.at_us > now && l.at_us < l.ends_us - 19 * S);
		now = l.at_us;
		assert_int_equal(lease_due(&l, now), LEASE_DO_RENEW);
		lease_heard(&l, LEASE_RENEWED, 60 * S, now, HALF);
		assert_int_equal(l.state, LEASE_OPEN);
	}
	lease_heard(&l, LEASE_ENDED, 0, now, 0);
	assert_int_equal(lease_due(&l, now), LEASE_DO_REVOKE);
	lease_heard(&l, LEASE_REVOKED, 0, now, 0);
	assert_int_equal(lease_due(&l, now), LEASE_DO_FORGET);
}

static void at_its_limit_it_is_the_last(void **state)
{
	struct lease_life l = life(true, false, 60);

	(void)state;
	lease_heard(&l, LEASE_RENEWED, 20 * S, l.at_us, 0);
	assert_int_equal(l.state, LEASE_LAST);
	assert_int_equal(lease_due(&l, l.ends_us - 1), LEASE_WAIT);
	assert_int_equal(lease_due(&l, l.ends_us), LEASE_DO_FORGET);
}

static void at_its_limit_it_is_read_anew(void **state)
{
	struct lease_life l = life(true, true, 60);
	int64_t now = l.at_us;

	(void)state;
	assert_int_equal(lease_due(&l, now), LEASE_DO_RENEW);
	lease_heard(&l, LEASE_RENEWED, 20 * S, now, 0);
	assert_true(l.at_us > now && l.at_us < l.ends_us);
	assert_int_equal(lease_due(&l, l.at_us), LEASE_DO_READ);
	lease_heard(&l, LEASE_READ, 0, l.at_us, 0); /* the old one goes */
	assert_int_equal(lease_due(&l, l.at_us), LEASE_DO_REVOKE);
	l = life(true, true, 60);
	lease_heard(&l, LEASE_REFUSED, 0, l.at_us, 0);
	assert_int_equal(lease_due(&l, l.at_us), LEASE_DO_READ);
	l = life(false, true, 60); /* one that never could be renewed */
	assert_int_equal(lease_due(&l, l.at_us), LEASE_DO_READ);
	assert_int_equal(l.at_us, START + 40 * S);
}

static void without_an_answer_it_tries_on(void **state)
{
	struct lease_life l = life(true, false, 600);
	int64_t now = l.at_us;
	int tries = 0;

	(void)state;
	while (lease_due(&l, now) == LEASE_DO_RENEW) {
		lease_heard(&l, LEASE_AWAY, 0, now, HALF);
		assert_true(l.at_us > now);
		now = l.at_us;
		tries++;
	}
	assert_int_equal(lease_due(&l, now), LEASE_DO_FORGET);
	assert_int_equal(now, l.ends_us);
	assert_in_range(tries, 6, 12);
}

static void revoking_is_bounded(void **state)
{
	struct lease_life l = life(true, false, 86400);
	int64_t now = START + S;
	int tries = 0;

	(void)state;
	lease_heard(&l, LEASE_ENDED, 0, now, 0);
	while (lease_due(&l, now) == LEASE_DO_REVOKE) {
		lease_heard(&l, LEASE_AWAY, 0, now, UINT32_MAX);
		now = l.at_us;
		tries++;
	}
	assert_int_equal(tries, LEASE_REVOKE_TRIES);
	assert_int_equal(l.state, LEASE_STUCK);
	assert_int_equal(now, l.ends_us);
	/* it is there again */
	now = START + 1000 * S;
	lease_heard(&l, LEASE_ENDED, 0, now, 0);
	assert_int_equal(lease_due(&l, now), LEASE_DO_REVOKE);
	lease_heard(&l, LEASE_NOT_OURS, 0, now, 0);
	assert_int_equal(lease_due(&l, now), LEASE_WAIT);
	assert_int_equal(lease_due(&l, l.ends_us), LEASE_DO_FORGET);
}

/* One that ended by our clock is revoked all the same: clocks differ. */
static void revoked_also_when_late(void **state)
{
	struct lease_life l = life(false, false, 5);
	int64_t now = l.ends_us + S;

	(void)state;
	lease_heard(&l, LEASE_ENDED, 0, now, 0);
	assert_int_equal(lease_due(&l, now), LEASE_DO_REVOKE);
}

static void kept_waits_for_its_end(void **state)
{
	struct lease_life l = life(true, false, 60);

	(void)state;
	l.state = LEASE_KEPT;
	assert_int_equal(lease_due(&l, l.at_us), LEASE_WAIT);
	assert_int_equal(lease_due(&l, l.ends_us), LEASE_DO_FORGET);
	lease_heard(&l, LEASE_ENDED, 0, START, 0); /* somebody revokes it */
	assert_int_equal(lease_due(&l, START), LEASE_DO_REVOKE);
}

/* Whatever is heard, it comes to an end and never loops without waiting. */
static void every_event_in_every_state(void **state)
{
	(void)state;
	for (int s = 0; s < N_LEASE_STATES; s++) {
		assert_true(strlen(lease_state_name((enum lease_state)s)) > 0);
		for (int ev = 0; ev < N_LEASE_EVENTS; ev++) {
			struct lease_life l = life(true, ev % 2, 60);
			int64_t now = l.at_us;

			l.state = (enum lease_state)s;
			lease_heard(&l, (enum lease_event)ev, 30 * S, now,
				    HALF);
			assert_in_range(l.state, 0, N_LEASE_STATES - 1);
			assert_true(s == LEASE_GONE || l.at_us >= now);
			if (s == LEASE_GONE)
				assert_int_equal(lease_due(&l, now),
						 LEASE_DO_FORGET);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renewed_at_two_thirds),
		cmocka_unit_test(failures_wait_longer),
		cmocka_unit_test(a_long_task_renews),
		cmocka_unit_test(at_its_limit_it_is_the_last),
		cmocka_unit_test(at_its_limit_it_is_read_anew),
		cmocka_unit_test(without_an_answer_it_tries_on),
		cmocka_unit_test(revoking_is_bounded),
		cmocka_unit_test(revoked_also_when_late),
		cmocka_unit_test(kept_waits_for_its_end),
		cmocka_unit_test(every_event_in_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

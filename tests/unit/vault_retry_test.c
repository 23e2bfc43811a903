/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What is tried again and what never is; when a provider is worth asking. */
#include "vault/breaker.h"
#include "vault/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW   INT64_C(1000000000)
#define LATER (NOW + INT64_C(3600) * 1000000)

#define EVENT(...) ((struct retry_event){.retry_after_s = -1, __VA_ARGS__})

static struct retry_verdict judge(enum retry_kind kind, struct retry_event ev)
{
	struct retry r = {.kind = kind, .deadline_us = LATER};

	return retry_judge(&r, &ev, NOW, 1u << 31);
}

static void one_try_of_each(void **state)
{
	static const struct {
		struct retry_event ev;
		enum retry_what read, makes;
		enum provider_state state;
	} want[] = {
		{{.status = 200},                   RETRY_DONE,  RETRY_DONE,     PROVIDER_UP  },
		{{.status = 204},                   RETRY_DONE,  RETRY_DONE,     PROVIDER_UP  },
		{{.status = 400},                   RETRY_DONE,  RETRY_DONE,     PROVIDER_UP  },
		{{.status = 403},                   RETRY_DONE,  RETRY_DONE,     PROVIDER_UP  },
		{{.status = 404},                   RETRY_DONE,  RETRY_DONE,     PROVIDER_UP  },
		{{.status = 501},                   RETRY_DONE,  RETRY_DONE,     PROVIDER_UP  },
 /* the server did nothing, and says so */
		{{.status = 412},                   RETRY_AGAIN, RETRY_AGAIN,    PROVIDER_UP  },
		{{.status = 429},                   RETRY_AGAIN, RETRY_AGAIN,    PROVIDER_UP  },
		{{.status = 503},                   RETRY_AGAIN, RETRY_AGAIN,    PROVIDER_DOWN},
		{{.status = 500, .inactive = true},
		 RETRY_AGAIN,				    RETRY_AGAIN,
		 PROVIDER_DOWN								},
		{{.status = 503, .sealed = true},
		 RETRY_GIVE_UP,				  RETRY_GIVE_UP,
		 PROVIDER_SEALED							      },
 /* perhaps it did it */
		{{.status = 500},                   RETRY_AGAIN, RETRY_DONE,     PROVIDER_UP  },
		{{.status = 502},                   RETRY_AGAIN, RETRY_GIVE_UP,  PROVIDER_DOWN},
		{{.status = 504},                   RETRY_AGAIN, RETRY_GIVE_UP,  PROVIDER_DOWN},
		{{.sent = true},                    RETRY_AGAIN, RETRY_GIVE_UP,  PROVIDER_DOWN},
 /* nothing went out */
		{{.sent = false},                   RETRY_AGAIN, RETRY_AGAIN,    PROVIDER_DOWN},
 /* it would be the same again */
		{{.tls_failed = true},
		 RETRY_GIVE_UP,				  RETRY_GIVE_UP,
		 PROVIDER_DOWN								},
		{{.too_long = true, .sent = true},
		 RETRY_GIVE_UP,				  RETRY_GIVE_UP,
		 PROVIDER_UP								  },
		{{.status = 200, .garbled = true},
		 RETRY_AGAIN,				    RETRY_GIVE_UP,
		 PROVIDER_UP								  },
		{{.status = 307, .location = true},
		 RETRY_REDIRECT,				 RETRY_REDIRECT,
		 PROVIDER_UP								  },
		{{.status = 307},                   RETRY_DONE,  RETRY_DONE,     PROVIDER_UP  },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct retry_event ev = want[i].ev;
		struct retry_verdict v;

		ev.retry_after_s = -1;
		v = judge(RETRY_READ, ev);
		if (v.what != want[i].read)
			fail_msg("read, row %zu: %d", i, v.what);
		assert_int_equal(v.state, want[i].state);
		v = judge(RETRY_MAKES, ev);
		if (v.what != want[i].makes)
			fail_msg("makes, row %zu: %d", i, v.what);
	}
}

static void a_redirect_is_followed_once_in_a_row(void **state)
{
	struct retry r = {.kind = RETRY_READ, .deadline_us = LATER};
	const struct retry_event ev = EVENT(.status = 307, .location = true);

	(void)state;
	/* sent on once more nobody leads yet: from the beginning, later */
	for (int i = 0; i < RETRY_TRIES_MAX / 2 - 1; i++) {
		assert_int_equal(retry_judge(&r, &ev, NOW, 0).what,
				 RETRY_REDIRECT);
		assert_int_equal(retry_judge(&r, &ev, NOW, 0).what,
				 RETRY_AGAIN);
	}
	assert_int_equal(retry_judge(&r, &ev, NOW, 0).what, RETRY_REDIRECT);
	assert_int_equal(retry_judge(&r, &ev, NOW, 0).what, RETRY_DONE);
}

static void waits_grow_and_end(void **state)
{
	struct retry r = {.kind = RETRY_READ, .deadline_us = LATER};
	const struct retry_event ev = EVENT(.status = 503);
	int64_t most = RETRY_BASE_MS * 1000;

	(void)state;
	for (int i = 1; i < RETRY_TRIES_MAX; i++, most *= 2) {
		struct retry_verdict v = retry_judge(&r, &ev, NOW, UINT32_MAX);

		assert_int_equal(v.what, RETRY_AGAIN);
		assert_in_range((uint64_t)v.wait_us, most - 1000, most);
	}
	assert_int_equal(retry_judge(&r, &ev, NOW, 0).what, RETRY_GIVE_UP);
	assert_int_equal(judge(RETRY_READ, EVENT(.status = 503)).wait_us,
			 RETRY_BASE_MS * 1000 / 2);
}

static void what_the_server_asks_for_counts(void **state)
{
	struct retry_event ev = {.status = 429, .retry_after_s = 7};
	struct retry_verdict v = judge(RETRY_MAKES, ev);

	(void)state;
	assert_int_equal(v.what, RETRY_AGAIN);
	assert_in_range((uint64_t)v.wait_us, 7000000, 7250000);
	ev.retry_after_s = 3600;
	assert_int_equal(judge(RETRY_READ, ev).what, RETRY_DONE);
	ev.status = 503;
	assert_int_equal(judge(RETRY_READ, ev).what, RETRY_GIVE_UP);
}

static void nothing_is_tried_past_the_deadline(void **state)
{
	struct retry r = {.kind = RETRY_READ, .deadline_us = NOW + 100};
	struct retry_event ev = EVENT(.status = 503);

	(void)state;
	assert_int_equal(retry_judge(&r, &ev, NOW, UINT32_MAX).what,
			 RETRY_GIVE_UP);
	r = (struct retry){.kind = RETRY_READ, .deadline_us = NOW + 5000000};
	ev.retry_after_s = 10;
	assert_int_equal(retry_judge(&r, &ev, NOW, 0).what, RETRY_GIVE_UP);
}

/* --- the breaker -------------------------------------------------------- */

static void it_opens_after_failures_and_closes_by_a_probe(void **state)
{
	struct breaker b = {.state = PROVIDER_UP};
	int64_t now = NOW;

	(void)state;
	assert_true(breaker_lets(&b));
	assert_false(breaker_heard(&b, PROVIDER_DOWN, now, 0));
	assert_false(breaker_heard(&b, PROVIDER_DOWN, now, 0));
	assert_false(breaker_heard(&b, PROVIDER_UP, now, 0)); /* not in a row */
	for (int i = 1; i < BREAKER_FAILURES; i++)
		assert_false(breaker_heard(&b, PROVIDER_DOWN, now, 0));
	assert_true(breaker_heard(&b, PROVIDER_DOWN, now, 0));
	assert_false(breaker_lets(&b));
	assert_false(breaker_probe(&b, now));
	for (int64_t ms = BREAKER_PROBE_MIN_MS; ms < 4 * BREAKER_PROBE_MAX_MS;
	     ms *= 2) {
		int64_t wait =
			ms > BREAKER_PROBE_MAX_MS ? BREAKER_PROBE_MAX_MS : ms;

		assert_int_equal(b.probe_at_us, now + wait * 1000);
		now = b.probe_at_us;
		assert_true(breaker_probe(&b, now));
		assert_false(breaker_probe(&b, now)); /* one at a time */
		/* what was under way before says nothing new */
		assert_false(breaker_heard(&b, PROVIDER_DOWN, now, 0));
	}
	now = b.probe_at_us;
	assert_true(breaker_probe(&b, now));
	assert_true(breaker_heard(&b, PROVIDER_UP, now, 0));
	assert_true(breaker_lets(&b));
	assert_int_equal(b.failures, 0);
}

static void sealed_opens_at_once(void **state)
{
	struct breaker b = {.state = PROVIDER_UP};

	(void)state;
	assert_true(breaker_heard(&b, PROVIDER_SEALED, NOW, UINT32_MAX));
	assert_in_range((uint64_t)b.probe_at_us,
			NOW + BREAKER_PROBE_MIN_MS * 1000,
			NOW + BREAKER_PROBE_MIN_MS * 1250);
	assert_false(breaker_heard(&b, PROVIDER_SEALED, NOW, 0));
	assert_true(breaker_heard(&b, PROVIDER_DOWN, NOW, 0));
	assert_int_equal(b.state, PROVIDER_DOWN);
}

static void what_health_says(void **state)
{
	(void)state;
	assert_int_equal(breaker_health(200), PROVIDER_UP);
	assert_int_equal(breaker_health(429), PROVIDER_UP);
	assert_int_equal(breaker_health(473), PROVIDER_UP);
	assert_int_equal(breaker_health(403), PROVIDER_UP);
	assert_int_equal(breaker_health(501), PROVIDER_DOWN);
	assert_int_equal(breaker_health(503), PROVIDER_SEALED);
	assert_int_equal(breaker_health(502), PROVIDER_DOWN);
	assert_int_equal(breaker_health(0), PROVIDER_DOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_try_of_each),
		cmocka_unit_test(a_redirect_is_followed_once_in_a_row),
		cmocka_unit_test(waits_grow_and_end),
		cmocka_unit_test(what_the_server_asks_for_counts),
		cmocka_unit_test(nothing_is_tried_past_the_deadline),
		cmocka_unit_test(it_opens_after_failures_and_closes_by_a_probe),
		cmocka_unit_test(sealed_opens_at_once),
		cmocka_unit_test(what_health_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

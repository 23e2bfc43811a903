/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who holds a lease hears of its end, whoever ended it; the provider is one
 * that the settings do not have any more. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "vault/journal.h"
#include "vault/lease.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct loop *loop;
static struct leases *leases;
static char top[64];
static int dir = -1;
static struct secret *key, *token;
static int gone, again;
static bool was_wanted;

static struct place *no_place(void *ctx, const char *provider)
{
	(void)ctx;
	(void)provider;
	return NULL;
}

static void no_doom(void *ctx, struct place *p, const struct secret *t)
{
	(void)ctx;
	(void)p;
	(void)t;
	fail();
}

static void on_changed(void *ctx)
{
	(void)ctx;
}

static void on_again(void *ctx, struct lease *le)
{
	(void)ctx;
	(void)le;
	again++;
}

static void on_gone(void *ctx, bool wanted)
{
	assert_ptr_equal(ctx, &gone);
	gone++;
	was_wanted = wanted;
	loop_stop(loop);
}

static int setup(void **state)
{
	static const struct leases_host host = {no_place, no_doom, on_changed};
	struct err e;

	(void)state;
	gone = again = 0;
	(void)snprintf(top, sizeof(top), "/tmp/nfo-lease-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || loop_new(&loop, &e) ||
	    secret_new(NULL, JOURNAL_KEY_LEN, 0, &key, &e) ||
	    secret_new("hvs.thetoken", 12, 0, &token, &e))
		return -1;
	leases = leases_new(loop, &host, NULL);
	leases_alive_end(leases);
	return leases_open(leases, dir, key, &e);
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	leases_free(leases);
	loop_free(loop);
	secret_free(key);
	secret_free(token);
	fd_close(&dir);
	return fd_remove_tree(AT_FDCWD, top, &e);
}

static const struct grant who = {
	.attempt = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"},
	.project = "web",
	.who.run = {"01ARZ3NDEKTSV4RRFFQ69G5FAR"},
};

static struct lease *lend(bool refresh)
{
	struct lease_under u = {.provider = "vault", .token = token};
	struct lease_new n = {.who = &who,
			      .path = "database/creds/app",
			      .lease_id = "database/creds/app/xyz",
			      .duration_s = 1,
			      .again = refresh ? on_again : NULL,
			      .gone = on_gone,
			      .ctx = &gone};
	struct lease_login *g;
	struct lease *le = NULL;
	struct err e;

	assert_int_equal(lease_prepare(leases, &u, &g, &e), 0);
	assert_int_equal(lease_made(g, &n, &le, &e), 0);
	assert_int_equal(leases_count(leases), 1);
	return le;
}

static void give_up(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void turn(int64_t us)
{
	struct loop_timer *t = loop_timer_new(loop, give_up, NULL);
	struct err e;

	loop_timer_set(t, clock_mono_us() + us);
	assert_int_equal(loop_run(loop, &e), 0);
	loop_timer_free(t);
}

static void it_is_gone(bool wanted)
{
	turn(10 * 1000000);
	assert_int_equal(gone, 1);
	assert_int_equal(was_wanted, wanted);
	assert_int_equal(leases_count(leases), 0);
}

/* Its time is over while the attempt goes on. */
static void test_its_time_is_over(void **state)
{
	(void)state;
	(void)lend(false);
	it_is_gone(false);
}

static void test_not_read_anew_in_time(void **state)
{
	(void)state;
	(void)lend(true);
	it_is_gone(true);
	assert_true(again > 0);
}

static void test_the_attempt_ended(void **state)
{
	(void)state;
	(void)lend(true);
	leases_attempt_ended(leases, &who.attempt);
	it_is_gone(false);
}

/* By who has the right to: nobody wants another in its place. */
static void test_revoked_by_somebody(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(4096);
	char id[ULID_LEN + 1];

	(void)state;
	(void)lend(true);
	assert_false(leases_list(leases, "", "", "", "", 1, &b));
	memcpy(id, strstr(buf_cstr(&b), "lease_") + 6, ULID_LEN);
	id[ULID_LEN] = '\0';
	assert_int_equal(leases_revoke(leases, id), 0);
	it_is_gone(false);
}

/* Whoever has released it hears nothing. */
static void test_released(void **state)
{
	(void)state;
	lease_release(lend(true));
	leases_attempt_ended(leases, &who.attempt);
	turn(1500000);
	assert_int_equal(gone, 0);
	assert_int_equal(leases_count(leases), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		WITH(test_its_time_is_over),  WITH(test_not_read_anew_in_time),
		WITH(test_the_attempt_ended), WITH(test_revoked_by_somebody),
		WITH(test_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

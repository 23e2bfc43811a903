/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Webhooks in the store: an id that stays, and answers that go in time. */
#include "store/hooks.h"
#include "store_helper.h"

#include <string.h>

struct seen {
	int n;
	struct store_hook hook;
	struct store_delivery delivery;
	char id[64], text[64];
};

static int see_hook(void *ctx, const struct store_hook *h, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->n++;
	s->hook = *h;
	(void)snprintf(s->id, sizeof(s->id), STR_FMT, STR_ARG(h->id));
	(void)snprintf(s->text, sizeof(s->text), STR_FMT " " STR_FMT,
		       STR_ARG(h->scheme), STR_ARG(h->secret));
	return 0;
}

static int see_delivery(void *ctx, const struct store_delivery *d,
			struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	if (!s->n++)
		s->delivery = *d;
	(void)snprintf(s->text, sizeof(s->text), STR_FMT " " STR_FMT,
		       STR_ARG(d->delivery), STR_ARG(d->outcome));
	return 0;
}

static void begin(struct dir *d)
{
	ok(store_begin(d->store, &d->e), &d->e);
}

static void commit(struct dir *d)
{
	ok(store_commit(d->store, &d->e), &d->e);
}

static void put_hook(struct dir *d, const char *name, const char *id,
		     const char *scheme)
{
	const struct store_hook h = {
		.id = str_from(id),
		.project = STR("web"),
		.job = STR("j"),
		.name = str_from(name),
		.scheme = str_from(scheme),
		.secret = STR("store:web/x"),
		.created_us = 5,
	};

	ok(store_hook_put(d->store, &h, &d->e), &d->e);
}

static void put_call(struct dir *d, int64_t hook, const char *name,
		     const char *outcome, int64_t at)
{
	const struct store_delivery x = {
		.hook = hook,
		.delivery = str_from(name),
		.event = STR("push"),
		.outcome = str_from(outcome),
		.run = STR(""),
		.error = STR(""),
		.at_us = at,
	};

	ok(store_delivery_put(d->store, &x, &d->e), &d->e);
}

static void the_id_stays(void **state)
{
	struct dir *d = *state;
	struct store_reader *r;
	struct seen s = {0};

	ok(store_reader_open(store_path(d->store), &r, &d->e), &d->e);
	begin(d);
	put_hook(d, "a", "first", "github");
	put_hook(d, "b", "other", "gitea");
	put_hook(d, "a", "second", "standard"); /* another revision */
	put_call(d, 1, "d-1", "run", 9);
	commit(d);
	assert_int_equal(store_read_hook(r, STR("second"), see_hook, &s, &d->e),
			 0);
	assert_int_equal(store_read_hook(r, STR("first"), see_hook, &s, &d->e),
			 1);
	assert_string_equal(s.text, "standard store:web/x");
	assert_int_equal(s.hook.n, 1);
	begin(d);
	ok(store_hook_rotate(d->store, STR("web"), STR("j"), STR("a"),
			     STR("third"), &d->e),
	   &d->e);
	assert_int_equal(store_hook_rotate(d->store, STR("web"), STR("j"),
					   STR("c"), STR("x"), &d->e),
			 -1);
	assert_int_equal(d->e.code, ERR_NOT_FOUND);
	commit(d);
	assert_int_equal(store_read_hook(r, STR("first"), see_hook, &s, &d->e),
			 0);
	assert_int_equal(store_read_hook(r, STR("third"), see_hook, &s, &d->e),
			 1);
	assert_int_equal(s.hook.n, 1); /* what was answered stays */
	assert_int_equal(
		store_read_delivery(r, 1, STR("d-1"), see_delivery, &s, &d->e),
		1);
	begin(d);
	ok(store_hooks_keep(d->store, STR("web"), STR("j"), STR("[\"b\"]"),
			    &d->e),
	   &d->e);
	commit(d);
	s.n = 0;
	ok(store_read_hooks(r, STR("web"), STR("j"), see_hook, &s, &d->e),
	   &d->e);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.id, "other");
	assert_int_equal(
		store_read_delivery(r, 1, STR("d-1"), see_delivery, &s, &d->e),
		0);
	begin(d);
	put_hook(d, "a", "new", "github");
	commit(d);
	assert_int_equal(store_read_hook(r, STR("new"), see_hook, &s, &d->e),
			 1);
	assert_true(s.hook.n > 2); /* no number is given twice */
	store_reader_close(r);
}

static void answers_go_in_time(void **state)
{
	struct dir *d = *state;
	struct store_reader *r;
	struct seen s = {0};

	ok(store_reader_open(store_path(d->store), &r, &d->e), &d->e);
	begin(d);
	put_call(d, 1, "d-1", "rejected", 10);
	put_call(d, 1, "d-1", "run", 20); /* tried again */
	put_call(d, 1, "d-2", "ping", 30);
	put_call(d, 2, "d-1", "filtered", 40);
	assert_int_equal(
		store_delivery_get(d->store, 1, STR("d-1"), NULL, NULL, &d->e),
		1);
	commit(d);
	ok(store_read_deliveries(r, 1, 0, 10, see_delivery, &s, &d->e), &d->e);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.text, "d-1 run"); /* the oldest is last */
	s.n = 0;
	ok(store_read_deliveries(r, 1, s.delivery.id, 10, see_delivery, &s,
				 &d->e),
	   &d->e);
	assert_int_equal(s.n, 1);
	begin(d);
	ok(store_deliveries_expire(d->store, 30, &d->e), &d->e);
	commit(d);
	assert_int_equal(
		store_read_delivery(r, 1, STR("d-1"), see_delivery, &s, &d->e),
		0);
	assert_int_equal(
		store_read_delivery(r, 1, STR("d-2"), see_delivery, &s, &d->e),
		1);
	assert_int_equal(
		store_read_delivery(r, 2, STR("d-1"), see_delivery, &s, &d->e),
		1);
	store_reader_close(r);
}

static void not_without_end(void **state)
{
	struct dir *d = *state;
	struct store_reader *r;
	struct seen s = {0};
	char name[24];

	ok(store_reader_open(store_path(d->store), &r, &d->e), &d->e);
	begin(d);
	put_call(d, 2, "another's", "run", 1);
	for (int i = 0; i < STORE_DELIVERIES_MAX + 1000; i++) {
		(void)snprintf(name, sizeof(name), "d-%d", i);
		put_call(d, 1, name, "filtered", 1);
	}
	commit(d);
	ok(store_read_deliveries(r, 1, 0, UINT32_MAX, see_delivery, &s, &d->e),
	   &d->e);
	assert_in_range(s.n, STORE_DELIVERIES_MAX, STORE_DELIVERIES_MAX + 256);
	assert_int_equal(
		store_read_delivery(r, 1, STR("d-0"), see_delivery, &s, &d->e),
		0);
	assert_int_equal(store_read_delivery(r, 2, STR("another's"),
					     see_delivery, &s, &d->e),
			 1);
	store_reader_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_id_stays, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(answers_go_in_time, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(not_without_end, dir_make,
						dir_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages with descriptors, and the bounded queue. */
#include "base/chan.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static void ok(int r, const struct err *e)
{
	if (r)
		print_error("%s\n", e->text);
	assert_int_equal(r, 0);
}

static unsigned char room[WIRE_MAX + 2];

static void test_a_message_and_its_files(void **state)
{
	int pair[2], p[2], fds[CHAN_FDS_MAX + 1], got;
	struct wire_writer w = {.len = 0};
	struct chan_msg msg;
	struct err e;
	char c;

	(void)state;
	ok(chan_pair(pair, &e), &e);
	assert_int_equal(pipe(p), 0);
	wire_str(&w, STR("hello"));
	assert_int_equal(chan_send(pair[0], 9, &w, &p[1], 1, &e), 1);
	assert_int_equal(chan_recv(pair[1], room, &msg, &e), 1);
	assert_int_equal(msg.type, 9);
	assert_int_equal(msg.body_len, w.len);
	assert_int_equal(msg.n_fds, 1);
	got = chan_msg_take(&msg, 0);
	assert_int_equal(chan_msg_take(&msg, 0), -1);
	assert_int_equal(chan_msg_take(&msg, 1), -1);
	assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got, "z", 1), 1); /* it is that pipe */
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'z');
	chan_msg_done(&msg);
	fd_close(&got);

	/* what is not taken is closed: the pipe has an end then */
	assert_int_equal(chan_send(pair[0], 9, NULL, &p[1], 1, &e), 1);
	fd_close(&p[1]);
	assert_int_equal(chan_recv(pair[1], room, &msg, &e), 1);
	chan_msg_done(&msg);
	assert_int_equal(read(p[0], &c, 1), 0);

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = p[0];
	assert_int_equal(chan_send(pair[0], 9, NULL, fds, ARRAY_LEN(fds), &e),
			 -1);
	fd_close(&p[0]);
	fd_close(&pair[0]);
	assert_int_equal(chan_recv(pair[1], room, &msg, &e), 0); /* gone */
	assert_int_equal(chan_send(pair[1], 9, NULL, NULL, 0, &e), -1);
	fd_close(&pair[1]);
}

static void test_a_message_that_does_not_fit(void **state)
{
	static char longer[WIRE_MAX + 3];
	struct wire_writer w = {.len = 0};
	struct chan_msg msg;
	struct err e;
	int pair[2];

	(void)state;
	ok(chan_pair(pair, &e), &e);
	wire_bytes(&w, longer, sizeof(longer));
	assert_int_equal(chan_send(pair[0], 1, &w, NULL, 0, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	/* from somebody who does not keep to it */
	assert_int_equal(write(pair[0], longer, sizeof(longer)),
			 sizeof(longer));
	assert_int_equal(chan_recv(pair[1], room, &msg, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

static void test_a_message_without_a_type(void **state)
{
	struct chan_msg msg;
	struct err e;
	int pair[2];

	(void)state;
	ok(chan_pair(pair, &e), &e);
	assert_int_equal(write(pair[0], "x", 1), 1);
	assert_int_equal(chan_recv(pair[1], room, &msg, &e), -1);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

struct talk {
	struct loop *loop;
	unsigned heard, closed;
};

static int on_msg(void *ctx, struct chan_msg *msg)
{
	struct talk *t = ctx;

	t->heard++;
	return msg->type == 99 ? -1 : 0;
}

static void on_close(void *ctx, const struct err *why)
{
	struct talk *t = ctx;

	(void)why;
	t->closed++;
	loop_stop(t->loop);
}

static void test_a_queue_is_bounded_and_in_order(void **state)
{
	static const struct chan_ops ops = {on_msg, on_close};
	struct wire_writer w = {.len = 0};
	struct talk t = {0};
	struct chan *c;
	struct err e;
	int pair[2];
	unsigned n = 0;

	(void)state;
	ok(loop_new(&t.loop, &e), &e);
	ok(chan_pair(pair, &e), &e);
	c = chan_new(t.loop, pair[0], &ops, &t);
	assert_non_null(c);
	/* nobody reads: in the end it is refused, not waited for */
	while (n < 1000000) {
		w.len = 0;
		wire_u32(&w, n);
		if (chan_post(c, 5, &w, NULL, 0, &e))
			break;
		n++;
	}
	assert_int_equal(e.code, ERR_LIMIT);
	/* and what was taken comes, all of it, as it was said */
	for (unsigned i = 0; i < n; i++) {
		struct wire_reader r;
		struct chan_msg msg;

		ok(loop_turn(t.loop, 0, &e), &e);
		assert_int_equal(chan_recv(pair[1], room, &msg, &e), 1);
		r = wire_reader(msg.body, msg.body_len);
		assert_int_equal(wire_get_u32(&r), i);
		chan_msg_done(&msg);
	}
	chan_free(c);
	fd_close(&pair[1]);

	ok(chan_pair(pair, &e), &e);
	c = chan_new(t.loop, pair[0], &ops, &t);
	assert_int_equal(chan_send(pair[1], 1, NULL, NULL, 0, &e), 1);
	assert_int_equal(chan_send(pair[1], 99, NULL, NULL, 0, &e), 1);
	assert_int_equal(chan_send(pair[1], 1, NULL, NULL, 0, &e), 1);
	ok(loop_run(t.loop, &e), &e);
	assert_int_equal(t.heard, 2); /* none after the refusal */
	assert_int_equal(t.closed, 1);
	chan_free(c);
	fd_close(&pair[1]);
	loop_free(t.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_message_and_its_files),
		cmocka_unit_test(test_a_message_that_does_not_fit),
		cmocka_unit_test(test_a_message_without_a_type),
		cmocka_unit_test(test_a_queue_is_bounded_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

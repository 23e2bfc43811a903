/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Timers, descriptors, signals, children, and another thread's word. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void ok(int r, const struct err *e)
{
	if (r)
		print_error("%s\n", e->text);
	assert_int_equal(r, 0);
}

struct seen {
	struct loop *loop;
	struct loop_timer *timer, *other;
	struct loop_watch *watch[2];
	unsigned fired[4];
	char order[8];
	size_t n;
	int signo;
};

static void on_first(void *ctx)
{
	struct seen *s = ctx;

	s->order[s->n++] = '1';
	if (s->n < 4)
		loop_timer_set(s->timer, clock_mono_us());
	else
		loop_stop(s->loop);
}

static void on_second(void *ctx)
{
	struct seen *s = ctx;

	s->order[s->n++] = '2';
	loop_timer_free(s->other);
	s->other = NULL;
}

static void test_timers_come_in_their_order(void **state)
{
	struct seen s = {0};
	int64_t now = clock_mono_us();
	struct loop_timer *never;
	struct err e;

	(void)state;
	ok(loop_new(&s.loop, &e), &e);
	s.timer = loop_timer_new(s.loop, on_first, &s);
	s.other = loop_timer_new(s.loop, on_second, &s);
	never = loop_timer_new(s.loop, on_second, &s);
	loop_timer_set(s.timer, now + 2000);
	loop_timer_set(s.other, now + 1000);
	loop_timer_set(never, now + 500);
	loop_timer_set(never, -1);
	ok(loop_run(s.loop, &e), &e);
	assert_string_equal(s.order, "2111");
	assert_null(s.other);
	loop_timer_free(s.timer);
	loop_timer_free(never);
	loop_free(s.loop);
}

/* Both are ready in one turn, and the first one heard removes the other. */
static void on_either(void *ctx, int fd, uint32_t events)
{
	struct seen *s = ctx;

	(void)fd;
	assert_true(events & EPOLLIN);
	s->fired[0]++;
	for (int i = 0; i < 2; i++) {
		loop_watch_free(s->watch[i]);
		s->watch[i] = NULL;
	}
}

static void test_a_watch_that_was_removed_is_not_heard(void **state)
{
	struct seen s = {0};
	struct err e;
	int p[2], again;

	(void)state;
	ok(loop_new(&s.loop, &e), &e);
	assert_int_equal(pipe(p), 0);
	again = dup(p[0]);
	for (int i = 0; i < 2; i++)
		ok(loop_add_fd(s.loop, i ? again : p[0], EPOLLIN, on_either, &s,
			       &s.watch[i], &e),
		   &e);
	assert_int_equal(write(p[1], "x", 1), 1);
	ok(loop_turn(s.loop, 0, &e), &e);
	ok(loop_turn(s.loop, 0, &e), &e);
	assert_int_equal(s.fired[0], 1);
	fd_close(&again);
	fd_close(&p[0]);
	fd_close(&p[1]);
	loop_free(s.loop);
}

static void on_signal(void *ctx, int signo)
{
	struct seen *s = ctx;

	s->signo = signo;
	loop_stop(s->loop);
}

static void on_child(void *ctx, int fd, uint32_t events)
{
	struct seen *s = ctx;

	(void)fd;
	(void)events;
	s->fired[1]++;
	loop_stop(s->loop);
}

static void test_signals_and_children(void **state)
{
	static const int signals[] = {SIGUSR1, SIGUSR2};
	struct seen s = {0};
	struct err e;
	int pidfd;
	pid_t pid;

	(void)state;
	ok(loop_new(&s.loop, &e), &e);
	ok(loop_signals(s.loop, signals, 2, on_signal, &s, &e), &e);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	ok(loop_run(s.loop, &e), &e);
	assert_int_equal(s.signo, SIGUSR2);
	pid = fork();
	if (!pid)
		_exit(7);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	ok(loop_add_fd(s.loop, pidfd, EPOLLIN, on_child, &s, &s.watch[0], &e),
	   &e);
	ok(loop_run(s.loop, &e), &e);
	assert_int_equal(s.fired[1], 1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), pid);
	loop_watch_free(s.watch[0]);
	fd_close(&pidfd);
	loop_free(s.loop);
}

static void on_woken(void *ctx)
{
	struct seen *s = ctx;

	s->fired[2]++;
	loop_stop(s->loop);
}

static void *wake(void *ctx)
{
	loop_wake(((struct seen *)ctx)->loop);
	return NULL;
}

static void test_another_thread_wakes_it(void **state)
{
	struct seen s = {0};
	pthread_t t;
	struct err e;

	(void)state;
	ok(loop_new(&s.loop, &e), &e);
	ok(loop_on_wake(s.loop, on_woken, &s, &e), &e);
	assert_int_equal(pthread_create(&t, NULL, wake, &s), 0);
	ok(loop_run(s.loop, &e), &e);
	assert_int_equal(s.fired[2], 1);
	assert_int_equal(pthread_join(t, NULL), 0);
	loop_free(s.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_come_in_their_order),
		cmocka_unit_test(test_a_watch_that_was_removed_is_not_heard),
		cmocka_unit_test(test_signals_and_children),
		cmocka_unit_test(test_another_thread_wakes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

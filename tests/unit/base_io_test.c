/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Descriptors, the wire, channels and the loop. */
#include "base/chan.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

/* --- descriptors -------------------------------------------------------- */

static void test_files_are_whole_or_not_there(void **state)
{
	char path[] = "/tmp/nfo-base-XXXXXX";
	struct buf b = BUF_INIT(5);
	struct stat st;
	struct err e;
	int dir, fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fd_write_file(dir, "f", STR("12345"), 0640, &e), &e);
	assert_int_equal(fstatat(dir, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(faccessat(dir, "f.tmp", F_OK, 0), -1);
	ok(fd_read_file(dir, "f", &b, &e), &e);
	assert_true(str_is(buf_view(&b), "12345"));
	buf_reset(&b);
	ok(fd_write_file(dir, "f", STR("123456"), 0640, &e), &e);
	assert_int_equal(fd_read_file(dir, "f", &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(fd_read_file(dir, "none", &b, &e), -1);
	assert_int_equal(e.sys, ENOENT);

	/* no way out: by a link, by "..", by the root */
	assert_int_equal(symlinkat("/etc", dir, "link"), 0);
	assert_int_equal(fd_open_beneath(dir, "link/passwd", O_RDONLY, 0), -1);
	assert_int_equal(fd_open_beneath(dir, "../x", O_RDONLY, 0), -1);
	assert_int_equal(fd_open_beneath(dir, "/etc/passwd", O_RDONLY, 0), -1);
	fd = fd_open_beneath(dir, "f", O_RDONLY, 0);
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd_close(&fd);
	assert_int_equal(fd, -1);
	fd_close(&dir);
	ok(fd_remove_tree(AT_FDCWD, path, &e), &e);
	ok(fd_remove_tree(AT_FDCWD, path, &e), &e);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	buf_done(&b);
}

static void test_a_sealed_memory_file_never_changes(void **state)
{
	struct buf b = BUF_INIT(64);
	struct err e;
	size_t len;
	int fd = fd_memfd_sealed("x", STR("hello"), &e), open_one;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "j", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	ok(fd_memfd_check(fd, 5, &len, &e), &e);
	assert_int_equal(len, 5);
	assert_int_equal(fd_memfd_check(fd, 4, &len, &e), -1);
	ok(fd_memfd_read(fd, &b, &e), &e);
	assert_true(str_is(buf_view(&b), "hello"));
	fd_close(&fd);
	/* one that somebody else could still write to is not taken */
	open_one = memfd_create("y", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(open_one, "a", 1), 1);
	assert_int_equal(fd_memfd_check(open_one, 5, &len, &e), -1);
	fd_close(&open_one);
	buf_done(&b);
}

/* --- the wire ----------------------------------------------------------- */

static void test_fields_come_back(void **state)
{
	struct wire_writer w = {.len = 0};
	struct wire_reader r;
	char raw[3];

	(void)state;
	wire_u8(&w, 200);
	wire_u16(&w, 0xabcd);
	wire_u32(&w, 0xdeadbeef);
	wire_u64(&w, UINT64_MAX - 1);
	wire_i64(&w, INT64_MIN);
	wire_str(&w, STR("text"));
	wire_bytes(&w, "raw", 3);
	r = wire_reader(w.data, w.len);
	assert_int_equal(wire_get_u8(&r), 200);
	assert_int_equal(wire_get_u16(&r), 0xabcd);
	assert_int_equal(wire_get_u32(&r), 0xdeadbeef);
	assert_true(wire_get_u64(&r) == UINT64_MAX - 1);
	assert_true(wire_get_i64(&r) == INT64_MIN);
	assert_true(str_is(wire_get_str(&r, 4), "text"));
	assert_false(wire_end(&r)); /* something is left */
	wire_get_bytes(&r, raw, 3);
	assert_memory_equal(raw, "raw", 3);
	assert_true(wire_end(&r));
	assert_int_equal(wire_get_u8(&r), 0); /* behind the end */
	assert_false(wire_end(&r));
}

static void test_the_wire_keeps_its_bounds(void **state)
{
	struct wire_writer w = {.len = 0};
	struct wire_reader r;
	static char big[WIRE_MAX];

	(void)state;
	wire_str(&w, STR("12345"));
	r = wire_reader(w.data, w.len);
	assert_int_equal(wire_get_str(&r, 4).len, 0); /* longer than allowed */
	assert_false(wire_end(&r));
	r = wire_reader(w.data, w.len - 1); /* cut */
	assert_int_equal(wire_get_str(&r, 9).len, 0);
	assert_int_equal(wire_get_u8(&r), 0); /* a failure sticks */
	assert_false(wire_end(&r));
	wire_bytes(&w, big, sizeof(big));
	assert_true(w.failed);
}

/* --- channels ----------------------------------------------------------- */

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
	wire_u32(&w, 0);
	while (n < 1000000 && !chan_post(c, 5, &w, NULL, 0, &e))
		n++;
	assert_int_equal(e.code, ERR_LIMIT);
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

/* --- the loop ----------------------------------------------------------- */

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
	int p[2];

	(void)state;
	ok(loop_new(&s.loop, &e), &e);
	assert_int_equal(pipe(p), 0);
	for (int i = 0; i < 2; i++)
		ok(loop_add_fd(s.loop, i ? dup(p[0]) : p[0], EPOLLIN, on_either,
			       &s, &s.watch[i], &e),
		   &e);
	assert_int_equal(write(p[1], "x", 1), 1);
	ok(loop_turn(s.loop, 0, &e), &e);
	ok(loop_turn(s.loop, 0, &e), &e);
	assert_int_equal(s.fired[0], 1);
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
		cmocka_unit_test(test_files_are_whole_or_not_there),
		cmocka_unit_test(test_a_sealed_memory_file_never_changes),
		cmocka_unit_test(test_fields_come_back),
		cmocka_unit_test(test_the_wire_keeps_its_bounds),
		cmocka_unit_test(test_a_message_and_its_files),
		cmocka_unit_test(test_a_message_without_a_type),
		cmocka_unit_test(test_a_queue_is_bounded_and_in_order),
		cmocka_unit_test(test_timers_come_in_their_order),
		cmocka_unit_test(test_a_watch_that_was_removed_is_not_heard),
		cmocka_unit_test(test_signals_and_children),
		cmocka_unit_test(test_another_thread_wakes_it),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The control socket: what GO carries there and back, and what is refused. */
#include "base/mem.h"
#include "sandbox/ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *argv_of[] = {(char *)"sh", (char *)"-c", (char *)"echo \"a b\"",
			  NULL};
static char *env_of[] = {(char *)"PATH=/bin", (char *)"EMPTY=", NULL};
static char *none[] = {NULL};

static void exec_done(struct ctl_exec *x)
{
	mem_free(x->argv);
	mem_free(x->env);
	mem_free(x->text);
}

static void same(char **a, char *const *b)
{
	for (; *a && *b; a++, b++)
		assert_string_equal(*a, *b);
	assert_null(*a);
	assert_null(*b);
}

/* GO over a socket pair, as its receiver sees it. */
static void go(char *const *argv, char *const *env, struct chan_msg *msg)
{
	static unsigned char room[WIRE_MAX + 2];
	struct err e = {.text = ""};
	int pair[2];

	assert_int_equal(chan_pair(pair, &e), 0);
	assert_int_equal(ctl_go(pair[0], argv, env, (int[]){0, 1, 2}, &e), 0);
	assert_int_equal(chan_recv(pair[1], room, msg, &e), 1);
	assert_int_equal(msg->type, CTL_GO);
	assert_int_equal(msg->n_fds, 4);
	close(pair[0]);
	close(pair[1]);
}

static void test_round_trip(void **state)
{
	struct chan_msg msg;
	struct ctl_exec x;
	struct err e = {.text = ""};

	(void)state;
	go(argv_of, env_of, &msg);
	assert_int_equal(ctl_exec_read(msg.fds[3], &x, &e), 0);
	same(x.argv, argv_of);
	same(x.env, env_of);
	exec_done(&x);
	chan_msg_done(&msg);
	go(argv_of, none, &msg);
	assert_int_equal(ctl_exec_read(msg.fds[3], &x, &e), 0);
	same(x.argv, argv_of);
	same(x.env, none);
	exec_done(&x);
	chan_msg_done(&msg);
}

/* Nobody can change it after it was sent. */
static void test_sealed(void **state)
{
	struct chan_msg msg;

	(void)state;
	go(argv_of, env_of, &msg);
	errno = 0;
	assert_true(write(msg.fds[3], "x", 1) < 0);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(msg.fds[3], 0), -1);
	chan_msg_done(&msg);
}

static int read_bytes(const char *p, size_t len)
{
	struct ctl_exec x = {NULL};
	struct err e = {.text = ""};
	int fd = fd_memfd_sealed("test", str_n(p, len), &e), r;

	assert_true(fd >= 0);
	r = ctl_exec_read(fd, &x, &e);
	close(fd);
	if (!r)
		exec_done(&x);
	else
		assert_non_null(strstr(e.text, "GO"));
	return r;
}

static void test_malformed(void **state)
{
	(void)state;
#define READ(s) read_bytes(s, sizeof(s) - 1)
	assert_int_equal(READ("a\0\0\0"), 0);
	assert_int_equal(READ("a\0b\0\0c=d\0\0"), 0);
	assert_int_equal(READ(""), -1);           /* nothing */
	assert_int_equal(READ("\0\0"), -1);       /* no program */
	assert_int_equal(READ("a"), -1);          /* no end of a string */
	assert_int_equal(READ("a\0"), -1);        /* no end of argv */
	assert_int_equal(READ("a\0\0"), -1);      /* no environment */
	assert_int_equal(READ("a\0\0b=c"), -1);   /* cut */
	assert_int_equal(READ("a\0\0b=c\0"), -1); /* cut later */
	assert_int_equal(READ("a\0\0\0x"), -1);   /* more behind it */
	assert_int_equal(READ("a\0\0\0\0"), -1);  /* a third vector */
#undef READ
}

/* A file that its sender could still change is not read. */
static void test_unsealed(void **state)
{
	struct ctl_exec x;
	struct err e = {.text = ""};
	int fd = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a\0\0\0", 4), 4);
	assert_int_equal(ctl_exec_read(fd, &x, &e), -1);
	close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(ctl_exec_read(fd, &x, &e), -1);
	close(fd);
}

static void test_too_long(void **state)
{
	const size_t len = 3 << 20;
	char *big = mem_alloc(len + 1), *argv[] = {(char *)"a", big, NULL};
	struct err e = {.text = ""};
	int pair[2];

	(void)state;
	memset(big, 'x', len);
	assert_int_equal(chan_pair(pair, &e), 0);
	assert_int_equal(ctl_go(pair[0], argv, none, (int[]){0, 1, 2}, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	close(pair[0]);
	close(pair[1]);
	mem_free(big);
}

static void test_paths(void **state)
{
	(void)state;
	assert_true(ctl_path_ok(STR("a")));
	assert_true(ctl_path_ok(STR("a/b.c")));
	assert_false(ctl_path_ok(STR("")));
	assert_false(ctl_path_ok(STR("/a")));
	assert_false(ctl_path_ok(STR("a\0b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_unsealed),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

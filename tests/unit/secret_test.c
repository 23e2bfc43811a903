/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Guarded memory: what lies around it, what a child sees, what is wiped. */
#include "secrets/guard.h"
#include "secrets/secret.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct secret *make(const char *text, unsigned flags)
{
	struct secret *s = NULL;
	struct err e;

	assert_int_equal(secret_new(text, strlen(text), flags, &s, &e), 0);
	return s;
}

/* How a child that does fn ends: its exit code, or minus the signal. */
static int in_child(int (*fn)(struct secret *), struct secret *s)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		const struct rlimit none = {0, 0};

		/* Also without a sanitizer's report of the crash. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		if (!freopen("/dev/null", "w", stderr))
			_exit(99);
		_exit(fn(s));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_bytes(void **state)
{
	struct secret *s = make("tr0ub4dor", 0);
	struct secret_view v = secret_bytes(s);

	(void)state;
	assert_int_equal(v.n_bytes, 9);
	assert_memory_equal(v.bytes, "tr0ub4dor", 9);
	secret_shrink(s, 3);
	assert_int_equal(secret_bytes(s).n_bytes, 3);
	assert_memory_equal(v.bytes, "tr0\0\0\0\0\0\0", 9);
	secret_free(s);
	secret_free(NULL);
}

static void test_room_and_limits(void **state)
{
	struct secret *s = NULL, *none = NULL;
	struct err e;

	(void)state;
	assert_int_equal(secret_new(NULL, 5, 0, &s, &e), 0);
	assert_memory_equal(secret_room(s), "\0\0\0\0\0", 5);
	memcpy(secret_room(s), "abcde", 5);
	assert_memory_equal(secret_bytes(s).bytes, "abcde", 5);
	secret_free(s);
	assert_int_equal(secret_new("", 0, 0, &s, &e), 0);
	assert_int_equal(secret_bytes(s).n_bytes, 0);
	secret_free(s);
	assert_int_equal(secret_new(NULL, SECRET_MAX + 1, 0, &none, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_null(none);
	assert_int_equal(secret_new(NULL, SECRET_MAX, 0, &s, &e), 0);
	secret_free(s);
}

static void test_eq(void **state)
{
	struct secret *a = make("same", 0), *b = make("same", 0);
	struct secret *c = make("samf", 0), *d = make("sam", 0);

	(void)state;
	assert_true(secret_eq(a, b));
	assert_false(secret_eq(a, c));
	assert_false(secret_eq(a, d));
	secret_free(a);
	secret_free(b);
	secret_free(c);
	secret_free(d);
}

static int read_past(struct secret *s)
{
	struct secret_view v = secret_bytes(s);

	return ((const volatile unsigned char *)v.bytes)[v.n_bytes] & 1;
}

static int write_before(struct secret *s)
{
	volatile unsigned char *p = secret_room(s);

	p[-1] = 'x';
	secret_free(s);
	return 0;
}

static void test_guards(void **state)
{
	struct secret *s = make("0123456789", 0);

	(void)state;
	assert_int_equal(in_child(read_past, s), -SIGSEGV);
	assert_int_equal(in_child(write_before, s), -SIGABRT);
	secret_free(s);
}

static int is_wiped(struct secret *s)
{
	struct secret_view v = secret_bytes(s);
	int sum = 0;

	for (size_t i = 0; i < v.n_bytes; i++)
		sum |= v.bytes[i];
	secret_free(s);
	return sum ? 1 : 0;
}

static void test_fork(void **state)
{
	struct secret *kept = make("for the child", 0);
	struct secret *wiped = make("not for it", SECRET_WIPE_ON_FORK);

	(void)state;
	assert_int_equal(in_child(is_wiped, kept), 1);
	assert_int_equal(in_child(is_wiped, wiped), 0);
	assert_memory_equal(secret_bytes(wiped).bytes, "not for it", 10);
	secret_free(kept);
	secret_free(wiped);
}

/* The VmFlags line of the mapping that holds p. */
static void vm_flags(const void *p, char *out, size_t len)
{
	unsigned long at = (unsigned long)(uintptr_t)p, from, to;
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[1024];
	int here = 0;

	assert_non_null(f);
	out[0] = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = at >= from && at < to;
		if (here && !strncmp(line, "VmFlags:", 8))
			snprintf(out, len, "%.*s", (int)len - 1, line);
	}
	fclose(f);
}

static void test_not_dumped(void **state)
{
	struct secret *s = make("no core", SECRET_WIPE_ON_FORK);
	char flags[1024];

	(void)state;
	vm_flags(secret_bytes(s).bytes, flags, sizeof(flags));
	assert_non_null(strstr(flags, " dd")); /* do not dump */
	assert_non_null(strstr(flags, " wf")); /* wipe on fork */
	/* the sanitizers make mlock do nothing */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(!secret_locked(s) || strstr(flags, " lo"));
#endif
	secret_free(s);
}

static int harden(struct secret *s)
{
	struct rlimit core = {1, 1};
	struct err e;

	(void)s;
	if (secret_process_harden(&e))
		return 10;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 11;
	if (getrlimit(RLIMIT_CORE, &core) || core.rlim_cur || core.rlim_max)
		return 12;
	return 0;
}

static void test_harden(void **state)
{
	(void)state;
	assert_int_equal(in_child(harden, NULL), 0);
}

static void test_guard_alignment(void **state)
{
	struct guard g = {0};
	struct err e;

	(void)state;
	guard_unmap(&g);
	for (size_t len = 0; len < 9000; len += 513) {
		assert_int_equal(guard_map(len, 64, 0, &g, &e), 0);
		assert_int_equal((uintptr_t)g.p % 64, 0);
		memset(g.p, 'x', len);
		guard_unmap(&g);
		assert_null(g.p);
	}
	assert_int_equal(guard_map(SIZE_MAX - 5, 64, 0, &g, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_room_and_limits),
		cmocka_unit_test(test_eq),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_not_dumped),
		cmocka_unit_test(test_harden),
		cmocka_unit_test(test_guard_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

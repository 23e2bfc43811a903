/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The store under SIGKILL and on a full disk: what was acknowledged is there,
 * and nothing is damaged. */
#include "store_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum {
	ROUNDS = 12,
	SKIPPED = 77
};

/* --- killed ------------------------------------------------------------- */

/* Commit runs one by one and in batches; say each id after its commit. */
static void write_for_ever(const char *path, int to)
{
	struct store *s;
	struct err e;

	if (store_open(path, &s, &e))
		_exit(1);
	for (unsigned batch = 1;; batch = batch % 7 + 1) {
		struct ulid done[8];

		if (store_begin(s, &e))
			_exit(2);
		for (unsigned i = 0; i < batch; i++) {
			struct store_run run = a_run("kill");
			struct store_event ev = {.type = STORE_EVENT_RUN};
			int64_t id;

			done[i] = run.ulid;
			if (store_run_add(s, &run, &run.id, &e) ||
			    store_event_add(s, run.id, &ev, &id, &e))
				_exit(3);
		}
		if (store_commit(s, &e) ||
		    fd_write_all(to, done, batch * sizeof(*done)))
			_exit(4);
	}
}

static int nothing(void *ctx, const struct store_run *r, struct err *e)
{
	(void)ctx;
	(void)r;
	(void)e;
	return 0;
}

/* Kill it after it has said so many ids; returns how many were acknowledged. */
static size_t killed_round(struct dir *d, size_t after)
{
	struct store_reader *r;
	struct ulid id;
	size_t n = 0;
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(p[0]);
		write_for_ever(d->path, p[1]);
	}
	close(p[1]);
	struct ulid *seen = mem_array(100000, sizeof(*seen));

	while (fd_read_full(p[0], &id, sizeof(id)) == (ssize_t)sizeof(id)) {
		seen[n++] = id;
		if (n == after)
			assert_int_equal(kill(pid, SIGKILL), 0);
	}
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	/* opening checks the whole database */
	ok(store_open(d->path, &d->store, &d->e), &d->e);
	ok(store_reader_open(store_path(d->store), &r, &d->e), &d->e);
	for (size_t i = 0; i < n; i++)
		ok(store_read_run(r, &seen[i], nothing, NULL, &d->e), &d->e);
	store_reader_close(r);
	store_close(d->store);
	d->store = NULL;
	mem_free(seen);
	return n;
}

static void test_killed(void **state)
{
	struct dir *d = *state;

	store_close(d->store);
	d->store = NULL;
	for (size_t i = 0; i < ROUNDS; i++)
		assert_true(killed_round(d, 1 + i * 53) >= 1 + i * 53);
}

/* --- full --------------------------------------------------------------- */

static int fill(const char *dir)
{
	static char block[1 << 16];
	char name[300];
	int fd;

	(void)snprintf(name, sizeof(name), "%s/filler", dir);
	fd = creat(name, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	while (write(fd, block, 512) > 0)
		;
	return close(fd);
}

static int add_one(struct store *s, struct store_run *run, struct err *e)
{
	*run = a_run("full");
	if (store_begin(s, e))
		return -1;
	if (store_run_add(s, run, &run->id, e)) {
		store_rollback(s);
		return -1;
	}
	return store_commit(s, e);
}

static int set_one(struct store *s, const struct store_run *run, struct err *e)
{
	return store_begin(s, e) || store_run_set(s, run, e) ||
	       store_commit(s, e);
}

/* In a mount namespace of its own; returns the line that went wrong. */
static int full_disk(const char *dir)
{
	struct store_run last = {0}, run;
	struct store_reader *r;
	struct store *s;
	char filler[300];
	struct err e = {0};
	int n = 0;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=32m"))
		return SKIPPED;
	if (store_open(dir, &s, &e) || !store_ballast_held(s))
		return __LINE__;
	if (add_one(s, &last, &e) || fill(dir))
		return __LINE__;
	while (!add_one(s, &run, &e)) {
		last = run;
		if (++n > 100000)
			return __LINE__;
	}
	if (e.code != ERR_LIMIT || e.sys != ENOSPC)
		return __LINE__;
	/* what is stored can be read; changing waits for the ballast */
	if (store_reader_open(store_path(s), &r, &e) ||
	    store_read_run(r, &last.ulid, nothing, NULL, &e))
		return __LINE__;
	if (store_read_run(r, &run.ulid, nothing, NULL, &e) != -1 ||
	    e.code != ERR_NOT_FOUND)
		return __LINE__;
	if (!store_ballast_drop(s) || store_ballast_drop(s))
		return __LINE__;
	last.state = STATE_SUCCEEDED;
	if (set_one(s, &last, &e))
		return __LINE__;
	/* no room for another one yet; there is once the filler goes */
	if (store_ballast_make(s, &e) != -1 || e.code != ERR_LIMIT)
		return __LINE__;
	(void)snprintf(filler, sizeof(filler), "%s/filler", dir);
	if (unlink(filler) || store_ballast_make(s, &e) || add_one(s, &run, &e))
		return __LINE__;
	store_reader_close(r);
	store_close(s);
	if (store_open(dir, &s, &e))
		return __LINE__;
	store_close(s);
	return 0;
}

static void test_full(void **state)
{
	struct dir *d = *state;
	int p[2], said = -1, status;
	pid_t pid;

	if (geteuid()) {
		print_message("only root can mount a small file system\n");
		skip();
	}
	store_close(d->store);
	d->store = NULL;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		said = unshare(CLONE_NEWNS) ? SKIPPED : full_disk(d->path);
		_exit(fd_write_all(p[1], &said, sizeof(said)) ? 1 : 0);
	}
	close(p[1]);
	assert_int_equal(fd_read_full(p[0], &said, sizeof(said)), sizeof(said));
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (said == SKIPPED) {
		print_message("no mount namespace to be had here\n");
		skip();
	}
	if (said)
		print_error("line %d\n", said);
	assert_int_equal(said, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed, dir_make,
						dir_drop),
		cmocka_unit_test_setup_teardown(test_full, dir_make, dir_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

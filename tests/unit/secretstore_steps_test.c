/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Killed at every single write, sync and truncation that an operation on the
 * store's keys makes: SQLite's files go through a shim that ends the process at
 * the n-th of them, for every n.  Afterwards the store opens, nothing is
 * damaged, and the operation can be gone on with.
 */
#include "secretstore.h"

enum {
	KILLED = 9,
	STEPS_MAX = 2000,
	METHODS_MAX = 8
};

/* --- the shim ------------------------------------------------------------- */

static sqlite3_vfs *plain;
static sqlite3_io_methods ours[METHODS_MAX];
static const sqlite3_io_methods *theirs[METHODS_MAX]; /* of each of ours */
static size_t n_methods;
static int steps_left; /* 0: not armed */

static void step(void)
{
	if (steps_left && !--steps_left)
		_exit(KILLED);
}

static const sqlite3_io_methods *real(const sqlite3_file *f)
{
	return theirs[f->pMethods - ours];
}

static int shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	step();
	return real(f)->xWrite(f, p, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 len)
{
	step();
	return real(f)->xTruncate(f, len);
}

static int shim_sync(sqlite3_file *f, int flags)
{
	step();
	return real(f)->xSync(f, flags);
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
		     int flags, int *out)
{
	int rc = plain->xOpen(plain, name, f, flags, out);
	size_t i = 0;

	(void)vfs;
	if (rc != SQLITE_OK || !f->pMethods)
		return rc;
	/* A database and its log have different ones. */
	while (i < n_methods && theirs[i] != f->pMethods)
		i++;
	if (i == METHODS_MAX)
		return SQLITE_CANTOPEN;
	if (i == n_methods) {
		theirs[n_methods++] = f->pMethods;
		ours[i] = *f->pMethods;
		ours[i].xWrite = shim_write;
		ours[i].xTruncate = shim_truncate;
		ours[i].xSync = shim_sync;
	}
	f->pMethods = &ours[i];
	return rc;
}

static int steps_setup(void **state)
{
	static sqlite3_vfs shim;

	if (group_setup(state))
		return -1;
	plain = sqlite3_vfs_find(NULL);
	shim = *plain;
	shim.zName = "steps";
	shim.xOpen = shim_open;
	return sqlite3_vfs_register(&shim, 1) == SQLITE_OK ? 0 : -1;
}

/* --- operations ----------------------------------------------------------- */

static int rotate(struct secret_store *s, struct err *e)
{
	uint64_t term;

	return secret_store_rotate(s, &term, e);
}

static int rewrap(struct secret_store *s, struct err *e)
{
	uint64_t left;

	return secret_store_rewrap(s, 100, &left, e);
}

static int rekey(struct secret_store *s, struct err *e)
{
	uint64_t term;
	int bad = secret_store_rekey(s, &opener, 1, &term, e);

	return bad && e->code != ERR_CONFLICT ? -1 : 0;
}

static int add_slot(struct secret_store *s, struct err *e)
{
	struct secret *text = NULL;
	struct secret_opener by = {.kind = SECRET_SLOT_CREDENTIAL};
	uint64_t id;
	int bad;

	if (secret_new("0123456789abcdef0123456789abcdef", 32, 0, &text, e))
		return -1;
	by.key = text;
	bad = secret_store_slot_add(s, &by, &id, e);
	secret_free(text);
	return bad && e->code != ERR_CONFLICT ? -1 : 0;
}

static int remove_slot(struct secret_store *s, struct err *e)
{
	int bad = secret_store_slot_remove(s, 2, e);

	return bad && e->code != ERR_NOT_FOUND ? -1 : 0;
}

static int destroy(struct secret_store *s, struct err *e)
{
	int bad = secret_store_remove(s, P, STR("c"), 1, e);

	return bad && e->code != ERR_NOT_FOUND ? -1 : 0;
}

/* Each is done at last, so that the next one has what it needs. */
static const struct {
	const char *name;
	int (*fn)(struct secret_store *s, struct err *e);
} operations[] = {
	{"rotate",      rotate     },
        {"rewrap",      rewrap     },
	{"rekey",       rekey      },
        {"old root",    rewrap     },
	{"add slot",    add_slot   },
        {"remove slot", remove_slot},
	{"destroy",     destroy    },
};

/* true: it was done before the n-th step came. */
static bool killed_at(int n, size_t op)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct secret_store *s = NULL;
		struct err e;

		if (secret_store_open(&opts, &opener, 1, &s, &e))
			_exit(1);
		steps_left = n;
		if (operations[op].fn(s, &e))
			_exit(2);
		steps_left = 0;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) && WEXITSTATUS(status) != KILLED)
		fail_msg("%s, step %d: exit code %d", operations[op].name, n,
			 WEXITSTATUS(status));
	return !WEXITSTATUS(status);
}

static void restore(const char *good)
{
	char wal[128], kept[160];

	snprintf(wal, sizeof(wal), "%s-wal", db);
	(void)unlink(wal);
	copy(good, db);
	snprintf(kept, sizeof(kept), "%s.epoch", good);
	copy(kept, epoch_file);
}

static void all_is_well(size_t op, int n)
{
	struct secret_store *s;
	struct err e;

	s = try_open(&e);
	if (!s)
		fail_msg("%s, step %d: %s", operations[op].name, n, e.text);
	if (secret_store_verify(s, &e))
		fail_msg("%s, step %d: %s", operations[op].name, n, e.text);
	is(s, "a", 1, "alpha one");
	is(s, "a", 2, "alpha two");
	is(s, "b", 2, "beta two");
	secret_store_close(s);
}

static void test_every_step(void **state)
{
	char good[128], kept[160];

	(void)state;
	fill();
	for (size_t op = 0; op < ARRAY_LEN(operations); op++) {
		int n = 1;

		snprintf(good, sizeof(good), "%s/before-%zu", top, op);
		snprintf(kept, sizeof(kept), "%s.epoch", good);
		copy(db, good);
		copy(epoch_file, kept);
		while (!killed_at(n, op)) {
			all_is_well(op, n);
			restore(good);
			assert_true(++n < STEPS_MAX);
		}
		all_is_well(op, n);
		/* A process that only read would prove nothing. */
		if (n < 4)
			fail_msg("%s: %d steps", operations[op].name, n);
		print_message("%s: %d steps\n", operations[op].name, n - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_every_step)};

	return cmocka_run_group_tests(tests, steps_setup, NULL);
}

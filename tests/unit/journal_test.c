/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The journal of leases: read back, torn, edited, spliced, on a full disk. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "vault/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];
static int dir = -1;
static struct secret *key, *other_key, *token;

/* What was heard, one line a record. */
static struct buf heard = BUF_INIT(1 << 16);

static int setup(void **state)
{
	struct err e;

	(void)state;
	(void)snprintf(top, sizeof(top), "/tmp/nfo-journal-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 || secret_new(NULL, JOURNAL_KEY_LEN, 0, &key, &e) ||
	       secret_new("0123456789abcdef0123456789abcdef", 32, 0, &other_key,
			  &e) ||
	       secret_new("hvs.thetoken", 12, 0, &token, &e);
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	fd_close(&dir);
	secret_free(key);
	secret_free(other_key);
	secret_free(token);
	buf_done(&heard);
	return fd_remove_tree(AT_FDCWD, top, &e);
}

static void hear(void *ctx, const struct journal_record *r)
{
	char t[32] = "";

	(void)ctx;
	if (r->token)
		(void)snprintf(t, sizeof(t), "%.*s",
			       (int)secret_bytes(r->token).n_bytes,
			       (const char *)secret_bytes(r->token).bytes);
	assert_true(buf_printf(
		&heard,
		"%d login=%llu provider=%s attempt=%s token=%s id=%s "
		"lease=%s project=%s run=%s path=%s made=%lld ends=%lld "
		"%s%s%s\n",
		(int)r->what, (unsigned long long)r->login, r->provider,
		r->attempt.s, t, r->id.s, r->lease_id, r->project, r->run.s,
		r->path, (long long)r->made_us, (long long)r->expires_us,
		r->renewable ? "R" : "", r->keep ? "K" : "",
		r->ours ? "O" : ""));
}

static size_t lines(void)
{
	size_t n = 0;

	for (size_t i = 0; i < heard.len; i++)
		n += heard.data[i] == '\n';
	return n;
}

/* Opens; the journal is where records are appended, or NULL. */
static struct journal *reopen(const struct secret *k, size_t lost)
{
	struct journal *j = NULL;
	size_t n = 99;
	struct err e;

	buf_reset(&heard);
	assert_int_equal(journal_open(dir, k, hear, NULL, &j, &n, &e), 0);
	assert_int_equal(n, lost);
	return j;
}

static struct journal *fresh(void)
{
	struct journal *j;
	struct err e;

	(void)unlinkat(dir, "leases", 0);
	(void)unlinkat(dir, "leases.bad", 0);
	j = reopen(key, 0);
	assert_true(journal_failed(j));
	assert_int_equal(journal_renew(j, &e), 0);
	assert_int_equal(journal_renewed(j, &e), 0);
	assert_false(journal_failed(j));
	return j;
}

static const struct ulid attempt = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"};
static const struct ulid lease_a = {"01ARZ3NDEKTSV4RRFFQ69G5FAA"};

static struct journal_record login(void)
{
	return (struct journal_record){.what = JOURNAL_LOGIN,
				       .login = 7,
				       .provider = "vault",
				       .token = token,
				       .ours = true};
}

static struct journal_record lease(void)
{
	return (struct journal_record){.what = JOURNAL_LEASE,
				       .login = 7,
				       .provider = "vault",
				       .attempt = attempt,
				       .id = lease_a,
				       .lease_id = "database/creds/app/xyz",
				       .project = "web",
				       .run = attempt,
				       .path = "database/creds/app",
				       .made_us = 5,
				       .expires_us = 10,
				       .renewable = true};
}

static struct journal_record of(enum journal_what what)
{
	return (struct journal_record){.what = what,
				       .login = 7,
				       .id = lease_a,
				       .expires_us = 20,
				       .keep = true};
}

static void append(struct journal *j, struct journal_record r)
{
	struct err e;

	assert_int_equal(journal_append(j, &r, true, &e), 0);
}

/* One of each. */
static void fill(struct journal *j)
{
	append(j, login());
	append(j, lease());
	append(j, of(JOURNAL_RENEWED));
	append(j, of(JOURNAL_LEASE_GONE));
	append(j, of(JOURNAL_LOGIN_GONE));
}

static void content(struct buf *b)
{
	struct err e;

	assert_int_equal(fd_read_file(dir, "leases", b, &e), 0);
}

static void replace(const void *p, size_t len)
{
	struct err e;

	assert_int_equal(fd_write_file(dir, "leases", str_n(p, len), 0600, &e),
			 0);
}

/* --- */

static void what_goes_in_comes_out(void **state)
{
	struct journal *j = fresh();

	(void)state;
	fill(j);
	assert_int_equal(journal_records(j), 5);
	journal_free(j);
	j = reopen(key, 0);
	assert_string_equal(
		buf_cstr(&heard),
		"1 login=7 provider=vault attempt= token=hvs.thetoken id= "
		"lease= project= run= path= made=0 ends=0 O\n"
		"3 login=7 provider=vault attempt=01ARZ3NDEKTSV4RRFFQ69G5FAV "
		"token= id=01ARZ3NDEKTSV4RRFFQ69G5FAA "
		"lease=database/creds/app/xyz project=web "
		"run=01ARZ3NDEKTSV4RRFFQ69G5FAV path=database/creds/app made=5 "
		"ends=10 R\n"
		"4 login=0 provider= attempt= token= "
		"id=01ARZ3NDEKTSV4RRFFQ69G5FAA lease= project= run= path= "
		"made=0 ends=20 K\n"
		"5 login=0 provider= attempt= token= "
		"id=01ARZ3NDEKTSV4RRFFQ69G5FAA lease= project= run= path= "
		"made=0 ends=0 \n"
		"2 login=7 provider= attempt= token= id= lease= project= run= "
		"path= made=0 ends=0 \n");
	journal_free(j);
}

static void nothing_in_it_is_readable(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	struct journal *j = fresh();
	struct stat st;

	(void)state;
	fill(j);
	journal_free(j);
	content(&b);
	assert_null(memmem(b.data, b.len, "hvs.", 4));
	assert_null(memmem(b.data, b.len, "database", 8));
	assert_int_equal(fstatat(dir, "leases", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* Cut anywhere, all that was whole is there, and it goes on. */
static void a_torn_tail_is_dropped(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	struct journal *j = fresh();
	size_t last = 0;
	struct err e;

	(void)state;
	fill(j);
	journal_free(j);
	content(&b);
	for (size_t len = 24; len <= b.len; len++) {
		replace(b.data, len);
		j = reopen(key, 0);
		assert_true(lines() >= last);
		last = lines();
		assert_int_equal(journal_renew(j, &e), 0);
		append(j, login());
		assert_int_equal(journal_renewed(j, &e), 0);
		append(j, lease());
		journal_free(j);
		j = reopen(key, 0);
		assert_int_equal(lines(), 2);
		journal_free(j);
	}
	assert_int_equal(last, 5);
	assert_int_equal(faccessat(dir, "leases.bad", F_OK, 0), -1);
}

/* One byte is another: the records before it and, unless it was a length,
 * behind it are there; nothing that was not written is. */
static void an_edited_byte_is_noticed(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	CLEANUP_BUF struct buf all = BUF_INIT(1 << 16);
	struct journal *j = fresh();

	(void)state;
	fill(j);
	journal_free(j);
	content(&b);
	j = reopen(key, 0);
	journal_free(j);
	assert_true(buf_str(&all, buf_view(&heard)));
	for (size_t i = 0; i < b.len; i++) {
		size_t lost = 0;
		struct err e;

		b.data[i] ^= 0x20;
		replace(b.data, b.len);
		b.data[i] ^= 0x20;
		buf_reset(&heard);
		assert_int_equal(
			journal_open(dir, key, hear, NULL, &j, &lost, &e), 0);
		journal_free(j);
		assert_true(lines() < 5);
		for (struct str rest = buf_view(&heard); rest.len;) {
			struct str line = str_cut(&rest, '\n');

			assert_non_null(
				memmem(all.data, all.len, line.p, line.len));
		}
	}
}

static void what_is_damaged_is_kept(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	CLEANUP_BUF struct buf bad = BUF_INIT(1 << 16);
	struct journal *j = fresh();
	struct err e;

	(void)state;
	fill(j);
	journal_free(j);
	content(&b);
	b.data[40] ^= 1; /* the nonce of the first */
	replace(b.data, b.len);
	j = reopen(key, 1);
	assert_int_equal(lines(), 4);
	assert_int_equal(journal_renew(j, &e), 0);
	assert_int_equal(journal_renewed(j, &e), 0);
	journal_free(j);
	assert_int_equal(fd_read_file(dir, "leases.bad", &bad, &e), 0);
	assert_int_equal(bad.len, b.len);
	assert_memory_equal(bad.data, b.data, b.len);
	j = reopen(key, 0);
	assert_int_equal(lines(), 0);
	journal_free(j);
}

static void another_key_opens_nothing(void **state)
{
	struct journal *j = fresh();

	(void)state;
	append(j, login());
	journal_free(j);
	j = reopen(other_key, 1);
	assert_int_equal(lines(), 0);
	journal_free(j);
	j = reopen(key, 0); /* and nothing was written */
	assert_int_equal(lines(), 1);
	journal_free(j);
}

static void records_stay_in_their_place(void **state)
{
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 16);
	CLEANUP_BUF struct buf old = BUF_INIT(1 << 16);
	enum {
		FRAME = 44 + 9 /* of a LOGIN_GONE */
	};
	struct journal *j = fresh();
	char frame[FRAME];

	(void)state;
	append(j, of(JOURNAL_LOGIN_GONE));
	append(j, of(JOURNAL_LOGIN_GONE));
	append(j, login());
	journal_free(j);
	content(&old);
	/* the first two change places */
	memcpy(frame, old.data + 24, FRAME);
	memmove(old.data + 24, old.data + 24 + FRAME, FRAME);
	memcpy(old.data + 24 + FRAME, frame, FRAME);
	replace(old.data, old.len);
	j = reopen(key, 2);
	assert_int_equal(lines(), 1);
	journal_free(j);
	/* from another file, in the same place */
	j = fresh();
	append(j, of(JOURNAL_LOGIN_GONE));
	append(j, login());
	journal_free(j);
	content(&b);
	memcpy(b.data + 24, frame, FRAME);
	replace(b.data, b.len);
	j = reopen(key, 1);
	assert_int_equal(lines(), 1);
	journal_free(j);
}

static void garbage_is_no_journal(void **state)
{
	struct journal *j;

	(void)state;
	replace("something else that is long enough for it", 41);
	j = reopen(key, 1);
	assert_int_equal(lines(), 0);
	journal_free(j);
	replace("", 0);
	j = reopen(key, 0);
	journal_free(j);
	(void)unlinkat(dir, "leases", 0);
	assert_int_equal(symlinkat("/etc/passwd", dir, "leases"), 0);
	{
		size_t lost;
		struct err e;

		assert_int_equal(
			journal_open(dir, key, hear, NULL, &j, &lost, &e), -1);
	}
	(void)unlinkat(dir, "leases", 0);
}

static void renewing_that_fails_leaves_the_old(void **state)
{
	struct journal *j = fresh();
	struct err e;

	(void)state;
	append(j, login());
	assert_int_equal(journal_renew(j, &e), 0);
	append(j, lease());
	journal_free(j); /* as if killed */
	j = reopen(key, 0);
	assert_int_equal(lines(), 1);
	assert_non_null(strstr(buf_cstr(&heard), "hvs.thetoken"));
	journal_free(j);
}

/* The disk is full in the middle of a record: the record is not there, all
 * before it is, and it goes on when there is room. */
static void a_full_disk(void **state)
{
	struct rlimit old, small;
	struct journal *j = fresh();
	struct journal_record r = lease();
	struct err e;

	(void)state;
	append(j, login());
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){200, old.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(journal_append(j, &r, true, &e), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(journal_failed(j));
	append(j, lease());
	journal_free(j);
	j = reopen(key, 0);
	assert_int_equal(lines(), 2);
	journal_free(j);
}

/* It is full while the file is made anew: what comes then is in the old one. */
static void a_full_disk_while_made_anew(void **state)
{
	struct rlimit old, small;
	struct journal *j = fresh();
	struct journal_record r = lease();
	struct err e;

	(void)state;
	append(j, login());
	assert_int_equal(journal_renew(j, &e), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){100, old.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(journal_append(j, &r, false, &e), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	append(j, lease());
	journal_free(j);
	j = reopen(key, 0);
	assert_int_equal(lines(), 2);
	journal_free(j);
}

static void too_long_is_refused(void **state)
{
	CLEANUP_SECRET struct secret *big = NULL;
	struct journal *j = fresh();
	struct journal_record r = login();
	struct err e;

	(void)state;
	assert_int_equal(secret_new(NULL, JOURNAL_TOKEN_MAX + 1, 0, &big, &e),
			 0);
	r.token = big;
	assert_int_equal(journal_append(j, &r, true, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	secret_shrink(big, JOURNAL_TOKEN_MAX);
	append(j, r);
	journal_free(j);
	j = reopen(key, 0);
	assert_int_equal(lines(), 1);
	journal_free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(nothing_in_it_is_readable),
		cmocka_unit_test(a_torn_tail_is_dropped),
		cmocka_unit_test(an_edited_byte_is_noticed),
		cmocka_unit_test(what_is_damaged_is_kept),
		cmocka_unit_test(another_key_opens_nothing),
		cmocka_unit_test(records_stay_in_their_place),
		cmocka_unit_test(garbage_is_no_journal),
		cmocka_unit_test(renewing_that_fails_leaves_the_old),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(a_full_disk_while_made_anew),
		cmocka_unit_test(too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

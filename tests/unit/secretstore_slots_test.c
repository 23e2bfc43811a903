/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Slots of the secret store, its root key anew, and stores of the first
 * format. */
#include "secretstore.h"

#include "base/clock.h"
#include "base/hex.h"

#include "secretstore_old.inc"

static struct secret *secret_of(const char *text)
{
	struct secret *s = NULL;
	struct err e;

	assert_int_equal(secret_new(text, strlen(text), 0, &s, &e), 0);
	return s;
}

static struct secret_opener pass(const char *text)
{
	return (struct secret_opener){.kind = SECRET_SLOT_PASSPHRASE,
				      .key = secret_of(text),
				      .log_n = SECRET_STORE_SCRYPT_MIN};
}

static void done(struct secret_opener *by)
{
	secret_free((struct secret *)(uintptr_t)by->key);
}

static uint64_t add(struct secret_store *s, const struct secret_opener *by)
{
	uint64_t id = 0;
	struct err e = {0};

	if (secret_store_slot_add(s, by, &id, &e))
		fail_msg("slot add: %s", e.text);
	return id;
}

static void opens(const struct secret_opener *by, const char *why)
{
	struct secret_store *s = NULL;
	struct err e = {0};
	int rc = secret_store_open(&opts, by, 1, &s, &e);

	if (!why && rc)
		fail_msg("it does not open: %s", e.text);
	if (why && !rc)
		fail_msg("it opens");
	if (why && !strstr(e.text, why))
		fail_msg("\"%s\", not \"%s\"", e.text, why);
	if (!rc)
		is(s, "a", 0, "alpha two");
	secret_store_close(s);
}

static void test_side_by_side(void **state)
{
	struct secret_opener one = pass("correct horse"), other = one;
	struct secret_opener cred = {.kind = SECRET_SLOT_CREDENTIAL};
	struct secret_slot slots[SECRET_STORE_SLOTS_MAX];
	struct secret_store *s;
	struct err e;
	size_t n = 0;
	uint64_t id;

	(void)state;
	fill();
	other.key = secret_of("battery staple");
	cred.key = secret_of("0123456789abcdef0123456789abcdef");
	s = open_store();
	assert_int_equal(add(s, &one), 2);
	assert_int_equal(add(s, &cred), 3);
	assert_int_equal(secret_store_slot_add(s, &one, &id, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_int_equal(secret_store_slots(s, slots, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_int_equal(slots[1].kind, SECRET_SLOT_PASSPHRASE);
	assert_int_equal(slots[1].log_n, SECRET_STORE_SCRYPT_MIN);
	secret_store_close(s);
	opens(&one, NULL);
	opens(&cred, NULL);
	opens(&opener, NULL);
	opens(&other, "does not open");
	/* The same bytes as another kind of key are another key. */
	cred.kind = SECRET_SLOT_KEYFILE;
	opens(&cred, "does not open");

	s = open_store();
	assert_int_equal(secret_store_slot_remove(s, 9, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(secret_store_slot_remove(s, 1, &e), 0);
	assert_int_equal(secret_store_slot_remove(s, 3, &e), 0);
	assert_int_equal(secret_store_slot_remove(s, 2, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_int_equal(secret_store_verify(s, &e), 0);
	secret_store_close(s);
	opens(&opener, "does not open");
	opens(&one, NULL);
	done(&one);
	done(&other);
	done(&cred);
}

static void test_bounds(void **state)
{
	struct secret_opener one = pass("seven77");
	struct secret_store *s = open_store();
	struct err e;
	uint64_t id;

	(void)state;
	assert_int_equal(secret_store_slot_add(s, &one, &id, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	done(&one);
	one = pass("long enough");
	one.log_n = SECRET_STORE_SCRYPT_MIN - 1;
	assert_int_equal(secret_store_slot_add(s, &one, &id, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	one.log_n = SECRET_STORE_SCRYPT_MAX + 1;
	assert_int_equal(secret_store_slot_add(s, &one, &id, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	for (char c = 'a'; c < 'a' + SECRET_STORE_SLOTS_MAX - 1; c++) {
		char text[] = "0123456789abcdef0123456789abcde?";
		struct secret_opener key_of = {.kind = SECRET_SLOT_CREDENTIAL};

		text[31] = c;
		key_of.key = secret_of(text);
		add(s, &key_of);
		done(&key_of);
	}
	one.log_n = SECRET_STORE_SCRYPT_MIN;
	assert_int_equal(secret_store_slot_add(s, &one, &id, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	done(&one);
	secret_store_close(s);
}

/* Refused before any memory or time goes into it. */
static void test_hostile_scrypt(void **state)
{
	static const char *const params[] = {
		"x'1e0801'", /* 2^30: 1 TiB */
		"x'0f0801'", /* 2^15: too easy */
		"x'104001'", /* r */
		"x'100840'", /* p */
		"x'000801'", "x''", "zeroblob(513)",
	};
	struct secret_opener one = pass("correct horse");
	struct secret_store *s;
	int64_t start;

	(void)state;
	fill();
	s = open_store();
	add(s, &one);
	secret_store_close(s);
	keep_good();
	start = clock_mono_us();
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		char text[256], good[128];

		snprintf(good, sizeof(good), "%s/good.db", top);
		copy(good, db);
		snprintf(text, sizeof(text),
			 "UPDATE slots SET params = CAST(%s || "
			 "substr(params, 4) AS BLOB) WHERE slot = 2",
			 params[i]);
		sql(text);
		opens(&one, "damaged");
	}
	assert_true(clock_mono_us() - start < 2000000);
	done(&one);
}

/* A slot that was removed and is put back opens nothing. */
static void test_replayed_slot(void **state)
{
	struct secret_opener one = pass("correct horse");
	struct secret_store *s;
	char text[512], good[128];
	struct err e;

	(void)state;
	fill();
	s = open_store();
	add(s, &one);
	secret_store_close(s);
	keep_good();
	s = open_store();
	assert_int_equal(secret_store_slot_remove(s, 2, &e), 0);
	secret_store_close(s);
	opens(&one, "does not open");
	snprintf(good, sizeof(good), "%s/good.db", top);
	snprintf(text, sizeof(text),
		 "ATTACH '%s' AS old; INSERT INTO slots SELECT * FROM old.slots"
		 " WHERE slot = 2",
		 good);
	sql(text);
	opens(&one, "slots are not those of the manifest");
	opens(&opener, "slots are not those of the manifest");
	done(&one);
}

static void rewrap_all(struct secret_store *s)
{
	uint64_t left = 1;
	struct err e = {0};

	for (int i = 0; left && i < 100; i++)
		if (secret_store_rewrap(s, 2, &left, &e))
			fail_msg("rewrap: %s", e.text);
	assert_int_equal(left, 0);
}

static void test_rekey(void **state)
{
	struct secret_opener by[2] = {opener, pass("correct horse")};
	struct secret_store_status st;
	struct secret_store *s;
	struct err e = {0};
	uint64_t term = 0;

	(void)state;
	fill();
	s = open_store();
	add(s, &by[1]);
	assert_int_equal(secret_store_rekey(s, by, 1, &term, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "slot 2 (passphrase)"));
	is(s, "a", 1, "alpha one"); /* nothing has changed */
	put(s, "d", "delta");
	if (secret_store_rekey(s, by, 2, &term, &e))
		fail_msg("rekey: %s", e.text);
	assert_int_equal(term, 3);
	secret_store_status(s, &st);
	assert_true(st.old_root);
	assert_int_equal(st.old, 4);
	is(s, "a", 1, "alpha one");
	put(s, "e", "epsilon");
	assert_int_equal(secret_store_rekey(s, by, 2, &term, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	secret_store_close(s);

	opens(&by[1], NULL);
	s = open_store();
	assert_int_equal(secret_store_verify(s, &e), 0);
	rewrap_all(s);
	secret_store_status(s, &st);
	assert_false(st.old_root);
	assert_int_equal(secret_store_verify(s, &e), 0);
	is(s, "d", 0, "delta");
	is(s, "e", 0, "epsilon");
	secret_store_close(s);
	opens(&by[1], NULL);
	opens(&opener, NULL);
	s = open_store();
	assert_int_equal(secret_store_rekey(s, by, 2, &term, &e), 0);
	rewrap_all(s);
	is(s, "a", 2, "alpha two");
	secret_store_close(s);
	done(&by[1]);
}

/* The epoch file is as it was before the new root key's first change. */
static void test_rekey_died(void **state)
{
	char kept[160];
	struct secret_store *s;
	uint64_t term;
	struct err e;

	(void)state;
	fill();
	snprintf(kept, sizeof(kept), "%s/kept", top);
	copy(epoch_file, kept);
	s = open_store();
	assert_int_equal(secret_store_rekey(s, &opener, 1, &term, &e), 0);
	secret_store_close(s);
	copy(kept, epoch_file);
	opens(&opener, NULL);
	s = open_store();
	rewrap_all(s);
	secret_store_close(s);
	/* Now it is of a root key that is gone. */
	copy(kept, epoch_file);
	opens(&opener, "rollback suspected");
}

static void old_db(void)
{
	sqlite3 *lite = NULL;

	assert_int_equal(unlink(db), 0);
	assert_int_equal(sqlite3_open(db, &lite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(lite, old_store_sql, NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(lite), SQLITE_OK);
}

static void old_store(void)
{
	unsigned char bytes[SECRET_STORE_KEY_LEN];
	CLEANUP_FD int fd = -1;

	old_db();
	fd = open(epoch_file, O_WRONLY | O_TRUNC);
	assert_int_equal(
		fd_write_all(fd, old_store_epoch, strlen(old_store_epoch)), 0);
	assert_int_equal(hex_decode(STR(OLD_STORE_KEY), bytes, sizeof(bytes)),
			 0);
	memcpy(secret_room(key), bytes, sizeof(bytes));
}

/* As stores were before there were more slots than one. */
static void test_first_format(void **state)
{
	struct secret_store *s;
	uint64_t term;
	struct err e = {0};

	(void)state;
	old_store();
	opens(&opener, NULL);
	s = open_store();
	if (secret_store_describe(s, P, STR("a"), STR("for tests"), 3, &e))
		fail_msg("%s", e.text);
	assert_int_equal(secret_store_rekey(s, &opener, 1, &term, &e), 0);
	rewrap_all(s);
	is(s, "a", 1, "alpha one");
	is(s, "b", 0, "beta one");
	assert_int_equal(secret_store_verify(s, &e), 0);
	secret_store_close(s);
	/* Once it is of the second format the first one is a replay. */
	old_db();
	opens(&opener, "rollback suspected");
}

/* What the first format did not notice before it was made anew. */
static void test_first_format_edited(void **state)
{
	(void)state;
	old_store();
	sql("UPDATE heads SET updated_us = 1 WHERE name = 'a'");
	opens(&opener, "damaged");
	old_store();
	sql("UPDATE manifest SET term = 2");
	opens(&opener, "damaged");
}

static void no_place(const char *text)
{
	struct secret_transit t;
	struct err e;

	assert_int_equal(secret_transit_read(str_from(text), &t, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

static void test_transit_place(void **state)
{
	static const char *const bad[] = {
		"",      "p",      "/k",      "p/",       "p//k",   "p/a//k",
		"p/../", "p/../k", "p/./k",   "p/a/../k", "p/k?x",  "p/k#",
		"p /k",  "p/k\n",  "p/a b/k", "p/%2e/k",  "p/\"/k", "p/a/"};
	char longest[512] = "p/";
	struct secret_transit t;
	struct err e;

	(void)state;
	assert_int_equal(secret_transit_read(STR("main/k.1"), &t, &e), 0);
	assert_string_equal(t.provider, "main");
	assert_string_equal(t.mount, "transit");
	assert_string_equal(t.key, "k.1");
	assert_int_equal(secret_transit_read(STR("m/a/b/k"), &t, &e), 0);
	assert_string_equal(t.mount, "a/b");
	assert_string_equal(t.key, "k");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		no_place(bad[i]);
	memset(longest + 2, 'k', SECRET_TRANSIT_KEY_MAX);
	assert_int_equal(secret_transit_read(str_from(longest), &t, &e), 0);
	longest[2 + SECRET_TRANSIT_KEY_MAX] = 'k';
	no_place(longest);
}

/* It is told before the store is open, and bound to what opens it. */
static void test_transit_slot(void **state)
{
	struct secret_transit where;
	struct secret_opener by = {.kind = SECRET_SLOT_TRANSIT,
				   .transit = &where};
	struct secret_slot slots[SECRET_STORE_SLOTS_MAX];
	char id[SECRET_STORE_ID_LEN + 1], open_id[SECRET_STORE_ID_LEN + 1];
	struct secret_store *s;
	struct err e;
	uint64_t n_id;
	size_t n = 0;

	(void)state;
	fill();
	by.key = secret_of("0123456789abcdef0123456789abcdef");
	assert_int_equal(secret_transit_read(STR("main/k"), &where, &e), 0);
	s = open_store();
	assert_int_equal(secret_store_slot_add(s, &by, &n_id, &e), -1);
	memset(where.sealed, 'x', SECRET_TRANSIT_SEALED_MAX);
	where.bound = true;
	assert_int_equal(add(s, &by), 2);
	secret_store_id(s, open_id);
	/* Nobody else looks into it meanwhile. */
	assert_int_equal(secret_store_peek(&opts, slots, &n, id, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	secret_store_close(s);
	assert_int_equal(secret_store_peek(&opts, slots, &n, id, &e), 0);
	assert_string_equal(id, open_id);
	assert_int_equal(n, 2);
	assert_memory_equal(&slots[1].transit, &where, sizeof(where));
	opens(&by, NULL);
	/* "main" into "evil" */
	sql("UPDATE slots SET params = CAST(substr(params, 1, 4) || "
	    "x'6576696C' || substr(params, 9) AS BLOB) WHERE slot = 2");
	opens(&by, "does not open");
	opens(&opener, "damaged");
	sql("UPDATE slots SET params = substr(params, 2) WHERE slot = 2");
	opens(&opener, "damaged");
	done(&by);
}

static void test_describe(void **state)
{
	struct secret_store *s;
	struct secret_meta m;
	struct err e;

	(void)state;
	fill();
	s = open_store();
	assert_int_equal(
		secret_store_describe(s, P, STR("a"), STR("two\nlines"), 0, &e),
		-1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(
		secret_store_describe(s, P, STR("a"), STR(""), 101, &e), -1);
	assert_int_equal(secret_store_describe(s, P, STR("zz"), STR(""), 1, &e),
			 -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(secret_store_describe(s, P, STR("a"),
					       STR("of the build"), 2, &e),
			 0);
	put(s, "a", "alpha three");
	assert_int_equal(secret_store_stat(s, P, STR("a"), &m, &e), 0);
	assert_string_equal(m.description, "of the build");
	assert_int_equal(m.keep, 2);
	assert_int_equal(m.versions, 2);
	is_not(s, "a", 1, ERR_NOT_FOUND, "destroyed");
	is_not(s, "a", 7, ERR_NOT_FOUND, "no version 7");
	secret_store_close(s);
	sql("UPDATE heads SET description = 'of the shop' WHERE name = 'a'");
	assert_true(noticed());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_side_by_side),   TEST(test_bounds),
		TEST(test_hostile_scrypt), TEST(test_replayed_slot),
		TEST(test_rekey),          TEST(test_rekey_died),
		TEST(test_first_format),   TEST(test_first_format_edited),
		TEST(test_describe),       TEST(test_transit_place),
		TEST(test_transit_slot),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Every change made to the secret store's files behind its back is noticed.
 * The tampering is done with SQLite itself, so that the files stay well-formed.
 */
#include "secretstore.h"

/* Run the text on a copy of the good database; it has to be noticed. */
static void tamper(const char *text)
{
	char good[128];

	snprintf(good, sizeof(good), "%s/good.db", top);
	copy(good, db);
	sql(text);
	if (!noticed())
		fail_msg("not noticed: %s", text);
}

static void test_swap(void **state)
{
	static const char *const columns[] = {
		"created_us",
		"type",
		"flags",
		"term",
		"dek_id",
		"wrap_term",
		"wrap_nonce",
		"wrap",
		"tag",
		"value",
		"(dek_id, wrap_nonce, wrap, tag, value)",
		"(created_us, dek_id, wrap_nonce, wrap, tag, value)",
		"(wrap_nonce, wrap)",
		"(tag, value)",
	};
	static const char *const pairs[][2] = {
		{VA1, VA2},
                {VA2, VB1}
        };
	char text[512];

	(void)state;
	fill();
	keep_good();
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		const char *c = columns[i];

		if (!strcmp(c, "type") || !strcmp(c, "flags") ||
		    strstr(c, "term"))
			continue; /* the same in both: see below */
		for (size_t j = 0; j < ARRAY_LEN(pairs); j++) {
			const char *p = c[0] == '(' ? c + 1 : c;
			int n = (int)strcspn(p, ")");

			snprintf(text, sizeof(text),
				 "CREATE TEMP TABLE t AS SELECT rowid AS r, * "
				 "FROM versions;"
				 "UPDATE versions SET (%.*s) = (SELECT %.*s "
				 "FROM t WHERE r = (SELECT rowid FROM versions "
				 "WHERE %s)) WHERE %s;"
				 "UPDATE versions SET (%.*s) = (SELECT %.*s "
				 "FROM t WHERE r = (SELECT rowid FROM versions "
				 "WHERE %s)) WHERE %s;",
				 n, p, n, p, pairs[j][0], pairs[j][1], n, p, n,
				 p, pairs[j][1], pairs[j][0]);
			tamper(text);
		}
	}
	tamper("UPDATE versions SET version = version + 10 WHERE " VA1 ";"
	       "UPDATE versions SET version = 1 WHERE " VA2 ";"
	       "UPDATE versions SET version = 2 WHERE " VA1);
	tamper("UPDATE versions SET flags = 1 WHERE " VA1);
	tamper("UPDATE versions SET type = 2 WHERE " VA1);
	tamper("UPDATE versions SET term = 2 WHERE " VA1);
	tamper("UPDATE versions SET wrap_term = 2 WHERE " VA1);
	tamper("UPDATE versions SET path = (SELECT path FROM versions WHERE " VB1
	       "), version = 9 WHERE " VA1);
	tamper("DELETE FROM versions WHERE " VA1);
	tamper("UPDATE heads SET current = 1 WHERE name = 'a'");
	tamper("UPDATE heads SET name = 'z' WHERE name = 'a'");
	tamper("UPDATE heads SET project = 'other' WHERE name = 'a'");
	tamper("UPDATE heads SET updated_us = 1 WHERE name = 'a'");
	tamper("UPDATE heads SET term = 2 WHERE name = 'a'");
	tamper("DELETE FROM heads WHERE name = 'a'");
	tamper("DELETE FROM heads WHERE name = 'a';"
	       "DELETE FROM versions WHERE rowid < 3");
	tamper("INSERT INTO versions SELECT zeroblob(32), version, created_us,"
	       " type, flags, term, dek_id, wrap_term, wrap_nonce, wrap, tag,"
	       " value FROM versions WHERE " VA1);
	tamper("UPDATE manifest SET epoch = epoch + 1");
	tamper("UPDATE manifest SET term = 1");
	tamper("UPDATE manifest SET created_us = 1");
	tamper("DELETE FROM manifest");
	tamper("UPDATE slots SET created_us = 1");
	tamper("UPDATE slots SET kind = 'tpm2'");
	tamper("UPDATE slots SET slot = 2");
	tamper("DELETE FROM slots");
}

/* Every byte of every blob of a row of each table. */
static void test_flip(void **state)
{
	static const struct {
		const char *table, *column, *where;
		int len;
	} blobs[] = {
		{"versions", "path",       VA1,          32},
		{"versions", "dek_id",     VA1,          16},
		{"versions", "wrap_nonce", VA1,          24},
		{"versions", "wrap",       VA1,          48},
		{"versions", "tag",        VA1,          16},
		{"versions", "value",      VA1,          64},
		{"heads",    "path",       "name = 'a'", 32},
		{"heads",    "digest",     "name = 'a'", 32},
		{"heads",    "mac",        "name = 'a'", 32},
		{"manifest", "uuid",       "id = 1",     16},
		{"manifest", "digest",     "id = 1",     32},
		{"manifest", "mac",        "id = 1",     32},
		{"slots",    "commitment", "slot = 1",   32},
		{"slots",    "nonce",      "slot = 1",   24},
		{"slots",    "wrap",       "slot = 1",   48},
	};
	char text[512];

	(void)state;
	fill();
	keep_good();
	for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
		const char *c = blobs[i].column;

		for (int at = 0; at < blobs[i].len; at++) {
			/* Another byte: 00 becomes 5a, all others 00. */
			snprintf(text, sizeof(text),
				 "UPDATE %s SET %s = CAST(substr(%s, 1, %d) ||"
				 " iif(substr(%s, %d, 1) = x'00', x'5a', x'00')"
				 " || substr(%s, %d) AS BLOB) WHERE %s"
				 " AND length(%s) = %d",
				 blobs[i].table, c, c, at, c, at + 1, c, at + 2,
				 blobs[i].where, c, blobs[i].len);
			tamper(text);
		}
		snprintf(text, sizeof(text),
			 "UPDATE %s SET %s = substr(%s, 2) WHERE %s",
			 blobs[i].table, c, c, blobs[i].where);
		tamper(text);
		snprintf(text, sizeof(text),
			 "UPDATE %s SET %s = CAST(%s || x'00' AS BLOB) "
			 "WHERE %s",
			 blobs[i].table, c, c, blobs[i].where);
		tamper(text);
	}
}

/* The damage of one secret does not take the others with it. */
static void test_others_remain(void **state)
{
	struct secret_store *s;

	(void)state;
	fill();
	sql("UPDATE versions SET value = zeroblob(64) WHERE " VA1);
	s = open_store();
	is_not(s, "a", 1, ERR_INTERNAL, "damaged: a value");
	is(s, "a", 2, "alpha two");
	is(s, "b", 0, "beta two");
	secret_store_close(s);
}

static void test_older_rows(void **state)
{
	struct secret_store *s;
	char old[128], text[1024];
	struct err e;

	(void)state;
	fill();
	s = open_store();
	assert_int_equal(secret_store_delete(s, P, STR("a"), 2, false, &e), 0);
	secret_store_close(s);
	snprintf(old, sizeof(old), "%s/old.db", top);
	copy(db, old);
	s = open_store();
	assert_int_equal(secret_store_delete(s, P, STR("a"), 2, true, &e), 0);
	secret_store_close(s);
	keep_good();
	assert_false(noticed());
	/* Undelete by putting back what it was: the version row alone, ... */
	snprintf(text, sizeof(text),
		 "ATTACH '%s' AS old;"
		 "REPLACE INTO versions SELECT * FROM old.versions",
		 old);
	tamper(text);
	/* ... with its head, */
	snprintf(text, sizeof(text),
		 "ATTACH '%s' AS old;"
		 "REPLACE INTO versions SELECT * FROM old.versions;"
		 "REPLACE INTO main.heads SELECT * FROM old.heads",
		 old);
	tamper(text);
	/* ... with the manifest too: then it is the old database. */
	snprintf(text, sizeof(text),
		 "ATTACH '%s' AS old;"
		 "REPLACE INTO versions SELECT * FROM old.versions;"
		 "REPLACE INTO main.heads SELECT * FROM old.heads;"
		 "REPLACE INTO main.manifest SELECT * FROM old.manifest",
		 old);
	tamper(text);
	open_refused(ERR_CONFLICT, "rollback suspected");
	/* The manifest alone. */
	snprintf(text, sizeof(text),
		 "ATTACH '%s' AS old;"
		 "REPLACE INTO main.manifest SELECT * FROM old.manifest",
		 old);
	tamper(text);
}

static void test_older_database(void **state)
{
	struct secret_store_status before, after;
	struct secret_store *s;
	char old[128];

	(void)state;
	fill();
	snprintf(old, sizeof(old), "%s/old.db", top);
	copy(db, old);
	s = open_store();
	put(s, "a", "alpha three");
	put(s, "a", "alpha four");
	secret_store_status(s, &before);
	secret_store_close(s);
	copy(old, db);
	open_refused(ERR_CONFLICT, "rollback suspected");
	open_refused(ERR_CONFLICT, "rollback suspected"); /* it stays so */
	opts.accept_rollback = true;
	s = open_store();
	is(s, "a", 0, "alpha two");
	secret_store_status(s, &after);
	assert_true(after.epoch > before.epoch);
	secret_store_close(s);
	opts.accept_rollback = false;
	secret_store_close(open_store());
}

/* Another process changes the database while the store is open. */
static void test_behind_our_back(void **state)
{
	struct secret_store *s;
	sqlite3 *lite = NULL;

	(void)state;
	fill();
	s = open_store();
	assert_int_equal(
		sqlite3_open_v2(db, &lite, SQLITE_OPEN_READWRITE, NULL),
		SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(lite, "DELETE FROM heads", NULL, NULL, NULL),
		SQLITE_BUSY);
	assert_int_equal(sqlite3_close(lite), SQLITE_OK);
	is(s, "a", 0, "alpha two");
	secret_store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_swap),           TEST(test_flip),
		TEST(test_others_remain),  TEST(test_older_rows),
		TEST(test_older_database), TEST(test_behind_our_back),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Every column of every row of every table, as the database itself lists them:
 * another value, a longer and a shorter one, the value of another row, the one
 * of an older copy; rows dropped and doubled.  A column that is added is
 * covered by itself.  What SQLite does not take is refused already.
 */
#include "secretstore.h"

enum {
	SQL_MAX = 4096,
	ROWS_MAX = 64,
	ROWS_TRIED = 3 /* of each table */
};

static char good[128], old[128];
static unsigned n_noticed, n_refused;

/* A store with something in every table; old has the same rows otherwise. */
static void fill_all(void)
{
	struct secret_opener pass = {.kind = SECRET_SLOT_PASSPHRASE,
				     .log_n = SECRET_STORE_SCRYPT_MIN};
	struct secret_opener by[2];
	struct secret *text = NULL;
	struct secret_store *s;
	uint64_t n;
	struct err e;

	assert_int_equal(secret_new("correct horse", 13, 0, &text, &e), 0);
	pass.key = text;
	by[0] = opener;
	by[1] = pass;
	fill();
	s = open_store();
	assert_int_equal(secret_store_slot_add(s, &pass, &n, &e), 0);
	assert_int_equal(
		secret_store_describe(s, P, STR("a"), STR("one"), 5, &e), 0);
	assert_int_equal(secret_store_rekey(s, by, 2, &n, &e), 0);
	do
		assert_int_equal(secret_store_rewrap(s, 10, &n, &e), 0);
	while (n);
	assert_int_equal(secret_store_rekey(s, by, 2, &n, &e), 0);
	put(s, "d", "delta");
	secret_store_close(s);
	copy(db, old);
	s = open_store();
	do
		assert_int_equal(secret_store_rewrap(s, 10, &n, &e), 0);
	while (n);
	assert_int_equal(secret_store_rekey(s, by, 2, &n, &e), 0);
	assert_int_equal(secret_store_delete(s, P, STR("a"), 1, true, &e), 0);
	assert_int_equal(
		secret_store_describe(s, P, STR("a"), STR("two"), 6, &e), 0);
	put(s, "b", "beta three");
	secret_store_close(s);
	copy(db, good);
	secret_free(text);
}

/* false: SQLite itself did not take it, or it changes nothing. */
static bool edit(const char *text)
{
	sqlite3 *lite = NULL;
	bool changed;

	copy(good, db);
	assert_int_equal(
		sqlite3_open_v2(db, &lite, SQLITE_OPEN_READWRITE, NULL),
		SQLITE_OK);
	changed = sqlite3_exec(lite, text, NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_total_changes(lite) > 0;
	assert_int_equal(sqlite3_close(lite), SQLITE_OK);
	return changed;
}

static void tamper(const char *text)
{
	if (!edit(text)) {
		n_refused++;
		return;
	}
	n_noticed++;
	if (!noticed())
		fail_msg("not noticed: %s", text);
}

/* The texts that a query gives, one column. */
struct texts {
	char *at[ROWS_MAX];
	size_t n;
};

static void ask(const char *text, struct texts *ret)
{
	sqlite3_stmt *q = NULL;
	sqlite3 *lite = NULL;

	ret->n = 0;
	assert_int_equal(
		sqlite3_open_v2(good, &lite, SQLITE_OPEN_READONLY, NULL),
		SQLITE_OK);
	if (sqlite3_prepare_v2(lite, text, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(lite));
	while (sqlite3_step(q) == SQLITE_ROW && ret->n < ROWS_MAX)
		ret->at[ret->n++] =
			strdup((const char *)sqlite3_column_text(q, 0));
	assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
	assert_int_equal(sqlite3_close(lite), SQLITE_OK);
}

static void texts_done(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->at[i]);
}

/* What a value is changed to; %1$s the column, %2$s table, %3$s row. */
static const char *const changes[] = {
	/* a number: another */
	"UPDATE main.%2$s SET %1$s = %1$s + 1 WHERE %3$s"
	" AND typeof(%1$s) = 'integer'",
	"UPDATE main.%2$s SET %1$s = %1$s - 1 WHERE %3$s"
	" AND typeof(%1$s) = 'integer'",
	"UPDATE main.%2$s SET %1$s = 0 WHERE %3$s AND %1$s <> 0"
	" AND typeof(%1$s) = 'integer'",
	"UPDATE main.%2$s SET %1$s = -1 WHERE %3$s AND typeof(%1$s) = 'integer'",
	"UPDATE main.%2$s SET %1$s = 9223372036854775807 WHERE %3$s"
	" AND typeof(%1$s) = 'integer'",
	/* a text: another letter, a longer one, none */
	"UPDATE main.%2$s SET %1$s = 'x' || substr(%1$s, 2) WHERE %3$s"
	" AND typeof(%1$s) = 'text' AND %1$s <> ''",
	"UPDATE main.%2$s SET %1$s = %1$s || 'x' WHERE %3$s"
	" AND typeof(%1$s) = 'text'",
	"UPDATE main.%2$s SET %1$s = '' WHERE %3$s AND typeof(%1$s) = 'text'"
	" AND %1$s <> ''",
	/* bytes: the first, the last, cut off, one more, none, zeros */
	"UPDATE main.%2$s SET %1$s = CAST(iif(substr(%1$s, 1, 1) = x'00',"
	" x'01', x'00') || substr(%1$s, 2) AS BLOB) WHERE %3$s"
	" AND typeof(%1$s) = 'blob' AND length(%1$s) > 0",
	"UPDATE main.%2$s SET %1$s = CAST(substr(%1$s, 1, length(%1$s) - 1) ||"
	" iif(substr(%1$s, -1) = x'00', x'01', x'00') AS BLOB) WHERE %3$s"
	" AND typeof(%1$s) = 'blob' AND length(%1$s) > 0",
	"UPDATE main.%2$s SET %1$s = substr(%1$s, 1, length(%1$s) - 1)"
	" WHERE %3$s AND typeof(%1$s) = 'blob' AND length(%1$s) > 0",
	"UPDATE main.%2$s SET %1$s = CAST(%1$s || x'00' AS BLOB) WHERE %3$s"
	" AND typeof(%1$s) = 'blob'",
	"UPDATE main.%2$s SET %1$s = x'' WHERE %3$s AND typeof(%1$s) = 'blob'"
	" AND length(%1$s) > 0",
	"UPDATE main.%2$s SET %1$s = zeroblob(length(%1$s)) WHERE %3$s"
	" AND typeof(%1$s) = 'blob' AND %1$s <> zeroblob(length(%1$s))",
	"UPDATE main.%2$s SET %1$s = NULL WHERE %3$s",
	/* what it was before */
	"UPDATE main.%2$s SET %1$s = (SELECT %1$s FROM old.%2$s WHERE %3$s)"
	" WHERE %3$s AND %1$s <> (SELECT %1$s FROM old.%2$s WHERE %3$s)",
};

static void tamper_column(const char *table, const char *column,
			  const struct texts *rows)
{
	char text[SQL_MAX], rest[SQL_MAX];

	for (size_t r = 0; r < rows->n; r++) {
		for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
			(void)snprintf(rest, sizeof(rest), changes[i], column,
				       table, rows->at[r]);
			(void)snprintf(text, sizeof(text),
				       "ATTACH '%s' AS old; %s", old, rest);
			tamper(text);
		}
		/* the value of another row, and of each the other's */
		for (size_t o = 0; o < rows->n; o++) {
			if (o == r)
				continue;
			(void)snprintf(text, sizeof(text),
				       "UPDATE %2$s SET %1$s = (SELECT %1$s"
				       " FROM %2$s WHERE %4$s) WHERE %3$s AND"
				       " %1$s <> (SELECT %1$s FROM %2$s WHERE"
				       " %4$s)",
				       column, table, rows->at[r], rows->at[o]);
			tamper(text);
			(void)snprintf(
				text, sizeof(text),
				"CREATE TEMP TABLE t AS SELECT * FROM %2$s;"
				"UPDATE %2$s SET %1$s = (SELECT %1$s FROM t"
				" WHERE %4$s) WHERE %3$s AND %1$s <> (SELECT"
				" %1$s FROM t WHERE %4$s);"
				"UPDATE %2$s SET %1$s = (SELECT %1$s FROM t"
				" WHERE %3$s) WHERE %4$s AND %1$s <> (SELECT"
				" %1$s FROM t WHERE %3$s)",
				column, table, rows->at[r], rows->at[o]);
			tamper(text);
		}
	}
}

static void tamper_rows(const char *table, const struct texts *rows)
{
	char text[SQL_MAX];

	for (size_t r = 0; r < rows->n; r++) {
		(void)snprintf(text, sizeof(text), "DELETE FROM %s WHERE %s",
			       table, rows->at[r]);
		tamper(text);
		/* A row that has not changed since is no replay. */
		(void)snprintf(text, sizeof(text),
			       "ATTACH '%1$s' AS old; REPLACE INTO main.%2$s "
			       "SELECT * FROM old.%2$s WHERE %3$s AND EXISTS "
			       "(SELECT * FROM old.%2$s WHERE %3$s EXCEPT "
			       "SELECT * FROM main.%2$s WHERE %3$s)",
			       old, table, rows->at[r]);
		tamper(text);
	}
}

/* What names a row: rowid, or the columns of the primary key. */
static void rows_of(const char *table, struct texts *ret)
{
	char text[SQL_MAX], expr[SQL_MAX] = "";
	struct texts keys, plain;

	(void)snprintf(text, sizeof(text),
		       "SELECT 1 FROM pragma_table_list WHERE name = '%s'"
		       " AND wr = 0",
		       table);
	ask(text, &plain);
	if (plain.n) {
		(void)snprintf(text, sizeof(text),
			       "SELECT 'rowid = ' || rowid FROM %s", table);
	} else {
		(void)snprintf(text, sizeof(text),
			       "SELECT name FROM pragma_table_info('%s')"
			       " WHERE pk > 0",
			       table);
		ask(text, &keys);
		for (size_t i = 0; i < keys.n; i++) {
			size_t at = strlen(expr);

			(void)snprintf(expr + at, sizeof(expr) - at,
				       "%s'%s = ' || quote(%s)",
				       i ? " || ' AND ' || " : "", keys.at[i],
				       keys.at[i]);
		}
		texts_done(&keys);
		(void)snprintf(text, sizeof(text), "SELECT %s FROM %s", expr,
			       table);
	}
	texts_done(&plain);
	ask(text, ret);
}

static void test_columns(void **state)
{
	struct texts tables, columns, rows;
	char text[SQL_MAX];

	(void)state;
	(void)snprintf(good, sizeof(good), "%s/good.db", top);
	(void)snprintf(old, sizeof(old), "%s/old.db", top);
	fill_all();
	assert_false(noticed());
	ask("SELECT name FROM sqlite_master WHERE type = 'table'", &tables);
	assert_int_equal(tables.n, 5);
	for (size_t t = 0; t < tables.n; t++) {
		rows_of(tables.at[t], &rows);
		if (!rows.n)
			fail_msg("%s: no row to tamper with", tables.at[t]);
		while (rows.n > ROWS_TRIED)
			free(rows.at[--rows.n]);
		(void)snprintf(text, sizeof(text),
			       "SELECT name FROM pragma_table_info('%s')",
			       tables.at[t]);
		ask(text, &columns);
		for (size_t c = 0; c < columns.n; c++)
			tamper_column(tables.at[t], columns.at[c], &rows);
		tamper_rows(tables.at[t], &rows);
		texts_done(&columns);
		texts_done(&rows);
	}
	texts_done(&tables);
	assert_true(n_noticed > 600);
	print_message("%u noticed, %u not taken by SQLite\n", n_noticed,
		      n_refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_columns)};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Statements of the secret store; see store_sql.h. */
#include "secrets/store_sql.h"

#include <errno.h>
#include <string.h>

#include "secrets/store_schema.h"

static int fail(struct ssql *sql, struct err *e)
{
	int rc = sql->lite ? sqlite3_errcode(sql->lite) : SQLITE_NOMEM;
	const char *why = sql->lite ? sqlite3_errmsg(sql->lite) : "no memory";

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return err_sys(e, ENOSPC, "the secret store");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(e, ERR_INTERNAL,
			       "the secret store is damaged: %s", why);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_CONFLICT,
			       "the secret store is in use: %s", why);
	case SQLITE_IOERR:
		if (sqlite3_system_errno(sql->lite) == ENOSPC)
			return err_sys(e, ENOSPC, "the secret store");
		break;
	default:
		break;
	}
	return err_set(e, ERR_INTERNAL, "the secret store: %s", why);
}

/* One value of a pragma or a count, or the text "ok". */
static int ask(struct ssql *sql, const char *text, int64_t *ret, bool *ret_ok,
	       struct err *e)
{
	sqlite3_stmt *stmt;
	int rc;

	if (sqlite3_prepare_v2(sql->lite, text, -1, &stmt, NULL) != SQLITE_OK)
		return fail(sql, e);
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW) {
		fail(sql, e);
		(void)sqlite3_finalize(stmt);
		return -1;
	}
	*ret = sqlite3_column_int64(stmt, 0);
	*ret_ok = !sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0),
				   "ok");
	(void)sqlite3_finalize(stmt);
	return 0;
}

static int run_text(struct ssql *sql, const char *text, struct err *e)
{
	if (sqlite3_exec(sql->lite, text, NULL, NULL, NULL) != SQLITE_OK)
		return fail(sql, e);
	return 0;
}

static int connect_to(struct ssql *sql, const char *path, struct err *e)
{
	*sql = (struct ssql){0};
	if (sqlite3_open_v2(path, &sql->lite,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_EXRESCODE,
			    NULL) != SQLITE_OK)
		return fail(sql, e);
	(void)sqlite3_db_config(sql->lite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(sql->lite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
				NULL);
	(void)sqlite3_db_config(sql->lite, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0,
				NULL);
	(void)sqlite3_db_config(sql->lite, SQLITE_DBCONFIG_ENABLE_VIEW, 0,
				NULL);
	return 0;
}

static int check_sound(struct ssql *sql, struct err *e)
{
	bool ok = false;
	int64_t n = 0;

	if (ask(sql, "PRAGMA application_id", &n, &ok, e))
		return -1;
	if (n != STORE_SCHEMA_APPLICATION_ID)
		return err_set(e, ERR_INTERNAL,
			       "the secret store is damaged: this is no secret "
			       "store");
	if (ask(sql, "PRAGMA user_version", &n, &ok, e))
		return -1;
	if (n == 1 && run_text(sql, store_schema_upgrade, e))
		return -1;
	if (n < 1 || n > STORE_SCHEMA_VERSION)
		return err_set(e, ERR_CONFLICT,
			       "the secret store has format %lld, this program "
			       "knows %d",
			       (long long)n, STORE_SCHEMA_VERSION);
	if (ask(sql, "PRAGMA quick_check(1)", &n, &ok, e))
		return -1;
	if (!ok)
		return err_set(e, ERR_INTERNAL,
			       "the secret store is damaged: SQLite's check "
			       "fails");
	return 0;
}

int ssql_open(struct ssql *sql, const char *path, struct err *e)
{
	if (connect_to(sql, path, e) ||
	    run_text(sql, store_schema_pragmas, e) || check_sound(sql, e)) {
		ssql_close(sql);
		return -1;
	}
	return 0;
}

int ssql_create(struct ssql *sql, const char *path, struct err *e)
{
	if (connect_to(sql, path, e) || run_text(sql, store_schema_tables, e)) {
		ssql_close(sql);
		return -1;
	}
	return 0;
}

void ssql_close(struct ssql *sql)
{
	for (size_t i = 0; i < N_SSQL; i++)
		(void)sqlite3_finalize(sql->stmts[i]);
	(void)sqlite3_close_v2(sql->lite);
	*sql = (struct ssql){0};
}

/* --- one statement ------------------------------------------------------- */

int ssql_start(struct ssql *sql, enum ssql_stmt which, struct ssql_query *q,
	       struct err *e)
{
	if (!sql->stmts[which] &&
	    sqlite3_prepare_v3(sql->lite, store_schema_sql[which], -1,
			       SQLITE_PREPARE_PERSISTENT, &sql->stmts[which],
			       NULL) != SQLITE_OK)
		return fail(sql, e);
	*q = (struct ssql_query){.sql = sql, .stmt = sql->stmts[which]};
	return 0;
}

void ssql_query_done(struct ssql_query *q)
{
	if (!q->stmt)
		return;
	(void)sqlite3_reset(q->stmt);
	(void)sqlite3_clear_bindings(q->stmt);
	q->stmt = NULL;
}

void ssql_i64(struct ssql_query *q, int64_t v)
{
	(void)sqlite3_bind_int64(q->stmt, ++q->n, v);
}

void ssql_u64(struct ssql_query *q, uint64_t v)
{
	ssql_i64(q, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void ssql_text(struct ssql_query *q, const char *s)
{
	(void)sqlite3_bind_text(q->stmt, ++q->n, s, -1, SQLITE_STATIC);
}

void ssql_blob(struct ssql_query *q, const void *p, size_t len)
{
	(void)sqlite3_bind_blob64(q->stmt, ++q->n, p, len, SQLITE_STATIC);
}

int ssql_step(struct ssql_query *q, struct err *e)
{
	int rc = sqlite3_step(q->stmt);

	q->n = 0;
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return fail(q->sql, e);
}

int ssql_run(struct ssql *sql, enum ssql_stmt which, struct err *e)
{
	struct ssql_query q CLEANUP_SSQL = {0};
	int row;

	if (ssql_start(sql, which, &q, e))
		return -1;
	do
		row = ssql_step(&q, e);
	while (row > 0);
	return row;
}

int64_t ssql_get_i64(struct ssql_query *q)
{
	int at = q->n++;

	if (sqlite3_column_type(q->stmt, at) != SQLITE_INTEGER)
		q->bad = true;
	return sqlite3_column_int64(q->stmt, at);
}

uint64_t ssql_get_u64(struct ssql_query *q)
{
	int64_t v = ssql_get_i64(q);

	if (v < 0)
		q->bad = true;
	return v < 0 ? 0 : (uint64_t)v;
}

void ssql_get_text(struct ssql_query *q, char *out, size_t max)
{
	int at = q->n++;
	bool text = sqlite3_column_type(q->stmt, at) == SQLITE_TEXT;
	const void *p = sqlite3_column_blob(q->stmt, at);
	size_t len = (size_t)sqlite3_column_bytes(q->stmt, at);

	out[0] = 0;
	if (!text || len > max || (p && memchr(p, 0, len))) {
		q->bad = true;
		return;
	}
	if (p) /* NULL for an empty one */
		memcpy(out, p, len);
	out[len] = 0;
}

struct str ssql_view_blob(struct ssql_query *q)
{
	int at = q->n++;
	bool blob = sqlite3_column_type(q->stmt, at) == SQLITE_BLOB;
	const void *p = sqlite3_column_blob(q->stmt, at);
	size_t len = (size_t)sqlite3_column_bytes(q->stmt, at);

	if (!blob)
		q->bad = true;
	return blob && p ? str_n(p, len) : STR("");
}

void ssql_get_blob(struct ssql_query *q, void *out, size_t len)
{
	struct str v = ssql_view_blob(q);

	if (v.len == len)
		memcpy(out, v.p, len);
	else
		q->bad = true;
}

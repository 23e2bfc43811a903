/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One SQLite connection; see db.h. */
#include "store/db.h"

#include <errno.h>
#include <string.h>

enum {
	BUSY_MS = 5000
};

int db_fail(struct db *db, const char *doing, struct err *e)
{
	int rc = db->lite ? sqlite3_extended_errcode(db->lite) : SQLITE_NOMEM;
	int sys = db->lite ? sqlite3_system_errno(db->lite) : 0;
	const char *why = db->lite ? sqlite3_errmsg(db->lite) : "no memory";

	switch (rc & 0xff) {
	case SQLITE_FULL:
		sys = ENOSPC;
		break;
	case SQLITE_IOERR: /* as when the shared index cannot grow */
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(e, ERR_INVALID,
			       "%s: the database is damaged: %s", doing, why);
	case SQLITE_CONSTRAINT:
		err_set(e, ERR_INTERNAL, "%s: %s", doing, why);
		e->sys = STORE_UNFIT;
		return -1;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_CONFLICT, "%s: %s", doing, why);
	default:
		sys = 0;
	}
	if (sys == ENOSPC || sys == EDQUOT)
		return err_sys(e, ENOSPC, "%s", doing);
	return err_set(e, ERR_INTERNAL, "%s: %s", doing, why);
}

int db_exec(struct db *db, const char *sql, struct err *e)
{
	if (sqlite3_exec(db->lite, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, "database", e);
	return 0;
}

int db_open(const char *path, int flags, struct db *db, struct err *e)
{
	*db = (struct db){0};
	if (sqlite3_open_v2(path, &db->lite, flags | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		db_fail(db, "open the database", e);
		db_close(db);
		return -1;
	}
	(void)sqlite3_extended_result_codes(db->lite, 1);
	(void)sqlite3_busy_timeout(db->lite, BUSY_MS);
	(void)sqlite3_db_config(db->lite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db->lite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
				NULL);
	return 0;
}

void db_close(struct db *db)
{
	for (size_t i = 0; i < N_DB_STMTS; i++)
		(void)sqlite3_finalize(db->stmts[i]);
	(void)sqlite3_close_v2(db->lite);
	*db = (struct db){0};
}

int db_number(struct db *db, const char *sql, int64_t *ret, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int r;

	if (query_text(db, sql, &q, e))
		return -1;
	r = query_step(&q, e);
	if (r < 0)
		return -1;
	*ret = r ? query_get_i64(&q) : 0;
	return 0;
}

/* --- one statement ------------------------------------------------------ */

int query_start(struct db *db, enum db_stmt which, struct query *q,
		struct err *e)
{
	if (!db->stmts[which] &&
	    sqlite3_prepare_v3(db->lite, db_sql[which], -1,
			       SQLITE_PREPARE_PERSISTENT, &db->stmts[which],
			       NULL) != SQLITE_OK)
		return db_fail(db, "prepare", e);
	*q = (struct query){.db = db, .stmt = db->stmts[which]};
	return 0;
}

int query_text(struct db *db, const char *sql, struct query *q, struct err *e)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db->lite, sql, -1, &stmt, NULL) != SQLITE_OK)
		return db_fail(db, "prepare", e);
	*q = (struct query){.db = db, .stmt = stmt, .one_off = true};
	return 0;
}

void query_i64(struct query *q, int64_t v)
{
	(void)sqlite3_bind_int64(q->stmt, ++q->n, v);
}

void query_str(struct query *q, struct str s)
{
	(void)sqlite3_bind_text64(q->stmt, ++q->n, s.len ? s.p : "", s.len,
				  SQLITE_STATIC, SQLITE_UTF8);
}

void query_blob(struct query *q, const void *p, size_t len)
{
	(void)sqlite3_bind_blob64(q->stmt, ++q->n, p, len, SQLITE_STATIC);
}

int query_step(struct query *q, struct err *e)
{
	int rc = sqlite3_step(q->stmt);

	q->n = 0;
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return db_fail(q->db, "database", e);
}

int64_t query_get_i64(struct query *q)
{
	return sqlite3_column_int64(q->stmt, q->n++);
}

struct str query_get_str(struct query *q)
{
	const void *p = sqlite3_column_blob(q->stmt, q->n);
	int len = sqlite3_column_bytes(q->stmt, q->n++);

	return len > 0 && p ? str_n(p, (size_t)len) : STR("");
}

void query_done(struct query *q)
{
	if (!q->stmt)
		return;
	if (q->one_off) {
		(void)sqlite3_finalize(q->stmt);
	} else {
		(void)sqlite3_reset(q->stmt);
		(void)sqlite3_clear_bindings(q->stmt);
	}
	q->stmt = NULL;
}

int query_run(struct query *q, struct err *e)
{
	int r;

	while ((r = query_step(q, e)) > 0)
		;
	query_done(q);
	return r;
}

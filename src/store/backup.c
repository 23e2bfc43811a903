/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Copies of the database; see backup.h. */
#include "store/backup.h"
#include "base/buf.h"
#include "store/db.h"

#include <string.h>

enum {
	SCHEMA_MAX = 1 << 20
};

static int check(struct db *db, const char *pragma, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct str said;
	int r;

	if (query_text(db, pragma, &q, e))
		return -1;
	r = query_step(&q, e);
	if (r < 0)
		return -1;
	said = r ? query_get_str(&q) : STR("no answer");
	return str_is(said, "ok") ? 0 :
				    err_set(e, ERR_INVALID,
					    "the database is damaged: " STR_FMT,
					    STR_ARG(said));
}

int store_copy(const char *db, const char *to, struct err *e)
{
	struct db from = {0}, copy = {0};
	struct query q = {0};
	int bad;

	if (db_open(db, SQLITE_OPEN_READWRITE, &from, e))
		return -1;
	/* one read transaction: writers go on meanwhile */
	bad = query_text(&from, "VACUUM INTO ?", &q, e);
	if (!bad) {
		query_str(&q, str_from(to));
		bad = query_run(&q, e);
	}
	query_done(&q);
	db_close(&from);
	if (bad || db_open(to, SQLITE_OPEN_READWRITE, &copy, e))
		return -1;
	bad = check(&copy, "PRAGMA quick_check(1)", e);
	db_close(&copy);
	return bad;
}

int store_read_contents(struct store_reader *r, store_content_fn *fn, void *ctx,
			struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	char hex[HASH_HEX_LEN + 1];
	int n;

	if (query_text(&r->db,
		       "SELECT sha256 FROM artifacts WHERE expires_us>=0 UNION "
		       "SELECT source FROM runs WHERE source<>'' UNION "
		       "SELECT sha256 FROM caches",
		       &q, e))
		return -1;
	while ((n = query_step(&q, e)) > 0) {
		struct str s = query_get_str(&q);

		if (s.len != HASH_HEX_LEN)
			continue;
		memcpy(hex, s.p, HASH_HEX_LEN);
		hex[HASH_HEX_LEN] = '\0';
		if (fn(ctx, hex, e))
			return -1;
	}
	return n;
}

int store_read_logs(struct store_reader *r, store_log_fn *fn, void *ctx,
		    struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int n;

	if (query_text(
		    &r->db,
		    "SELECT r.ulid,a.idx,t.name,a.number FROM runs r "
		    "JOIN attempts a ON a.run=r.id JOIN tasks t ON "
		    "t.run=r.id AND t.idx=a.idx ORDER BY r.id,a.idx,a.number",
		    &q, e))
		return -1;
	while ((n = query_step(&q, e)) > 0) {
		struct str ulid = query_get_str(&q);
		uint32_t index = (uint32_t)query_get_i64(&q);
		struct str name = query_get_str(&q);
		struct ulid run = {.s = ""};

		if (ulid.len != ULID_LEN)
			continue;
		memcpy(run.s, ulid.p, ULID_LEN);
		if (fn(ctx, &run, index, name, (uint32_t)query_get_i64(&q), e))
			return -1;
	}
	return n;
}

/* --- one that came from outside ----------------------------------------- */

static int schema_of(struct db *db, struct buf *b, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int n;

	if (query_text(db,
		       "SELECT type,name,tbl_name,coalesce(sql,'') FROM "
		       "sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' "
		       "ORDER BY type,name",
		       &q, e))
		return -1;
	while ((n = query_step(&q, e)) > 0)
		for (int i = 0; i < 4; i++) {
			buf_str(b, query_get_str(&q));
			buf_putc(b, '\n');
		}
	return n < 0     ? -1 :
	       b->failed ? err_set(e, ERR_INVALID, "it has too many tables") :
			   0;
}

/* What a database of that version looks like that we made ourselves. */
static int same_as_ours(struct db *db, struct err *e)
{
	CLEANUP_BUF struct buf theirs = BUF_INIT(SCHEMA_MAX);
	CLEANUP_BUF struct buf ours = BUF_INIT(SCHEMA_MAX);
	struct db fresh = {0};
	int64_t version;
	int bad;

	if (db_number(db, "PRAGMA user_version", &version, e))
		return -1;
	if (db_open(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		    &fresh, e))
		return -1;
	bad = db_migrate_to(&fresh, version, e) || schema_of(&fresh, &ours, e);
	db_close(&fresh);
	if (bad || schema_of(db, &theirs, e))
		return -1;
	return str_eq(buf_view(&ours), buf_view(&theirs)) ?
		       0 :
		       err_set(e, ERR_INVALID,
			       "it has other tables than a server's");
}

static int enter_maintenance(struct db *db, int64_t now_us, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(db, DB_RESOURCE_PUT, &q, e))
		return -1;
	query_str(&q, STR("system"));
	query_str(&q, STR("maintenance"));
	query_str(&q,
		  STR("{\"on\":true,\"reason\":\"restored from a backup\"}"));
	query_i64(&q, now_us);
	query_str(&q, STR("restore"));
	return query_run(&q, e);
}

static int adopt(struct db *db, int64_t now_us, struct err *e)
{
	return check(db, "PRAGMA integrity_check(1)", e) ||
			       same_as_ours(db, e) ||
			       db_exec(db, "PRAGMA synchronous=FULL", e) ||
			       db_migrate(db, e) ||
			       enter_maintenance(db, now_us, e) ?
		       -1 :
		       0;
}

int store_adopt(const char *path, int64_t now_us, struct err *e)
{
	struct db db = {0};
	int bad;

	if (db_open(path, SQLITE_OPEN_READWRITE, &db, e))
		return -1;
	bad = adopt(&db, now_us, e);
	db_close(&db);
	if (!bad || e->code == ERR_LIMIT)
		return bad;
	e->code = ERR_INVALID; /* whatever SQLite called it: it is not ours */
	return err_wrap(e, "nfo.db");
}

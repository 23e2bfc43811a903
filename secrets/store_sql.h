/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The secret store's only way to SQLite: a fixed list of statements, bound
 * and read by position, with types and lengths of the columns checked (a
 * column of another shape is damage, not data).
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include <sqlite3.h>
#include <stdint.h>

enum ssql_stmt {
	SSQL_BEGIN,
	SSQL_COMMIT,
	SSQL_ROLLBACK,
	SSQL_CHECKPOINT,
	SSQL_MANIFEST_GET,
	SSQL_MANIFEST_PUT,
	SSQL_SLOTS,
	SSQL_SLOT_PUT,
	SSQL_SLOT_DROP,
	SSQL_KEYRING,
	SSQL_KEYRING_PUT,
	SSQL_KEYRING_DROP,
	SSQL_HEAD_GET,
	SSQL_HEAD_PUT,
	SSQL_HEAD_REWRAP,
	SSQL_HEAD_DROP,
	SSQL_HEAD_REMOVED,
	SSQL_HEAD_BUCKET,
	SSQL_HEADS,
	SSQL_HEADS_OF,
	SSQL_HEADS_OLD,
	SSQL_HEADS_OLD_COUNT,
	SSQL_VERSIONS,
	SSQL_VERSION_PUT,
	SSQL_VERSION_REWRAP,
	SSQL_VERSION_VALUE,
	SSQL_VERSIONS_DROP,
	SSQL_VERSION_ORPHANS,
	N_SSQL
};

struct ssql {
	sqlite3 *lite;
	sqlite3_stmt *stmts[N_SSQL];
};

struct ssql_query {
	struct ssql *sql;
	sqlite3_stmt *stmt;
	int n;    /* the next parameter or column */
	bool bad; /* a column had another type or length */
};

void ssql_query_done(struct ssql_query *q);
#define CLEANUP_SSQL CLEANUP(ssql_query_done)

/* Open an existing file; checks that it is sound and a store of ours. */
MUST_USE int ssql_open(struct ssql *sql, const char *path, struct err *e);
/* Make the tables in a new file, which is left with a rollback journal. */
MUST_USE int ssql_create(struct ssql *sql, const char *path, struct err *e);
void ssql_close(struct ssql *sql);

MUST_USE int ssql_start(struct ssql *sql, enum ssql_stmt which,
			struct ssql_query *q, struct err *e);
void ssql_i64(struct ssql_query *q, int64_t v);
void ssql_u64(struct ssql_query *q, uint64_t v); /* at most INT64_MAX */
void ssql_text(struct ssql_query *q, const char *s);
void ssql_blob(struct ssql_query *q, const void *p, size_t len); /* borrowed */
/* 1 for a row, 0 for the end, -1 */
MUST_USE int ssql_step(struct ssql_query *q, struct err *e);
/* Start, step to the end, no parameters. */
MUST_USE int ssql_run(struct ssql *sql, enum ssql_stmt which, struct err *e);

int64_t ssql_get_i64(struct ssql_query *q);
uint64_t ssql_get_u64(struct ssql_query *q); /* negative is bad */
void ssql_get_text(struct ssql_query *q, char *out, size_t max);
void ssql_get_blob(struct ssql_query *q, void *out, size_t len); /* exactly */
struct str ssql_view_blob(struct ssql_query *q); /* until the next step */

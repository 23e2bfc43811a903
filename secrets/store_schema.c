/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tables and statements of the secret store. */
#include "secrets/store_schema.h"

/* Exclusive: the index of the log stays in our heap, nobody else reads. */
const char store_schema_pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
				    "PRAGMA cell_size_check = ON;"
				    "PRAGMA journal_mode = WAL;"
				    "PRAGMA synchronous = FULL;"
				    "PRAGMA wal_autocheckpoint = 8000;"
				    "PRAGMA secure_delete = ON;"
				    "PRAGMA temp_store = MEMORY;"
				    "PRAGMA mmap_size = 0;";

#define KEYRING                                                                \
	"CREATE TABLE keyring ("                                               \
	" kind TEXT PRIMARY KEY, before_term INTEGER NOT NULL,"                \
	" nonce BLOB NOT NULL, wrap BLOB NOT NULL) STRICT, WITHOUT ROWID;"

/* `value` is the last column, so that the others are read without it. */
const char store_schema_tables[] =
	"PRAGMA application_id = 0x4e464f53;"
	"PRAGMA user_version = 2;"
	"CREATE TABLE manifest ("
	" id INTEGER PRIMARY KEY CHECK (id = 1),"
	" uuid BLOB NOT NULL, created_us INTEGER NOT NULL,"
	" term INTEGER NOT NULL, epoch INTEGER NOT NULL,"
	" digest BLOB NOT NULL, mac BLOB NOT NULL) STRICT;"
	"CREATE TABLE slots ("
	" slot INTEGER PRIMARY KEY, kind TEXT NOT NULL, params BLOB NOT NULL,"
	" created_us INTEGER NOT NULL, commitment BLOB NOT NULL,"
	" nonce BLOB NOT NULL, wrap BLOB NOT NULL) STRICT;" KEYRING
	"CREATE TABLE heads ("
	" path BLOB PRIMARY KEY, project TEXT NOT NULL, name TEXT NOT NULL,"
	" current INTEGER NOT NULL, n_versions INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, created_us INTEGER NOT NULL,"
	" updated_us INTEGER NOT NULL, term INTEGER NOT NULL,"
	" digest BLOB NOT NULL, mac BLOB NOT NULL,"
	" description TEXT NOT NULL DEFAULT '',"
	" keep INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX heads_name ON heads (project, name);"
	"CREATE INDEX heads_term ON heads (term);"
	"CREATE TABLE versions ("
	" path BLOB NOT NULL, version INTEGER NOT NULL,"
	" created_us INTEGER NOT NULL, type INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, term INTEGER NOT NULL,"
	" dek_id BLOB NOT NULL, wrap_term INTEGER NOT NULL,"
	" wrap_nonce BLOB NOT NULL, wrap BLOB NOT NULL, tag BLOB NOT NULL,"
	" value BLOB NOT NULL, UNIQUE (path, version)) STRICT;";

const char store_schema_upgrade[] =
	"BEGIN IMMEDIATE;"
	"ALTER TABLE heads ADD COLUMN description TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE heads ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;" KEYRING
	"PRAGMA user_version = 2; COMMIT;";

#define HEAD                                                                   \
	"path, project, name, current, n_versions, flags, created_us,"         \
	" updated_us, term, digest, mac, description, keep"
#define VERSION                                                                \
	"version, created_us, type, flags, term, dek_id, wrap_term,"           \
	" wrap_nonce, wrap, tag"

const char *const store_schema_sql[N_SSQL] = {
	[SSQL_BEGIN] = "BEGIN IMMEDIATE",
	[SSQL_COMMIT] = "COMMIT",
	[SSQL_ROLLBACK] = "ROLLBACK",
	[SSQL_CHECKPOINT] = "PRAGMA wal_checkpoint(TRUNCATE)",
	[SSQL_MANIFEST_GET] = "SELECT uuid, created_us, term, epoch, digest,"
			      " mac FROM manifest WHERE id = 1",
	[SSQL_MANIFEST_PUT] = "INSERT INTO manifest (id, uuid, created_us,"
			      " term, epoch, digest, mac)"
			      " VALUES (1, ?, ?, ?, ?, ?, ?)"
			      " ON CONFLICT (id) DO UPDATE SET"
			      " term = excluded.term, epoch = excluded.epoch,"
			      " digest = excluded.digest, mac = excluded.mac",
	[SSQL_SLOTS] = "SELECT slot, kind, params, created_us, commitment,"
		       " nonce, wrap FROM slots ORDER BY slot",
	[SSQL_SLOT_DROP] = "DELETE FROM slots WHERE slot = ?",
	[SSQL_KEYRING] = "SELECT kind, before_term, nonce, wrap FROM keyring"
			 " ORDER BY kind",
	[SSQL_KEYRING_PUT] = "INSERT OR REPLACE INTO keyring (kind,"
			     " before_term, nonce, wrap) VALUES (?, ?, ?, ?)",
	[SSQL_KEYRING_DROP] = "DELETE FROM keyring WHERE kind = ?",
	[SSQL_SLOT_PUT] =
		"INSERT OR REPLACE INTO slots (slot, kind, params, created_us,"
		" commitment, nonce, wrap)"
		" VALUES (?, ?, ?, ?, ?, ?, ?)",
	[SSQL_HEAD_GET] = "SELECT " HEAD " FROM heads WHERE path = ?",
	[SSQL_HEAD_PUT] = "INSERT OR REPLACE INTO heads (" HEAD ")"
			  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SSQL_HEAD_REWRAP] = "UPDATE heads SET term = ?, digest = ?, mac = ?"
			     " WHERE path = ?",
	[SSQL_HEAD_DROP] = "DELETE FROM heads WHERE path = ?",
	[SSQL_HEAD_REMOVED] = "SELECT " HEAD " FROM heads WHERE n_versions = 0"
			      " ORDER BY updated_us LIMIT 1",
	[SSQL_HEAD_BUCKET] = "SELECT path, mac FROM heads"
			     " WHERE path >= ? AND path <= ? ORDER BY path",
	[SSQL_HEADS] = "SELECT " HEAD " FROM heads ORDER BY path",
	[SSQL_HEADS_OF] = "SELECT " HEAD " FROM heads WHERE project = ?"
			  " AND name > ? AND n_versions > 0"
			  " ORDER BY name LIMIT ?",
	[SSQL_HEADS_OLD] = "SELECT path FROM heads WHERE term < ?"
			   " ORDER BY term, path LIMIT ?",
	[SSQL_HEADS_OLD_COUNT] = "SELECT count(*) FROM heads WHERE term < ?",
	[SSQL_VERSIONS] = "SELECT " VERSION " FROM versions WHERE path = ?"
			  " ORDER BY version",
	[SSQL_VERSION_PUT] =
		"INSERT OR REPLACE INTO versions (path, " VERSION ", value)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SSQL_VERSION_REWRAP] = "UPDATE versions SET wrap_term = ?,"
				" wrap_nonce = ?, wrap = ?"
				" WHERE path = ? AND version = ?",
	[SSQL_VERSION_VALUE] = "SELECT value FROM versions"
			       " WHERE path = ? AND version = ?",
	[SSQL_VERSIONS_DROP] = "DELETE FROM versions WHERE path = ?"
			       " AND version >= ? AND version <= ?",
	[SSQL_VERSION_ORPHANS] = "SELECT count(*) FROM versions WHERE path"
				 " NOT IN (SELECT path FROM heads)",
};

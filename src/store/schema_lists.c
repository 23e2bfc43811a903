/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Steps of schema.c, and statements, that it has no room for. */
#include "store/db.h"

/* Webhooks: their number outlives a new id; what was answered to whom. */
const char schema_hooks[] =
	"CREATE TABLE hooks("
	" n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
	" project TEXT NOT NULL, job TEXT NOT NULL, name TEXT NOT NULL,"
	" scheme TEXT NOT NULL, secret TEXT NOT NULL,"
	" created_us INTEGER NOT NULL, UNIQUE(project, job, name)) STRICT;"
	"CREATE TABLE deliveries("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, hook INTEGER NOT NULL,"
	" delivery TEXT NOT NULL, event TEXT NOT NULL, outcome TEXT NOT NULL,"
	" run TEXT NOT NULL, error TEXT NOT NULL, at_us INTEGER NOT NULL,"
	" UNIQUE(hook, delivery)) STRICT;"
	"CREATE INDEX deliveries_hook ON deliveries(hook, id);"
	"CREATE INDEX deliveries_at ON deliveries(at_us);";

/* So that a list of runs takes the same time however many there are; which
 * index is used for what is decided in reader_list.c.  What ended badly is
 * little. */
const char schema_lists[] =
	"CREATE INDEX runs_project ON runs(project, id);"
	"CREATE INDEX runs_name ON runs(job, id);"
	"CREATE INDEX runs_created ON runs(created_us);"
	"CREATE INDEX runs_trigger ON runs(trigger, id) WHERE trigger<>'api';"
	"CREATE INDEX runs_bad ON runs(id) WHERE state>3;"
	"CREATE INDEX runs_bad_state ON runs(state, id) WHERE state>3;"
	"CREATE INDEX runs_bad_project ON runs(project, id) WHERE state>3;"
	"CREATE INDEX runs_kind ON runs(kind, id) WHERE kind<>0;"
	"CREATE INDEX runs_kinds ON runs(id) WHERE kind<>0;"
	"CREATE TABLE run_labels("
	" key TEXT NOT NULL, value TEXT NOT NULL, run INTEGER NOT NULL,"
	" PRIMARY KEY(key, value, run)) STRICT, WITHOUT ROWID;"
	"INSERT OR IGNORE INTO run_labels SELECT l.key,l.value,r.id "
	"FROM runs r,json_each(r.labels) l WHERE l.type='text';";

/* Runs whose logs are no longer kept. */
const char schema_logs[] =
	"ALTER TABLE runs ADD COLUMN logs_gone INTEGER NOT NULL DEFAULT 0;";

/* Runs of a job by age; retention.h. */
const char sql_job_next[] =
	"SELECT project,job FROM runs WHERE (project,job)>(?,?) "
	"ORDER BY project,job LIMIT 1";

const char sql_job_runs[] =
	"SELECT id,ulid,state,finished_us,parent,logs_gone FROM runs INDEXED BY "
	"runs_job WHERE project=? AND job=? AND id>? "
	"ORDER BY id LIMIT ?";

const char sql_job_boundary[] = "SELECT id FROM runs INDEXED BY runs_job WHERE "
				"project=? AND job=? AND state>=3 "
				"ORDER BY id DESC LIMIT 1 OFFSET ?";

const char sql_job_succeeded[] =
	"SELECT id FROM runs INDEXED BY runs_job WHERE "
	"project=? AND job=? AND state=3 AND id>? "
	"ORDER BY id LIMIT 1";

const char sql_run_logs_gone[] = "UPDATE runs SET logs_gone=1 WHERE id=?";

const char sql_run_has_logs[] =
	"SELECT EXISTS(SELECT 1 FROM runs WHERE ulid=? AND logs_gone=0)";

/* The oldest rows are the first: no index, and never many at once. */
const char sql_audit_expire[] = "DELETE FROM audit WHERE ts_us<?1 AND id IN "
				"(SELECT id FROM audit ORDER BY id LIMIT ?2)";

const char sql_deliveries_keep[] =
	"DELETE FROM deliveries WHERE hook IN (SELECT n FROM hooks "
	"WHERE project=? AND job=? AND name NOT IN (SELECT value FROM "
	"json_each(?)))";

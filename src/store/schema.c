/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The tables, step by step from each version to the next.  What is here stays
 * as it is: databases have it.  States and kinds are the numbers of enum
 * run_state and enum fail_kind: those only ever grow at their end.
 */
#include "store/db.h"

static const char v1[] =
	"CREATE TABLE runs("
	" id INTEGER PRIMARY KEY, ulid TEXT NOT NULL UNIQUE,"
	" project TEXT NOT NULL, job TEXT NOT NULL,"
	" definition_digest TEXT NOT NULL, run_digest TEXT NOT NULL,"
	" state INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" blocked TEXT NOT NULL, error TEXT NOT NULL,"
	" labels TEXT NOT NULL, inputs TEXT NOT NULL,"
	" trigger TEXT NOT NULL, submitter TEXT NOT NULL,"
	" source TEXT NOT NULL, source_bytes INTEGER NOT NULL,"
	" priority INTEGER NOT NULL, cancelled INTEGER NOT NULL,"
	" timed_out INTEGER NOT NULL, created_us INTEGER NOT NULL,"
	" started_us INTEGER NOT NULL, finished_us INTEGER NOT NULL,"
	" finally_us INTEGER NOT NULL, canonical TEXT NOT NULL) STRICT;"
	"CREATE INDEX runs_job ON runs(project, job, id);"
	/* queued, blocked, running: what a start looks for */
	"CREATE INDEX runs_live ON runs(id) WHERE state < 3;"
	"CREATE INDEX runs_source ON runs(source) WHERE source <> '';"

	"CREATE TABLE tasks("
	" run INTEGER NOT NULL, idx INTEGER NOT NULL, name TEXT NOT NULL,"
	" state INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" attempt INTEGER NOT NULL, blocked TEXT NOT NULL,"
	" error TEXT NOT NULL, due_us INTEGER NOT NULL,"
	" PRIMARY KEY(run, idx)) STRICT, WITHOUT ROWID;"

	/* the fence is never given twice, also after rows were deleted */
	"CREATE TABLE attempts("
	" fence INTEGER PRIMARY KEY AUTOINCREMENT,"
	" run INTEGER NOT NULL, idx INTEGER NOT NULL,"
	" number INTEGER NOT NULL, ulid TEXT NOT NULL,"
	" state INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" exit_code INTEGER NOT NULL, signo INTEGER NOT NULL,"
	" shared INTEGER NOT NULL, uid_slot INTEGER NOT NULL,"
	" workspace TEXT NOT NULL,"
	" started_us INTEGER NOT NULL, finished_us INTEGER NOT NULL,"
	" cpu_us INTEGER NOT NULL, memory_peak_bytes INTEGER NOT NULL,"
	" log_bytes INTEGER NOT NULL, redactions INTEGER NOT NULL,"
	" pids_peak INTEGER NOT NULL, not_enforced INTEGER NOT NULL,"
	" log_truncated INTEGER NOT NULL, outputs TEXT NOT NULL,"
	" error TEXT NOT NULL, hint TEXT NOT NULL,"
	" UNIQUE(run, idx, number)) STRICT;"

	"CREATE TABLE events("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL,"
	" type INTEGER NOT NULL, task TEXT NOT NULL,"
	" attempt INTEGER NOT NULL, state INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, ts_us INTEGER NOT NULL) STRICT;"
	"CREATE INDEX events_run ON events(run, id);"

	"CREATE TABLE artifacts("
	" run INTEGER NOT NULL, name TEXT NOT NULL, idx INTEGER NOT NULL,"
	" attempt INTEGER NOT NULL, file TEXT NOT NULL,"
	" bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,"
	" created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
	" PRIMARY KEY(run, name)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX artifacts_sha256 ON artifacts(sha256);"

	"CREATE TABLE audit("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, ts_us INTEGER NOT NULL,"
	" who TEXT NOT NULL, action TEXT NOT NULL, what TEXT NOT NULL) STRICT;"

	"CREATE TABLE outbox("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL,"
	" channel TEXT NOT NULL, body TEXT NOT NULL, tries INTEGER NOT NULL,"
	" due_us INTEGER NOT NULL) STRICT;"

	"CREATE TABLE keys("
	" who TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL,"
	" run TEXT NOT NULL, created_us INTEGER NOT NULL,"
	" PRIMARY KEY(who, key)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX keys_created ON keys(created_us);";

/* Content that a sweep has to look at: when it is due and nobody uses it, it
 * goes.  An artifact whose time is over has it negative. */
static const char v2[] =
	"CREATE TABLE garbage("
	" sha256 TEXT NOT NULL PRIMARY KEY, due_us INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX garbage_due ON garbage(due_us);"
	"CREATE INDEX artifacts_expire ON artifacts(expires_us)"
	" WHERE expires_us>0;";

/* Stored jobs.  A revision is a definition that was put: its text as it came,
 * and canonical.  One that is put again becomes the newest. */
static const char v3[] =
	"CREATE TABLE revisions("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL,"
	" job TEXT NOT NULL, digest TEXT NOT NULL, syntax TEXT NOT NULL,"
	" text TEXT NOT NULL, canonical TEXT NOT NULL,"
	" put_us INTEGER NOT NULL, put_by TEXT NOT NULL,"
	" UNIQUE(project, job, digest)) STRICT;"
	"CREATE INDEX revisions_job ON revisions(project, job, id);"
	"CREATE TABLE jobs("
	" project TEXT NOT NULL, name TEXT NOT NULL,"
	" revision INTEGER NOT NULL, created_us INTEGER NOT NULL,"
	" PRIMARY KEY(project, name)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX jobs_revision ON jobs(project, revision);";

/* Small things with a name, as JSON; the id is new with every change, and what
 * their entity tag is made of.  Tokens, by the hash of their text. */
static const char v4[] =
	"CREATE TABLE resources("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
	" name TEXT NOT NULL, body TEXT NOT NULL,"
	" created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL,"
	" changed_by TEXT NOT NULL, UNIQUE(kind, name)) STRICT;"
	"CREATE INDEX resources_kind ON resources(kind, id);"
	"CREATE TABLE tokens("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, ulid TEXT NOT NULL UNIQUE,"
	" hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL,"
	" subject TEXT NOT NULL, role INTEGER NOT NULL,"
	" projects TEXT NOT NULL, created_us INTEGER NOT NULL,"
	" created_by TEXT NOT NULL, expires_us INTEGER NOT NULL,"
	" used_us INTEGER NOT NULL) STRICT;"
	"CREATE INDEX tokens_subject ON tokens(subject, id);";

/* What a run was made again from, and the group that it waits in or holds. */
static const char v5[] =
	"ALTER TABLE runs ADD COLUMN rerun_of TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN grp TEXT NOT NULL DEFAULT '';"
	"CREATE INDEX runs_group ON runs(project, grp) "
	"WHERE state<3 AND grp<>'';";

/* How far each schedule has got. */
static const char v6[] =
	"CREATE TABLE schedules("
	" project TEXT NOT NULL, job TEXT NOT NULL, name TEXT NOT NULL,"
	" last_s INTEGER NOT NULL, paused INTEGER NOT NULL,"
	" run TEXT NOT NULL, error TEXT NOT NULL,"
	" PRIMARY KEY(project, job, name)) STRICT, WITHOUT ROWID;";

/* What people are asked, and what they said. */
static const char v7[] =
	"CREATE TABLE approvals("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL,"
	" idx INTEGER NOT NULL, task TEXT NOT NULL, state INTEGER NOT NULL,"
	" digest TEXT NOT NULL, message TEXT NOT NULL, named TEXT NOT NULL,"
	" shown TEXT NOT NULL, count INTEGER NOT NULL,"
	" submitter_may INTEGER NOT NULL, asked_us INTEGER NOT NULL,"
	" expires_us INTEGER NOT NULL, UNIQUE(run, idx)) STRICT;"
	"CREATE INDEX approvals_open ON approvals(id) WHERE state=1;"
	"CREATE TABLE decisions("
	" run INTEGER NOT NULL, idx INTEGER NOT NULL, person TEXT NOT NULL,"
	" who TEXT NOT NULL, approves INTEGER NOT NULL,"
	" comment TEXT NOT NULL, ts_us INTEGER NOT NULL,"
	" PRIMARY KEY(run, idx, person)) STRICT, WITHOUT ROWID;";

/* Webhooks: their number outlives a new id; what was answered to whom. */
static const char v9[] =
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

/* Where a source comes from.  Content that a run has as its source is looked
 * for by the run's row. */
static const char v8[] =
	"ALTER TABLE runs ADD COLUMN git_url TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN git_ref TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN git_commit TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN git_fetch TEXT NOT NULL DEFAULT '';";
/* Whole answers of what was made with a key; of runs (status 0) only their
 * name. */
static const char v10[] =
	"ALTER TABLE keys ADD COLUMN status INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE keys ADD COLUMN location TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE keys ADD COLUMN etag TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE keys ADD COLUMN body TEXT NOT NULL DEFAULT '';";

/* Runs that other runs have called, and the token that a run was asked with. */
static const char v11[] =
	"ALTER TABLE runs ADD COLUMN parent TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN parent_task TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN parent_attempt INTEGER NOT NULL "
	"DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN root TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE runs ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN token TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE attempts ADD COLUMN child TEXT NOT NULL DEFAULT '';"
	"CREATE INDEX runs_parent ON runs(parent, id) WHERE parent<>'';"
	"CREATE INDEX runs_root ON runs(root) WHERE root<>'';";

/* What tasks keep for later runs. */
static const char v12[] =
	"CREATE TABLE caches("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, ulid TEXT NOT NULL UNIQUE,"
	" project TEXT NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL,"
	" sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, run TEXT NOT NULL,"
	" created_us INTEGER NOT NULL, used_us INTEGER NOT NULL,"
	" UNIQUE(project, scope, key)) STRICT;"
	"CREATE INDEX caches_sha256 ON caches(sha256);"
	"CREATE INDEX caches_used ON caches(project, used_us);";

/* So that a list of runs takes the same time however many there are; which
 * index is used for what is decided in reader_list.c.  What ended badly is
 * little. */
static const char v13[] =
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
static const char v14[] =
	"ALTER TABLE runs ADD COLUMN logs_gone INTEGER NOT NULL DEFAULT 0;";

/* Which secrets were seen in what an attempt wrote. */
static const char v15[] =
	"ALTER TABLE attempts ADD COLUMN secrets TEXT NOT NULL DEFAULT '';";

/* Artifacts that only their run may read. */
static const char v16[] =
	"ALTER TABLE artifacts ADD COLUMN private INTEGER NOT NULL DEFAULT 0;";

static const char *const versions[] = {v1, v2,  v3,  v4,  v5,  v6,  v7,  v8,
				       v9, v10, v11, v12, v13, v14, v15, v16};

int db_migrate(struct db *db, struct err *e)
{
	return db_migrate_to(db, ARRAY_LEN(versions), e);
}

int db_migrate_to(struct db *db, int64_t newest, struct err *e)
{
	int64_t have;

	if (newest < 1 || newest > (int64_t)ARRAY_LEN(versions))
		return err_set(e, ERR_INVALID,
			       "version %lld is not known to this program",
			       (long long)newest);

	if (db_number(db, "PRAGMA user_version", &have, e))
		return -1;
	if (have > newest)
		return err_set(e, ERR_INVALID,
			       "the database is of version %lld, this program "
			       "knows up to %lld: use the newer program",
			       (long long)have, (long long)newest);
	for (; have < newest; have++) {
		char *bump = sqlite3_mprintf("PRAGMA user_version=%lld",
					     (long long)have + 1);
		int r = db_exec(db, "BEGIN IMMEDIATE", e) ||
			db_exec(db, versions[have], e) ||
			db_exec(db, bump, e) || db_exec(db, "COMMIT", e);

		sqlite3_free(bump);
		if (r) {
			(void)sqlite3_exec(db->lite, "ROLLBACK", NULL, NULL,
					   NULL);
			return err_wrap(e, "bring the tables to version %lld",
					(long long)have + 1);
		}
	}
	return 0;
}

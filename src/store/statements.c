/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* All statements there are but the lists with filters (reader_list.c); the
 * columns' order is that of rows.c. */
#include "store/db.h"

#define ATTEMPT_COLUMNS                                                        \
	"fence,idx,number,ulid,state,kind,exit_code,signo,shared,uid_slot,"    \
	"workspace,started_us,finished_us,cpu_us,memory_peak_bytes,log_bytes," \
	"redactions,pids_peak,not_enforced,log_truncated,outputs,error,hint,"  \
	"child,secrets"

#define JOB_COLUMNS                                                            \
	"v.id,v.project,v.job,v.digest,v.syntax,"                              \
	"coalesce(json_extract(v.canonical,'$.description'),''),"              \
	"j.created_us,v.put_us,v.put_by,j.revision=v.id"
#define JOB_TABLES                                                             \
	" FROM revisions v JOIN jobs j ON j.project=v.project AND j.name=v.job "

#define CACHE_COLUMNS                                                          \
	"id,ulid,project,scope,key,sha256,bytes,run,created_us,used_us"
#define RESOURCE_COLUMNS "id,kind,name,body,created_us,changed_us,changed_by"
#define TOKEN_COLUMNS                                                          \
	"id,ulid,hash,name,subject,role,projects,created_us,created_by,"       \
	"expires_us,used_us"

#define APPROVAL_COLUMNS                                                       \
	"a.id,a.run,a.idx,a.task,a.state,a.digest,a.message,a.named,a.shown,"  \
	"a.count,a.submitter_may,a.asked_us,a.expires_us,r.ulid,r.project,"    \
	"r.job,r.submitter,r.run_digest"

#define HOOK_COLUMNS     "n,id,project,job,name,scheme,secret,created_us"
#define DELIVERY_COLUMNS "id,hook,delivery,event,outcome,run,error,at_us"

const char *const db_sql[N_DB_STMTS] = {
	[DB_BEGIN] = "BEGIN IMMEDIATE",
	[DB_BEGIN_READ] = "BEGIN",
	[DB_COMMIT] = "COMMIT",
	[DB_RUN_ADD] =
		"INSERT INTO runs(ulid,project,job,definition_digest,"
		"run_digest,state,kind,blocked,error,labels,inputs,trigger,"
		"submitter,source,source_bytes,priority,cancelled,timed_out,"
		"created_us,started_us,finished_us,finally_us,rerun_of,grp,"
		"git_url,git_ref,git_commit,git_fetch,canonical,parent,"
		"parent_task,parent_attempt,root,depth,token) VALUES(?,?,?,?,?,"
		"?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[DB_LABELS_ADD] = "INSERT OR IGNORE INTO run_labels SELECT key,value,?1"
			  " FROM json_each(?2) WHERE type='text'",
	[DB_RUN_SET] = "UPDATE runs SET state=?,kind=?,blocked=?,error=?,"
		       "cancelled=?,timed_out=?,started_us=?,finished_us=?,"
		       "finally_us=? WHERE id=?",
	[DB_RUN_SOURCE] = "UPDATE runs SET source=?,source_bytes=?,"
			  "git_commit=?,run_digest=? WHERE id=?",
	[DB_RUN_FIND] = "SELECT id,state FROM runs WHERE ulid=?",
	[DB_RUN_GET] = "SELECT " DB_RUN_COLUMNS " FROM runs WHERE ulid=?",
	[DB_RUN_CANONICAL] = "SELECT canonical FROM runs WHERE ulid=?",
	[DB_RUNS_QUEUE] =
		"SELECT " DB_RUN_COLUMNS " FROM runs WHERE state<2 AND (?1='' "
		"OR project IN (SELECT value FROM json_each(?1))) "
		"ORDER BY priority DESC,id LIMIT ?2",
	[DB_RUNS_GROUP] = "SELECT " DB_RUN_COLUMNS " FROM runs WHERE state<3 "
			  "AND project=? AND grp=? ORDER BY priority DESC,id",
	[DB_RUNS_LIVE] = "SELECT " DB_RUN_COLUMNS ",canonical FROM runs "
			 "WHERE state<3 ORDER BY id",
	[DB_TASK_PUT] = "INSERT OR REPLACE INTO tasks(run,idx,name,state,kind,"
			"attempt,blocked,error,due_us) "
			"VALUES(?,?,?,?,?,?,?,?,?)",
	[DB_TASKS] = "SELECT idx,name,state,kind,attempt,blocked,error,due_us "
		     "FROM tasks WHERE run=? ORDER BY idx",
	[DB_ATTEMPT_PUT] =
		"INSERT OR REPLACE INTO attempts(run," ATTEMPT_COLUMNS ") "
		"VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[DB_ATTEMPTS_DROP] =
		"DELETE FROM attempts WHERE run=? AND idx=? AND number>?",
	[DB_ATTEMPTS] = "SELECT " ATTEMPT_COLUMNS
			" FROM attempts WHERE run=? ORDER BY idx,number",
	[DB_ATTEMPT_GET] = "SELECT " ATTEMPT_COLUMNS
			   " FROM attempts WHERE run=? AND idx=? AND number=?",
	[DB_ATTEMPTS_FROM] = "SELECT " ATTEMPT_COLUMNS " FROM attempts "
			     "WHERE run=? AND fence>=? ORDER BY fence",
	[DB_EVENT_ADD] = "INSERT INTO events(run,type,task,attempt,state,kind,"
			 "ts_us) VALUES(?,?,?,?,?,?,?)",
	[DB_EVENTS] = "SELECT " DB_EVENT_COLUMNS " FROM events e "
		      "JOIN runs r ON r.id=e.run WHERE e.id>?1 AND e.id<=?4 "
		      "AND (?2='' OR r.project IN (SELECT value FROM "
		      "json_each(?2))) ORDER BY e.id LIMIT ?3",
	[DB_EVENTS_OF] = "SELECT " DB_EVENT_COLUMNS " FROM events e "
			 "JOIN runs r ON r.id=e.run WHERE e.id>? "
			 "AND e.run=(SELECT id FROM runs WHERE ulid=?) "
			 "ORDER BY e.id LIMIT ?",
	[DB_LAST_EVENT] = "SELECT seq FROM sqlite_sequence "
			  "WHERE name='events'",
	[DB_FIRST_EVENT] = "SELECT id FROM events ORDER BY id LIMIT 1",
	[DB_EVENT_TIME] = "SELECT ts_us FROM events WHERE id>=? "
			  "ORDER BY id LIMIT 1",
	[DB_FEW_RUNS] = "SELECT count(*) FROM (SELECT 1 FROM runs WHERE "
			"project IN (SELECT value FROM json_each(?)) LIMIT ?)",
	[DB_ARTIFACT_PUT] = "INSERT OR REPLACE INTO artifacts(run,name,idx,"
			    "attempt,file,bytes,sha256,created_us,expires_us,"
			    "private) VALUES(?,?,?,?,?,?,?,?,?,?)",
	[DB_ARTIFACTS] = "SELECT name,idx,attempt,file,bytes,sha256,created_us,"
			 "expires_us,private FROM artifacts WHERE run=? "
			 "ORDER BY name",
	[DB_ARTIFACTS_CLOSE] =
		"UPDATE artifacts SET expires_us=?2 WHERE run=?1 "
		"AND private AND expires_us>=0",
	[DB_AUDIT_ADD] = "INSERT INTO audit(ts_us,who,action,what) "
			 "VALUES(?,?,?,?)",
	[DB_KEY_GET] = "SELECT request,run FROM keys WHERE who=? AND key=?",
	[DB_KEY_PUT] = "INSERT OR REPLACE INTO keys(who,key,request,run,"
		       "created_us) VALUES(?,?,?,?,?)",
	[DB_ANSWER_GET] = "SELECT request,status,location,etag,body FROM keys "
			  "WHERE who=? AND key=?",
	[DB_ANSWER_PUT] = "INSERT OR REPLACE INTO keys(who,key,request,run,"
			  "created_us,status,location,etag,body) "
			  "VALUES(?,?,?,'',?,?,?,?,?)",
	[DB_KEYS_EXPIRE] = "DELETE FROM keys WHERE created_us<?",
	[DB_DELETE_TASKS] = "DELETE FROM tasks WHERE run=?",
	[DB_DELETE_ATTEMPTS] = "DELETE FROM attempts WHERE run=?",
	[DB_DELETE_EVENTS] = "DELETE FROM events WHERE run=?",
	[DB_DELETE_ARTIFACTS] = "DELETE FROM artifacts WHERE run=?",
	[DB_DELETE_KEYS] = "DELETE FROM keys WHERE run="
			   "(SELECT ulid FROM runs WHERE id=?)",
	[DB_DELETE_LABELS] =
		"DELETE FROM run_labels WHERE (key,value,run) IN (SELECT "
		"l.key,l.value,r.id FROM runs r,json_each(r.labels) l "
		"WHERE r.id=?)",
	[DB_DELETE_RUN] = "DELETE FROM runs WHERE id=?",
	/* while a run lives its tasks may still want what they made */
	[DB_EXPIRE_CONTENT] =
		"INSERT OR IGNORE INTO garbage SELECT a.sha256,0 FROM "
		"artifacts a JOIN runs r ON r.id=a.run WHERE a.expires_us>0 "
		"AND a.expires_us<=? AND r.state>=3",
	[DB_EXPIRE] = "UPDATE artifacts SET expires_us=-expires_us "
		      "WHERE expires_us>0 AND expires_us<=? AND run IN "
		      "(SELECT id FROM runs WHERE state>=3)",
	[DB_BREAK_TASKS] = "UPDATE tasks SET state=?2,kind=?3,blocked='',"
			   "due_us=0 WHERE run=?4 AND state=?1",
	[DB_BREAK_ATTEMPTS] = "UPDATE attempts SET state=?2,kind=?3,"
			      "finished_us=?5 WHERE run=?4 AND state=?1",
	[DB_GARBAGE_OF_RUN] =
		"INSERT OR REPLACE INTO garbage SELECT sha256,0 FROM artifacts "
		"WHERE run=?1 UNION SELECT source,0 FROM runs WHERE id=?1 "
		"AND source<>''",
	[DB_GARBAGE_DUE] =
		"SELECT EXISTS(SELECT 1 FROM garbage WHERE due_us<=?) OR "
		"EXISTS(SELECT 1 FROM artifacts a JOIN runs r ON r.id=a.run "
		"WHERE a.expires_us>0 AND a.expires_us<=? AND r.state>=3)",
	[DB_GARBAGE_NEXT] = "SELECT sha256 FROM garbage WHERE due_us<=? "
			    "ORDER BY due_us LIMIT 1",
	[DB_GARBAGE_PUT] = "INSERT OR REPLACE INTO garbage(sha256,due_us) "
			   "VALUES(?,?)",
	[DB_GARBAGE_DONE] = "DELETE FROM garbage WHERE sha256=?",
	[DB_CONTENT_USED] =
		"SELECT EXISTS(SELECT 1 FROM artifacts WHERE sha256=? AND "
		"expires_us>=0) OR EXISTS(SELECT 1 FROM runs WHERE source=? "
		"AND source<>'') OR EXISTS(SELECT 1 FROM caches WHERE "
		"sha256=?)",
	[DB_REVISION_PUT] =
		"INSERT OR REPLACE INTO revisions(project,job,digest,syntax,"
		"text,canonical,put_us,put_by) VALUES(?,?,?,?,?,?,?,?)",
	[DB_JOB_PUT] = "INSERT INTO jobs(project,name,revision,created_us) "
		       "VALUES(?,?,?,?) ON CONFLICT(project,name) DO UPDATE "
		       "SET revision=excluded.revision",
	[DB_JOB_GET] = "SELECT " JOB_COLUMNS ",v.text,v.canonical" JOB_TABLES
		       "WHERE j.project=? AND j.name=? AND j.revision=v.id",
	[DB_REVISION_GET] =
		"SELECT " JOB_COLUMNS ",v.text,v.canonical" JOB_TABLES
		"WHERE v.project=? AND v.job=? AND v.digest=?",
	[DB_REVISION_HAS] = "SELECT 1 FROM revisions WHERE project=? AND "
			    "job=? AND digest=?",
	[DB_JOBS] = "SELECT " JOB_COLUMNS JOB_TABLES
		    "WHERE j.project=? AND j.revision<? AND j.revision=v.id "
		    "ORDER BY j.revision DESC LIMIT ?",
	[DB_REVISIONS] = "SELECT " JOB_COLUMNS JOB_TABLES
			 "WHERE v.project=? AND v.job=? AND v.id<? "
			 "ORDER BY v.id DESC LIMIT ?",
	[DB_DELETE_JOB] = "DELETE FROM jobs WHERE project=? AND name=?",
	[DB_DELETE_REVISIONS] =
		"DELETE FROM revisions WHERE project=? AND job=?",
	[DB_RESOURCE_PUT] =
		"INSERT OR REPLACE INTO resources(kind,name,body,created_us,"
		"changed_us,changed_by) VALUES(?1,?2,?3,coalesce((SELECT "
		"created_us FROM resources WHERE kind=?1 AND name=?2),?4),?4,"
		"?5)",
	[DB_RESOURCE_GET] = "SELECT " RESOURCE_COLUMNS
			    " FROM resources WHERE kind=? AND name=?",
	[DB_RESOURCES] = "SELECT " RESOURCE_COLUMNS
			 " FROM resources WHERE kind=? AND id<? "
			 "ORDER BY id DESC LIMIT ?",
	[DB_RESOURCE_DELETE] = "DELETE FROM resources WHERE kind=? AND name=?",
	[DB_TOKEN_ADD] = "INSERT INTO tokens(ulid,hash,name,subject,role,"
			 "projects,created_us,created_by,expires_us,used_us) "
			 "VALUES(?,?,?,?,?,?,?,?,?,0)",
	[DB_TOKENS] = "SELECT " TOKEN_COLUMNS
		      " FROM tokens WHERE (?1='' OR subject=?1) AND id<?2 "
		      "ORDER BY id DESC LIMIT ?3",
	[DB_TOKEN_GET] = "SELECT " TOKEN_COLUMNS " FROM tokens WHERE ulid=?",
	[DB_TOKEN_USED] = "UPDATE tokens SET used_us=? WHERE ulid=?",
	[DB_TOKEN_DELETE] = "DELETE FROM tokens WHERE ulid=?",
	[DB_TOKENS_DELETE] = "DELETE FROM tokens WHERE subject=?",
	[DB_JOBS_SCHEDULED] =
		"SELECT " JOB_COLUMNS ",v.text,v.canonical" JOB_TABLES
		"WHERE j.revision=v.id AND "
		"json_extract(v.canonical,'$.triggers.schedule') IS NOT NULL",
	[DB_VAULT_PATHS] =
		"SELECT DISTINCT json_extract(s.value,'$.vault'),"
		"coalesce(json_extract(s.value,'$.kind'),'kv')" JOB_TABLES
		",json_each(v.canonical,'$.secrets') s WHERE j.revision=v.id "
		"AND json_type(s.value,'$.vault')='text' AND "
		"coalesce(json_extract(s.value,'$.provider'),'default')=?1 "
		"ORDER BY 1,2 LIMIT ?2",
	[DB_SCHEDULE_PUT] = "INSERT OR REPLACE INTO schedules(project,job,name,"
			    "last_s,paused,run,error) VALUES(?,?,?,?,?,?,?)",
	[DB_SCHEDULE_GET] =
		"SELECT project,job,name,last_s,paused,run,error FROM schedules "
		"WHERE project=? AND job=? AND name=?",
	[DB_DELETE_SCHEDULES] =
		"DELETE FROM schedules WHERE project=? AND job=?",
	[DB_RUNS_OF_ROOT] = "SELECT count(*) FROM runs WHERE root=?1 "
			    "AND root<>''",
	[DB_APPROVAL_PUT] =
		"INSERT INTO approvals(run,idx,task,state,digest,message,named,"
		"shown,count,submitter_may,asked_us,expires_us) "
		"VALUES(?,?,?,?,?,?,?,?,?,?,?,?) "
		"ON CONFLICT(run,idx) DO UPDATE SET state=excluded.state",
	[DB_APPROVALS_OF] = "SELECT " APPROVAL_COLUMNS " FROM approvals a "
			    "JOIN runs r ON r.id=a.run WHERE r.ulid=? "
			    "ORDER BY a.idx",
	[DB_APPROVALS_OPEN] =
		"SELECT " APPROVAL_COLUMNS " FROM approvals a "
		"JOIN runs r ON r.id=a.run WHERE a.state=1 AND r.state<3 "
		"AND a.id<?1 AND (?2='' OR r.project IN "
		"(SELECT value FROM json_each(?2))) ORDER BY a.id DESC",
	[DB_DECISION_PUT] =
		"INSERT OR IGNORE INTO decisions(run,idx,person,who,approves,"
		"comment,ts_us) VALUES(?,?,?,?,?,?,?)",
	[DB_DECISIONS] = "SELECT idx,person,who,approves,comment,ts_us "
			 "FROM decisions WHERE run=? ORDER BY ts_us",
	[DB_DELETE_APPROVALS] = "DELETE FROM approvals WHERE run=?",
	[DB_DELETE_DECISIONS] = "DELETE FROM decisions WHERE run=?",
	[DB_HOOK_PUT] =
		"INSERT INTO hooks(id,project,job,name,scheme,secret,"
		"created_us) VALUES(?,?,?,?,?,?,?) ON CONFLICT(project,job,"
		"name) DO UPDATE SET scheme=excluded.scheme,"
		"secret=excluded.secret",
	[DB_HOOK_ROTATE] = "UPDATE hooks SET id=? WHERE project=? AND job=? "
			   "AND name=?",
	[DB_HOOK_GET] = "SELECT " HOOK_COLUMNS " FROM hooks WHERE id=?",
	[DB_HOOKS] = "SELECT " HOOK_COLUMNS " FROM hooks WHERE project=? "
		     "AND job=? ORDER BY name",
	[DB_HOOKS_KEEP] = "DELETE FROM hooks WHERE project=? AND job=? AND "
			  "name NOT IN (SELECT value FROM json_each(?))",
	[DB_DELIVERIES_KEEP] =
		"DELETE FROM deliveries WHERE hook IN (SELECT n FROM hooks "
		"WHERE project=? AND job=? AND name NOT IN (SELECT value FROM "
		"json_each(?)))",
	[DB_DELIVERY_GET] = "SELECT " DELIVERY_COLUMNS " FROM deliveries "
			    "WHERE hook=? AND delivery=?",
	[DB_DELIVERY_PUT] =
		"INSERT OR REPLACE INTO deliveries(hook,delivery,event,"
		"outcome,run,error,at_us) VALUES(?,?,?,?,?,?,?)",
	[DB_DELIVERIES] = "SELECT " DELIVERY_COLUMNS " FROM deliveries "
			  "WHERE hook=? AND id<? ORDER BY id DESC LIMIT ?",
	[DB_DELIVERIES_TRIM] =
		"DELETE FROM deliveries WHERE hook=?1 AND id<(SELECT id FROM "
		"deliveries WHERE hook=?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
	[DB_DELIVERIES_EXPIRE] = "DELETE FROM deliveries WHERE at_us<?",
	[DB_CACHE_FIND] = "SELECT " CACHE_COLUMNS " FROM caches WHERE "
			  "project=? AND scope=? AND key=?",
	[DB_CACHE_LIKE] =
		"SELECT " CACHE_COLUMNS " FROM caches WHERE project=?1 AND "
		"scope=?2 AND substr(key,1,length(?3))=?3 "
		"ORDER BY id DESC LIMIT 1",
	[DB_CACHE_GET] = "SELECT " CACHE_COLUMNS " FROM caches WHERE ulid=?",
	[DB_CACHES] = "SELECT " CACHE_COLUMNS " FROM caches WHERE (?1='' OR "
		      "project=?1) AND (?2='' OR project IN (SELECT value "
		      "FROM json_each(?2))) AND id<?3 ORDER BY id DESC "
		      "LIMIT ?4",
	[DB_CACHE_USED] = "UPDATE caches SET used_us=? WHERE id=?",
	[DB_CACHE_PUT] = "INSERT OR IGNORE INTO caches(ulid,project,scope,key,"
			 "sha256,bytes,run,created_us,used_us) "
			 "VALUES(?,?,?,?,?,?,?,?,?)",
	[DB_CACHE_BYTES] = "SELECT coalesce(sum(bytes),0) FROM caches "
			   "WHERE project=?",
	[DB_CACHE_OLDEST] = "SELECT " CACHE_COLUMNS " FROM caches WHERE "
			    "project=? ORDER BY used_us,id LIMIT 1",
	[DB_GARBAGE_OF_CACHE] = "INSERT OR REPLACE INTO garbage SELECT "
				"sha256,0 FROM caches WHERE ulid=?",
	[DB_DELETE_CACHE] = "DELETE FROM caches WHERE ulid=?",
	[DB_GARBAGE_OF_CACHES] = "INSERT OR REPLACE INTO garbage SELECT "
				 "sha256,0 FROM caches WHERE project=?",
	[DB_DELETE_CACHES] = "DELETE FROM caches WHERE project=?",
	/* Runs of a job by age; retention.h. */
	[DB_JOB_NEXT] =
		"SELECT project,job FROM runs WHERE (project,job)>(?,?) "
		"ORDER BY project,job LIMIT 1",
	[DB_JOB_RUNS] =
		"SELECT id,ulid,state,finished_us,parent,logs_gone FROM runs INDEXED BY "
		"runs_job WHERE project=? AND job=? AND id>? "
		"ORDER BY id LIMIT ?",
	[DB_JOB_BOUNDARY] = "SELECT id FROM runs INDEXED BY runs_job WHERE "
			    "project=? AND job=? AND state>=3 "
			    "ORDER BY id DESC LIMIT 1 OFFSET ?",
	[DB_JOB_SUCCEEDED] = "SELECT id FROM runs INDEXED BY runs_job WHERE "
			     "project=? AND job=? AND state=3 AND id>? "
			     "ORDER BY id LIMIT 1",
	[DB_RUN_LOGS_GONE] = "UPDATE runs SET logs_gone=1 WHERE id=?",
	[DB_RUN_HAS_LOGS] =
		"SELECT EXISTS(SELECT 1 FROM runs WHERE ulid=? AND logs_gone=0)",
	/* The oldest rows are the first: no index, and never many at once. */
	[DB_AUDIT_EXPIRE] = "DELETE FROM audit WHERE ts_us<?1 AND id IN "
			    "(SELECT id FROM audit ORDER BY id LIMIT ?2)",
	[DB_MAX_FENCE] = "SELECT seq FROM sqlite_sequence "
			 "WHERE name='attempts'",
};

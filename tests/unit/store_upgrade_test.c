/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A database that an earlier program made is opened: what was in it is there,
 * what is new can be used, and a run that was under way goes on. */
#include "engine_helper.h"
#include "store/approvals.h"
#include "store/caches.h"
#include "store/hooks.h"
#include "store/jobs.h"

#include <sqlite3.h>

static const char *const versions[] = {
#include "store_old.inc"
};

#define RUN  "01K0000000000000000000000A"
#define DONE "01K0000000000000000000000B"
#define HEX  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define JOB  "{\"name\":\"x\",\"nfo\":1,\"tasks\":{\"a\":{\"run\":\"x\"}}}"

/* One that waits, and one that has ended and made something. */
static const char rows[] =
	"INSERT INTO runs(id,ulid,project,job,definition_digest,run_digest,"
	"state,kind,blocked,error,labels,inputs,trigger,submitter,source,"
	"source_bytes,priority,cancelled,timed_out,created_us,started_us,"
	"finished_us,finally_us,canonical) VALUES"
	"(1,'" RUN "','default','x','" HEX "','" HEX "',0,0,'','','{}','{}',"
	"'api','uid:0','',0,50,0,0,1,0,0,0,'" JOB "'),"
	"(2,'" DONE "','default','x','" HEX "','" HEX "',3,0,'','',"
	"'{\"a\":null,\"b\":1,\"c\":{\"d\":[]},\"e\":\"f\"}','{}',"
	"'api','uid:0','" HEX "',9,50,0,0,1,2,3,0,'" JOB "');"
	"INSERT INTO tasks VALUES(1,0,'a',0,0,0,'','',0),"
	"(2,0,'a',3,0,1,'','',0);"
	"INSERT INTO attempts VALUES(77,2,0,1,'" DONE "',3,0,0,0,0,4,"
	"'" DONE "',1,2,3,4,5,6,7,0,0,'{}','','');"
	"INSERT INTO events(run,type,task,attempt,state,kind,ts_us) VALUES"
	"(1,1,'',0,0,0,1),(2,1,'',0,3,0,3);"
	"INSERT INTO artifacts VALUES(2,'a.out',0,1,'out',9,'" HEX "',3,0);"
	"INSERT INTO keys VALUES('uid:0','k',zeroblob(32),'" DONE "',1);";

static const char rows_of_6[] =
	"INSERT INTO revisions VALUES(1,'default','x','" HEX "','json','{}',"
	"'" JOB "',1,'uid:0');"
	"INSERT INTO jobs VALUES('default','x',1,1);"
	"INSERT INTO resources VALUES(1,'project','default','{}',1,1,'uid:0');"
	"INSERT INTO tokens VALUES(1,'" DONE "',zeroblob(32),'t','uid:0',3,"
	"'[]',1,'uid:0',0,0);"
	"INSERT INTO schedules VALUES('default','x','s',7,1,'','');";

static void run_sql(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
}

/* As the program of version n left it. */
static void make_old(const struct world *w, size_t n)
{
	char path[300], sql[64];
	sqlite3 *db;

	(void)snprintf(path, sizeof(path), "%s/nfo.db", w->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run_sql(db, "PRAGMA journal_mode=WAL");
	for (size_t i = 0; i < n; i++)
		run_sql(db, versions[i]);
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version=%zu", n);
	run_sql(db, sql);
	run_sql(db, rows);
	if (n == ARRAY_LEN(versions))
		run_sql(db, rows_of_6);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int see_artifact(void *ctx, const struct store_artifact *a,
			struct err *e)
{
	(void)e;
	assert_true(str_is(a->name, "a.out"));
	assert_string_equal(a->sha256, HEX);
	++*(int *)ctx;
	return 0;
}

static int see_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	(void)e;
	assert_int_equal(a->fence, 77);
	assert_string_equal(a->child.s, "");
	++*(int *)ctx;
	return 0;
}

static int see_live(void *ctx, const struct store_run *r, struct err *e)
{
	(void)e;
	assert_string_equal(r->ulid.s, RUN);
	assert_int_equal(r->git_url.len + r->commit.len + r->parent.len +
				 r->root.len + r->token.len,
			 0);
	++*(int *)ctx;
	return 0;
}

static int see_labelled(void *ctx, const struct store_run *r, struct err *e)
{
	(void)e;
	assert_string_equal(r->ulid.s, DONE);
	++*(int *)ctx;
	return 0;
}

/* What was let in as a label once, and cannot be looked for, is no hindrance. */
static void labels(struct store *s, struct err *e)
{
	const struct store_filter f = {
		.labels = {{STR("e"), STR("f")}}, .n_labels = 1, .limit = 9};
	struct store_reader *r;
	int n = 0;

	ok(store_reader_open(store_path(s), &r, e), e);
	ok(store_read_runs(r, &f, see_labelled, &n, e), e);
	assert_int_equal(n, 1);
	store_reader_close(r);
}

static void what_was(struct store *s, struct err *e)
{
	struct ulid made;
	struct hash asked;
	uint64_t fence;
	int n = 0;

	ok(store_live_runs(s, see_live, &n, e), e);
	ok(store_attempts(s, 2, see_attempt, &n, e), e);
	ok(store_artifacts(s, 2, see_artifact, &n, e), e);
	assert_int_equal(n, 3);
	assert_int_equal(
		store_key_get(s, STR("uid:0"), STR("k"), &asked, &made, e), 1);
	assert_string_equal(made.s, DONE);
	ok(store_max_fence(s, &fence, e), e);
	assert_int_equal(fence, 77);
	labels(s, e);
}

static void what_is_new(struct store *s, struct err *e)
{
	const struct store_approval a = {.task = STR("a"),
					 .state = APPROVAL_OPEN,
					 .digest = STR(HEX),
					 .message = STR(""),
					 .named = STR("[]"),
					 .shown = STR("[]"),
					 .count = 1};
	const struct store_hook h = {.id = STR("h"),
				     .project = STR("default"),
				     .job = STR("x"),
				     .name = STR("n"),
				     .scheme = STR("gitea"),
				     .secret = STR("s")};
	const struct store_cache c = {.ulid = ulid_new(),
				      .project = STR("default"),
				      .scope = STR(HEX),
				      .key = STR("k"),
				      .sha256 = HEX,
				      .bytes = 9};
	const struct store_answer answer = {.status = 201,
					    .location = STR("/x"),
					    .etag = STR(""),
					    .body = STR("{}")};
	const struct store_run child = {.ulid = ulid_new(),
					.project = STR("default"),
					.job = STR("x"),
					.parent = STR(RUN),
					.root = STR(RUN),
					.git_url = STR("u"),
					.labels = STR("{\"a\":null}"),
					.state = STATE_SUCCEEDED};
	uint32_t called;
	int64_t id;
	bool kept;

	ok(store_begin(s, e), e);
	ok(store_approval_put(s, 2, &a, e), e);
	ok(store_hook_put(s, &h, e), e);
	ok(store_cache_put(s, &c, 100, &kept, e), e);
	assert_true(kept);
	ok(store_answer_put(s, STR("uid:0"), STR("k2"), &answer, 1, e), e);
	ok(store_run_add(s, &child, &id, e), e);
	ok(store_commit(s, e), e);
	ok(store_count_of_root(s, STR(RUN), &called, e), e);
	assert_int_equal(called, 1);
}

static void each_version(void **state)
{
	for (size_t n = 1; n <= ARRAY_LEN(versions); n++) {
		struct world *w = *state;
		struct store *s;

		make_old(w, n);
		ok(store_open(w->path, &s, &w->e), &w->e);
		what_was(s, &w->e);
		what_is_new(s, &w->e);
		store_close(s);
		ok(store_open(w->path, &s, &w->e), &w->e); /* once is enough */
		store_close(s);
		world_drop(state);
		world_make(state);
	}
}

static int see_schedule(void *ctx, const struct store_schedule *x,
			struct err *e)
{
	(void)e;
	*(bool *)ctx = x->paused && x->last_s == 7;
	return 0;
}

static void a_run_goes_on(void **state)
{
	struct ulid waits = {RUN}, done = {DONE};
	CLEANUP_BUF struct buf b = BUF_INIT(1 << 20);
	struct world *w = *state;
	bool paused = false;

	make_old(w, ARRAY_LEN(versions));
	world_start(w, false);
	world_alive_end(w);
	pass(w, "a");
	assert_int_equal(world_ended(w, &waits), STATE_SUCCEEDED);
	assert_tasks(w, &waits, "s");
	ok_view(w, &done, &b);
	assert_non_null(strstr(buf_cstr(&b), "\"parent\":null"));
	assert_int_equal(store_read_schedule(w->reader, STR("default"),
					     STR("x"), STR("s"), see_schedule,
					     &paused, &w->e),
			 1);
	assert_true(paused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_version, world_make,
						world_drop),
		cmocka_unit_test_setup_teardown(a_run_goes_on, world_make,
						world_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

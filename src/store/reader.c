/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A read-only connection; see reader.h. */
#include "store/reader.h"
#include "base/buf.h"
#include "base/mem.h"
#include "store/db.h"

#include <inttypes.h>

enum {
	LIST_DEFAULT = 50,
	LIST_MAX = 501, /* a page, and whether there is more */
	SQL_MAX = 4096
};

int store_reader_open(const char *path, struct store_reader **ret,
		      struct err *e)
{
	struct store_reader *r = mem_alloc(sizeof(*r));

	/* not READONLY: the shared index of the WAL is written by readers */
	if (db_open(path, SQLITE_OPEN_READWRITE, &r->db, e) ||
	    db_exec(&r->db, "PRAGMA query_only=ON;PRAGMA temp_store=MEMORY",
		    e)) {
		store_reader_close(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	db_close(&r->db);
	mem_free(r);
}

int store_reader_begin(struct store_reader *r, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&r->db, DB_BEGIN_READ, &q, e))
		return -1;
	return query_run(&q, e);
}

void store_reader_end(struct store_reader *r)
{
	struct query q CLEANUP_QUERY = {0};
	struct err e;

	if (!query_start(&r->db, DB_COMMIT, &q, &e))
		(void)!query_run(&q, &e);
}

int store_read_run(struct store_reader *r, const struct ulid *ulid,
		   store_run_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_run run;
	int n;

	if (query_start(&r->db, DB_RUN_GET, &q, e))
		return -1;
	query_str(&q, str_from(ulid->s));
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no such run");
	db_get_run(&q, &run);
	return fn(ctx, &run, e);
}

int store_read_canonical(struct store_reader *r, const struct ulid *run,
			 struct buf *b, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int n;

	if (query_start(&r->db, DB_RUN_CANONICAL, &q, e))
		return -1;
	query_str(&q, str_from(run->s));
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no such run");
	return buf_str(b, query_get_str(&q)) ?
		       0 :
		       err_set(e, ERR_LIMIT, "the job is too long");
}

int store_read_queue(struct store_reader *r, struct str visible, uint32_t limit,
		     store_run_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&r->db, DB_RUNS_QUEUE, &q, e))
		return -1;
	query_str(&q, visible);
	query_i64(&q, limit);
	return db_each_run(&q, fn, ctx, e);
}

int store_read_group(struct store_reader *r, struct str project,
		     struct str group, store_run_fn *fn, void *ctx,
		     struct err *e)
{
	struct query q CLEANUP_QUERY = {0};

	if (query_start(&r->db, DB_RUNS_GROUP, &q, e))
		return -1;
	query_str(&q, project);
	query_str(&q, group);
	return db_each_run(&q, fn, ctx, e);
}

/* --- the list with filters ---------------------------------------------- */

static void in_bits(struct buf *sql, const char *column, uint32_t bits)
{
	const char *sep = "";

	if (!bits)
		return;
	buf_printf(sql, " AND %s IN (", column);
	for (unsigned i = 0; i < 32; i++) {
		if (!(bits >> i & 1))
			continue;
		buf_printf(sql, "%s%u", sep, i);
		sep = ",";
	}
	buf_putc(sql, ')');
}

/* Only numbers and fixed words go into the text; the rest is bound. */
static void list_sql(const struct store_filter *f, struct buf *sql)
{
	buf_puts(sql, "SELECT " DB_RUN_COLUMNS " FROM runs WHERE 1");
	in_bits(sql, "state", f->states);
	in_bits(sql, "kind", f->kinds);
	if (f->project.len)
		buf_puts(sql, " AND project=?");
	if (f->visible.len)
		buf_puts(sql, " AND project IN (SELECT value FROM "
			      "json_each(?))");
	if (f->job.len)
		buf_puts(sql, " AND job=?");
	if (f->trigger.len)
		buf_puts(sql, " AND trigger=?");
	if (f->parent.len)
		buf_puts(sql, " AND parent=? AND parent<>''");
	for (size_t i = 0; i < f->n_labels; i++)
		buf_puts(sql, " AND EXISTS(SELECT 1 FROM json_each(labels) l "
			      "WHERE l.key=? AND l.value=?)");
	if (f->since_us)
		buf_printf(sql, " AND created_us>=%" PRId64, f->since_us);
	if (f->until_us)
		buf_printf(sql, " AND created_us<%" PRId64, f->until_us);
	if (f->before)
		buf_printf(sql, " AND id<%" PRId64, f->before);
	buf_printf(sql, " ORDER BY id DESC LIMIT %u",
		   !f->limit           ? LIST_DEFAULT :
		   f->limit > LIST_MAX ? LIST_MAX :
					 f->limit);
}

static void list_bind(const struct store_filter *f, struct query *q)
{
	if (f->project.len)
		query_str(q, f->project);
	if (f->visible.len)
		query_str(q, f->visible);
	if (f->job.len)
		query_str(q, f->job);
	if (f->trigger.len)
		query_str(q, f->trigger);
	if (f->parent.len)
		query_str(q, f->parent);
	for (size_t i = 0; i < f->n_labels; i++) {
		query_str(q, f->labels[i].key);
		query_str(q, f->labels[i].value);
	}
}

int store_read_runs(struct store_reader *r, const struct store_filter *f,
		    store_run_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct buf sql CLEANUP_BUF = BUF_INIT(SQL_MAX);

	if (f->n_labels > STORE_FILTER_LABELS)
		return err_set(e, ERR_LIMIT, "at most %d labels",
			       STORE_FILTER_LABELS);
	list_sql(f, &sql);
	if (query_text(&r->db, buf_cstr(&sql), &q, e))
		return -1;
	list_bind(f, &q);
	return db_each_run(&q, fn, ctx, e);
}

/* --- parts of a run ----------------------------------------------------- */

int store_read_tasks(struct store_reader *r, int64_t run, store_task_fn *fn,
		     void *ctx, struct err *e)
{
	return db_tasks(&r->db, run, fn, ctx, e);
}

int store_read_attempts(struct store_reader *r, int64_t run,
			store_attempt_fn *fn, void *ctx, struct err *e)
{
	return db_attempts(&r->db, run, fn, ctx, e);
}

int store_read_attempts_from(struct store_reader *r, int64_t run,
			     uint64_t fence, store_attempt_fn *fn, void *ctx,
			     struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_attempt a;
	int n;

	if (query_start(&r->db, DB_ATTEMPTS_FROM, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, (int64_t)fence);
	while ((n = query_step(&q, e)) > 0) {
		db_get_attempt(&q, &a);
		if (fn(ctx, &a, e))
			return -1;
	}
	return n;
}

int store_read_attempt(struct store_reader *r, int64_t run, uint32_t index,
		       uint32_t number, store_attempt_fn *fn, void *ctx,
		       struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_attempt a;
	int n;

	if (query_start(&r->db, DB_ATTEMPT_GET, &q, e))
		return -1;
	query_i64(&q, run);
	query_i64(&q, index);
	query_i64(&q, number);
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no such attempt");
	db_get_attempt(&q, &a);
	return fn(ctx, &a, e);
}

int store_read_artifacts(struct store_reader *r, int64_t run,
			 store_artifact_fn *fn, void *ctx, struct err *e)
{
	return db_artifacts(&r->db, run, fn, ctx, e);
}

int store_read_events(struct store_reader *r, const struct ulid *run,
		      struct str visible, int64_t after, uint32_t limit,
		      store_event_fn *fn, void *ctx, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	struct store_event ev;
	int n;

	if (query_start(&r->db, run ? DB_EVENTS_OF : DB_EVENTS, &q, e))
		return -1;
	query_i64(&q, after);
	query_str(&q, run ? str_from(run->s) : visible);
	query_i64(&q, limit);
	while ((n = query_step(&q, e)) > 0) {
		db_get_event(&q, &ev);
		if (fn(ctx, &ev, e))
			return -1;
	}
	return n;
}

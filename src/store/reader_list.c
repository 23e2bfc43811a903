/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The one list with filters.  Newest first is by id; each list walks one index
 * in this order until its page is full, so that it takes the same time however
 * many runs there are.  SQLite would rather sort: it is told which index.
 */
#include "base/buf.h"
#include "store/db.h"
#include "store/reader.h"

#include <inttypes.h>

enum {
	LIST_DEFAULT = 50,
	LIST_MAX = 501, /* a page, and whether there is more */
	SQL_MAX = 4096,
	/* Runs of one turn of the engine are stored in an order that may
	 * differ from their times.  (After the clock was set back by hand the
	 * times of older ones may be out of order by more: a list by time then
	 * leaves some of them out.) */
	SLACK = 2048
};

#define BIT(state) (1u << (state))

static const uint32_t live_states =
	BIT(STATE_QUEUED) | BIT(STATE_BLOCKED) | BIT(STATE_RUNNING);
static const uint32_t bad_states =
	BIT(STATE_FAILED) | BIT(STATE_CANCELLED) | BIT(STATE_SKIPPED);

static bool within(uint32_t bits, uint32_t of)
{
	return bits && !(bits & ~of);
}

static bool single(uint32_t bits)
{
	return bits && !(bits & (bits - 1));
}

/* Of labels with the same key one is enough: the first of them asks for all.
 * The next with the key of the i-th; n: there is none. */
static size_t next_label(const struct store_filter *f, size_t i)
{
	struct str key = f->labels[i].key;

	while (++i < f->n_labels && !str_eq(f->labels[i].key, key))
		;
	return i;
}

static bool is_first(const struct store_filter *f, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_eq(f->labels[k].key, f->labels[i].key))
			return false;
	return true;
}

/* An index gives the runs of one key and value in order: the first label's,
 * unless there are several of its key. */
static bool walks_label(const struct store_filter *f)
{
	return f->n_labels && next_label(f, 0) == f->n_labels;
}

/* What a partial index asks for is said in its words. */
static const char *walk(const struct store_filter *f)
{
	bool bad = within(f->states, bad_states);

	if (walks_label(f))
		return "run_labels l CROSS JOIN runs ON id=l.run WHERE 1";
	if (f->parent.len)
		return "runs INDEXED BY runs_parent WHERE parent<>''";
	if (within(f->states, live_states))
		return "runs INDEXED BY runs_live WHERE state<3";
	if (bad && f->project.len)
		return "runs INDEXED BY runs_bad_project WHERE state>3";
	if (f->kinds && !(f->kinds & BIT(KIND_NONE)) && !f->project.len)
		return single(f->kinds) ?
			       "runs INDEXED BY runs_kind WHERE kind<>0" :
			       "runs INDEXED BY runs_kinds WHERE kind<>0";
	if (f->project.len && f->job.len)
		return "runs INDEXED BY runs_job WHERE 1";
	if (bad)
		return single(f->states) ?
			       "runs INDEXED BY runs_bad_state WHERE state>3" :
			       "runs INDEXED BY runs_bad WHERE state>3";
	if (f->project.len)
		return "runs INDEXED BY runs_project WHERE 1";
	if (f->job.len)
		return "runs INDEXED BY runs_name WHERE 1";
	if (f->trigger.len && !str_is(f->trigger, "api"))
		return "runs INDEXED BY runs_trigger WHERE trigger<>'api'";
	return "runs NOT INDEXED WHERE 1";
}

static void in_bits(struct buf *sql, const char *column, uint32_t bits)
{
	const char *sep = "";

	if (!bits)
		return;
	/* + : several are filtered, and never sorted together */
	buf_printf(sql, " AND %s%s IN (", single(bits) ? "" : "+", column);
	for (unsigned i = 0; i < 32; i++) {
		if (!(bits >> i & 1))
			continue;
		buf_printf(sql, "%s%u", sep, i);
		sep = ",";
	}
	buf_putc(sql, ')');
}

/* Both as what they are, and as a part of the ids. */
static void in_time(struct buf *sql, const struct store_filter *f,
		    const char *id)
{
	if (f->since_us)
		buf_printf(sql,
			   " AND created_us>=%" PRId64 " AND %s>=(SELECT id "
			   "FROM runs WHERE created_us>=%" PRId64
			   " ORDER BY created_us LIMIT 1)-%d",
			   f->since_us, id, f->since_us, SLACK);
	if (f->until_us)
		buf_printf(sql,
			   " AND created_us<%" PRId64 " AND %s<=(SELECT id "
			   "FROM runs WHERE created_us<%" PRId64
			   " ORDER BY created_us DESC LIMIT 1)+%d",
			   f->until_us, id, f->until_us, SLACK);
}

/* Of several one is looked at run by run: no index gives them in order. */
static void in_list(struct buf *sql, const char *column, struct str one,
		    struct str several)
{
	if (one.len)
		buf_printf(sql, " AND %s=?", column);
	else if (several.len)
		buf_printf(sql, " AND +%s IN (SELECT value FROM json_each(?))",
			   column);
}

static void bind_list(struct query *q, struct str one, struct str several)
{
	if (one.len || several.len)
		query_str(q, one.len ? one : several);
}

static void list_labels(const struct store_filter *f, struct buf *sql)
{
	if (walks_label(f))
		buf_puts(sql, " AND l.key=? AND l.value=?");
	for (size_t i = walks_label(f); i < f->n_labels; i++) {
		if (!is_first(f, i))
			continue;
		buf_puts(sql, " AND EXISTS(SELECT 1 FROM run_labels m WHERE "
			      "m.key=? AND m.value IN (?");
		for (size_t k = next_label(f, i); k < f->n_labels;
		     k = next_label(f, k))
			buf_puts(sql, ",?");
		buf_puts(sql, ") AND m.run=id)");
	}
}

/* Only numbers and fixed words go into the text; the rest is bound. */
static void list_sql(const struct store_filter *f, struct buf *sql)
{
	const char *id = walks_label(f) ? "l.run" : "id";

	buf_printf(sql, "SELECT " DB_RUN_COLUMNS " FROM %s", walk(f));
	in_bits(sql, "state", f->states);
	in_bits(sql, "kind", f->kinds);
	in_list(sql, "project", f->project, f->projects);
	in_list(sql, "project", STR(""), f->visible);
	in_list(sql, "job", f->job, f->jobs);
	in_list(sql, "trigger", f->trigger, f->triggers);
	list_labels(f, sql);
	if (f->parent.len)
		buf_puts(sql, " AND parent=? AND parent<>''");
	in_time(sql, f, id);
	if (f->before)
		buf_printf(sql, " AND %s<%" PRId64, id, f->before);
	buf_printf(sql, " ORDER BY %s DESC LIMIT %u", id,
		   !f->limit           ? LIST_DEFAULT :
		   f->limit > LIST_MAX ? LIST_MAX :
					 f->limit);
}

static void list_bind(const struct store_filter *f, struct query *q)
{
	bind_list(q, f->project, f->projects);
	bind_list(q, STR(""), f->visible);
	bind_list(q, f->job, f->jobs);
	bind_list(q, f->trigger, f->triggers);
	for (size_t i = 0; i < f->n_labels; i++) {
		if (!is_first(f, i))
			continue;
		query_str(q, f->labels[i].key);
		for (size_t k = i; k < f->n_labels; k = next_label(f, k))
			query_str(q, f->labels[k].value);
	}
	if (f->parent.len)
		query_str(q, f->parent);
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

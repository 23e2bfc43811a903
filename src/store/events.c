/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The history of events, page by page. */
#include "base/buf.h"
#include "store/db.h"
#include "store/reader.h"

#include <inttypes.h>

enum {
	SQL_MAX = 2048,
	PAGE_MAX = 501,
	FEW_RUNS = 2000,
	/* Ids grow with time, but for what a clock that was set does. */
	CLOCK_SLACK_US = 300 * 1000000
};

int store_read_first_event(struct store_reader *r, int64_t *ret, struct err *e)
{
	return db_number(&r->db, db_sql[DB_FIRST_EVENT], ret, e);
}

int store_read_last_event(struct store_reader *r, int64_t *ret, struct err *e)
{
	return db_number(&r->db, db_sql[DB_LAST_EVENT], ret, e);
}

/* Is the first event from that id on of that time, or later? */
static int is_late(struct store_reader *r, int64_t id, int64_t us, bool *ret,
		   struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int n;

	if (query_start(&r->db, DB_EVENT_TIME, &q, e))
		return -1;
	query_i64(&q, id);
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	*ret = !n || query_get_i64(&q) >= us;
	return 0;
}

/* From which id on must be looked, so that a list from a time on does not read
 * all that was before? */
static int first_from(struct store_reader *r, int64_t us, int64_t *ret,
		      struct err *e)
{
	int64_t low = 0, high;
	bool late;

	if (store_read_last_event(r, &high, e))
		return -1;
	us -= CLOCK_SLACK_US;
	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		if (is_late(r, middle, us, &late, e))
			return -1;
		if (late)
			high = middle;
		else
			low = middle + 1;
	}
	*ret = low;
	return 0;
}

/* Who sees few runs does not look at the events of all others: theirs are found
 * by their runs. */
static int sees_few(struct store_reader *r, const struct store_event_filter *f,
		    bool *ret, struct err *e)
{
	struct query q CLEANUP_QUERY = {0};
	int n;

	*ret = false;
	if (f->run || !f->visible.len)
		return 0;
	if (query_start(&r->db, DB_FEW_RUNS, &q, e))
		return -1;
	query_str(&q, f->visible);
	query_i64(&q, FEW_RUNS + 1);
	n = query_step(&q, e);
	if (n < 0)
		return -1;
	*ret = n && query_get_i64(&q) <= FEW_RUNS;
	return 0;
}

/* Only numbers and fixed words go into the text; the rest is bound. */
static void page_sql(const struct store_event_filter *f, int64_t from, bool few,
		     struct buf *sql)
{
	const char *sep = " AND e.type IN (";

	buf_puts(sql, "SELECT " DB_EVENT_COLUMNS " FROM events e "
		      "JOIN runs r ON r.id=e.run WHERE ");
	buf_puts(sql, f->run ? "e.run=(SELECT id FROM runs WHERE ulid=?)" :
		      few    ? "e.run IN (SELECT id FROM runs WHERE project IN "
			       "(SELECT value FROM json_each(?1)))" :
			       "(?1='' OR r.project IN (SELECT value FROM "
			       "json_each(?1)))");
	for (unsigned i = 0; i < 32; i++) {
		if (!(f->types >> i & 1))
			continue;
		buf_printf(sql, "%s%u", sep, i);
		sep = ",";
	}
	if (f->types)
		buf_putc(sql, ')');
	if (f->since_us)
		buf_printf(sql, " AND e.ts_us>=%" PRId64, f->since_us);
	if (f->until_us)
		buf_printf(sql, " AND e.ts_us<%" PRId64, f->until_us);
	if (f->after || from)
		buf_printf(sql, " AND e.id>=%" PRId64,
			   f->after + 1 > from ? f->after + 1 : from);
	if (f->before)
		buf_printf(sql, " AND e.id<%" PRId64, f->before);
	/* +: by the index of runs, and sorted then */
	buf_printf(sql, " ORDER BY %se.id DESC LIMIT %u", few ? "+" : "",
		   f->limit < PAGE_MAX ? f->limit : PAGE_MAX);
}

int store_read_event_page(struct store_reader *r,
			  const struct store_event_filter *f,
			  store_event_fn *fn, void *ctx, struct err *e)
{
	struct buf sql CLEANUP_BUF = BUF_INIT(SQL_MAX);
	struct query q CLEANUP_QUERY = {0};
	struct store_event ev;
	int64_t from = 0;
	bool few;
	int n;

	if ((f->since_us && first_from(r, f->since_us, &from, e)) ||
	    sees_few(r, f, &few, e))
		return -1;
	page_sql(f, from, few, &sql);
	if (query_text(&r->db, buf_cstr(&sql), &q, e))
		return -1;
	query_str(&q, f->run ? str_from(f->run->s) : f->visible);
	while ((n = query_step(&q, e)) > 0) {
		db_get_event(&q, &ev);
		if (fn(ctx, &ev, e))
			return -1;
	}
	return n;
}

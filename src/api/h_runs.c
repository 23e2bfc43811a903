/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Runs: list, look, cancel, delete. */
#include "api/conventions.h"
#include "api/follow.h"
#include "api/handlers.h"
#include "api/internal.h"
#include "api/page.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/hex.h"
#include "engine/record.h"
#include "engine/view.h"

enum {
	VIEW_MAX = 32 << 20
};

/* --- the list ----------------------------------------------------------- */

static int bad(struct request *r, const char *name, const char *want)
{
	return reply_problem(r, 400, "bad-parameter", "%s: %s", name, want), -1;
}

static int filter_states(struct request *r, struct store_filter *f)
{
	struct str s;

	for (unsigned i = 0; request_query(r, "state", i, &s); i++) {
		enum run_state state;

		if (state_parse(s, &state))
			return bad(r, "state", "not a state");
		f->states |= 1U << state;
	}
	for (unsigned i = 0; request_query(r, "kind", i, &s); i++) {
		enum fail_kind kind;

		if (kind_parse(s, &kind))
			return bad(r, "kind", "not a failure kind");
		f->kinds |= 1U << kind;
	}
	return 0;
}

static int filter_times(struct request *r, struct store_filter *f)
{
	struct str s;

	if (request_query(r, "since", 0, &s) && clock_parse(s, &f->since_us))
		return bad(r, "since", "an RFC 3339 time is wanted");
	if (request_query(r, "until", 0, &s) && clock_parse(s, &f->until_us))
		return bad(r, "until", "an RFC 3339 time is wanted");
	return 0;
}

static int filter_labels(struct request *r, struct store_filter *f)
{
	struct str key, value;

	for (unsigned i = 0;
	     request_query_prefixed(r, "label.", i, &key, &value); i++) {
		if (i == STORE_FILTER_LABELS)
			return bad(r, "label", "at most eight");
		f->labels[i].key = key;
		f->labels[i].value = value;
		f->n_labels++;
	}
	return 0;
}

/* One value, or several as a JSON list in b. */
static void filter_names(struct request *r, const char *name, struct str *one,
			 struct str *several, struct buf *b)
{
	struct str s;

	if (!request_query(r, name, 0, one) || !request_query(r, name, 1, &s))
		return;
	for (unsigned i = 0; request_query(r, name, i, &s); i++) {
		buf_puts(b, i ? ",\"" : "[\"");
		buf_json(b, s);
		buf_putc(b, '"');
	}
	buf_putc(b, ']');
	*one = STR("");
	*several = buf_view(b);
}

/* lists: room for three */
static int filter_of(struct request *r, struct store_filter *f,
		     struct buf *lists)
{
	struct page page;
	struct str s;

	*f = (struct store_filter){0};
	if (filter_states(r, f) || filter_times(r, f) || filter_labels(r, f) ||
	    page_of(r, &page))
		return -1;
	f->limit = page.limit;
	f->before = page.before;
	filter_names(r, "project", &f->project, &f->projects, &lists[0]);
	filter_names(r, "job", &f->job, &f->jobs, &lists[1]);
	filter_names(r, "trigger", &f->trigger, &f->triggers, &lists[2]);
	if (!request_query(r, "parent", 0, &s))
		return 0;
	if (!str_starts(s, STR("run_")) || s.len != 4 + ULID_LEN)
		return bad(r, "parent", "run_... is wanted");
	f->parent = str_from_at(s, 4);
	return 0;
}

static int list_runs(struct request *r, const struct store_filter *f)
{
	struct buf b = BUF_INIT(VIEW_MAX);
	int64_t next;
	struct err e;

	buf_puts(&b, "{\"items\":");
	if (view_runs(r->api->reader, f, &b, &next, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	return page_reply(r, &b, next);
}

int h_runs(struct request *r)
{
	struct buf lists[] = {BUF_INIT(1 << 20), BUF_INIT(1 << 20),
			      BUF_INIT(1 << 20)};
	CLEANUP_BUF struct buf visible = BUF_INIT(1 << 20);
	struct store_filter f;

	if (!filter_of(r, &f, lists)) {
		auth_visible(r, &visible);
		f.visible = buf_view(&visible);
		list_runs(r, &f);
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		buf_done(&lists[i]);
	return 0;
}

/* --- one ---------------------------------------------------------------- */

/* Answer with a view, or with why there is none. */
static int answer(struct request *r, int failed, struct buf *b,
		  const struct err *e)
{
	if (!failed) {
		buf_putc(b, '\n');
		return reply_view(r, b);
	}
	buf_done(b);
	return reply_err(r, e);
}

/* Its digest is what may be kept, and compared one day. */
int h_record(struct request *r)
{
	struct buf b = BUF_INIT(RECORD_MAX);
	CLEANUP_BUF struct buf digest = BUF_INIT(128);
	struct ulid run;
	struct hash h;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	if (record_of(r->api->reader, &run, &b, &e)) {
		buf_done(&b);
		return reply_err(r, &e);
	}
	h = hash_sha256(b.data, b.len);
	buf_puts(&digest, "sha-256=:");
	b64_encode(&digest, h.b, HASH_LEN);
	buf_putc(&digest, ':');
	reply_view(r, &b);
	reply_header(r, "Repr-Digest", buf_cstr(&digest));
	return 0;
}

int h_tasks(struct request *r)
{
	struct buf b = BUF_INIT(VIEW_MAX);
	struct ulid run;
	struct err e;
	int failed;

	if (param_run(r, 0, &run))
		return 0;
	buf_puts(&b, "{\"items\":");
	failed = view_tasks(r->api->reader, &run, &b, &e);
	buf_puts(&b, ",\"next_cursor\":null}");
	return answer(r, failed, &b, &e);
}

int h_task(struct request *r)
{
	struct buf b = BUF_INIT(VIEW_MAX);
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	return answer(r, view_task(r->api->reader, &run, r->params[1], &b, &e),
		      &b, &e);
}

int h_attempts(struct request *r)
{
	struct buf b = BUF_INIT(VIEW_MAX);
	struct ulid run;
	struct err e;
	int failed;

	if (param_run(r, 0, &run))
		return 0;
	buf_puts(&b, "{\"items\":");
	failed = view_attempts(r->api->reader, &run, r->params[1], &b, &e);
	buf_puts(&b, ",\"next_cursor\":null}");
	return answer(r, failed, &b, &e);
}

int h_attempt(struct request *r)
{
	struct buf b = BUF_INIT(VIEW_MAX);
	struct ulid run;
	struct err e;
	uint64_t n;

	if (param_run(r, 0, &run))
		return 0;
	if (str_to_u64(r->params[2], UINT32_MAX, &n) || !n)
		return reply_problem(r, 404, "not-found", "no such attempt");
	return answer(r,
		      view_attempt(r->api->reader, &run, r->params[1],
				   (uint32_t)n, &b, &e),
		      &b, &e);
}

/* --- changing one ------------------------------------------------------- */

static void on_done(void *ctx, const struct engine_reply *a)
{
	struct request *r = ctx;
	struct buf b = BUF_INIT(VIEW_MAX);
	struct err e;

	if (a->err.code)
		reply_err(r, &a->err);
	else if (r->route->method == METHOD_DELETE)
		reply_empty(r, 204);
	else if (view_run(r->api->reader, &a->run, &b, &e))
		reply_err(r, &e);
	else
		reply_json(r, 202, &b);
	buf_done(&b);
	request_resume(r);
}

int h_run_cancel(struct request *r)
{
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	if (engine_cancel(r->api->engine, &run, str_from(r->who.name), on_done,
			  r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

int h_run_delete(struct request *r)
{
	struct ulid run;
	struct err e;

	if (param_run(r, 0, &run))
		return 0;
	if (engine_delete(r->api->engine, &run, str_from(r->who.name), on_done,
			  r, &e))
		return reply_err(r, &e);
	request_wait(r);
	return 0;
}

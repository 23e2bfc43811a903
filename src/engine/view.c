/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Rows as JSON; see view.h. */
#include "engine/view.h"
#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

static void text(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, s);
	buf_puts(b, "\",");
}

/* null where there is nothing. */
static void maybe(struct buf *b, const char *key, struct str s)
{
	if (s.len)
		text(b, key, s);
	else
		buf_printf(b, "\"%s\":null,", key);
}

static void when(struct buf *b, const char *key, int64_t us)
{
	char t[CLOCK_TEXT_LEN + 1];

	if (!us)
		return;
	clock_format(us, t);
	buf_printf(b, "\"%s\":\"%s\",", key, t);
}

static void kind(struct buf *b, enum fail_kind k)
{
	if (k)
		buf_printf(b, "\"kind\":\"%s\",", kind_name(k));
	else
		buf_puts(b, "\"kind\":null,");
}

static void digest(struct buf *b, const char *key, struct str hex)
{
	buf_printf(b, "\"%s\":\"sha256:" STR_FMT "\",", key, STR_ARG(hex));
}

static void drop_comma(struct buf *b)
{
	if (b->len && b->data[b->len - 1] == ',')
		b->len--;
}

static void git_source(const struct store_run *r, struct buf *b)
{
	buf_puts(b, "\"source\":{\"kind\":\"git\",");
	text(b, "url", r->git_url);
	text(b, "ref", r->git_ref);
	maybe(b, "commit", r->commit);
	if (r->fetch.len)
		buf_printf(b, "\"run\":\"run_" STR_FMT "\",",
			   STR_ARG(r->fetch));
	if (r->source.len) {
		digest(b, "digest", r->source);
		buf_printf(b, "\"bytes\":%" PRIu64 ",", r->source_bytes);
	}
	drop_comma(b);
	buf_puts(b, "},");
}

static void parent(const struct store_run *r, struct buf *b)
{
	if (!r->parent.len) {
		buf_puts(b, "\"parent\":null,");
		return;
	}
	buf_printf(b, "\"parent\":{\"run_id\":\"run_" STR_FMT "\",",
		   STR_ARG(r->parent));
	text(b, "task", r->parent_task);
	buf_printf(b, "\"attempt\":%" PRIu32 "},", r->parent_attempt);
}

/* All but the last brace. */
static void run_head(const struct store_run *r, struct buf *b)
{
	buf_printf(b, "{\"id\":\"run_%s\",", r->ulid.s);
	text(b, "project", r->project);
	text(b, "job", r->job);
	digest(b, "definition_digest", r->definition_digest);
	digest(b, "run_digest", r->run_digest);
	buf_printf(b, "\"state\":\"%s\",", state_name(r->state));
	kind(b, r->kind);
	maybe(b, "blocked", r->blocked);
	maybe(b, "error", r->error);
	buf_puts(b, "\"labels\":");
	buf_str(b, r->labels.len ? r->labels : STR("{}"));
	buf_putc(b, ',');
	text(b, "trigger", r->trigger);
	text(b, "submitter", r->submitter);
	if (r->rerun_of.len)
		buf_printf(b, "\"rerun_of\":\"run_" STR_FMT "\",",
			   STR_ARG(r->rerun_of));
	else
		buf_puts(b, "\"rerun_of\":null,");
	parent(r, b);
	maybe(b, "group", r->group);
	buf_printf(b, "\"priority\":%" PRId32 ",", r->priority);
	if (r->git_url.len)
		git_source(r, b);
	else if (r->source.len)
		buf_printf(b,
			   "\"source\":{\"kind\":\"upload\",\"digest\":"
			   "\"sha256:" STR_FMT "\",\"bytes\":%" PRIu64 "},",
			   STR_ARG(r->source), r->source_bytes);
	else
		buf_puts(b, "\"source\":{\"kind\":\"none\"},");
	buf_puts(b, "\"inputs\":");
	buf_str(b, r->inputs.len ? r->inputs : STR("{}"));
	buf_putc(b, ',');
	when(b, "created_at", r->created_us);
	when(b, "started_at", r->started_us);
	when(b, "finished_at", r->finished_us);
	drop_comma(b);
}

bool view_run_row(const struct store_run *run, struct buf *b)
{
	run_head(run, b);
	return buf_putc(b, '}');
}

/* --- tasks -------------------------------------------------------------- */

struct artifacts {
	struct buf *b;
	uint32_t index;
	bool all, first;
};

static int on_artifact(void *ctx, const struct store_artifact *a, struct err *e)
{
	struct artifacts *x = ctx;
	char t[CLOCK_TEXT_LEN + 1];

	(void)e;
	if (!x->all && a->index != x->index)
		return 0;
	buf_puts(x->b, x->first ? "{" : ",{");
	x->first = false;
	text(x->b, "name", a->name);
	text(x->b, "file", a->file);
	clock_format(a->created_us, t);
	buf_printf(x->b,
		   "\"size\":%" PRIu64
		   ",\"sha256\":\"%s\",\"private\":%s,\"created_at\":\"%s\"}",
		   a->bytes, a->sha256, a->is_private ? "true" : "false", t);
	return 0;
}

struct tasks {
	struct store_reader *r;
	int64_t run;
	struct buf *b;
	struct str only;  /* {NULL, 0}: all */
	uint32_t attempt; /* 0: the last */
	bool first, found;
};

static void not_enforced(struct buf *b, uint32_t bits)
{
	static const char *const names[] = {"memory", "pids", "cpu", "disk",
					    "swap"};
	bool first = true;

	buf_puts(b, "\"not_enforced\":[");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (bits >> i & 1) {
			buf_printf(b, "%s\"%s\"", first ? "" : ",", names[i]);
			first = false;
		}
	buf_puts(b, "],");
}

struct one {
	struct buf *b;
	bool own_state; /* of the attempt, not of the task */
};

static int on_attempt(void *ctx, const struct store_attempt *a, struct err *e)
{
	struct one *o = ctx;
	struct buf *b = o->b;

	(void)e;
	if (o->own_state) {
		buf_printf(b, "\"state\":\"%s\",", state_name(a->state));
		kind(b, a->kind);
	}
	buf_printf(b, "\"attempt\":%" PRIu32 ",", a->number);
	if (a->child.s[0])
		buf_printf(b, "\"run_id\":\"run_%s\",", a->child.s);
	if (a->exit_code >= 0)
		buf_printf(b, "\"exit_code\":%" PRId32 ",", a->exit_code);
	else
		buf_puts(b, "\"exit_code\":null,");
	if (a->signo)
		buf_printf(b, "\"signal\":%u,", a->signo);
	else
		buf_puts(b, "\"signal\":null,");
	maybe(b, "error", a->error);
	maybe(b, "hint", a->hint);
	when(b, "started_at", a->started_us);
	when(b, "finished_at", a->finished_us);
	buf_puts(b, "\"outputs\":");
	buf_str(b, a->outputs.len ? a->outputs : STR("{}"));
	buf_printf(b,
		   ",\"usage\":{\"cpu_us\":%" PRIu64
		   ",\"memory_peak_bytes\":%" PRIu64 ",\"pids_peak\":%" PRIu32
		   "},",
		   a->cpu_us, a->memory_peak_bytes, a->pids_peak);
	not_enforced(b, a->not_enforced);
	buf_printf(b,
		   "\"log\":{\"bytes\":%" PRIu64
		   ",\"truncated\":%s,\"redactions\":%" PRIu64 "},",
		   a->log_bytes, a->log_truncated ? "true" : "false",
		   a->redactions);
	buf_puts(b, "\"secrets\":");
	buf_str(b, a->secrets.len ? a->secrets : STR("[]"));
	buf_putc(b, ',');
	return 0;
}

void view_attempt_inside(const struct store_attempt *a, struct buf *b)
{
	struct one o = {b, true};
	struct err e;

	(void)!on_attempt(&o, a, &e);
	drop_comma(b);
}

static int on_task(void *ctx, const struct store_task *t, struct err *e)
{
	struct tasks *x = ctx;
	struct one o = {x->b, x->attempt != 0};
	struct artifacts a = {.b = x->b, .index = t->index, .first = true};
	uint32_t number = x->attempt ? x->attempt : t->attempt;

	if (x->only.p && !str_eq(x->only, t->name))
		return 0;
	if (!x->first)
		buf_putc(x->b, ',');
	x->first = false;
	buf_putc(x->b, '{');
	text(x->b, "name", t->name);
	if (!o.own_state) {
		buf_printf(x->b, "\"state\":\"%s\",", state_name(t->state));
		kind(x->b, t->kind);
		maybe(x->b, "blocked", t->blocked);
	}
	if (number) {
		if (store_read_attempt(x->r, x->run, t->index, number,
				       on_attempt, &o, e))
			return -1;
	} else {
		maybe(x->b, "error", t->error);
		buf_puts(x->b, "\"attempt\":0,\"exit_code\":null,"
			       "\"signal\":null,\"outputs\":{},");
	}
	buf_puts(x->b, "\"agent\":\"local\",\"hosts\":[],\"artifacts\":[");
	if (store_read_artifacts(x->r, x->run, on_artifact, &a, e))
		return -1;
	buf_puts(x->b, "]}");
	x->found = true;
	return 0;
}

static int on_run(void *ctx, const struct store_run *run, struct err *e)
{
	struct tasks *x = ctx;

	(void)e;
	x->run = run->id;
	if (x->b)
		run_head(run, x->b);
	return 0;
}

static int find_run(struct store_reader *r, const struct ulid *run,
		    int64_t *ret, struct err *e)
{
	struct tasks x = {.b = NULL};

	if (store_read_run(r, run, on_run, &x, e))
		return -1;
	*ret = x.run;
	return 0;
}

static int all_tasks(struct store_reader *r, int64_t run, struct str only,
		     uint32_t attempt, struct buf *b, struct err *e)
{
	struct tasks x = {.r = r,
			  .run = run,
			  .b = b,
			  .only = only,
			  .attempt = attempt,
			  .first = true};

	if (store_read_tasks(r, run, on_task, &x, e))
		return -1;
	if (only.p && !x.found)
		return err_set(e, ERR_NOT_FOUND, "no such task in this run");
	return b->failed ? err_set(e, ERR_INTERNAL, "too long to show") : 0;
}

int view_run(struct store_reader *r, const struct ulid *run, struct buf *b,
	     struct err *e)
{
	struct tasks x = {.b = b};
	int bad;

	if (store_reader_begin(r, e))
		return -1;
	bad = store_read_run(r, run, on_run, &x, e);
	if (!bad) {
		buf_puts(b, ",\"tasks\":[");
		bad = all_tasks(r, x.run, str_n(NULL, 0), 0, b, e);
		buf_puts(b, "]}");
	}
	store_reader_end(r);
	return bad;
}

int view_tasks(struct store_reader *r, const struct ulid *run, struct buf *b,
	       struct err *e)
{
	int64_t id;

	if (find_run(r, run, &id, e))
		return -1;
	buf_putc(b, '[');
	if (all_tasks(r, id, str_n(NULL, 0), 0, b, e))
		return -1;
	buf_putc(b, ']');
	return 0;
}

int view_task(struct store_reader *r, const struct ulid *run, struct str name,
	      struct buf *b, struct err *e)
{
	int64_t id;

	return find_run(r, run, &id, e) || all_tasks(r, id, name, 0, b, e) ?
		       -1 :
		       0;
}

int view_attempt(struct store_reader *r, const struct ulid *run,
		 struct str name, uint32_t attempt, struct buf *b,
		 struct err *e)
{
	int64_t id;

	return find_run(r, run, &id, e) ||
			       all_tasks(r, id, name, attempt, b, e) ?
		       -1 :
		       0;
}

struct last {
	struct str name;
	bool found;
	uint32_t attempt;
};

static int see_last(void *ctx, const struct store_task *t, struct err *e)
{
	struct last *l = ctx;

	(void)e;
	if (str_eq(t->name, l->name)) {
		l->found = true;
		l->attempt = t->attempt;
	}
	return 0;
}

int view_attempts(struct store_reader *r, const struct ulid *run,
		  struct str name, struct buf *b, struct err *e)
{
	struct last last = {.name = name};
	int64_t id;

	if (find_run(r, run, &id, e) ||
	    store_read_tasks(r, id, see_last, &last, e))
		return -1;
	if (!last.found)
		return err_set(e, ERR_NOT_FOUND, "no such task in this run");
	buf_putc(b, '[');
	for (uint32_t n = 1; n <= last.attempt; n++) {
		if (n > 1)
			buf_putc(b, ',');
		if (all_tasks(r, id, name, n, b, e))
			return -1;
	}
	buf_putc(b, ']');
	return 0;
}

int view_artifacts(struct store_reader *r, const struct ulid *run,
		   struct buf *b, struct err *e)
{
	struct artifacts a = {.b = b, .all = true, .first = true};
	int64_t id;

	if (find_run(r, run, &id, e))
		return -1;
	buf_puts(b, "{\"items\":[");
	if (store_read_artifacts(r, id, on_artifact, &a, e))
		return -1;
	buf_puts(b, "],\"next_cursor\":null}\n");
	return 0;
}

/* --- lists -------------------------------------------------------------- */

struct page {
	struct buf *b;
	uint32_t n, limit;
	bool more; /* one came behind the last */
	int64_t last;
};

static int on_listed(void *ctx, const struct store_run *run, struct err *e)
{
	struct page *p = ctx;

	(void)e;
	p->more = p->n == p->limit;
	if (p->more)
		return 0;
	buf_puts(p->b, p->n++ ? "," : "");
	p->last = run->id;
	view_run_row(run, p->b);
	return 0;
}

int view_runs(struct store_reader *r, const struct store_filter *f,
	      struct buf *b, int64_t *ret_cursor, struct err *e)
{
	struct page p = {.b = b, .limit = f->limit ? f->limit : 50};
	struct store_filter one_more = *f;

	one_more.limit = p.limit + 1;
	buf_putc(b, '[');
	if (store_read_runs(r, &one_more, on_listed, &p, e))
		return -1;
	buf_putc(b, ']');
	*ret_cursor = p.more ? p.last : 0;
	return 0;
}

const char *view_event_type(unsigned type)
{
	static const char *const types[] = {
		[STORE_EVENT_RUN] = "run",
		[STORE_EVENT_TASK] = "task",
		[STORE_EVENT_ARTIFACT] = "artifact",
		[STORE_EVENT_APPROVAL] = "approval",
	};

	return type < ARRAY_LEN(types) && types[type] ? types[type] : "";
}

/* An artifact's is TASK.NAME; what an instance is called may have dots. */
static void event_task(const struct store_event *ev, struct buf *b)
{
	const char *dot;

	if (!ev->task.len)
		return;
	if (ev->type != STORE_EVENT_ARTIFACT) {
		text(b, "task", ev->task);
		return;
	}
	dot = memrchr(ev->task.p, '.', ev->task.len);
	if (dot)
		text(b, "task", str_n(ev->task.p, (size_t)(dot - ev->task.p)));
	text(b, "artifact", ev->task);
}

void view_event_inside(const struct store_event *ev, struct buf *b)
{
	buf_printf(b, "\"run_id\":\"run_%s\",", ev->run.s);
	event_task(ev, b);
	if (ev->attempt)
		buf_printf(b, "\"attempt\":%" PRIu32 ",", ev->attempt);
	buf_printf(b, "\"state\":\"%s\",", state_name(ev->state));
	kind(b, ev->kind);
	when(b, "ts", ev->ts_us);
	drop_comma(b);
}

bool view_event(const struct store_event *ev, struct buf *b)
{
	buf_putc(b, '{');
	view_event_inside(ev, b);
	return buf_putc(b, '}');
}

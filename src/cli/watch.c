/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Following a run: one stream of events, and one of each task's log once it
 * has begun; every line with its task's name.  On a terminal a line at the
 * bottom shows what runs.
 */
#include "base/clock.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/mem.h"
#include "cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	EVENT_MAX = 256 * 1024,
	LINE_MAX_LEN = 65536,
	TICK_MS = 100
};

struct watch {
	const struct server *s;
	struct http_streams *streams;
	struct str run;
	struct map *tasks; /* name@attempt -> struct task */
	struct buf sse;    /* of the event stream */
	bool ended, color, tty;
	size_t width;   /* of the longest name, for the columns */
	size_t running; /* tasks that run now */
	bool status_shown;
	unsigned spin;
};

struct task {
	struct watch *w;
	char name[256];
	char *path; /* of its log, until the stream is open */
	struct buf sse, line;
	int64_t since_us;
	bool over;
};

/* --- the status line ---------------------------------------------------- */

static void status_clear(struct watch *w)
{
	if (w->status_shown)
		fputs("\r\033[K", stdout);
	w->status_shown = false;
}

static void status_draw(struct watch *w)
{
	static const char spin[] = "|/-\\";
	int64_t now = clock_mono_us();
	size_t at = 0, n = 0;
	void *value;

	if (!w->tty || !w->running)
		return;
	printf("\r\033[K%c ", spin[w->spin++ % 4]);
	while (map_next(w->tasks, &at, NULL, &value)) {
		struct task *t = value;

		if (t->over || n == 4)
			continue;
		printf("%s%s %" PRId64 "s", n ? ", " : "", t->name,
		       (now - t->since_us) / 1000000);
		n++;
	}
	fflush(stdout);
	w->status_shown = true;
}

/* --- lines -------------------------------------------------------------- */

static void put_line(struct task *t, struct str line, bool err)
{
	struct watch *w = t->w;

	status_clear(w);
	if (w->color)
		printf("%s%-*s\033[0m %s ", err ? "\033[33m" : "\033[36m",
		       (int)w->width, t->name, "|");
	else
		printf("%-*s | ", (int)w->width, t->name);
	fwrite(line.p, 1, line.len, stdout);
	putchar('\n');
}

/* Whole lines; the rest waits for more, or for the end. */
static void put_data(struct task *t, struct str data, bool err)
{
	while (data.len) {
		const char *lf = memchr(data.p, '\n', data.len);
		size_t n = lf ? (size_t)(lf - data.p) : data.len;

		if (t->line.len + n > LINE_MAX_LEN) {
			put_line(t, buf_view(&t->line), err);
			buf_reset(&t->line);
		}
		buf_put(&t->line, data.p, n < LINE_MAX_LEN ? n : LINE_MAX_LEN);
		if (lf) {
			put_line(t, buf_view(&t->line), err);
			buf_reset(&t->line);
			n++;
		}
		data = str_from_at(data, n);
	}
}

/* --- server-sent events ------------------------------------------------- */

typedef void sse_fn(void *ctx, struct str event, struct str data);

static void sse_one(struct str text, sse_fn *fn, void *ctx)
{
	struct str event = {NULL, 0}, data = {NULL, 0};

	while (text.len) {
		struct str line = str_cut(&text, '\n');

		if (str_starts(line, STR("event: ")))
			event = str_from_at(line, 7);
		else if (str_starts(line, STR("data: ")))
			data = str_from_at(line, 6);
	}
	if (event.len)
		fn(ctx, event, data);
}

static int sse_feed(struct buf *b, const char *p, size_t len, sse_fn *fn,
		    void *ctx)
{
	char *end;

	if (!buf_put(b, p, len))
		return -1;
	while (b->len && (end = memmem(b->data, b->len, "\n\n", 2))) {
		size_t n = (size_t)(end - b->data);

		sse_one(str_n(b->data, n + 1), fn, ctx);
		buf_drop_front(b, n + 2);
	}
	return 0;
}

static struct doc *parse(struct str json)
{
	struct http_answer a = {
		.body = {.data = (char *)(uintptr_t)json.p, .len = json.len}
        };

	return cli_json(&a);
}

/* --- one task's log ----------------------------------------------------- */

static void on_log(void *ctx, struct str event, struct str data)
{
	struct task *t = ctx;
	struct doc *d = parse(data);
	const struct doc_node *plain = doc_get(d ? d->root : NULL, "data");
	CLEANUP_BUF struct buf raw = BUF_INIT(LINE_MAX_LEN + 16);
	bool err;

	if (!d)
		return;
	err = str_is(cli_text(d->root, "stream"), "stderr");
	if (str_is(event, "log") && plain)
		put_data(t, plain->text, err);
	else if (str_is(event, "log") &&
		 !b64_decode(cli_text(d->root, "data_b64"), &raw))
		put_data(t, buf_view(&raw), err);
	doc_free(d);
}

static int on_log_bytes(void *ctx, const char *p, size_t len)
{
	struct task *t = ctx;

	return sse_feed(&t->sse, p, len, on_log, t);
}

static void on_log_end(void *ctx, long status)
{
	struct task *t = ctx;

	(void)status;
	if (t->line.len) {
		put_line(t, buf_view(&t->line), false);
		buf_reset(&t->line);
	}
	if (!t->over)
		t->w->running--;
	t->over = true;
}

static void task_free(void *p)
{
	struct task *t = p;

	buf_done(&t->sse);
	buf_done(&t->line);
	mem_free(t->path);
	mem_free(t);
}

static void follow_task(struct watch *w, struct str name, struct str attempt)
{
	CLEANUP_BUF struct buf key = BUF_INIT(400), path = BUF_INIT(2048);
	struct task *t;

	buf_printf(&key, STR_FMT "#" STR_FMT, STR_ARG(name), STR_ARG(attempt));
	if (map_get(w->tasks, buf_view(&key)) || !attempt.len)
		return;
	t = mem_alloc(sizeof(*t));
	t->w = w;
	(void)snprintf(t->name, sizeof(t->name), STR_FMT, STR_ARG(name));
	t->sse = BUF_INIT(EVENT_MAX);
	t->line = BUF_INIT(LINE_MAX_LEN + 1);
	t->since_us = clock_mono_us();
	(void)map_put(w->tasks, buf_view(&key), t);
	if (name.len > w->width && name.len < 40)
		w->width = name.len;
	buf_printf(&path, "/v1/runs/" STR_FMT "/tasks/", STR_ARG(w->run));
	http_segment(&path, name);
	buf_printf(&path, "/attempts/" STR_FMT "/log", STR_ARG(attempt));
	t->path = mem_strdup(buf_cstr(&path));
	w->running++;
}

/* Streams of tasks that began: not from within libcurl's own callbacks.  Their
 * number. */
static size_t open_streams(struct watch *w)
{
	size_t at = 0, n = 0;
	void *value;
	struct err e;

	while (map_next(w->tasks, &at, NULL, &value)) {
		struct task *t = value;

		if (!t->path)
			continue;
		if (http_stream_add(w->streams, t->path, "text/event-stream",
				    on_log_bytes, on_log_end, t, &e))
			on_log_end(t, 0);
		else
			n++;
		mem_free(t->path);
		t->path = NULL;
	}
	return n;
}

/* --- the run's events --------------------------------------------------- */

static void on_event(void *ctx, struct str event, struct str data)
{
	struct watch *w = ctx;
	struct doc *d = parse(data);
	struct str state;

	if (!d)
		return;
	state = cli_text(d->root, "state");
	if (str_is(event, "task") && cli_text(d->root, "attempt").len)
		follow_task(w, cli_text(d->root, "task"),
			    cli_text(d->root, "attempt"));
	if (str_is(event, "run") &&
	    (str_is(state, "succeeded") || str_is(state, "failed") ||
	     str_is(state, "cancelled")))
		w->ended = true;
	doc_free(d);
}

static int on_event_bytes(void *ctx, const char *p, size_t len)
{
	struct watch *w = ctx;

	return sse_feed(&w->sse, p, len, on_event, w);
}

static void on_events_end(void *ctx, long status)
{
	(void)ctx;
	(void)status;
}

/* --- the end ------------------------------------------------------------ */

static void task_row(struct table *t, const struct doc_node *x, bool color)
{
	struct str state = cli_text(x, "state"), kind = cli_text(x, "kind");
	char took[16], memory[16] = "-";
	int64_t bytes;

	(void)color;
	cli_took(cli_text(x, "started_at"), cli_text(x, "finished_at"), took);
	if (!doc_as_i64(doc_get(doc_get(x, "usage"), "memory_peak_bytes"),
			&bytes) &&
	    bytes)
		cli_size((uint64_t)bytes, memory);
	table_cell(t, STR_FMT, STR_ARG(cli_text(x, "name")));
	table_cell(t, STR_FMT "%s" STR_FMT, STR_ARG(state),
		   kind.len ? ": " : "", STR_ARG(kind));
	table_cell(t, "%s", took);
	table_cell(t, "%s", memory);
}

static void put_errors(const struct doc_node *tasks)
{
	for (const struct doc_node *x = tasks ? tasks->first : NULL; x;
	     x = x->next) {
		struct str why = cli_text(x, "error");
		struct str hint = cli_text(x, "hint");

		if (why.len && str_is(cli_text(x, "state"), "failed"))
			printf(STR_FMT ": " STR_FMT "%s" STR_FMT "%s\n",
			       STR_ARG(cli_text(x, "name")), STR_ARG(why),
			       hint.len ? " (" : "", STR_ARG(hint),
			       hint.len ? ")" : "");
	}
}

static int report(struct watch *w, bool table)
{
	static const char *const heads[] = {"TASK", "STATE", "TIME", "MEMORY"};
	CLEANUP_BUF struct buf path = BUF_INIT(256);
	struct http_call c = {.method = "GET"};
	const struct doc_node *tasks;
	struct http_answer a;
	struct str state;
	struct table t;
	struct doc *d;
	struct err e;
	int code;

	buf_printf(&path, "/v1/runs/" STR_FMT, STR_ARG(w->run));
	c.path = buf_cstr(&path);
	if (http_do(w->s, &c, &a, &e))
		return cli_fail(&e);
	d = cli_json(&a);
	if (!d || a.status >= 400) {
		code = d ? cli_problem(&a, NULL) : EXIT_NO_SERVER;
		doc_free(d);
		http_answer_done(&a);
		return code;
	}
	state = cli_text(d->root, "state");
	tasks = doc_get(d->root, "tasks");
	if (table && globals.json) {
		fwrite(a.body.data, 1, a.body.len, stdout);
	} else if (table) {
		putchar('\n');
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (const struct doc_node *x = tasks ? tasks->first : NULL; x;
		     x = x->next)
			task_row(&t, x, w->color);
		table_print(&t);
		put_errors(tasks);
		printf("\n" STR_FMT ": %s" STR_FMT "%s\n", STR_ARG(w->run),
		       w->color ? cli_state_color(state) : "", STR_ARG(state),
		       w->color ? "\033[0m" : "");
	}
	code = str_is(state, "succeeded") ? EXIT_DONE : EXIT_RUN_FAILED;
	doc_free(d);
	http_answer_done(&a);
	return code;
}

int watch_run(const struct server *s, struct str run_id, bool table)
{
	struct watch w = {.s = s,
			  .run = run_id,
			  .tasks = map_new(),
			  .sse = BUF_INIT(EVENT_MAX),
			  .color = cli_color(1),
			  .tty = isatty(1) && !globals.json,
			  .width = 8};
	CLEANUP_BUF struct buf path = BUF_INIT(256);
	size_t open = 1; /* streams */
	struct err e;
	int bad;

	buf_printf(&path, "/v1/runs/" STR_FMT "/events", STR_ARG(run_id));
	bad = http_streams_new(s, &w.streams, &e) ||
	      http_stream_add(w.streams, buf_cstr(&path), "text/event-stream",
			      on_event_bytes, on_events_end, &w, &e);
	while (!bad && open) {
		bad = http_streams_turn(w.streams, w.tty ? TICK_MS : 1000,
					&open, &e);
		open += open_streams(&w);
		status_draw(&w);
	}
	status_clear(&w);
	fflush(stdout);
	http_streams_free(w.streams);
	map_free(w.tasks, task_free);
	buf_done(&w.sse);
	return bad ? cli_fail(&e) : report(&w, table);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Following a run: one stream of events, and one of each task's log once it
 * has begun; every line with its task's name.  On a terminal a line at the
 * bottom shows what runs.  A stream that breaks off (the server was restarted)
 * is asked for again from where it was.
 */
#include "base/clock.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/mem.h"
#include "cli/feed.h"
#include "cli/term.h"
#include "cli/verbs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_MAX_LEN = 65536,
	TICK_MS = 100
};

struct watch {
	const struct server *s;
	struct feeds feeds;
	struct str run;
	struct map *tasks; /* name#attempt -> struct task */
	struct feed events;
	bool color, tty;
	size_t width; /* of the longest name, for the columns */
	bool status_shown;
	unsigned spin;
	bool cancels; /* an interrupt cancels the run */
	int seen;     /* interrupts */
};

struct task {
	struct watch *w;
	char name[256];
	struct feed log;
	struct buf line;
	int64_t since_us;
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
	CLEANUP_BUF struct buf b = BUF_INIT(2048);
	int64_t now = clock_mono_us();
	size_t at = 0, width = term_columns() - 3;
	void *value;

	if (!w->tty)
		return;
	while (map_next(w->tasks, &at, NULL, &value)) {
		struct task *t = value;

		if (!t->log.over)
			buf_printf(&b, "%s%s %" PRId64 "s", b.len ? ", " : "",
				   t->name, (now - t->since_us) / 1000000);
	}
	if (!b.len) {
		status_clear(w);
		return;
	}
	printf("\r\033[K%c %.*s", spin[w->spin++ % 4],
	       (int)(b.len < width ? b.len : width), buf_cstr(&b));
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
	term_put(line);
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

/* --- one task's log ----------------------------------------------------- */

static struct doc *parse(struct str json)
{
	struct http_answer a = {
		.body = {.data = (char *)(uintptr_t)json.p, .len = json.len}
        };

	return cli_json(&a);
}

/* A last line without its end. */
static void put_rest(struct task *t)
{
	if (t->line.len)
		put_line(t, buf_view(&t->line), false);
	buf_reset(&t->line);
}

static void on_log(void *ctx, const struct sse_event *ev)
{
	struct task *t = ctx;
	CLEANUP_BUF struct buf raw = BUF_INIT(LINE_MAX_LEN + 16);
	const struct doc_node *plain;
	struct doc *d;
	bool err;

	if (str_is(ev->type, "end")) {
		put_rest(t);
		t->log.over = true;
		return;
	}
	d = str_is(ev->type, "log") ? parse(ev->data) : NULL;
	if (!d)
		return;
	plain = doc_get(d->root, "data");
	err = str_is(cli_text(d->root, "stream"), "stderr");
	if (plain)
		put_data(t, plain->text, err);
	else if (!b64_decode(cli_text(d->root, "data_b64"), &raw))
		put_data(t, buf_view(&raw), err);
	doc_free(d);
}

static void task_free(void *p)
{
	struct task *t = p;

	feed_done(&t->log);
	buf_done(&t->line);
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
	t->line = BUF_INIT(LINE_MAX_LEN + 1);
	t->since_us = clock_mono_us();
	(void)map_put(w->tasks, buf_view(&key), t);
	if (name.len > w->width && name.len < 40)
		w->width = name.len;
	cli_run_path(&path, w->run);
	buf_puts(&path, "/tasks/");
	percent_encode(&path, name);
	buf_printf(&path, "/attempts/" STR_FMT "/log", STR_ARG(attempt));
	feed_make(&t->log, &w->feeds, buf_cstr(&path), on_log, t);
}

/* --- the run's events --------------------------------------------------- */

/* It waits for people: who follows should know how they say it. */
static void put_waiting(struct watch *w, struct str task)
{
	status_clear(w);
	printf("%-*.*s | waits for an approval: nfo approve " STR_FMT
	       " " STR_FMT "\n",
	       (int)w->width, (int)task.len, task.p, STR_ARG(w->run),
	       STR_ARG(task));
}

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct watch *w = ctx;
	struct doc *d = parse(ev->data);
	struct str state;

	if (!d)
		return;
	state = cli_text(d->root, "state");
	if (str_is(ev->type, "task") && cli_text(d->root, "attempt").len)
		follow_task(w, cli_text(d->root, "task"),
			    cli_text(d->root, "attempt"));
	if (str_is(ev->type, "approval") && str_is(state, "blocked"))
		put_waiting(w, cli_text(d->root, "task"));
	if (str_is(ev->type, "run") &&
	    (str_is(state, "succeeded") || str_is(state, "failed") ||
	     str_is(state, "cancelled")))
		w->events.over = true;
	doc_free(d);
}

/* --- an interrupt ------------------------------------------------------- */

static volatile sig_atomic_t interrupts;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupts++;
}

static void cancel(struct watch *w)
{
	CLEANUP_BUF struct buf path = BUF_INIT(256);
	struct http_call c = {.method = "POST"};
	struct http_answer a;
	struct err e;

	cli_run_path(&path, w->run);
	buf_puts(&path, "/cancel");
	c.path = buf_cstr(&path);
	fputs("nfo: cancelling the run; once more leaves it alone\n", stderr);
	if (http_do(w->s, &c, &a, &e))
		fprintf(stderr, "nfo: %s\n", e.text);
	else
		http_answer_done(&a);
}

/* True when the run is to be left alone. */
static bool interrupted(struct watch *w)
{
	if (interrupts == w->seen)
		return false;
	status_clear(w);
	fflush(stdout);
	if (!w->cancels || w->seen++)
		return true;
	cancel(w);
	return false;
}

/* --- all of it ---------------------------------------------------------- */

/* False when nothing is left to wait for. */
static bool open_feeds(struct watch *w)
{
	size_t at = 0;
	void *value;
	bool any;

	if (!feeds_may_open(&w->feeds))
		return true;
	any = feed_open(&w->events);
	while (map_next(w->tasks, &at, NULL, &value))
		any |= feed_open(&((struct task *)value)->log);
	return any;
}

/* 1: left alone. */
static int follow(struct watch *w, struct err *e)
{
	while (open_feeds(w)) {
		if (feeds_turn(&w->feeds, TICK_MS, e))
			return -1;
		if (interrupted(w))
			return 1;
		status_draw(w);
		fflush(stdout); /* a pipe wants its lines now, too */
	}
	return 0;
}

/* Returns whether a log was no longer kept. */
static bool watch_done(struct watch *w)
{
	bool gone = false;
	size_t at = 0;
	void *value;

	while (map_next(w->tasks, &at, NULL, &value)) {
		put_rest(value);
		gone |= ((const struct task *)value)->log.gone;
	}
	status_clear(w);
	fflush(stdout);
	feeds_done(&w->feeds);
	map_free(w->tasks, task_free);
	feed_done(&w->events);
	return gone;
}

int watch_run(const struct server *s, struct str run_id, bool owner)
{
	const struct sigaction mine = {.sa_handler = on_interrupt};
	struct watch w = {.s = s,
			  .run = run_id,
			  .tasks = map_new(),
			  .color = cli_color(1),
			  .tty = isatty(1) && !globals.json,
			  .cancels = owner,
			  .width = 8};
	CLEANUP_BUF struct buf path = BUF_INIT(256);
	sigset_t interrupt, held;
	struct sigaction old;
	struct err e;
	bool gone;
	int r;

	cli_run_path(&path, run_id);
	buf_puts(&path, "/events");
	feed_make(&w.events, &w.feeds, buf_cstr(&path), on_event, &w);
	interrupts = 0;
	(void)sigaction(SIGINT, NULL, &old);
	if (old.sa_handler != SIG_IGN) /* as in the background of a script */
		(void)sigaction(SIGINT, &mine, NULL);
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	(void)sigprocmask(SIG_UNBLOCK, &interrupt, &held); /* one may wait */
	r = feeds_make(&w.feeds, s, &e) ? -1 : follow(&w, &e);
	(void)sigprocmask(SIG_SETMASK, &held, NULL);
	(void)sigaction(SIGINT, &old, NULL);
	gone = watch_done(&w);
	if (r > 0) {
		fprintf(stderr,
			"nfo: the run goes on: nfo logs -f " STR_FMT "\n",
			STR_ARG(run_id));
		return EXIT_INTERRUPTED;
	}
	if (r)
		return cli_fail(&e);
	r = report_run(s, run_id, owner);
	if (!gone)
		return r;
	fputs("nfo: the log is no longer kept [gone]\n", stderr);
	return EXIT_USAGE;
}

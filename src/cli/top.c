/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * `nfo top`: what runs and what waits, as it is now.  On a terminal the
 * picture is drawn anew each second; elsewhere it is printed once.
 */
#include "base/clock.h"
#include "cli/connect.h"
#include "cli/screen.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	REFRESH_MS = 1000,
	PICTURE_MAX = 1 << 20,
	RUNS_SHOWN = 50, /* whose tasks are asked for */
	AGE_WIDTH = 9
};

/* What the server said last. */
struct seen {
	struct http_answer running, queue;
	struct buf tasks; /* JSON list of runs with their tasks */
};

static void seen_done(struct seen *x)
{
	http_answer_done(&x->running);
	http_answer_done(&x->queue);
	buf_done(&x->tasks);
}

static int get(const struct server *s, const char *path, struct http_answer *a)
{
	struct http_call c = {.method = "GET", .path = path};
	struct err e;
	int code;

	if (http_do(s, &c, a, &e))
		return cli_fail(&e);
	if (a->status < 400)
		return 0;
	code = cli_problem(a, NULL);
	http_answer_done(a);
	return code;
}

/* One that has ended meanwhile, or is gone, is left out. */
static void get_run(const struct server *s, struct str id, struct buf *b)
{
	CLEANUP_BUF struct buf path = BUF_INIT(256);
	struct http_call c = {.method = "GET"};
	struct http_answer a;
	struct err e;

	cli_run_path(&path, id);
	c.path = buf_cstr(&path);
	if (http_do(s, &c, &a, &e))
		return;
	if (a.status == 200) {
		if (b->len > 1)
			buf_putc(b, ',');
		buf_str(b, str_trim(buf_view(&a.body)));
	}
	http_answer_done(&a);
}

static int look(const struct server *s, struct seen *x)
{
	const struct doc_node *items;
	struct doc *d;
	int code;

	*x = (struct seen){.tasks = BUF_INIT(HTTP_ANSWER_MAX)};
	code = get(s, "/v1/runs?state=running&limit=500", &x->running);
	if (code)
		return code;
	code = get(s, "/v1/queue?limit=500", &x->queue);
	if (code) {
		http_answer_done(&x->running);
		return code;
	}
	d = cli_json(&x->running);
	items = doc_get(d ? d->root : NULL, "items");
	buf_putc(&x->tasks, '[');
	for (const struct doc_node *i = items ? items->first : NULL;
	     i && i->index < RUNS_SHOWN; i = i->next)
		get_run(s, cli_text(i, "id"), &x->tasks);
	buf_putc(&x->tasks, ']');
	doc_free(d);
	return 0;
}

/* --- the picture -------------------------------------------------------- */

static void put_age(struct buf *b, struct str since)
{
	int64_t from, age;
	char text[32] = "-";

	if (!clock_parse(since, &from)) {
		age = (clock_real_us() - from) / 1000000;
		age = age < 0 ? 0 : age;
		if (age < 3600)
			(void)snprintf(text, sizeof(text), "%dm%02ds",
				       (int)(age / 60), (int)(age % 60));
		else
			(void)snprintf(text, sizeof(text), "%dh%02dm",
				       (int)(age / 3600), (int)(age / 60 % 60));
	}
	screen_cell(b, str_from(text), AGE_WIDTH);
}

/* What is left of a line once the fixed columns are taken, in two. */
struct widths {
	size_t job, task;
};

enum {
	ID_WIDTH = 31,
	STATE_WIDTH = 22
};

static struct widths widths(void)
{
	size_t all = screen_now().columns, taken = ID_WIDTH + AGE_WIDTH + 1;
	size_t rest = all > taken + 20 ? all - taken : 20;

	return (struct widths){rest / 2, rest - rest / 2};
}

static void put_head(struct buf *b, const char *text, bool color)
{
	struct buf cell = BUF_INIT(4096);

	screen_cell(&cell, str_from(text), screen_now().columns);
	buf_printf(b, "%s%s%s\n", color ? "\033[7m" : "", buf_cstr(&cell),
		   color ? "\033[0m" : "");
	buf_done(&cell);
}

static void put_job(struct buf *b, const struct doc_node *run, size_t width)
{
	CLEANUP_BUF struct buf name = BUF_INIT(256);

	buf_printf(&name, STR_FMT "/" STR_FMT,
		   STR_ARG(cli_text(run, "project")),
		   STR_ARG(cli_text(run, "job")));
	screen_cell(b, buf_view(&name), width - 1);
	buf_putc(b, ' ');
}

static size_t put_running(struct buf *b, const struct doc_node *runs,
			  const struct widths *w)
{
	size_t n = 0;

	for (const struct doc_node *r = runs ? runs->first : NULL; r;
	     r = r->next) {
		const struct doc_node *tasks = doc_get(r, "tasks");

		for (const struct doc_node *t = tasks ? tasks->first : NULL; t;
		     t = t->next) {
			if (!str_is(cli_text(t, "state"), "running"))
				continue;
			screen_cell(b, cli_text(r, "id"), ID_WIDTH);
			put_job(b, r, w->job);
			screen_cell(b, cli_text(t, "name"), w->task);
			buf_putc(b, ' ');
			put_age(b, cli_text(t, "started_at"));
			buf_putc(b, '\n');
			n++;
		}
	}
	return n;
}

static void put_waiting(struct buf *b, const struct doc_node *items,
			const struct widths *w)
{
	for (const struct doc_node *r = items ? items->first : NULL; r;
	     r = r->next) {
		CLEANUP_BUF struct buf why = BUF_INIT(256);
		struct str blocked = cli_text(r, "blocked");

		buf_printf(&why, STR_FMT "%s" STR_FMT ", priority " STR_FMT,
			   STR_ARG(cli_text(r, "state")),
			   blocked.len ? ": " : "", STR_ARG(blocked),
			   STR_ARG(cli_text(r, "priority")));
		screen_cell(b, cli_text(r, "id"), ID_WIDTH);
		put_job(b, r, w->job);
		screen_cell(b, buf_view(&why), w->task);
		buf_putc(b, ' ');
		put_age(b, cli_text(r, "created_at"));
		buf_putc(b, '\n');
	}
}

static uint32_t count(const struct doc_node *list)
{
	return list ? list->n : 0;
}

static void picture(const struct server *s, const struct seen *x, bool color,
		    struct buf *b)
{
	struct http_answer tasks = {.body = x->tasks};
	struct doc *running = cli_json(&x->running), *runs = cli_json(&tasks);
	struct doc *queue = cli_json(&x->queue);
	const struct doc_node *waiting =
		doc_get(queue ? queue->root : NULL, "items");
	CLEANUP_BUF struct buf rows = BUF_INIT(PICTURE_MAX);
	char now[CLOCK_TEXT_LEN + 1];
	const struct widths w = widths();
	size_t n = put_running(&rows, runs ? runs->root : NULL, &w);

	clock_format(clock_real_us(), now);
	buf_printf(b,
		   "%s   %.8s UTC   running: %u (%zu tasks), waiting: %u\n\n",
		   s->socket[0] ? s->socket : s->base, now + 11,
		   count(doc_get(running ? running->root : NULL, "items")), n,
		   count(waiting));
	put_head(b, "RUNNING", color);
	buf_str(b, buf_view(&rows));
	buf_putc(b, '\n');
	put_head(b, "WAITING", color);
	put_waiting(b, waiting, &w);
	doc_free(running);
	doc_free(runs);
	doc_free(queue);
}

/* --- once, or until a key ----------------------------------------------- */

static void put_json(const struct seen *x)
{
	struct str queue = str_trim(buf_view(&x->queue.body));

	printf("{\"running\":" STR_FMT ",\"queue\":" STR_FMT "}\n",
	       STR_ARG(buf_view(&x->tasks)), STR_ARG(queue));
}

static int once(const struct server *s)
{
	CLEANUP_BUF struct buf b = BUF_INIT(PICTURE_MAX);
	struct seen x;
	int code = look(s, &x);

	if (code)
		return code;
	if (globals.json) {
		put_json(&x);
	} else {
		picture(s, &x, cli_color(1), &b);
		fwrite(b.data, 1, b.len, stdout);
	}
	seen_done(&x);
	return EXIT_DONE;
}

static int live(const struct server *s)
{
	CLEANUP_BUF struct buf b = BUF_INIT(PICTURE_MAX);
	struct seen x;
	struct err e;
	int code, key = 0;

	code = look(s, &x); /* what fails is told on the usual screen */
	if (code)
		return code;
	if (screen_begin(&e)) {
		seen_done(&x);
		return cli_fail(&e);
	}
	while (!code && key != 'q' && key >= 0) {
		buf_reset(&b);
		picture(s, &x, cli_color(1), &b);
		screen_draw(buf_view(&b));
		key = screen_key(REFRESH_MS);
		if (key)
			continue; /* drawn again at once, or the end */
		seen_done(&x);
		code = look(s, &x);
	}
	screen_end();
	if (!code)
		seen_done(&x);
	return code;
}

int verb_top(int argc, char **argv, const struct verb *v)
{
	bool single = false;
	const struct opt opts[] = {
		{"once", '1', OPT_FLAG, &single, NULL,
		 "print it once, as where there is no terminal"}
        };
	struct server s;
	struct err e;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n)
		return cli_usage(v);
	if (connect_server(&s, &e))
		return cli_fail(&e);
	if (single || globals.json || !isatty(0) || !isatty(1))
		return once(&s);
	return live(&s);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Runs again, and why they wait. */
#include "base/hex.h"
#include "cli/connect.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

/* --- again, and why ----------------------------------------------------- */

static int ask_again(const char *run, const char *from, bool detach)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024), body = BUF_INIT(1024);
	struct http_call c = {.method = "POST", .type = "application/json"};
	bool word = !from || !strcmp(from, "start") || !strcmp(from, "failed");
	struct http_answer a;
	struct server s;
	struct err e;
	int code;

	cli_run_path(&path, str_from(run));
	buf_puts(&path, "/rerun");
	buf_printf(&body, "{\"from\":\"%s\"",
		   !from ? "failed" :
		   word  ? from :
			   "task");
	if (!word) {
		buf_puts(&body, ",\"task\":\"");
		buf_json(&body, str_from(from));
		buf_putc(&body, '"');
	}
	buf_putc(&body, '}');
	c.path = buf_cstr(&path);
	c.body = buf_view(&body);
	if (connect_server(&s, &e) || http_do(&s, &c, &a, &e))
		return cli_fail(&e);
	code = a.status >= 400 ? cli_problem(&a, NULL) :
				 run_follow(&s, &a, detach);
	http_answer_done(&a);
	return code;
}

int verb_rerun(int argc, char **argv, const struct verb *v)
{
	const char *from = NULL;
	bool detach = false;
	const struct opt opts[] = {
		{"from",   0,   OPT_TEXT, &from,   "start|failed|TASK",
		 "failed (default): what succeeded counts as done"},
		{"detach", 'd', OPT_FLAG, &detach, NULL,
		 "print the run's id and do not follow it"        },
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	return n == 1 ? ask_again(argv[0], from, detach) : cli_usage(v);
}

static void put_waits(const struct doc_node *of, const char *indent)
{
	const struct doc_node *waits = doc_get(of, "waits");

	for (const struct doc_node *w = waits ? waits->first : NULL; w;
	     w = w->next)
		printf("%s" STR_FMT "\n", indent, STR_ARG(cli_text(w, "text")));
}

int verb_why(int argc, char **argv, const struct verb *v)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	const struct doc_node *tasks;
	struct http_answer a;
	struct doc *d;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, NULL, 0, &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n != 1)
		return cli_usage(v);
	cli_run_path(&path, str_from(argv[0]));
	buf_puts(&path, "/why");
	r = cli_get(buf_cstr(&path), &a, &d);
	if (r)
		return r;
	if (d) {
		printf("the run is " STR_FMT "\n",
		       STR_ARG(cli_text(d->root, "state")));
		put_waits(d->root, "  waits for ");
	}
	tasks = doc_get(d ? d->root : NULL, "tasks");
	for (const struct doc_node *t = tasks ? tasks->first : NULL; t;
	     t = t->next) {
		printf(STR_FMT " is " STR_FMT "\n",
		       STR_ARG(cli_text(t, "name")),
		       STR_ARG(cli_text(t, "state")));
		put_waits(t, "  because ");
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

int verb_queue(int argc, char **argv, const struct verb *v)
{
	static const char *const heads[] = {"RUN", "JOB", "PRIORITY", "STATE",
					    "CREATED"};
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, NULL, 0, &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n)
		return cli_usage(v);
	r = cli_get("/v1/queue?limit=500", &a, &d);
	if (r)
		return r;
	items = doc_get(d ? d->root : NULL, "items");
	if (d)
		table_begin(&t, ARRAY_LEN(heads), heads);
	for (const struct doc_node *i = items ? items->first : NULL; i;
	     i = i->next) {
		struct str blocked = cli_text(i, "blocked");
		char when[24];

		cli_time(cli_text(i, "created_at"), when);
		table_cell(&t, STR_FMT, STR_ARG(cli_text(i, "id")));
		table_cell(&t, STR_FMT "/" STR_FMT,
			   STR_ARG(cli_text(i, "project")),
			   STR_ARG(cli_text(i, "job")));
		table_cell(&t, STR_FMT, STR_ARG(cli_text(i, "priority")));
		table_cell(&t, STR_FMT "%s" STR_FMT,
			   STR_ARG(cli_text(i, "state")),
			   blocked.len ? ": " : "", STR_ARG(blocked));
		table_cell(&t, "%s", when);
	}
	if (d)
		table_print(&t);
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

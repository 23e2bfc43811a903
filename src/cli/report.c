/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How a run ended: its tasks as a table, why some failed, and the exit code. */
#include "base/mem.h"
#include "cli/term.h"
#include "cli/verbs.h"

#include <stdio.h>

static void task_row(struct table *t, const struct doc_node *x)
{
	struct str state = cli_text(x, "state"), kind = cli_text(x, "kind");
	char took[16], memory[16] = "-";
	int64_t bytes;

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

void report_why(struct str task, struct str why, struct str hint)
{
	term_put(task);
	fputs(": ", stdout);
	term_put(why);
	if (hint.len) {
		fputs(" (", stdout);
		term_put(hint);
		putchar(')');
	}
	putchar('\n');
}

static void put_errors(const struct doc_node *tasks)
{
	for (const struct doc_node *x = tasks ? tasks->first : NULL; x;
	     x = x->next) {
		struct str why = cli_text(x, "error");
		struct str hint = cli_text(x, "hint");

		if (why.len && str_is(cli_text(x, "state"), "failed"))
			report_why(cli_text(x, "name"), why, hint);
	}
}

/* Runs that it has called. */
static void put_calls(const struct doc_node *tasks)
{
	for (const struct doc_node *x = tasks ? tasks->first : NULL; x;
	     x = x->next) {
		struct str run = cli_text(x, "run_id");

		if (run.len)
			printf(STR_FMT ": " STR_FMT "\n",
			       STR_ARG(cli_text(x, "name")), STR_ARG(run));
	}
}

int report_run(const struct server *s, struct str run_id, bool table)
{
	static const char *const heads[] = {"TASK", "STATE", "TIME", "MEMORY"};
	CLEANUP_BUF struct buf path = BUF_INIT(256);
	bool color = cli_color(1);
	struct http_call c = {.method = "GET"};
	const struct doc_node *tasks;
	struct http_answer a;
	struct str state;
	struct table t;
	struct doc *d;
	struct err e;
	int code;

	cli_run_path(&path, run_id);
	c.path = buf_cstr(&path);
	if (http_do(s, &c, &a, &e))
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
			task_row(&t, x);
		table_print(&t);
		put_calls(tasks);
		put_errors(tasks);
		printf("\n" STR_FMT ": %s" STR_FMT "%s\n", STR_ARG(run_id),
		       color ? cli_state_color(state) : "", STR_ARG(state),
		       color ? "\033[0m" : "");
	}
	code = str_is(state, "succeeded") ? EXIT_DONE : EXIT_RUN_FAILED;
	doc_free(d);
	http_answer_done(&a);
	return code;
}

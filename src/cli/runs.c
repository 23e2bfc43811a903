/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Looking at runs: list, show, cancel. */
#include "base/hex.h"
#include "cli/connect.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static void put_run(struct table *t, const struct doc_node *r)
{
	char when[24], took[16];
	struct str kind = cli_text(r, "kind");

	cli_time(cli_text(r, "created_at"), when);
	cli_took(cli_text(r, "started_at"), cli_text(r, "finished_at"), took);
	table_cell(t, STR_FMT, STR_ARG(cli_text(r, "id")));
	table_cell(t, STR_FMT "/" STR_FMT, STR_ARG(cli_text(r, "project")),
		   STR_ARG(cli_text(r, "job")));
	table_cell(t, STR_FMT "%s" STR_FMT, STR_ARG(cli_text(r, "state")),
		   kind.len ? ": " : "", STR_ARG(kind));
	table_cell(t, "%s", when);
	table_cell(t, "%s", took);
}

int verb_runs(int argc, char **argv, const struct verb *v)
{
	static const char *const heads[] = {"RUN", "JOB", "STATE", "CREATED",
					    "TOOK"};
	const char *job = NULL, *limit = NULL;
	struct opt_list states = {.n = 0};
	const struct opt opts[] = {
		{"status", 's', OPT_LIST, &states, "STATE",
		 "only such; may be repeated"                                 },
		{"job",    'j', OPT_TEXT, &job,    "NAME",  "only of this job"},
		{"limit",  'n', OPT_TEXT, &limit,  "N",     "at most; 50"     },
	};
	CLEANUP_BUF struct buf path = BUF_INIT(8192);
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n)
		return cli_usage(v);
	buf_puts(&path, "/v1/runs?limit=");
	percent_encode(&path, str_from(limit ? limit : "50"));
	for (size_t i = 0; i < states.n; i++) {
		buf_puts(&path, "&state=");
		percent_encode(&path, str_from(states.items[i]));
	}
	if (job) {
		buf_puts(&path, "&job=");
		percent_encode(&path, str_from(job));
	}
	r = cli_get(buf_cstr(&path), &a, &d);
	if (r)
		return r;
	items = doc_get(d ? d->root : NULL, "items");
	if (d) {
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (const struct doc_node *i = items ? items->first : NULL; i;
		     i = i->next)
			put_run(&t, i);
		table_print(&t);
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static void put_field(const struct doc_node *r, const char *key,
		      const char *name)
{
	struct str s = cli_text(r, key);

	if (s.len)
		printf("%-10s " STR_FMT "\n", name, STR_ARG(s));
}

static void put_task(struct table *t, const struct doc_node *x)
{
	const struct doc_node *usage_node = doc_get(x, "usage");
	const struct doc_node *artifacts = doc_get(x, "artifacts");
	struct str kind = cli_text(x, "kind"), exit = cli_text(x, "exit_code");
	char took[16], memory[16] = "-";
	int64_t bytes;

	cli_took(cli_text(x, "started_at"), cli_text(x, "finished_at"), took);
	if (!doc_as_i64(doc_get(usage_node, "memory_peak_bytes"), &bytes))
		cli_size((uint64_t)bytes, memory);
	table_cell(t, STR_FMT, STR_ARG(cli_text(x, "name")));
	table_cell(t, STR_FMT "%s" STR_FMT, STR_ARG(cli_text(x, "state")),
		   kind.len ? ": " : "", STR_ARG(kind));
	table_cell(t, STR_FMT, STR_ARG(exit.len ? exit : STR("-")));
	table_cell(t, "%s", took);
	table_cell(t, "%s", memory);
	table_cell(t, "%u", artifacts ? artifacts->n : 0);
}

int verb_show(int argc, char **argv, const struct verb *v)
{
	static const char *const heads[] = {"TASK", "STATE",  "EXIT",
					    "TOOK", "MEMORY", "ARTIFACTS"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	const struct doc_node *tasks;
	struct http_answer a;
	struct table t;
	struct doc *d;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, NULL, 0, &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n != 1)
		return cli_usage(v);
	cli_run_path(&path, str_from(argv[0]));
	r = cli_get(buf_cstr(&path), &a, &d);
	if (r)
		return r;
	if (d) {
		put_field(d->root, "id", "run");
		put_field(d->root, "job", "job");
		put_field(d->root, "project", "project");
		put_field(d->root, "state", "state");
		put_field(d->root, "kind", "kind");
		put_field(d->root, "submitter", "by");
		put_field(d->root, "created_at", "created");
		put_field(d->root, "finished_at", "finished");
		put_field(d->root, "definition_digest", "job digest");
		putchar('\n');
		tasks = doc_get(d->root, "tasks");
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (const struct doc_node *x = tasks ? tasks->first : NULL; x;
		     x = x->next)
			put_task(&t, x);
		table_print(&t);
		for (const struct doc_node *x = tasks ? tasks->first : NULL; x;
		     x = x->next) {
			struct str why = cli_text(x, "error");
			struct str hint = cli_text(x, "hint");

			if (!why.len)
				continue;
			putchar('\n');
			report_why(cli_text(x, "name"), why, hint);
		}
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* --- changing one ------------------------------------------------------- */

int verb_cancel(int argc, char **argv, const struct verb *v)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	struct http_call c = {.method = "POST"};
	struct http_answer a;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, NULL, 0, &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n != 1)
		return cli_usage(v);
	cli_run_path(&path, str_from(argv[0]));
	buf_puts(&path, "/cancel");
	c.path = buf_cstr(&path);
	r = cli_ask(&c, &a);
	if (!r) {
		if (globals.json)
			fwrite(a.body.data, 1, a.body.len, stdout);
		else
			printf("%s: being cancelled\n", argv[0]);
		http_answer_done(&a);
	}
	return r;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Looking at runs: list, show, cancel. */
#include "base/hex.h"
#include "cli/connect.h"
#include "cli/verbs.h"

#include <inttypes.h>
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

struct filters {
	struct opt_list states, kinds, triggers, labels;
	const char *project, *job, *since, *until, *limit;
};

static void put_each(struct buf *b, const char *key, const struct opt_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		buf_printf(b, "&%s=", key);
		percent_encode(b, str_from(l->items[i]));
	}
}

static void put_one(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(b, "&%s=", key);
	percent_encode(b, str_from(value));
}

/* -1, said: a label has no value. */
static int put_labels(struct buf *b, const struct opt_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct str value = str_from(l->items[i]);
		struct str key = str_cut(&value, '=');

		if (!value.p || !key.len) {
			fprintf(stderr,
				"nfo: --label %s: NAME=VALUE is wanted\n",
				l->items[i]);
			return -1;
		}
		buf_puts(b, "&label.");
		percent_encode(b, key);
		buf_putc(b, '=');
		percent_encode(b, value);
	}
	return 0;
}

static int put_path(struct buf *b, const struct filters *f)
{
	buf_puts(b, "/v1/runs?limit=");
	percent_encode(b, str_from(f->limit ? f->limit : "50"));
	put_each(b, "state", &f->states);
	put_each(b, "kind", &f->kinds);
	put_each(b, "trigger", &f->triggers);
	put_one(b, "project", f->project);
	put_one(b, "job", f->job);
	put_one(b, "since", f->since);
	put_one(b, "until", f->until);
	return put_labels(b, &f->labels);
}

int verb_runs(int argc, char **argv, const struct verb *v)
{
	static const char *const heads[] = {"RUN", "JOB", "STATE", "CREATED",
					    "TOOK"};
	struct filters f = {.project = NULL};
	const struct opt opts[] = {
		{"status",  's', OPT_LIST, &f.states,   "STATE",
		 "only such; may be repeated"                                           },
		{"kind",    'k', OPT_LIST, &f.kinds,    "KIND",
		 "only failed so; may be repeated"                                      },
		{"project", 'p', OPT_TEXT, &f.project,  "NAME",
		 "only of this project"						 },
		{"job",     'j', OPT_TEXT, &f.job,      "NAME",       "only of this job"},
		{"trigger", 0,   OPT_LIST, &f.triggers, "WHAT",
		 "only started by it; may be repeated"                                  },
		{"label",   'l', OPT_LIST, &f.labels,   "NAME=VALUE",
		 "only with it; may be repeated"                                        },
		{"since",   0,   OPT_TEXT, &f.since,    "TIME",
		 "made at or after (RFC 3339)"                                          },
		{"until",   0,   OPT_TEXT, &f.until,    "TIME",       "made before"     },
		{"limit",   'n', OPT_TEXT, &f.limit,    "N",          "at most; 50"     },
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
	if (put_path(&path, &f))
		return EXIT_USAGE;
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

/* Which secrets were seen, and so blotted out, in what the task wrote. */
static void put_secrets(const struct doc_node *task)
{
	const struct doc_node *list = doc_get(task, "secrets");
	struct str name = cli_text(task, "name");

	for (const struct doc_node *s = list ? list->first : NULL; s;
	     s = s->next) {
		struct str secret = cli_text(s, "name");
		int64_t seen = 0, joined = 0;

		(void)!doc_as_i64(doc_get(s, "seen"), &seen);
		(void)!doc_as_i64(doc_get(s, "joined"), &joined);
		printf("\n" STR_FMT ": secret \"" STR_FMT
		       "\" was printed and redacted: %" PRId64 "\n",
		       STR_ARG(name), STR_ARG(secret), seen - joined);
		if (joined)
			printf("  and could be read from both streams "
			       "together: %" PRId64 "\n",
			       joined);
	}
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
		for (const struct doc_node *x = tasks ? tasks->first : NULL; x;
		     x = x->next)
			put_secrets(x);
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

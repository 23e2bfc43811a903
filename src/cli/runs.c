/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Looking at runs: list, show, logs, cancel, artifacts. */
#include "base/fd.h"
#include "cli/connect.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int usage(const struct verb *v)
{
	fprintf(stderr, "nfo: usage: nfo %s %s\n", v->name, v->args);
	return EXIT_USAGE;
}

/* Ask, and print as JSON or hand over; *ret is the caller's when 0. */
static int get(const char *path, struct http_answer *a, struct doc **ret)
{
	struct http_call c = {.method = "GET", .path = path};
	int code = cli_ask(&c, a);

	*ret = NULL;
	if (code)
		return code;
	if (globals.json) {
		fwrite(a->body.data, 1, a->body.len, stdout);
		return 0;
	}
	*ret = cli_json(a);
	return 0;
}

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
		return usage(v);
	buf_puts(&path, "/v1/runs?limit=");
	http_segment(&path, str_from(limit ? limit : "50"));
	for (size_t i = 0; i < states.n; i++) {
		buf_puts(&path, "&state=");
		http_segment(&path, str_from(states.items[i]));
	}
	if (job) {
		buf_puts(&path, "&job=");
		http_segment(&path, str_from(job));
	}
	r = get(buf_cstr(&path), &a, &d);
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
		return usage(v);
	buf_puts(&path, "/v1/runs/");
	http_segment(&path, str_from(argv[0]));
	r = get(buf_cstr(&path), &a, &d);
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

			if (why.len)
				printf("\n" STR_FMT ": " STR_FMT "%s" STR_FMT
				       "%s\n",
				       STR_ARG(cli_text(x, "name")),
				       STR_ARG(why), hint.len ? " (" : "",
				       STR_ARG(hint), hint.len ? ")" : "");
		}
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* --- logs --------------------------------------------------------------- */

static int one_log(const char *run, struct str task)
{
	CLEANUP_BUF struct buf path = BUF_INIT(2048);
	struct http_call c = {.method = "GET", .accept = "text/plain"};
	struct http_answer a;
	int code;

	buf_puts(&path, "/v1/runs/");
	http_segment(&path, str_from(run));
	buf_puts(&path, "/tasks/");
	http_segment(&path, task);
	buf_puts(&path, "/log");
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (code)
		return code;
	fwrite(a.body.data, 1, a.body.len, stdout);
	http_answer_done(&a);
	return EXIT_DONE;
}

static int all_logs(const char *run)
{
	CLEANUP_BUF struct buf path = BUF_INIT(8192);
	const struct doc_node *items;
	struct http_answer a;
	struct doc *d;
	int code;

	buf_puts(&path, "/v1/runs/");
	http_segment(&path, str_from(run));
	buf_puts(&path, "/tasks");
	code = get(buf_cstr(&path), &a, &d);
	if (code || !d)
		return code;
	items = doc_get(d->root, "items");
	for (const struct doc_node *x = items ? items->first : NULL; x && !code;
	     x = x->next) {
		struct str name = cli_text(x, "name");

		printf("== " STR_FMT "\n", STR_ARG(name));
		fflush(stdout);
		code = one_log(run, name);
	}
	doc_free(d);
	http_answer_done(&a);
	return code;
}

int verb_logs(int argc, char **argv, const struct verb *v)
{
	bool follow = false;
	const struct opt opts[] = {
		{"follow", 'f', OPT_FLAG, &follow, NULL,
		 "until the run has ended"}
        };
	struct server s;
	struct err e;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n < 1 || n > 2)
		return usage(v);
	if (n == 2 && !follow)
		return one_log(argv[0], str_from(argv[1]));
	if (!follow)
		return all_logs(argv[0]);
	if (connect_server(&s, &e))
		return cli_fail(&e);
	return watch_run(&s, str_from(argv[0]), false);
}

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
		return usage(v);
	buf_puts(&path, "/v1/runs/");
	http_segment(&path, str_from(argv[0]));
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

/* --- artifacts ---------------------------------------------------------- */

static int list_artifacts(const char *run)
{
	static const char *const heads[] = {"ARTIFACT", "FILE", "SIZE",
					    "SHA-256"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	int r;

	buf_puts(&path, "/v1/runs/");
	http_segment(&path, str_from(run));
	buf_puts(&path, "/artifacts");
	r = get(buf_cstr(&path), &a, &d);
	if (r)
		return r;
	items = doc_get(d ? d->root : NULL, "items");
	if (d) {
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (const struct doc_node *x = items ? items->first : NULL; x;
		     x = x->next) {
			char size[16] = "-";
			int64_t bytes;

			if (!doc_as_i64(doc_get(x, "size"), &bytes))
				cli_size((uint64_t)bytes, size);
			table_cell(&t, STR_FMT, STR_ARG(cli_text(x, "name")));
			table_cell(&t, STR_FMT, STR_ARG(cli_text(x, "file")));
			table_cell(&t, "%s", size);
			table_cell(&t, STR_FMT, STR_ARG(cli_text(x, "sha256")));
		}
		table_print(&t);
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

int verb_artifact(int argc, char **argv, const struct verb *v)
{
	const char *to = NULL;
	const struct opt opts[] = {
		{"to", 't', OPT_TEXT, &to, "FILE",
		 "where to write it; standard output"}
        };
	CLEANUP_BUF struct buf path = BUF_INIT(2048);
	struct http_call c = {.method = "GET",
			      .accept = "application/octet-stream"};
	CLEANUP_FD int fd = -1;
	struct http_answer a;
	struct err e;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n < 1 || n > 2)
		return usage(v);
	if (n == 1)
		return list_artifacts(argv[0]);
	buf_puts(&path, "/v1/runs/");
	http_segment(&path, str_from(argv[0]));
	buf_puts(&path, "/artifacts/");
	http_segment(&path, str_from(argv[1]));
	c.path = buf_cstr(&path);
	r = cli_ask(&c, &a);
	if (r)
		return r;
	fd = to ? open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) :
		  fcntl(1, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || fd_write_all(fd, a.body.data, a.body.len)) {
		err_sys(&e, errno, "%s", to ? to : "standard output");
		r = cli_fail(&e);
	}
	http_answer_done(&a);
	return r;
}

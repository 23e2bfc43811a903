/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo plan`: what a run would be and may touch. */
#include "base/hex.h"
#include "cli/connect.h"
#include "cli/context.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

/* A file has a suffix, a stored job has none. */
static bool is_file(const char *name)
{
	return !strcmp(name, "-") ||
	       doc_syntax_of_name(str_from(name)) != DOC_SYNTAX_UNKNOWN;
}

static void put_names(struct table *t, const struct doc_node *list,
		      const char *key)
{
	CLEANUP_BUF struct buf b = BUF_INIT(65536);

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		buf_printf(&b, "%s" STR_FMT, b.len ? "," : "",
			   STR_ARG(key ? cli_text(n, key) : n->text));
	table_cell(t, "%s", b.len ? buf_cstr(&b) : "-");
}

static void put_reasons(const struct doc_node *of, struct str name)
{
	const struct doc_node *why = doc_get(of, "reasons");

	for (why = why ? why->first : NULL; why; why = why->next)
		printf("\n" STR_FMT ": denied: " STR_FMT "\n", STR_ARG(name),
		       STR_ARG(why->text));
}

static void put_source(const struct doc_node *source)
{
	if (!str_is(cli_text(source, "kind"), "git"))
		return;
	printf("\nsource: " STR_FMT " " STR_FMT "\n",
	       STR_ARG(cli_text(source, "url")),
	       STR_ARG(cli_text(source, "ref")));
	put_reasons(source, STR("source"));
}

/* Exit code: 3 when policy denies it. */
static int print(const struct doc_node *root)
{
	static const char *const heads[] = {"TASK", "NEEDS", "PROFILE",
					    "NETWORK", "SECRETS"};
	const struct doc_node *tasks = doc_get(root, "tasks");
	const struct doc_node *changes = doc_get(root, "changes");
	struct table t;

	table_begin(&t, ARRAY_LEN(heads), heads);
	for (const struct doc_node *n = tasks ? tasks->first : NULL; n;
	     n = n->next) {
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "name")));
		put_names(&t, doc_get(n, "needs"), NULL);
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "profile")));
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "network")));
		put_names(&t, doc_get(n, "secrets"), "ref");
	}
	table_print(&t);
	put_source(doc_get(root, "source"));
	for (const struct doc_node *n = tasks ? tasks->first : NULL; n;
	     n = n->next)
		put_reasons(n, cli_text(n, "name"));
	if (changes && changes->first)
		printf("\nsince " STR_FMT ":\n",
		       STR_ARG(cli_text(root, "last_run")));
	for (const struct doc_node *n = changes ? changes->first : NULL; n;
	     n = n->next)
		printf("  " STR_FMT " " STR_FMT "\n",
		       STR_ARG(cli_text(n, "op")),
		       STR_ARG(cli_text(n, "pointer")));
	return str_is(cli_text(root, "allowed"), "true") ? EXIT_DONE :
							   EXIT_REFUSED;
}

static int ask(struct http_call *c, const char *file)
{
	struct http_answer a;
	struct server s;
	struct doc *d;
	struct err e;
	int code;

	if (connect_server(&s, &e) || http_do(&s, c, &a, &e))
		return cli_fail(&e);
	code = a.status >= 400 ? cli_problem(&a, file) : 0;
	d = code ? NULL : cli_json(&a);
	if (d && globals.json)
		fwrite(a.body.data, 1, a.body.len, stdout);
	else if (d)
		code = print(d->root);
	doc_free(d);
	http_answer_done(&a);
	return code;
}

static int plan_file(const char *name, const char *project, struct str request)
{
	struct buf job = BUF_INIT(4 * DOC_TEXT_MAX);
	struct http_part parts[2] = {
		{.name = "job",
		 .type = "application/octet-stream",
		 .file_name = strcmp(name,   "-") ? name : "job.yaml"},
		{.name = "request",
		 .type = "application/json",
		 .data = request},
	};
	CLEANUP_BUF struct buf path = BUF_INIT(512);
	struct http_call c = {.method = "POST", .parts = parts, .n_parts = 2};
	struct err e;
	int code;

	if (cli_read(name, &job, &e)) {
		buf_done(&job);
		return cli_fail(&e);
	}
	buf_puts(&path, "/v1/projects/");
	percent_encode(&path, str_from(project));
	buf_puts(&path, "/plan");
	parts[0].data = buf_view(&job);
	c.path = buf_cstr(&path);
	code = ask(&c, name);
	buf_done(&job);
	return code;
}

static int plan_stored(const char *name, const char *project,
		       struct str request)
{
	CLEANUP_BUF struct buf path = BUF_INIT(512);
	struct http_call c = {
		.method = "POST", .type = "application/json", .body = request};

	buf_puts(&path, "/v1/projects/");
	percent_encode(&path, str_from(project));
	buf_puts(&path, "/jobs/");
	percent_encode(&path, str_from(name));
	buf_puts(&path, "/plan");
	c.path = buf_cstr(&path);
	return ask(&c, NULL);
}

int verb_plan(int argc, char **argv, const struct verb *v)
{
	CLEANUP_BUF struct buf request = BUF_INIT(RUN_REQUEST_MAX);
	const char *project = NULL;
	struct opt_list inputs = {.n = 0};
	const struct opt opts[] = {
		{"project", 'p', OPT_TEXT, &project, "NAME",
		 "the job's project; default"          },
		{"input",   'i', OPT_LIST, &inputs,  "NAME=VALUE",
		 "an input of the job; may be repeated"},
	};
	struct err e;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	project = context_project(project);
	if (n != 1)
		return cli_usage(v);
	if (run_inputs(&inputs, &request, &e))
		return cli_fail(&e);
	return is_file(argv[0]) ?
		       plan_file(argv[0], project, buf_view(&request)) :
		       plan_stored(argv[0], project, buf_view(&request));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo policy test`: what policy says of a job, and where it says so. */
#include "cli/connect.h"
#include "cli/context.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
	BODY_MAX = 8 * DOC_TEXT_MAX
};

struct test {
	const char *name, *project, *principal;
	struct opt_list inputs;
	enum doc_syntax syntax; /* UNKNOWN: name is a stored job's */
};

static void put_string(struct buf *b, const char *key, struct str s)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, s);
	buf_puts(b, "\",");
}

static int put_body(const struct test *t, struct str job, struct buf *b,
		    struct err *e)
{
	CLEANUP_BUF struct buf inputs = BUF_INIT(RUN_REQUEST_MAX);

	if (run_inputs(&t->inputs, &inputs, e))
		return -1;
	buf_putc(b, '{');
	put_string(b, "job", job);
	if (t->syntax != DOC_SYNTAX_UNKNOWN)
		put_string(b, "syntax", str_from(doc_syntax_name(t->syntax)));
	if (t->project)
		put_string(b, "project", str_from(t->project));
	if (t->principal) {
		buf_puts(b, "\"principal\":{\"name\":\"");
		buf_json(b, str_from(t->principal));
		buf_puts(b, "\"},");
	}
	if (!buf_str(b, str_from_at(buf_view(&inputs), 1)))
		return err_set(e, ERR_LIMIT, "the job is too long");
	return 0;
}

/* --- telling ------------------------------------------------------------ */

static void put_size(struct table *t, const struct doc_node *limits)
{
	char size[16] = "-";
	int64_t v;

	if (!doc_as_i64(doc_get(limits, "memory_bytes"), &v))
		cli_size((uint64_t)v, size);
	table_cell(t, "%s", size);
}

static void put_seconds(struct table *t, const struct doc_node *limits)
{
	int64_t v;

	if (doc_as_i64(doc_get(limits, "timeout_us"), &v))
		table_cell(t, "-");
	else
		table_cell(t, "%llds", (long long)(v / 1000000));
}

static void put_row(struct table *t, const struct doc_node *n)
{
	const struct doc_node *limits = doc_get(n, "limits");
	struct str pids = cli_text(limits, "pids");

	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "name")));
	table_cell(t, "%s",
		   str_is(cli_text(n, "allowed"), "true") ? "allowed" :
							    "denied");
	put_size(t, limits);
	table_cell(t, STR_FMT, STR_ARG(pids.len ? pids : STR("-")));
	put_seconds(t, limits);
}

static void put_why(const struct doc_node *n)
{
	const struct doc_node *why = doc_get(n, "reasons");
	const struct doc_node *cut = doc_get(n, "clamped");

	for (why = why ? why->first : NULL; why; why = why->next) {
		struct str would = cli_text(why, "would");

		printf("\n" STR_FMT ": denied: " STR_FMT "\n",
		       STR_ARG(cli_text(n, "name")),
		       STR_ARG(cli_text(why, "text")));
		if (would.len)
			printf("  this would: " STR_FMT "\n", STR_ARG(would));
	}
	for (cut = cut ? cut->first : NULL; cut; cut = cut->next)
		printf("\n" STR_FMT ": more " STR_FMT
		       " is asked for than policy gives\n",
		       STR_ARG(cli_text(n, "name")), STR_ARG(cut->text));
}

static void print(const struct doc_node *root)
{
	static const char *const heads[] = {"TASK", "POLICY", "MEMORY", "PIDS",
					    "TIMEOUT"};
	const struct doc_node *tasks = doc_get(root, "tasks");
	const struct doc_node *source = doc_get(root, "source");
	struct table t;

	table_begin(&t, ARRAY_LEN(heads), heads);
	if (source)
		put_row(&t, source);
	for (const struct doc_node *n = tasks ? tasks->first : NULL; n;
	     n = n->next)
		put_row(&t, n);
	table_print(&t);
	if (source)
		put_why(source);
	for (const struct doc_node *n = tasks ? tasks->first : NULL; n;
	     n = n->next)
		put_why(n);
}

/* Exit code: 3 when policy denies it. */
static int ask(const struct test *t, struct str body)
{
	struct http_call c = {.method = "POST",
			      .path = "/v1/policies/test",
			      .type = "application/json",
			      .body = body};
	int code = EXIT_NO_SERVER;
	struct http_answer a;
	struct server s;
	struct doc *d;
	struct err e;

	if (connect_server(&s, &e) || http_do(&s, &c, &a, &e))
		return cli_fail(&e);
	if (a.status >= 400) {
		code = cli_problem(
			&a, t->syntax == DOC_SYNTAX_UNKNOWN ? NULL : t->name);
	} else if ((d = cli_json(&a))) {
		if (globals.json)
			fwrite(a.body.data, 1, a.body.len, stdout);
		else
			print(d->root);
		code = str_is(cli_text(d->root, "allowed"), "true") ?
			       EXIT_DONE :
			       EXIT_REFUSED;
		doc_free(d);
	}
	http_answer_done(&a);
	return code;
}

static int test(struct test *t)
{
	struct buf job = BUF_INIT(4 * DOC_TEXT_MAX), body = BUF_INIT(BODY_MAX);
	struct err e;
	int code;

	t->syntax = strcmp(t->name, "-") ?
			    doc_syntax_of_name(str_from(t->name)) :
			    DOC_YAML;
	if (t->syntax == DOC_SYNTAX_UNKNOWN)
		t->project = context_project(t->project);
	if ((t->syntax != DOC_SYNTAX_UNKNOWN && cli_read(t->name, &job, &e)) ||
	    put_body(t,
		     t->syntax == DOC_SYNTAX_UNKNOWN ? str_from(t->name) :
						       buf_view(&job),
		     &body, &e))
		code = cli_fail(&e);
	else
		code = ask(t, buf_view(&body));
	buf_done(&job);
	buf_done(&body);
	return code;
}

int verb_policy(int argc, char **argv, const struct verb *v)
{
	struct test t = {.inputs = {.n = 0}};
	const struct opt opts[] = {
		{"project", 'p', OPT_TEXT, &t.project,   "NAME",
		 "of a stored job: its project; of a file: what it must be"},
		{"input",   'i', OPT_LIST, &t.inputs,    "NAME=VALUE",
		 "an input of the job; may be repeated"                    },
		{"as",      0,   OPT_TEXT, &t.principal, "PRINCIPAL",
		 "whom it is submitted by, as user:ann; you"               },
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n != 2 || strcmp(argv[0], "test") != 0)
		return cli_usage(v);
	t.name = argv[1];
	return test(&t);
}

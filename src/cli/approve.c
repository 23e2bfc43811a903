/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo approvals` and `nfo approve`: what waits for people, and their answer.
 * What was shown here is what the answer is bound to. */
#include "base/hex.h"
#include "cli/term.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- what waits --------------------------------------------------------- */

static void put_row(struct table *t, const struct doc_node *n)
{
	char until[24] = "-";

	if (cli_text(n, "expires_at").len)
		cli_time(cli_text(n, "expires_at"), until);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "run_id")));
	table_cell(t, STR_FMT "/" STR_FMT, STR_ARG(cli_text(n, "project")),
		   STR_ARG(cli_text(n, "job")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "task")));
	table_cell(t, STR_FMT " of " STR_FMT, STR_ARG(cli_text(n, "approved")),
		   STR_ARG(cli_text(n, "count")));
	table_cell(t, "%s", until);
}

int verb_approvals(int argc, char **argv, const struct verb *v)
{
	static const char *const heads[] = {"RUN", "JOB", "TASK", "GIVEN",
					    "UNTIL (UTC)"};
	bool all = false;
	const struct opt opts[] = {
		{"all", 'a', OPT_FLAG, &all, NULL, "also what others decide"}
        };
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n)
		return cli_usage(v);
	return cli_list(all ? "/v1/approvals?limit=500" :
			      "/v1/approvals?for=me&limit=500",
			ARRAY_LEN(heads), heads, put_row);
}

/* --- one of them -------------------------------------------------------- */

static void line(const char *key, struct str value)
{
	printf("%-10s ", key);
	term_put(value);
	putchar('\n');
}

static void put_names(const struct doc_node *list)
{
	CLEANUP_BUF struct buf b = BUF_INIT(65536);

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		buf_printf(&b, "%s" STR_FMT, b.len ? ", " : "",
			   STR_ARG(n->text));
	line("from", buf_view(&b));
}

static void put_approval(const struct doc_node *a)
{
	const struct doc_node *shown = doc_get(a, "shown");
	const struct doc_node *said = doc_get(a, "decisions");

	line("run", cli_text(a, "run_id"));
	line("job", cli_text(a, "job"));
	line("task", cli_text(a, "task"));
	line("asked by", cli_text(a, "submitter"));
	if (cli_text(a, "message").len)
		line("message", cli_text(a, "message"));
	line("run digest", cli_text(a, "run_digest"));
	line("digest", cli_text(a, "digest"));
	for (const struct doc_node *n = shown ? shown->first : NULL; n;
	     n = n->next) {
		CLEANUP_BUF struct buf b = BUF_INIT(1024);

		buf_printf(&b, STR_FMT " (" STR_FMT ", " STR_FMT " bytes)",
			   STR_ARG(cli_text(n, "name")),
			   STR_ARG(cli_text(n, "file")),
			   STR_ARG(cli_text(n, "size")));
		line("artifact", buf_view(&b));
		line("  sha256", cli_text(n, "sha256"));
	}
	put_names(doc_get(a, "from"));
	printf("%-10s " STR_FMT " of " STR_FMT "\n", "approved",
	       STR_ARG(cli_text(a, "approved")), STR_ARG(cli_text(a, "count")));
	for (const struct doc_node *n = said ? said->first : NULL; n;
	     n = n->next) {
		CLEANUP_BUF struct buf b = BUF_INIT(4096);

		buf_printf(&b, STR_FMT ": " STR_FMT,
			   STR_ARG(cli_text(n, "who")),
			   STR_ARG(cli_text(n, "decision")));
		if (cli_text(n, "comment").len)
			buf_printf(&b, ": " STR_FMT,
				   STR_ARG(cli_text(n, "comment")));
		line("", buf_view(&b));
	}
	if (cli_text(a, "expires_at").len)
		line("until", cli_text(a, "expires_at"));
	line("state", cli_text(a, "state"));
}

struct choice {
	const char *comment, *digest;
	bool reject, yes;
};

/* On a terminal people are asked; a script has said it by calling us. */
static bool confirmed(const struct choice *c)
{
	char answer[16] = "";

	if (c->yes || !isatty(0) || !isatty(1))
		return true;
	printf("\n%s it? [y/N] ", c->reject ? "Reject" : "Approve");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

static int send(const char *path, const struct choice *c, struct str digest)
{
	CLEANUP_BUF struct buf body = BUF_INIT(65536);
	struct http_call call = {
		.method = "POST", .path = path, .type = "application/json"};
	struct http_answer a;
	struct doc *d;
	int code;

	buf_printf(&body, "{\"decision\":\"%s\",\"digest\":\"",
		   c->reject ? "reject" : "approve");
	buf_json(&body, digest);
	buf_putc(&body, '"');
	if (c->comment) {
		buf_puts(&body, ",\"comment\":\"");
		buf_json(&body, str_from(c->comment));
		buf_putc(&body, '"');
	}
	buf_putc(&body, '}');
	call.body = buf_view(&body);
	code = cli_ask(&call, &a);
	if (code)
		return code;
	d = globals.json ? NULL : cli_json(&a);
	if (globals.json)
		fwrite(a.body.data, 1, a.body.len, stdout);
	if (d)
		printf("\nnow " STR_FMT ": " STR_FMT " of " STR_FMT "\n",
		       STR_ARG(cli_text(d->root, "state")),
		       STR_ARG(cli_text(d->root, "approved")),
		       STR_ARG(cli_text(d->root, "count")));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* The one of the run that is open, when no task was named. */
static const struct doc_node *find_open(const struct doc_node *root)
{
	const struct doc_node *items = doc_get(root, "items"), *found = NULL;

	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		if (!str_is(cli_text(n, "state"), "open"))
			continue;
		if (found) {
			fputs("nfo: several tasks of the run wait for an "
			      "approval: name one\n",
			      stderr);
			return NULL;
		}
		found = n;
	}
	if (!found)
		fputs("nfo: nothing in the run waits for an approval\n",
		      stderr);
	return found;
}

static int decide(const struct doc_node *a, const char *run,
		  const struct choice *c)
{
	CLEANUP_BUF struct buf path = BUF_INIT(2048);

	if (!globals.json)
		put_approval(a);
	if (!confirmed(c))
		return EXIT_RUN_FAILED;
	cli_run_path(&path, str_from(run));
	buf_puts(&path, "/approvals/");
	percent_encode(&path, cli_text(a, "task"));
	return send(buf_cstr(&path), c,
		    c->digest ? str_from(c->digest) : cli_text(a, "digest"));
}

static int look_and_decide(const char *run, const char *task,
			   const struct choice *c)
{
	CLEANUP_BUF struct buf path = BUF_INIT(2048);
	struct http_call call = {.method = "GET"};
	const struct doc_node *one;
	struct http_answer a;
	struct doc *d;
	int code;

	cli_run_path(&path, str_from(run));
	buf_puts(&path, "/approvals");
	if (task) {
		buf_putc(&path, '/');
		percent_encode(&path, str_from(task));
	}
	call.path = buf_cstr(&path);
	code = cli_ask(&call, &a);
	if (code)
		return code;
	d = cli_json(&a);
	one = !d ? NULL : task ? d->root : find_open(d->root);
	code = one ? decide(one, run, c) : d ? EXIT_REFUSED : EXIT_NO_SERVER;
	doc_free(d);
	http_answer_done(&a);
	return code;
}

int verb_approve(int argc, char **argv, const struct verb *v)
{
	struct choice c = {.reject = false};
	const struct opt opts[] = {
		{"reject",  'r', OPT_FLAG, &c.reject,  NULL,
		 "say no: the run fails"              },
		{"comment", 'm', OPT_TEXT, &c.comment, "TEXT",
		 "kept with the answer"               },
		{"digest",  0,   OPT_TEXT, &c.digest,  "sha256:...",
		 "only if this is still what is asked"},
		{"yes",     'y', OPT_FLAG, &c.yes,     NULL,
		 "do not ask on a terminal"           },
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n < 1 || n > 2)
		return cli_usage(v);
	return look_and_decide(argv[0], n == 2 ? argv[1] : NULL, &c);
}

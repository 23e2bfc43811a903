/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo secret`: values come from standard input or a prompt, never from argv. */
#include "base/hex.h"
#include "cli/context.h"
#include "cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
	VALUE_MAX = 64 * 1024
};

static int path_of(struct buf *b, const char *project, const char *name,
		   const char *rest)
{
	buf_puts(b, "/v1/projects/");
	percent_encode(b, str_from(project));
	buf_puts(b, "/secrets");
	if (name) {
		buf_putc(b, '/');
		percent_encode(b, str_from(name));
	}
	buf_puts(b, rest);
	return b->failed ? -1 : 0;
}

/* On a terminal the value is asked for and not shown. */
static int read_value(struct buf *b, struct err *e)
{
	struct termios old, quiet;
	bool tty = isatty(0) && !tcgetattr(0, &old);
	int bad;

	if (tty) {
		fputs("Value (end with Ctrl-D): ", stderr);
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(0, TCSAFLUSH, &quiet);
	}
	bad = cli_read("-", b, e);
	if (tty) {
		(void)tcsetattr(0, TCSAFLUSH, &old);
		fputc('\n', stderr);
		if (b->len && b->data[b->len - 1] == '\n')
			b->len--;
	}
	return bad;
}

/* What has to be there: "0" nothing, else that version. */
static int put_if(struct buf *b, const char *version)
{
	uint64_t v;

	if (str_to_u64(str_from(version), UINT64_MAX - 1, &v))
		return -1;
	if (v)
		buf_printf(b, "If-Match: \"%" PRIu64 "\"", v);
	else
		buf_puts(b, "If-None-Match: *");
	return 0;
}

static int put(const char *project, const char *name, const char *version)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024), only = BUF_INIT(64);
	struct buf value = BUF_INIT(VALUE_MAX);
	struct http_call c = {.method = "PUT",
			      .type = "application/octet-stream"};
	struct http_answer a;
	struct doc *d;
	struct err e;
	int code;

	if (path_of(&path, project, name, ""))
		return EXIT_USAGE;
	if (version && put_if(&only, version)) {
		fprintf(stderr, "nfo: --if-version %s: a number is wanted\n",
			version);
		return EXIT_USAGE;
	}
	if (version)
		c.header = buf_cstr(&only);
	if (read_value(&value, &e)) {
		buf_wipe(&value);
		return cli_fail(&e);
	}
	c.path = buf_cstr(&path);
	c.body = str_n(buf_cstr(&value), value.len);
	code = cli_ask(&c, &a);
	buf_wipe(&value);
	if (code)
		return code;
	d = cli_json(&a);
	if (globals.json)
		fputs(buf_cstr(&a.body), stdout);
	else
		printf("%s/%s: version " STR_FMT "\n", project, name,
		       STR_ARG(cli_text(d ? d->root : NULL, "version")));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static void put_rows(struct table *t, const struct doc_node *items)
{
	static const char *const heads[] = {"NAME", "VERSION", "KEPT",
					    "UPDATED"};

	if (!t->n_columns)
		table_begin(t, ARRAY_LEN(heads), heads);
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		char when[24];

		cli_time(cli_text(n, "updated_at"), when);
		table_cell(t, STR_FMT, STR_ARG(cli_text(n, "name")));
		table_cell(t, STR_FMT, STR_ARG(cli_text(n, "version")));
		table_cell(t, STR_FMT, STR_ARG(cli_text(n, "versions")));
		table_cell(t, "%s", when);
	}
}

/* next: the cursor of this page, "" for the first, and then of the next. */
static int list_page(const char *project, struct table *t, struct buf *next)
{
	CLEANUP_BUF struct buf path = BUF_INIT(2048);
	struct http_call c = {.method = "GET"};
	struct http_answer a;
	struct doc *d;
	int code;

	if (path_of(&path, project, NULL, "?limit=500"))
		return EXIT_USAGE;
	if (next->len) {
		buf_puts(&path, "&cursor=");
		percent_encode(&path, buf_view(next));
	}
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (code)
		return code;
	d = cli_json(&a);
	buf_reset(next);
	buf_str(next, cli_text(d ? d->root : NULL, "next_cursor"));
	if (globals.json)
		fputs(buf_cstr(&a.body), stdout);
	else
		put_rows(t, doc_get(d ? d->root : NULL, "items"));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* All of them; as JSON a page after the other. */
static int list(const char *project)
{
	CLEANUP_BUF struct buf next = BUF_INIT(256);
	struct table t = {0};
	int code;

	do
		code = list_page(project, &t, &next);
	while (!code && next.len);
	if (t.n_columns)
		table_print(&t);
	return code;
}

static int show(const char *project, const char *name)
{
	static const char *const keys[] = {"name", "version", "versions",
					   "created_at", "updated_at"};
	static const char *const heads[] = {"name", "version", "kept",
					    "created", "updated"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	struct http_answer a;
	struct doc *d;
	int code;

	if (path_of(&path, project, name, ""))
		return EXIT_USAGE;
	code = cli_get(buf_cstr(&path), &a, &d);
	if (code)
		return code;
	for (size_t i = 0; d && i < ARRAY_LEN(keys); i++)
		printf("%-8s " STR_FMT "\n", heads[i],
		       STR_ARG(cli_text(d->root, keys[i])));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static int versions(const char *project, const char *name)
{
	static const char *const heads[] = {"VERSION", "CREATED"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	int code;

	if (path_of(&path, project, name, "/versions"))
		return EXIT_USAGE;
	code = cli_get(buf_cstr(&path), &a, &d);
	if (code)
		return code;
	items = doc_get(d ? d->root : NULL, "items");
	if (d)
		table_begin(&t, ARRAY_LEN(heads), heads);
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		char when[24];

		cli_time(cli_text(n, "created_at"), when);
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "version")));
		table_cell(&t, "%s", when);
	}
	if (d)
		table_print(&t);
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static int rm(const char *project, const char *name)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	struct http_call c = {.method = "DELETE"};
	struct http_answer a;
	int code;

	if (path_of(&path, project, name, ""))
		return EXIT_USAGE;
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (!code)
		http_answer_done(&a);
	return code;
}

int verb_secret(int argc, char **argv, const struct verb *v)
{
	const char *project = NULL, *version = NULL;
	const struct opt opts[] = {
		{"project",    'p', OPT_TEXT, &project, "NAME",
		 "whose secrets; default"                                 },
		{"if-version", 0,   OPT_TEXT, &version, "N",
		 "put only over this version; 0: only where there is none"},
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n && !strcmp(argv[0], "provider"))
		return provider_verb((int)n - 1, argv + 1, v);
	project = context_project(project);
	if (n == 2 && !strcmp(argv[0], "put"))
		return put(project, argv[1], version);
	if (version)
		return cli_usage(v);
	if (n == 2 && !strcmp(argv[0], "show"))
		return show(project, argv[1]);
	if (n == 2 && !strcmp(argv[0], "versions"))
		return versions(project, argv[1]);
	if (n == 1 && !strcmp(argv[0], "list"))
		return list(project);
	if (n == 2 && !strcmp(argv[0], "rm"))
		return rm(project, argv[1]);
	return cli_usage(v);
}

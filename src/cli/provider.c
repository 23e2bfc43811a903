/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo secret provider`: where secrets come from besides the local store. */
#include "base/hex.h"
#include "cli/context.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static void put_row(struct table *t, const struct doc_node *n)
{
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "name")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "kind")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "auth")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "state")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "address")));
}

static int list(void)
{
	static const char *const heads[] = {"NAME", "KIND", "AUTH", "STATE",
					    "ADDRESS"};

	return cli_list("/v1/secret-providers", ARRAY_LEN(heads), heads,
			put_row);
}

static void path_of(struct buf *b, const char *name, const char *rest)
{
	buf_puts(b, "/v1/secret-providers/");
	percent_encode(b, str_from(name));
	buf_puts(b, rest);
}

static int show(const char *name)
{
	static const char *const keys[] = {"name",      "kind", "origin",
					   "state",     "text", "address",
					   "namespace", "auth", "auth_mount"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	struct http_answer a;
	struct doc *d;
	int code;

	path_of(&path, name, "");
	code = cli_get(buf_cstr(&path), &a, &d);
	if (code)
		return code;
	for (size_t i = 0; d && i < ARRAY_LEN(keys); i++) {
		struct str s = cli_text(d->root, keys[i]);

		if (s.len && !str_is(s, "null"))
			printf("%-11s" STR_FMT "\n", keys[i], STR_ARG(s));
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static void print_step(const struct doc_node *s)
{
	struct str hint = cli_text(s, "hint");
	struct str verdict = cli_text(s, "verdict");

	printf("%-8.*s" STR_FMT ": " STR_FMT "\n", STR_ARG(verdict),
	       STR_ARG(cli_text(s, "step")), STR_ARG(cli_text(s, "text")));
	if (hint.len)
		printf("        " STR_FMT "\n", STR_ARG(hint));
}

/* Exit code 1 when a step failed. */
static int check(const char *name)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	struct http_call c = {.method = "POST"};
	const struct doc_node *steps;
	struct http_answer a;
	struct doc *d;
	bool ok;
	int code;

	path_of(&path, name, "/check");
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (code)
		return code;
	d = cli_json(&a);
	if (globals.json)
		fputs(buf_cstr(&a.body), stdout);
	steps = doc_get(d ? d->root : NULL, "steps");
	ok = str_is(cli_text(d ? d->root : NULL, "ok"), "true");
	for (const struct doc_node *s = steps ? steps->first : NULL;
	     s && !globals.json; s = s->next)
		print_step(s);
	doc_free(d);
	http_answer_done(&a);
	return ok ? EXIT_DONE : EXIT_RUN_FAILED;
}

int provider_verb(int argc, char **argv, const struct verb *v)
{
	if (argc == 1 && !strcmp(argv[0], "list"))
		return list();
	if (argc == 2 && !strcmp(argv[0], "show"))
		return show(argv[1]);
	if (argc == 2 && !strcmp(argv[0], "check"))
		return check(argv[1]);
	return cli_usage(v);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo token`: made, listed, revoked. */
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
	BODY_MAX = 16 * 1024
};

struct asked {
	const char *user, *role, *ttl;
	struct opt_list projects;
};

static void put_text(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(b, "%s\"%s\":\"", b->len > 1 ? "," : "", key);
	buf_json(b, str_from(value));
	buf_putc(b, '"');
}

static void put_body(struct buf *b, const struct asked *q, const char *name)
{
	buf_putc(b, '{');
	put_text(b, "name", name);
	put_text(b, "user", q->user);
	put_text(b, "role", q->role);
	put_text(b, "ttl", q->ttl);
	for (size_t i = 0; i < q->projects.n; i++) {
		buf_puts(b, i ? ",\"" : ",\"projects\":[\"");
		buf_json(b, str_from(q->projects.items[i]));
		buf_putc(b, '"');
	}
	buf_puts(b, q->projects.n ? "]}" : "}");
}

static int create(const struct asked *q, const char *name)
{
	CLEANUP_BUF struct buf body = BUF_INIT(BODY_MAX);
	struct http_call c = {.method = "POST",
			      .path = "/v1/tokens",
			      .type = "application/json"};
	struct http_answer a;
	struct doc *d;
	int code;

	put_body(&body, q, name);
	c.body = buf_view(&body);
	code = cli_ask(&c, &a);
	if (code)
		return code;
	d = cli_json(&a);
	if (globals.json) {
		fwrite(a.body.data, 1, a.body.len, stdout);
	} else if (d) {
		printf(STR_FMT "\n", STR_ARG(cli_text(d->root, "token")));
		fprintf(stderr,
			"nfo: " STR_FMT ", until " STR_FMT
			"; it is not shown again\n",
			STR_ARG(cli_text(d->root, "id")),
			STR_ARG(cli_text(d->root, "expires_at")));
	}
	doc_free(d);
	buf_wipe(&a.body);
	return code;
}

static void put_row(struct table *t, const struct doc_node *n)
{
	const struct doc_node *projects = doc_get(n, "projects");
	CLEANUP_BUF struct buf names = BUF_INIT(8192);
	char ends[24], used[24];

	for (const struct doc_node *p = projects ? projects->first : NULL; p;
	     p = p->next)
		buf_printf(&names, "%s" STR_FMT, names.len ? "," : "",
			   STR_ARG(p->text));
	cli_time(cli_text(n, "expires_at"), ends);
	cli_time(cli_text(n, "used_at"), used);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "id")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "name")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "subject")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "role")));
	table_cell(t, "%s", buf_cstr(&names));
	table_cell(t, "%s", ends);
	table_cell(t, "%s", used);
}

static int list(void)
{
	static const char *const heads[] = {
		"TOKEN", "NAME", "OF", "AT MOST", "PROJECTS", "ENDS", "USED"};

	return cli_list("/v1/tokens?limit=500", ARRAY_LEN(heads), heads,
			put_row);
}

int verb_token(int argc, char **argv, const struct verb *v)
{
	struct asked q = {.user = NULL};
	const struct opt opts[] = {
		{"user",    'u', OPT_TEXT, &q.user,     "NAME",
		 "create: for this user; else one's own"                                    },
		{"role",    'r', OPT_TEXT, &q.role,
		 "viewer|operator|developer|admin",             "create: never more than it"},
		{"project", 'p', OPT_LIST, &q.projects, "NAME",
		 "create: only there; may be repeated"                                      },
		{"ttl",     0,   OPT_TEXT, &q.ttl,      "TIME",
		 "create: how long, such as 30d; 90d"                                       },
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n == 2 && !strcmp(argv[0], "create"))
		return create(&q, argv[1]);
	if (n == 1 && !strcmp(argv[0], "list"))
		return list();
	if (n == 2 && !strcmp(argv[0], "rm"))
		return cli_delete("/v1/tokens/", argv[1], "");
	return cli_usage(v);
}

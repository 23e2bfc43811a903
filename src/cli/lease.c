/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo lease`: what providers of secrets have lent, and back with it. */
#include "base/hex.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

struct asked {
	const char *provider, *project, *run;
};

static void put_row(struct table *t, const struct doc_node *n)
{
	char ends[24];

	cli_time(cli_text(n, "expires_at"), ends);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "id")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "provider")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "path")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "project")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "run")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "state")));
	table_cell(t, "%s", ends);
}

static void put_filter(struct buf *b, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(b, "&%s=", name);
	percent_encode(b, str_from(value));
}

static int list(const struct asked *q)
{
	static const char *const heads[] = {"LEASE", "OF",    "PATH", "PROJECT",
					    "RUN",   "STATE", "ENDS"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);

	buf_puts(&path, "/v1/leases?limit=500");
	put_filter(&path, "provider", q->provider);
	put_filter(&path, "project", q->project);
	put_filter(&path, "run", q->run);
	return cli_list(buf_cstr(&path), ARRAY_LEN(heads), heads, put_row);
}

int verb_lease(int argc, char **argv, const struct verb *v)
{
	struct asked q = {NULL, NULL, NULL};
	const struct opt opts[] = {
		{"provider", 0,   OPT_TEXT, &q.provider, "NAME",
		 "list: of this provider"					    },
		{"project",  'p', OPT_TEXT, &q.project,  "NAME",
		 "list: for this project"					    },
		{"run",      0,   OPT_TEXT, &q.run,      "RUN",  "list: for this run"},
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n == 1 && !strcmp(argv[0], "list"))
		return list(&q);
	if (n == 2 && !strcmp(argv[0], "revoke"))
		return cli_delete("/v1/leases/", argv[1], "");
	return cli_usage(v);
}

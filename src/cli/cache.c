/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo cache`: what tasks have kept for later runs. */
#include "base/hex.h"
#include "cli/context.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static void put_row(struct table *t, const struct doc_node *n)
{
	char size[16], made[24], used[24];
	uint64_t bytes = 0;

	(void)!str_to_u64(cli_text(n, "bytes"), UINT64_MAX, &bytes);
	cli_size(bytes, size);
	cli_time(cli_text(n, "created_at"), made);
	cli_time(cli_text(n, "used_at"), used);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "id")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "project")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "key")));
	table_cell(t, "%s", size);
	table_cell(t, "%s", made);
	table_cell(t, "%s", used);
}

static int list(const char *project)
{
	static const char *const heads[] = {"CACHE", "PROJECT", "KEY",
					    "SIZE",  "MADE",    "USED"};
	CLEANUP_BUF struct buf path = BUF_INIT(512);

	buf_puts(&path, "/v1/caches?limit=500");
	if (project) {
		buf_puts(&path, "&project=");
		percent_encode(&path, str_from(project));
	}
	return cli_list(buf_cstr(&path), ARRAY_LEN(heads), heads, put_row);
}

int verb_cache(int argc, char **argv, const struct verb *v)
{
	const char *project = NULL;
	bool all = false;
	const struct opt opts[] = {
		{"project", 'p', OPT_TEXT, &project, "NAME",
		 "list: only of this project; rm --all: of this one"},
		{"all",     0,   OPT_FLAG, &all,     NULL,
		 "rm: every cache of the project"                   },
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n == 1 && !all && !strcmp(argv[0], "list"))
		return list(project);
	if (n == 2 && !all && !strcmp(argv[0], "rm"))
		return cli_delete("/v1/caches/", argv[1], "");
	if (n == 1 && all && !strcmp(argv[0], "rm"))
		return cli_delete("/v1/projects/", context_project(project),
				  "/caches");
	return cli_usage(v);
}

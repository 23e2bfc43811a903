/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo schedule`: when stored jobs run by themselves. */
#include "cli/verbs.h"

#include <stdio.h>

static void put_row(struct table *t, const struct doc_node *n)
{
	bool paused = str_is(cli_text(n, "paused"), "true");
	char next[24];

	cli_time(cli_text(n, "next_at"), next);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "name")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "cron")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "timezone")));
	table_cell(t, "%s", paused ? "paused" : next);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "last_run")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "error")));
}

static int list(const char *path)
{
	static const char *const heads[] = {"SCHEDULE",   "CRON",     "ZONE",
					    "NEXT (UTC)", "LAST RUN", "ERROR"};

	return cli_list(path, ARRAY_LEN(heads), heads, put_row);
}

static int next(const char *path)
{
	const struct doc_node *items;
	struct http_answer a;
	struct doc *d;
	int code = cli_get(path, &a, &d);

	if (code)
		return code;
	items = doc_get(d ? d->root : NULL, "items");
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next)
		printf(STR_FMT "\n", STR_ARG(cli_text(n, "local")));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static int post(const char *path)
{
	struct http_call c = {.method = "POST", .path = path};
	struct http_answer a;
	int code = cli_ask(&c, &a);

	if (code)
		return code;
	if (globals.json)
		fwrite(a.body.data, 1, a.body.len, stdout);
	http_answer_done(&a);
	return EXIT_DONE;
}

static const struct part_action actions[] = {
	{"list",   "",         false, list},
	{"next",   "/preview", true,  next},
	{"pause",  "/pause",   true,  post},
	{"resume", "/resume",  true,  post},
};

int verb_schedule(int argc, char **argv, const struct verb *v)
{
	return part_verb(argc, argv, v, "schedules", actions,
			 ARRAY_LEN(actions));
}

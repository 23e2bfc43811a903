/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo hook`: where stored jobs are called from outside, and what came. */
#include "cli/verbs.h"

#include <stdio.h>

static void put_hook(struct table *t, const struct doc_node *n)
{
	const struct doc_node *last = doc_get(n, "last_delivery");
	char at[24] = "";

	if (last && last->kind == DOC_MAP)
		cli_time(cli_text(last, "at"), at);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "name")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "scheme")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "url")));
	table_cell(t, "%s", at);
	table_cell(t, STR_FMT, STR_ARG(cli_text(last, "outcome")));
}

static void put_delivery(struct table *t, const struct doc_node *n)
{
	char at[24];

	cli_time(cli_text(n, "at"), at);
	table_cell(t, "%s", at);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "id")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "event")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "outcome")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "run_id")));
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "error")));
}

static int list(const char *path)
{
	static const char *const heads[] = {"HOOK", "SCHEME", "URL",
					    "LAST (UTC)", "OUTCOME"};

	return cli_list(path, ARRAY_LEN(heads), heads, put_hook);
}

static int deliveries(const char *path)
{
	static const char *const heads[] = {"AT (UTC)", "DELIVERY", "EVENT",
					    "OUTCOME",  "RUN",      "ERROR"};

	return cli_list(path, ARRAY_LEN(heads), heads, put_delivery);
}

static int rotate(const char *path)
{
	struct http_call c = {.method = "POST", .path = path};
	struct http_answer a;
	struct doc *d;
	int code = cli_ask(&c, &a);

	if (code)
		return code;
	d = globals.json ? NULL : cli_json(&a);
	if (globals.json)
		fwrite(a.body.data, 1, a.body.len, stdout);
	else if (d)
		printf(STR_FMT "\n", STR_ARG(cli_text(d->root, "url")));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static const struct part_action actions[] = {
	{"list",       "",            false, list      },
	{"deliveries", "/deliveries", true,  deliveries},
	{"rotate",     "/rotate",     true,  rotate    },
};

int verb_hook(int argc, char **argv, const struct verb *v)
{
	return part_verb(argc, argv, v, "hooks", actions, ARRAY_LEN(actions));
}

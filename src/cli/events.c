/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo events`: what has happened, and what happens. */
#include "base/hex.h"
#include "cli/connect.h"
#include "cli/feed.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
	TICK_MS = 1000,
	ITEMS_MAX = 500
};

struct events {
	struct feed feed;
	bool one_run;
};

/* One event in a line; as JSON with its type and id, as the history has it. */
static void say(struct str id, struct str type, const struct doc_node *n,
		struct str data)
{
	struct str task = cli_text(n, "task"), kind = cli_text(n, "kind");
	struct str artifact = cli_text(n, "artifact");
	char when[24];

	if (globals.json) {
		printf("{\"id\":" STR_FMT ",\"type\":\"" STR_FMT "\"," STR_FMT
		       "\n",
		       STR_ARG(id), STR_ARG(type),
		       STR_ARG(str_from_at(data, 1)));
		return;
	}
	cli_time(cli_text(n, "ts"), when);
	printf("%s  " STR_FMT "  %-8.*s " STR_FMT "%s" STR_FMT "%s" STR_FMT
	       "\n",
	       when, STR_ARG(cli_text(n, "run_id")), STR_ARG(type),
	       STR_ARG(artifact.len ? artifact : task),
	       artifact.len || task.len ? "  " : "",
	       STR_ARG(artifact.len ? STR("") : cli_text(n, "state")),
	       kind.len ? "  " : "", STR_ARG(kind));
}

/* --- what has happened -------------------------------------------------- */

/* The newest last, as in a log. */
static int history(const char *path)
{
	const struct doc_node *items[ITEMS_MAX], *list;
	struct http_answer a;
	struct doc *d;
	size_t n = 0;
	int code = cli_get(path, &a, &d);

	if (code)
		return code;
	list = doc_get(d ? d->root : NULL, "items");
	for (const struct doc_node *i = list ? list->first : NULL;
	     i && n < ITEMS_MAX; i = i->next)
		items[n++] = i;
	while (n--)
		say(cli_text(items[n], "id"), cli_text(items[n], "type"),
		    items[n], STR("{}"));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* --- what happens ------------------------------------------------------- */

static bool is_final(struct str state)
{
	return str_is(state, "succeeded") || str_is(state, "failed") ||
	       str_is(state, "cancelled");
}

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct http_answer a = {
		.body = {.data = (char *)(uintptr_t)ev->data.p,
			 .len = ev->data.len}
        };
	struct events *w = ctx;
	struct doc *d;

	d = cli_json(&a);
	if (d && str_is(ev->type, "gap"))
		fputs("nfo: some events are not kept any more\n", stderr);
	else if (d)
		say(ev->id, ev->type, d->root, ev->data);
	if (d && w->one_run && str_is(ev->type, "run"))
		w->feed.over |= is_final(cli_text(d->root, "state"));
	doc_free(d);
	fflush(stdout); /* a pipe wants its lines now, too */
}

static int follow(const char *path, bool one_run)
{
	struct events w = {.one_run = one_run};
	struct feeds all;
	struct server s;
	struct err e;
	int bad = 0;

	if (connect_server(&s, &e) || feeds_make(&all, &s, &e))
		return cli_fail(&e);
	feed_make(&w.feed, &all, path, on_event, &w);
	while (!bad && !w.feed.over) {
		if (feeds_may_open(&all))
			(void)feed_open(&w.feed);
		bad = feeds_turn(&all, TICK_MS, &e);
	}
	feeds_done(&all);
	feed_done(&w.feed);
	return bad ? cli_fail(&e) : EXIT_DONE;
}

int verb_events(int argc, char **argv, const struct verb *v)
{
	CLEANUP_BUF struct buf path = BUF_INIT(2048);
	const char *since = NULL, *limit = NULL;
	struct opt_list types = {.n = 0};
	bool live = false;
	const struct opt opts[] = {
		{"follow", 'f', OPT_FLAG, &live,  NULL,
		 "as they happen; of a run until it has ended"                 },
		{"type",   0,   OPT_LIST, &types, "TYPE",
		 "run, task, artifact or approval; may be repeated"            },
		{"since",  0,   OPT_TEXT, &since, "TIME",
		 "from this time on (RFC 3339)"                                },
		{"limit",  0,   OPT_TEXT, &limit, "N",    "at most so many; 50"},
	};
	const char *sep = "?";
	size_t n;
	int r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);

	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n > 1 || (live && (since || limit)))
		return cli_usage(v);
	if (n)
		cli_run_path(&path, str_from(argv[0]));
	else
		buf_puts(&path, "/v1");
	buf_puts(&path, "/events");
	for (size_t i = 0; i < types.n; i++, sep = "&") {
		buf_printf(&path, "%stype=", sep);
		percent_encode(&path, str_from(types.items[i]));
	}
	if (since) {
		buf_printf(&path, "%ssince=", sep);
		percent_encode(&path, str_from(since));
		sep = "&";
	}
	if (limit) {
		buf_printf(&path, "%slimit=", sep);
		percent_encode(&path, str_from(limit));
	}
	return live ? follow(buf_cstr(&path), n == 1) :
		      history(buf_cstr(&path));
}

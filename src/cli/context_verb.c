/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo context`: servers by name, kept in a file of the user's. */
#include "base/mem.h"
#include "cli/context.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

struct asked {
	const char *server, *token_file, *ca, *cert, *key, *project;
};

static const char *current(const struct contexts *all)
{
	return all->current[0] ? all->current : CONTEXT_PRIVATE;
}

static void put_json(const struct contexts *all)
{
	CLEANUP_BUF struct buf b = BUF_INIT(CONTEXT_FILE_MAX);

	buf_puts(&b, "{\"current\":\"");
	buf_json(&b, str_from(current(all)));
	buf_puts(&b, "\",\"items\":[");
	for (size_t i = 0; i < all->n; i++) {
		const struct context *c = &all->items[i];

		buf_printf(&b, "%s{\"name\":\"%s\",\"server\":\"", i ? "," : "",
			   c->name);
		buf_json(&b, str_from(c->server));
		buf_puts(&b, "\",\"project\":\"");
		buf_json(&b, str_from(c->project));
		buf_puts(&b, "\"}");
	}
	buf_puts(&b, "]}");
	puts(buf_cstr(&b));
}

static int list(struct contexts *all)
{
	static const char *const heads[] = {"", "CONTEXT", "SERVER", "PROJECT"};
	struct table t;

	if (globals.json) {
		put_json(all);
		return EXIT_DONE;
	}
	table_begin(&t, ARRAY_LEN(heads), heads);
	table_cell(&t, "%s", all->current[0] ? "" : "*");
	table_cell(&t, CONTEXT_PRIVATE);
	table_cell(&t, "(started when needed)");
	table_cell(&t, "-");
	for (size_t i = 0; i < all->n; i++) {
		const struct context *c = &all->items[i];

		table_cell(&t, "%s",
			   strcmp(c->name, all->current) != 0 ? "" : "*");
		table_cell(&t, "%s", c->name);
		table_cell(&t, "%s", c->server);
		table_cell(&t, "%s", c->project[0] ? c->project : "-");
	}
	table_print(&t);
	return EXIT_DONE;
}

static int save(const struct contexts *all)
{
	struct err e;

	return context_write(all, &e) ? cli_fail(&e) : EXIT_DONE;
}

static int refuse(const char *name, const char *why)
{
	struct err e;

	err_set(&e, ERR_INVALID, "%s: %s", name, why);
	return cli_fail(&e);
}

/* Names are for a command line: what a job's may have. */
static bool name_is_good(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return n && !s[n] && n < 64 && s[0] != '-';
}

static int set(struct contexts *all, const struct asked *q, const char *name)
{
	const struct {
		const char *key, *value;
	} said[] = {
		{"server",     q->server    },
                {"token_file", q->token_file},
		{"ca",         q->ca        },
                {"cert",       q->cert      },
		{"key",        q->key       },
                {"project",    q->project   },
	};
	struct context *c = context_find(all, name);

	if (!name_is_good(name) || !strcmp(name, CONTEXT_PRIVATE))
		return refuse(name, "no name for a context");
	if (!c && all->n == CONTEXTS_MAX)
		return refuse(name, "too many contexts");
	if (!c && !q->server)
		return refuse(name, "it is new: say its --url");
	if (!c) {
		c = &all->items[all->n++];
		(void)snprintf(c->name, sizeof(c->name), "%s", name);
	}
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		size_t max;
		char *to = context_field(c, said[i].key, &max);

		if (!said[i].value)
			continue;
		if (strlen(said[i].value) >= max)
			return refuse(said[i].key, "too long");
		(void)snprintf(to, max, "%s", said[i].value);
	}
	return save(all);
}

static int use(struct contexts *all, const char *name)
{
	if (strcmp(name, CONTEXT_PRIVATE) != 0 && !context_find(all, name))
		return refuse(name, "there is no such context");
	(void)snprintf(all->current, sizeof(all->current), "%s",
		       strcmp(name, CONTEXT_PRIVATE) != 0 ? name : "");
	return save(all);
}

static int rm(struct contexts *all, const char *name)
{
	struct context *c = context_find(all, name);

	if (!c)
		return refuse(name, "there is no such context");
	if (!strcmp(all->current, name))
		all->current[0] = '\0';
	*c = all->items[--all->n];
	return save(all);
}

static int act(struct contexts *all, const struct asked *q, size_t n,
	       char **argv, const struct verb *v)
{
	const char *name = n == 2 ? argv[1] : NULL;

	if (n == 1 && !strcmp(argv[0], "list"))
		return list(all);
	if (name && !strcmp(argv[0], "set"))
		return set(all, q, name);
	if (name && !strcmp(argv[0], "use"))
		return use(all, name);
	if (name && !strcmp(argv[0], "rm"))
		return rm(all, name);
	return cli_usage(v);
}

int verb_context(int argc, char **argv, const struct verb *v)
{
	struct asked q = {.server = NULL};
	/* clang-format off */
	const struct opt opts[] = {
		{"url", 0, OPT_TEXT, &q.server, "URL",
		 "set: unix:PATH, http://HOST:PORT or https://HOST:PORT"},
		{"token-file", 0, OPT_TEXT, &q.token_file, "FILE",
		 "set: holds the token; nobody else may read it"},
		{"ca", 0, OPT_TEXT, &q.ca, "FILE",
		 "set: who signed the server's certificate, PEM"},
		{"cert", 0, OPT_TEXT, &q.cert, "FILE",
		 "set: a certificate of one's own, PEM"},
		{"key", 0, OPT_TEXT, &q.key, "FILE", "set: its key, PEM"},
		{"project", 'p', OPT_TEXT, &q.project, "NAME",
		 "set: where commands that name no project look"},
	};
	/* clang-format on */
	struct contexts *all;
	struct err e;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (context_read(&all, &e))
		return cli_fail(&e);
	r = act(all, &q, n, argv, v);
	mem_free(all);
	return r;
}

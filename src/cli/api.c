/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo api`: any request, as curl would, with the server and token that every
 * command uses. */
#include "cli/connect.h"
#include "cli/verbs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
	BODY_MAX = 16 << 20
};

static int print(void *ctx, const char *p, size_t len)
{
	(void)ctx;
	return fwrite(p, 1, len, stdout) == len && !fflush(stdout) ? 0 : -1;
}

/* The type that a body has when nobody says: by its file's name. */
static const char *type_of(const char *file)
{
	static const char *const types[] = {[DOC_YAML] = "application/yaml",
					    [DOC_JSON] = "application/json",
					    [DOC_TOML] = "application/toml"};
	enum doc_syntax syntax = doc_syntax_of_name(str_from(file));

	return types[syntax == DOC_SYNTAX_UNKNOWN ? DOC_JSON : syntax];
}

static int ask(struct http_call *c, const char *data)
{
	struct buf body = BUF_INIT(BODY_MAX);
	struct http_answer a;
	struct server s;
	struct err e;
	int code = EXIT_DONE;

	if (data && cli_read(data, &body, &e)) {
		buf_done(&body);
		return cli_fail(&e);
	}
	c->body = buf_view(&body);
	if (connect_server(&s, &e) || http_do(&s, c, &a, &e)) {
		buf_wipe(&body);
		return cli_fail(&e);
	}
	buf_wipe(&body); /* it may have been a secret */
	if (a.status >= 400) {
		code = globals.json ? EXIT_USAGE : cli_problem(&a, data);
		if (globals.json)
			fwrite(a.body.data, 1, a.body.len, stdout);
	}
	http_answer_done(&a);
	return code;
}

int verb_api(int argc, char **argv, const struct verb *v)
{
	const char *data = NULL, *type = NULL, *accept = "*/*", *header = NULL;
	const struct opt opts[] = {
		{"data",   0, OPT_TEXT, &data,   "FILE",
		 "what is sent; - is standard input"            },
		{"type",   0, OPT_TEXT, &type,   "TYPE",
		 "its media type; by the file's name, else JSON"},
		{"accept", 0, OPT_TEXT, &accept, "TYPE",
		 "the media type that is wanted"                },
		{"header", 0, OPT_TEXT, &header, "NAME: VALUE",
		 "one more, such as \"If-Match: *\""            },
	};
	struct http_call c = {.sink = print};
	char method[16] = "";
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n != 2 || argv[1][0] != '/' || strlen(argv[0]) >= sizeof(method))
		return cli_usage(v);
	for (size_t i = 0; argv[0][i]; i++)
		method[i] = (char)toupper((unsigned char)argv[0][i]);
	c.method = method;
	c.path = argv[1];
	c.accept = accept;
	c.header = header;
	if (data)
		c.type = type ? type : type_of(data);
	return ask(&c, data);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo secret recipient|export|import`: a project's secrets as a file of age,
 * which is not read here. */
#include "cli/secret.h"

#include "base/hex.h"

#include <stdio.h>

enum {
	FILE_MAX = 16 << 20
};

static int project_path(struct buf *b, const struct secret_args *a,
			const char *rest)
{
	buf_puts(b, "/v1/projects/");
	percent_encode(b, str_from(a->project));
	buf_puts(b, rest);
	return b->failed ? -1 : 0;
}

int secret_recipient(const struct secret_args *unused)
{
	struct http_answer a;
	struct doc *d;
	int code = cli_get("/v1/secret-recipient", &a, &d);

	(void)unused;
	if (code)
		return code;
	if (d)
		printf(STR_FMT "\n", STR_ARG(cli_text(d->root, "recipient")));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

int secret_export(const struct secret_args *args)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024), body = BUF_INIT(1024);
	struct http_call c = {.method = "POST",
			      .type = "application/json",
			      .accept = "application/octet-stream"};
	struct http_answer a;
	int code;

	if (!args->age || project_path(&path, args, "/secret-export"))
		return cli_usage(args->verb);
	buf_puts(&body, "{\"recipient\":\"");
	buf_json(&body, str_from(args->age));
	buf_puts(&body, "\"}");
	c.path = buf_cstr(&path);
	c.body = buf_view(&body);
	code = cli_ask(&c, &a);
	if (code)
		return code;
	if (fwrite(a.body.data, 1, a.body.len, stdout) != a.body.len ||
	    fflush(stdout))
		code = EXIT_USAGE;
	http_answer_done(&a);
	return code;
}

int secret_import(const struct secret_args *args)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	struct buf file = BUF_INIT(FILE_MAX);
	struct http_call c = {.method = "POST",
			      .type = "application/octet-stream"};
	struct http_answer a;
	struct doc *d;
	struct err e;
	int code;

	if (project_path(&path, args, "/secret-import"))
		return EXIT_USAGE;
	if (cli_read("-", &file, &e)) {
		buf_wipe(&file);
		return cli_fail(&e);
	}
	c.path = buf_cstr(&path);
	c.body = buf_view(&file);
	code = cli_ask(&c, &a);
	buf_wipe(&file);
	if (code)
		return code;
	d = globals.json ? NULL : cli_json(&a);
	if (globals.json)
		fwrite(a.body.data, 1, a.body.len, stdout);
	else
		printf("stored " STR_FMT "\n",
		       STR_ARG(cli_text(d ? d->root : NULL, "stored")));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

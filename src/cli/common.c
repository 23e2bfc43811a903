/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the verbs share: asking, failing, formatting. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/id.h"
#include "base/mem.h"
#include "cli/connect.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_fail(const struct err *e)
{
	fprintf(stderr, "nfo: %s\n", e->text);
	return e->code == ERR_UNAVAILABLE ? EXIT_NO_SERVER :
	       e->code == ERR_DENIED      ? EXIT_REFUSED :
					    EXIT_USAGE;
}

struct doc *cli_json(const struct http_answer *a)
{
	struct problems *ps = mem_alloc(sizeof(*ps));
	struct doc *d = NULL;

	if (doc_parse_max(buf_view(&a->body), DOC_JSON, HTTP_ANSWER_MAX, &d,
			  ps))
		fputs("nfo: the server's answer is malformed\n", stderr);
	mem_free(ps);
	return d;
}

struct str cli_text(const struct doc_node *map, const char *key)
{
	const struct doc_node *n = doc_get(map, key);

	return n && n->kind != DOC_NULL ? n->text : str_n("", 0);
}

static void one_problem(const struct doc_node *p, const char *file)
{
	struct str hint = cli_text(p, "hint");
	struct str line = cli_text(p, "line"), column = cli_text(p, "column");

	if (file && !str_is(line, "0"))
		fprintf(stderr, "%s:" STR_FMT ":" STR_FMT ": ", file,
			STR_ARG(line), STR_ARG(column));
	else
		fputs("nfo: ", stderr);
	fprintf(stderr, "error: " STR_FMT, STR_ARG(cli_text(p, "message")));
	if (hint.len)
		fprintf(stderr, " (" STR_FMT ")", STR_ARG(hint));
	fprintf(stderr, " [" STR_FMT "]\n", STR_ARG(cli_text(p, "code")));
}

int cli_problem(const struct http_answer *a, const char *file)
{
	struct doc *d = cli_json(a);
	const struct doc_node *errors = doc_get(d ? d->root : NULL, "errors");

	for (const struct doc_node *p = errors ? errors->first : NULL; p;
	     p = p->next)
		one_problem(p, file);
	if (d && !errors)
		fprintf(stderr, "nfo: " STR_FMT " [" STR_FMT "]\n",
			STR_ARG(cli_text(d->root, "detail")),
			STR_ARG(cli_text(d->root, "code")));
	doc_free(d);
	return a->status == 401 || a->status == 403 ? EXIT_REFUSED :
	       a->status >= 500                     ? EXIT_NO_SERVER :
						      EXIT_USAGE;
}

int cli_ask(const struct http_call *c, struct http_answer *ret)
{
	struct server s;
	struct err e;
	int code;

	if (connect_server(&s, &e) || http_do(&s, c, ret, &e))
		return cli_fail(&e);
	if (ret->status < 400)
		return 0;
	code = cli_problem(ret, NULL);
	http_answer_done(ret);
	return code;
}

void cli_run_path(struct buf *b, struct str run)
{
	buf_puts(b, ulid_valid(run) ? "/v1/runs/run_" : "/v1/runs/");
	percent_encode(b, run);
}

int cli_get(const char *path, struct http_answer *a, struct doc **ret)
{
	struct http_call c = {.method = "GET", .path = path};
	int code = cli_ask(&c, a);

	*ret = NULL;
	if (code)
		return code;
	if (globals.json) {
		fwrite(a->body.data, 1, a->body.len, stdout);
		return 0;
	}
	*ret = cli_json(a);
	return 0;
}

int cli_usage(const struct verb *v)
{
	fprintf(stderr, "nfo: usage: nfo %s %s\n", v->name, v->args);
	return EXIT_USAGE;
}

int cli_read(const char *name, struct buf *b, struct err *e)
{
	if (!strcmp(name, "-"))
		return fd_read_buf(0, b, e);
	return fd_read_file(AT_FDCWD, name, b, e);
}

/* --- formatting --------------------------------------------------------- */

void cli_time(struct str rfc, char out[24])
{
	(void)snprintf(out, 24, "%.10s %.8s", rfc.len > 19 ? rfc.p : "-",
		       rfc.len > 19 ? rfc.p + 11 : "");
}

void cli_took(struct str from, struct str to, char out[16])
{
	int64_t a, z, ms;

	(void)snprintf(out, 16, "-");
	if (clock_parse(from, &a) || clock_parse(to, &z) || z < a)
		return;
	ms = (z - a) / 1000;
	if (ms < 10000)
		(void)snprintf(out, 16, "%d.%03ds", (int)(ms / 1000),
			       (int)(ms % 1000));
	else if (ms < 60000)
		(void)snprintf(out, 16, "%d.%ds", (int)(ms / 1000),
			       (int)(ms % 1000 / 100));
	else
		(void)snprintf(out, 16, "%dm%02ds", (int)(ms / 60000) % 100000,
			       (int)(ms % 60000 / 1000));
}

void cli_size(uint64_t bytes, char out[16])
{
	static const char units[] = "BKMGTP";
	double v = (double)bytes;
	int u = 0;

	while (v >= 1024 && u < 5) {
		v /= 1024;
		u++;
	}
	(void)snprintf(out, 16, u ? "%.1f%c" : "%.0f%c", v, units[u]);
}

bool cli_color(int fd)
{
	const char *no = getenv("NO_COLOR");

	return !globals.no_color && !(no && *no) && isatty(fd);
}

const char *cli_state_color(struct str state)
{
	if (str_is(state, "succeeded"))
		return "\033[32m";
	if (str_is(state, "failed"))
		return "\033[31m";
	if (str_is(state, "running"))
		return "\033[36m";
	return "\033[2m";
}

/* --- tables ------------------------------------------------------------- */

void table_begin(struct table *t, size_t n_columns, const char *const *heads)
{
	*t = (struct table){.n_columns = n_columns};
	for (size_t i = 0; i < n_columns; i++)
		table_cell(t, "%s", heads[i]);
}

void table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	if (t->n_rows == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->cells = mem_resize(t->cells, t->cap, sizeof(*t->cells));
	}
	t->cells[t->n_rows++] = text; /* n_rows counts cells until printed */
}

/* Characters, not bytes. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void table_print(struct table *t)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};

	for (size_t i = 0; i < t->n_rows; i++) {
		size_t w = width(t->cells[i]);

		if (w > widths[i % t->n_columns])
			widths[i % t->n_columns] = w;
	}
	for (size_t i = 0; i < t->n_rows; i++) {
		size_t c = i % t->n_columns;
		bool last = c + 1 == t->n_columns;

		fputs(t->cells[i], stdout);
		for (size_t k = width(t->cells[i]); !last && k < widths[c] + 2;
		     k++)
			putchar(' ');
		if (last)
			putchar('\n');
		free(t->cells[i]);
	}
	mem_free(t->cells);
	*t = (struct table){0};
}

/* --- what lists have in common ------------------------------------------ */

int cli_list(const char *path, size_t n_heads, const char *const *heads,
	     cli_row *row)
{
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	int code = cli_get(path, &a, &d);

	if (code)
		return code;
	if (d) {
		table_begin(&t, n_heads, heads);
		items = doc_get(d->root, "items");
		for (const struct doc_node *n = items ? items->first : NULL; n;
		     n = n->next)
			row(&t, n);
		table_print(&t);
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

int cli_delete(const char *before, const char *name, const char *behind)
{
	CLEANUP_BUF struct buf path = BUF_INIT(512);
	struct http_call c = {.method = "DELETE"};
	struct http_answer a;
	int code;

	buf_puts(&path, before);
	percent_encode(&path, str_from(name));
	buf_puts(&path, behind);
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (!code)
		http_answer_done(&a);
	return code;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What runs leave: logs and artifacts, however large. */
#include "base/fd.h"
#include "base/hex.h"
#include "cli/connect.h"
#include "cli/term.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LINE_MAX_LEN = 65536
};

/* --- to standard output ------------------------------------------------- */

/* Lines for a terminal, bytes for anything else. */
struct out {
	bool lines;
	struct buf line;
	int failed; /* errno */
};

static void flush_line(struct out *o)
{
	term_put(buf_view(&o->line));
	buf_reset(&o->line);
}

static int to_stdout(void *ctx, const char *p, size_t len)
{
	struct out *o = ctx;

	if (!o->lines && fd_write_all(1, p, len)) {
		o->failed = errno;
		return -1;
	}
	while (o->lines && len) {
		const char *lf = memchr(p, '\n', len);
		size_t n = lf ? (size_t)(lf - p) + 1 : len;

		if (n > LINE_MAX_LEN - o->line.len)
			n = LINE_MAX_LEN - o->line.len;
		buf_put(&o->line, p, n);
		if (p[n - 1] == '\n' || o->line.len == LINE_MAX_LEN)
			flush_line(o);
		p += n;
		len -= n;
	}
	return 0;
}

/* The answer's body where c->sink takes it; the exit code. */
static int fetch(const struct http_call *c, const int *failed, const char *to)
{
	struct http_answer a;
	struct server s;
	struct err e;
	int code = EXIT_DONE;

	if (connect_server(&s, &e))
		return cli_fail(&e);
	if (http_do(&s, c, &a, &e)) {
		if (*failed)
			err_sys(&e, *failed, "%s", to);
		return cli_fail(&e);
	}
	if (a.status >= 400)
		code = cli_problem(&a, NULL);
	http_answer_done(&a);
	return code;
}

static int print(struct http_call *c, bool text)
{
	struct out o = {.lines = text && isatty(1),
			.line = BUF_INIT(LINE_MAX_LEN)};
	int code;

	c->sink = to_stdout;
	c->sink_ctx = &o;
	fflush(stdout);
	code = fetch(c, &o.failed, "standard output");
	flush_line(&o);
	buf_done(&o.line);
	return code;
}

/* --- to a file ---------------------------------------------------------- */

/* Made beside the file, and in its place once it is whole. */
struct file {
	int fd, failed;
};

static int to_file(void *ctx, const char *p, size_t len)
{
	struct file *f = ctx;

	if (!fd_write_all(f->fd, p, len))
		return 0;
	f->failed = errno;
	return -1;
}

static int finish(const struct file *f, const char *part, const char *to,
		  struct err *e)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	if (fchmod(f->fd, 0666 & ~mask) || rename(part, to))
		return err_sys(e, errno, "%s", to);
	return 0;
}

static int save(struct http_call *c, const char *to)
{
	CLEANUP_BUF struct buf part = BUF_INIT(PATH_MAX + 16);
	struct file f = {-1, 0};
	struct stat st;
	struct err e;
	int code;

	c->sink = to_file;
	c->sink_ctx = &f;
	if (!stat(to, &st) && !S_ISREG(st.st_mode)) { /* /dev/null, a pipe */
		f.fd = open(to, O_WRONLY | O_CLOEXEC);
	} else {
		buf_printf(&part, "%s.XXXXXX", to);
		f.fd = mkostemp((char *)(uintptr_t)buf_cstr(&part), O_CLOEXEC);
	}
	if (f.fd < 0) {
		err_sys(&e, errno, "%s", to);
		return cli_fail(&e);
	}
	code = fetch(c, &f.failed, to);
	if (!code && part.len && finish(&f, buf_cstr(&part), to, &e))
		code = cli_fail(&e);
	if (code && part.len)
		(void)unlink(buf_cstr(&part));
	fd_close(&f.fd);
	return code;
}

/* --- logs --------------------------------------------------------------- */

/* What is wanted of a log. */
struct logs {
	const char *run, *task; /* task NULL: of all */
	const char *tail, *grep;
	bool ignore_case, follow;
};

static void logs_path(const struct logs *l, struct buf *b)
{
	const char *sep = "?";

	cli_run_path(b, str_from(l->run));
	if (l->task) {
		buf_puts(b, "/tasks/");
		percent_encode(b, str_from(l->task));
	}
	buf_puts(b, "/log");
	if (l->tail) {
		buf_printf(b, "%stail=", sep);
		percent_encode(b, str_from(l->tail));
		sep = "&";
	}
	if (l->grep) {
		buf_printf(b, "%sgrep=", sep);
		percent_encode(b, str_from(l->grep));
		sep = "&";
	}
	if (l->ignore_case) {
		buf_printf(b, "%signore_case=true", sep);
		sep = "&";
	}
	if (l->follow)
		buf_printf(b, "%sfollow=true", sep);
}

static int print_logs(const struct logs *l)
{
	CLEANUP_BUF struct buf path = BUF_INIT(4096);
	struct http_call c = {.method = "GET",
			      .accept = globals.json ? "application/x-ndjson" :
						       "text/plain"};

	logs_path(l, &path);
	c.path = buf_cstr(&path);
	return print(&c, true);
}

int verb_logs(int argc, char **argv, const struct verb *v)
{
	struct logs l = {.run = NULL};
	const struct opt opts[] = {
		{"follow",      'f', OPT_FLAG, &l.follow,      NULL,
		 "until the run has ended"              },
		{"tail",        'n', OPT_TEXT, &l.tail,        "N",
		 "the last N lines only, up to 10000"   },
		{"grep",        0,   OPT_TEXT, &l.grep,        "TEXT",
		 "lines with this text only; no pattern"},
		{"ignore-case", 'i', OPT_FLAG, &l.ignore_case, NULL,
		 "with --grep: also in other letters"   },
	};
	struct server s;
	struct err e;
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n < 1 || n > 2)
		return cli_usage(v);
	l.run = argv[0];
	l.task = n == 2 ? argv[1] : NULL;
	if (!l.follow || l.task || l.tail || l.grep || globals.json)
		return print_logs(&l);
	if (connect_server(&s, &e))
		return cli_fail(&e);
	return watch_run(&s, str_from(argv[0]), false);
}

/* --- artifacts ---------------------------------------------------------- */

static int list_artifacts(const char *run)
{
	static const char *const heads[] = {"ARTIFACT", "FILE", "SIZE",
					    "SHA-256"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	int r;

	cli_run_path(&path, str_from(run));
	buf_puts(&path, "/artifacts");
	r = cli_get(buf_cstr(&path), &a, &d);
	if (r)
		return r;
	items = doc_get(d ? d->root : NULL, "items");
	if (d) {
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (const struct doc_node *x = items ? items->first : NULL; x;
		     x = x->next) {
			char size[16] = "-";
			int64_t bytes;

			if (!doc_as_i64(doc_get(x, "size"), &bytes))
				cli_size((uint64_t)bytes, size);
			table_cell(&t, STR_FMT, STR_ARG(cli_text(x, "name")));
			table_cell(&t, STR_FMT, STR_ARG(cli_text(x, "file")));
			table_cell(&t, "%s", size);
			table_cell(&t, STR_FMT, STR_ARG(cli_text(x, "sha256")));
		}
		table_print(&t);
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

int verb_artifact(int argc, char **argv, const struct verb *v)
{
	const char *to = NULL;
	const struct opt opts[] = {
		{"to", 't', OPT_TEXT, &to, "FILE",
		 "where to write it; standard output"}
        };
	CLEANUP_BUF struct buf path = BUF_INIT(2048);
	struct http_call c = {.method = "GET",
			      .accept = "application/octet-stream"};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n < 1 || n > 2)
		return cli_usage(v);
	if (n == 1)
		return list_artifacts(argv[0]);
	cli_run_path(&path, str_from(argv[0]));
	buf_puts(&path, "/artifacts/");
	percent_encode(&path, str_from(argv[1]));
	c.path = buf_cstr(&path);
	c.progress = argv[1];
	return to ? save(&c, to) : print(&c, false);
}

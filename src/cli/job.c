/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo job`: what the server keeps. */
#include "job/job.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"
#include "cli/connect.h"
#include "cli/context.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
	DIGEST_SHOWN = 12,
	PATH_MAX_LEN = 1024
};

struct asked {
	const char *project, *to, *source;
	struct run_wish wish;
	struct opt_list secrets;
	bool detach, force;
};

static void path_of(struct buf *b, const char *project, const char *job)
{
	buf_puts(b, "/v1/projects/");
	percent_encode(b, str_from(project));
	buf_puts(b, "/jobs");
	if (job) {
		buf_putc(b, '/');
		percent_encode(b, str_from(job));
	}
}

/* The digits alone. */
static struct str hex_of(const struct doc_node *n)
{
	struct str s = cli_text(n, "definition_digest");

	return str_starts(s, STR("sha256:")) ? str_from_at(s, 7) : s;
}

static struct str short_of(struct str hex)
{
	return str_n(hex.p, hex.len < DIGEST_SHOWN ? hex.len : DIGEST_SHOWN);
}

/* --- put ---------------------------------------------------------------- */

struct file {
	struct buf text;
	enum doc_syntax syntax;
	char project[JOB_NAME_MAX + 1], name[JOB_NAME_MAX + 1];
};

static void copy_name(char to[JOB_NAME_MAX + 1], struct str s)
{
	(void)snprintf(to, JOB_NAME_MAX + 1, STR_FMT, STR_ARG(s));
}

/* Checked here first, so that mistakes come with their places at once. */
static int read_file(const char *name, struct file *f)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf out = BUF_INIT(1 << 20);
	struct job *j;
	struct err e;

	f->syntax = strcmp(name, "-") ? doc_syntax_of_name(str_from(name)) :
					DOC_YAML;
	if (f->syntax == DOC_SYNTAX_UNKNOWN) {
		err_set(&e, ERR_INVALID,
			"%s: the name must end in .yaml, .yml, .json or .toml",
			name);
		return cli_fail(&e);
	}
	if (cli_read(name, &f->text, &e))
		return cli_fail(&e);
	if (job_parse(buf_view(&f->text), f->syntax, &j, ps)) {
		problems_print(ps, name, &out);
		fputs(buf_cstr(&out), stderr);
		return EXIT_USAGE;
	}
	copy_name(f->project, j->project);
	copy_name(f->name, j->name);
	job_free(j);
	return 0;
}

/* The version that is there now, as an entity tag; "" for none. */
static int version_now(const struct server *s, const char *path, char tag[96],
		       struct err *e)
{
	struct http_call c = {.method = "GET", .path = path};
	struct http_answer a;
	struct doc *d;

	tag[0] = '\0';
	if (http_do(s, &c, &a, e))
		return -1;
	if (a.status == 200) {
		d = cli_json(&a);
		(void)snprintf(tag, 96, "\"" STR_FMT "\"",
			       STR_ARG(cli_text(d ? d->root : NULL,
						"definition_digest")));
		doc_free(d);
	}
	http_answer_done(&a);
	return 0;
}

/* Where its webhooks are called: who put it has to tell others. */
static void say_hooks(const struct doc_node *root)
{
	const struct doc_node *list = doc_get(root, "hooks");

	for (const struct doc_node *n = list ? list->first : NULL; n;
	     n = n->next)
		printf("  hook " STR_FMT " (" STR_FMT "): " STR_FMT "\n",
		       STR_ARG(cli_text(n, "name")),
		       STR_ARG(cli_text(n, "scheme")),
		       STR_ARG(cli_text(n, "url")));
}

static void say_put(const struct http_answer *a, const char *before)
{
	struct doc *d = cli_json(a);
	const struct doc_node *root = d ? d->root : NULL;
	struct str hex = hex_of(root);
	/* "sha256:HEX", quoted */
	bool same =
		hex.len && str_starts(str_from_at(str_from(before), 8), hex);

	if (globals.json) {
		fwrite(a->body.data, 1, a->body.len, stdout);
	} else {
		printf(STR_FMT "/" STR_FMT ": %s, " STR_FMT "\n",
		       STR_ARG(cli_text(root, "project")),
		       STR_ARG(cli_text(root, "name")),
		       a->status == 201 ? "created" :
		       same             ? "unchanged" :
					  "changed",
		       STR_ARG(short_of(hex)));
		say_hooks(root);
	}
	doc_free(d);
}

static int put_file(const struct asked *q, const char *name, struct file *f)
{
	static const char *const types[] = {[DOC_YAML] = "application/yaml",
					    [DOC_JSON] = "application/json",
					    [DOC_TOML] = "application/toml"};
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX_LEN);
	char tag[96], header[128];
	struct http_call c = {.method = "PUT", .header = header};
	struct http_answer a;
	struct server s;
	struct err e;
	int code;

	path_of(&path, f->project, f->name);
	c.path = buf_cstr(&path);
	c.type = types[f->syntax];
	c.body = buf_view(&f->text);
	if (connect_server(&s, &e) || version_now(&s, c.path, tag, &e))
		return cli_fail(&e);
	(void)snprintf(header, sizeof(header), "%s: %s",
		       tag[0] ? "If-Match" : "If-None-Match",
		       tag[0] && !q->force ? tag : "*");
	if (http_do(&s, &c, &a, &e))
		return cli_fail(&e);
	code = a.status >= 400 ? cli_problem(&a, name) : 0;
	if (!code)
		say_put(&a, tag);
	http_answer_done(&a);
	return code;
}

static int put(const struct asked *q, const char *const *words)
{
	struct file f = {.text = BUF_INIT(4 * DOC_TEXT_MAX)};
	int code = read_file(words[0], &f);

	if (!code)
		code = put_file(q, words[0], &f);
	buf_done(&f.text);
	return code;
}

/* --- looking ------------------------------------------------------------ */

static int list(const struct asked *q, const char *const *words)
{
	static const char *const heads[] = {"JOB", "CHANGED", "BY",
					    "DESCRIPTION"};
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX_LEN);
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	int code;

	(void)words;
	path_of(&path, q->project, NULL);
	buf_puts(&path, "?limit=500");
	code = cli_get(buf_cstr(&path), &a, &d);
	if (code)
		return code;
	items = doc_get(d ? d->root : NULL, "items");
	if (d)
		table_begin(&t, ARRAY_LEN(heads), heads);
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		char when[24];

		cli_time(cli_text(n, "changed_at"), when);
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "name")));
		table_cell(&t, "%s", when);
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "changed_by")));
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "description")));
	}
	if (d)
		table_print(&t);
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static int revisions(const struct asked *q, const char *job,
		     struct http_answer *a, struct doc **ret)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX_LEN);

	path_of(&path, q->project, job);
	buf_puts(&path, "/revisions?limit=500");
	return cli_get(buf_cstr(&path), a, ret);
}

static int history(const struct asked *q, const char *const *words)
{
	static const char *const heads[] = {"REVISION", "PUT", "BY", ""};
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	int code = revisions(q, words[0], &a, &d);

	if (code)
		return code;
	items = doc_get(d ? d->root : NULL, "items");
	if (d)
		table_begin(&t, ARRAY_LEN(heads), heads);
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		bool current = str_is(cli_text(n, "current"), "true");
		char when[24];

		cli_time(cli_text(n, "created_at"), when);
		table_cell(&t, STR_FMT, STR_ARG(short_of(hex_of(n))));
		table_cell(&t, "%s", when);
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "created_by")));
		table_cell(&t, "%s", current ? "current" : "");
	}
	if (d)
		table_print(&t);
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* The one revision that begins so; said when there is none or more. */
static int whole_digest(const struct asked *q, const char *job,
			const char *start, char hex[65])
{
	bool json = globals.json;
	struct http_answer a;
	const struct doc_node *items;
	struct doc *d;
	unsigned found = 0;
	int code;

	globals.json = false; /* the list is not what was asked for */
	code = revisions(q, job, &a, &d);
	globals.json = json;
	if (code)
		return code;
	items = doc_get(d ? d->root : NULL, "items");
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		if (!str_starts(hex_of(n), str_from(start)))
			continue;
		found++;
		(void)snprintf(hex, 65, STR_FMT, STR_ARG(hex_of(n)));
	}
	doc_free(d);
	http_answer_done(&a);
	if (found == 1)
		return 0;
	fprintf(stderr, "nfo: %s: %s (see nfo job history %s)\n", start,
		found ? "several revisions begin so" : "no such revision", job);
	return EXIT_USAGE;
}

static int get(const struct asked *q, const char *const *words)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX_LEN);
	char type[64], hex[65];
	struct http_call c = {.method = "GET"};
	struct http_answer a;
	int code;

	path_of(&path, q->project, words[0]);
	if (words[1]) {
		code = whole_digest(q, words[0], words[1], hex);
		if (code)
			return code;
		buf_printf(&path, "/revisions/%s", hex);
	}
	(void)snprintf(type, sizeof(type), "application/%s",
		       q->to ? q->to : "yaml");
	c.path = buf_cstr(&path);
	c.accept = globals.json ? NULL : type;
	code = cli_ask(&c, &a);
	if (code)
		return code;
	fwrite(a.body.data, 1, a.body.len, stdout);
	http_answer_done(&a);
	return EXIT_DONE;
}

static void put_value(const char *sign, const struct doc_node *n)
{
	CLEANUP_BUF struct buf b = BUF_INIT(8 << 20);
	struct err e;

	if (n && !doc_write_canonical(n, &b, &e))
		printf("  %s %s\n", sign, buf_cstr(&b));
}

static int diff(const struct asked *q, const char *const *words)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX_LEN);
	const struct doc_node *changes;
	struct http_answer a;
	struct doc *d;
	char hex[65];
	int code;

	code = whole_digest(q, words[0], words[1], hex);
	if (code)
		return code;
	path_of(&path, q->project, words[0]);
	buf_printf(&path, "/revisions/%s/diff", hex);
	code = cli_get(buf_cstr(&path), &a, &d);
	if (code)
		return code;
	changes = doc_get(d ? d->root : NULL, "changes");
	for (const struct doc_node *n = changes ? changes->first : NULL; n;
	     n = n->next) {
		printf(STR_FMT " " STR_FMT "\n", STR_ARG(cli_text(n, "op")),
		       STR_ARG(cli_text(n, "pointer")));
		put_value("-", doc_get(n, "from"));
		put_value("+", doc_get(n, "to"));
	}
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* --- doing -------------------------------------------------------------- */

static int rm(const struct asked *q, const char *const *words)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX_LEN);
	struct http_call c = {.method = "DELETE", .header = "If-Match: *"};
	struct http_answer a;
	int code;

	path_of(&path, q->project, words[0]);
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (!code)
		http_answer_done(&a);
	return code;
}

static int run(const struct asked *q, const char *const *words)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_MAX_LEN);
	CLEANUP_BUF struct buf request = BUF_INIT(RUN_REQUEST_MAX);
	struct http_part parts[2] = {
		{.name = "request",           .type = "application/json"},
		{ .name = "source",
		 .type = "application/x-tar",
		 .file_name = "source.tar"},
	};
	struct http_call c = {.method = "POST", .parts = parts, .n_parts = 1};
	CLEANUP_FD int source = -1;
	struct http_answer a;
	struct server s;
	size_t files;
	struct err e;
	int code;

	path_of(&path, q->project, words[0]);
	buf_puts(&path, "/runs");
	c.path = buf_cstr(&path);
	if (run_request(&q->wish, &request, &e) || connect_server(&s, &e))
		return cli_fail(&e);
	parts[0].data = buf_view(&request);
	if (q->source) {
		if (source_pack(q->source, &source, &files, &e))
			return cli_fail(&e);
		fprintf(stderr, "nfo: source: %zu files of %s\n", files,
			q->source);
		parts[1].fd = source;
		c.n_parts = 2;
	}
	if (http_do(&s, &c, &a, &e))
		return cli_fail(&e);
	code = a.status >= 400 ? cli_problem(&a, NULL) :
				 run_follow(&s, &a, q->detach);
	http_answer_done(&a);
	return code;
}

/* --- all of them -------------------------------------------------------- */

static const struct {
	const char *name;
	size_t min, max; /* words behind it */
	int (*fn)(const struct asked *q, const char *const *words);
} actions[] = {
	{"put",     1, 1, put    },
        {"get",     1, 2, get    },
        {"list",    0, 0, list   },
	{"rm",      1, 1, rm     },
        {"run",     1, 1, run    },
        {"history", 1, 1, history},
	{"diff",    2, 2, diff   },
};

int verb_job(int argc, char **argv, const struct verb *v)
{
	struct asked q = {.project = NULL};
	const struct opt opts[] = {
		{"project",  'p', OPT_TEXT, &q.project,       "NAME",
		 "whose jobs; default (put: as the file says)"},
		{"to",       0,   OPT_TEXT, &q.to,            "yaml|json|toml",
		 "get: in this syntax; yaml"                  },
		{"force",    0,   OPT_FLAG, &q.force,         NULL,
		 "put: whatever is there meanwhile"           },
		{"input",    'i', OPT_LIST, &q.wish.inputs,   "NAME=VALUE",
		 "run: an input; may be repeated"             },
		{"label",    'l', OPT_LIST, &q.wish.labels,   "NAME=VALUE",
		 "run: a label of it; may be repeated"        },
		{"priority", 0,   OPT_TEXT, &q.wish.priority, "0-100",
		 "run: before others in the queue"            },
		{"source",   0,   OPT_TEXT, &q.source,        "DIR",
		 "run: the tree that becomes the workspace"   },
		{"secret",   0,   OPT_LIST, &q.secrets,       "NAME=...",
		 "only of a job that is sent: nfo run FILE"   },
		{"detach",   'd', OPT_FLAG, &q.detach,        NULL,
		 "run: print the run's id and do not follow"  },
	};
	const char *words[3] = {NULL};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (q.secrets.n) {
		fputs("nfo: --secret: a stored job runs as it is stored, with "
		      "the secrets that it names; send its text instead: nfo "
		      "job get JOB > job.yaml, nfo run job.yaml --secret ...\n",
		      stderr);
		return EXIT_USAGE;
	}
	q.project = context_project(q.project);
	for (size_t i = 1; i < n && i < ARRAY_LEN(words); i++)
		words[i - 1] = argv[i];
	for (size_t i = 0; n && i < ARRAY_LEN(actions); i++)
		if (!strcmp(argv[0], actions[i].name) &&
		    n - 1 >= actions[i].min && n - 1 <= actions[i].max)
			return actions[i].fn(&q, words);
	return cli_usage(v);
}

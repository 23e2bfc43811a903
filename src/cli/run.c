/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo run`: send the job, follow it, tell how it ended. */
#include "base/fd.h"
#include "base/mem.h"
#include "cli/connect.h"
#include "cli/run_secret.h"
#include "cli/verbs.h"
#include "job/import.h"
#include "job/job.h"

#include <stdio.h>
#include <string.h>

struct asked {
	const char *file, *script, *source;
	struct run_wish wish;
	bool detach;
	struct run_secrets secrets;
	struct buf job, request;
	char project[64];
	bool wants_source;
};

/* "key":{"k":"v"} of an option that is NAME=VALUE. */
static int put_pairs(const char *key, const char *option,
		     const struct opt_list *l, struct buf *b, struct err *e)
{
	buf_printf(b, "\"%s\":{", key);
	for (size_t i = 0; i < l->n; i++) {
		struct str v = str_from(l->items[i]);
		struct str k = str_cut(&v, '=');

		if (!v.p || !k.len)
			return err_set(e, ERR_INVALID,
				       "--%s %s: NAME=VALUE is wanted", option,
				       l->items[i]);
		buf_puts(b, i ? ",\"" : "\"");
		buf_json(b, k);
		buf_puts(b, "\":\"");
		buf_json(b, v);
		buf_puts(b, "\"");
	}
	buf_putc(b, '}');
	return 0;
}

int run_request(const struct run_wish *w, struct buf *b, struct err *e)
{
	uint64_t v;

	buf_putc(b, '{');
	if (put_pairs("inputs", "input", &w->inputs, b, e))
		return -1;
	if (w->labels.n) {
		buf_putc(b, ',');
		if (put_pairs("labels", "label", &w->labels, b, e))
			return -1;
	}
	if (w->priority) {
		if (str_to_u64(str_from(w->priority), 100, &v))
			return err_set(e, ERR_INVALID,
				       "--priority %s: 0 to 100 is wanted",
				       w->priority);
		buf_printf(b, ",\"priority\":%u", (unsigned)v);
	}
	return buf_puts(b, "}") ?
		       0 :
		       err_set(e, ERR_LIMIT, "the inputs are too long");
}

int run_inputs(const struct opt_list *inputs, struct buf *b, struct err *e)
{
	struct run_wish w = {.inputs = *inputs};

	return run_request(&w, b, e);
}

/* The job, checked; NULL with everything said. */
static struct job *parse(const struct asked *q, enum doc_syntax syntax,
			 const char *name)
{
	CLEANUP_MEM struct problems *ps = mem_alloc(sizeof(*ps));
	CLEANUP_BUF struct buf out = BUF_INIT(1 << 20);
	struct job *j = NULL;

	if (!job_parse(buf_view(&q->job), syntax, &j, ps) &&
	    !job_not_supported(j, ps))
		return j;
	job_free(j);
	problems_print(ps, name, &out);
	fputs(buf_cstr(&out), stderr);
	return NULL;
}

/* Checked once more with what --secret has put into it. */
static struct job *replace(struct asked *q, struct job *j)
{
	struct err e;
	int bad = run_secrets_replace(&q->secrets, j, &e);

	buf_reset(&q->job);
	bad = bad || job_canonical(j, &q->job, &e);
	job_free(j);
	if (!bad)
		return parse(q, DOC_JSON, "the job with --secret");
	cli_fail(&e);
	return NULL;
}

/* Checked here first, so that mistakes come with their places at once. */
static int read_job(struct asked *q, enum doc_syntax *syntax)
{
	CLEANUP_BUF struct buf script = BUF_INIT(DOC_TEXT_MAX);
	const char *name = q->file ? q->file : q->script;
	char made[64];
	struct job *j;
	bool base64;
	struct err e;

	if (cli_read(name, q->file ? &q->job : &script, &e))
		return cli_fail(&e);
	*syntax = DOC_YAML;
	if (q->script) {
		job_import_name(str_from(name), made);
		if (job_import(str_from(made), buf_view(&script), &q->job,
			       &base64, &e))
			return cli_fail(&e);
	} else if (strcmp(name, "-") != 0) {
		*syntax = doc_syntax_of_name(str_from(name));
	}
	if (*syntax == DOC_SYNTAX_UNKNOWN) {
		err_set(&e, ERR_INVALID,
			"%s: the name must end in .yaml, .yml, .json or .toml",
			name);
		return cli_fail(&e);
	}
	j = parse(q, *syntax, name);
	if (j && q->secrets.given.n) {
		j = replace(q, j);
		*syntax = DOC_JSON;
	}
	if (!j)
		return EXIT_USAGE;
	(void)snprintf(q->project, sizeof(q->project), STR_FMT,
		       STR_ARG(j->project));
	q->wants_source = j->has_source;
	job_free(j);
	return 0;
}

static int send(const struct server *s, struct asked *q, enum doc_syntax syntax,
		struct http_answer *a, struct err *e)
{
	static const char *const names[] = {"job.yaml", "job.json", "job.toml"};
	struct http_part parts[3] = {
		{.name = "job",
		 .type = "application/octet-stream",
		 .file_name = names[syntax],
		 .data = buf_view(&q->job)},
		{.name = "request",
		 .type = "application/json",
		 .data = buf_view(&q->request)},
	};
	CLEANUP_BUF struct buf path = BUF_INIT(256);
	struct http_call c = {.method = "POST",
			      .parts = parts,
			      .n_parts = 2,
			      .stoppable = true};
	CLEANUP_FD int source = -1;
	size_t files;

	buf_printf(&path, "/v1/projects/%s/runs", q->project);
	c.path = buf_cstr(&path);
	if (q->source) {
		if (source_pack(q->source, &source, &files, e))
			return -1;
		fprintf(stderr, "nfo: source: %zu files of %s\n", files,
			q->source);
		c.progress = "source";
		parts[2] = (struct http_part){.name = "source",
					      .type = "application/x-tar",
					      .file_name = "source.tar",
					      .fd = source};
		c.n_parts = 3;
	}
	return http_do(s, &c, a, e);
}

int run_follow(const struct server *s, const struct http_answer *a, bool detach)
{
	struct doc *d = cli_json(a);
	struct str id = cli_text(d ? d->root : NULL, "id");
	int code = EXIT_DONE;

	if (!d)
		return EXIT_NO_SERVER;
	if (detach) {
		if (globals.json)
			fwrite(a->body.data, 1, a->body.len, stdout);
		else
			printf(STR_FMT "\n", STR_ARG(id));
	} else {
		code = watch_run(s, id, true);
	}
	doc_free(d);
	return code;
}

/* Places of a job that was written anew help nobody. */
static const char *places_of(const struct asked *q)
{
	return q->secrets.given.n ? NULL : q->file ? q->file : q->script;
}

static int send_and_follow(const struct server *s, struct asked *q,
			   enum doc_syntax syntax)
{
	struct http_answer a;
	struct err e;
	int code;

	if (send(s, q, syntax, &a, &e))
		return cli_fail(&e);
	code = a.status >= 400 ? cli_problem(&a, places_of(q)) :
				 run_follow(s, &a, q->detach);
	http_answer_done(&a);
	return code;
}

static int run(struct asked *q)
{
	enum doc_syntax syntax = DOC_YAML;
	struct server s;
	struct err e = {0};
	int code = read_job(q, &syntax);

	if (code)
		return code;
	if (q->wants_source && !q->source)
		err_set(&e, ERR_INVALID,
			"the job has `source: upload`: say --source DIR");
	else if (q->detach && q->secrets.n_once)
		err_set(&e, ERR_INVALID,
			"--secret NAME=@FILE: it is removed when the run has "
			"ended, so the run has to be followed (no --detach)");
	if (e.text[0] || run_request(&q->wish, &q->request, &e) ||
	    connect_server(&s, &e))
		return cli_fail(&e);
	code = run_secrets_put(&q->secrets, q->project);
	if (!code)
		code = send_and_follow(&s, q, syntax);
	if (!run_secrets_remove(&q->secrets, q->project) && !code)
		code = EXIT_REFUSED;
	return code;
}

int verb_run(int argc, char **argv, const struct verb *v)
{
	struct asked q = {.job = BUF_INIT(4 * DOC_TEXT_MAX),
			  .request = BUF_INIT(RUN_REQUEST_MAX)};
	const struct opt opts[] = {
		{"source",   0,   OPT_TEXT, &q.source,        "DIR",
		 "the tree that becomes the workspace"								      },
		{"input",    'i', OPT_LIST, &q.wish.inputs,   "NAME=VALUE",
		 "an input of the job; may be repeated"								     },
		{"label",    'l', OPT_LIST, &q.wish.labels,   "NAME=VALUE",
		 "a label of the run; may be repeated"								      },
		{"secret",   0,   OPT_LIST, &q.secrets.given,
		 "NAME=store:SECRET|@FILE",				 "instead of the job's `vault:`; may be repeated"},
		{"priority", 0,   OPT_TEXT, &q.wish.priority, "0-100",
		 "before others in the queue; as the job says"							      },
		{"script",   0,   OPT_TEXT, &q.script,        "FILE",
		 "a script instead of a job"										},
		{"detach",   'd', OPT_FLAG, &q.detach,        NULL,
		 "print the run's id and do not follow it"								  },
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n + (q.script != NULL) != 1)
		return cli_usage(v);
	q.file = n ? argv[0] : NULL;
	r = run(&q);
	buf_done(&q.job);
	buf_done(&q.request);
	return r;
}

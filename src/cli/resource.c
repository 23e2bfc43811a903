/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * `nfo user`, `group`, `role`, `project`: small things with a name, of which
 * one table says what they have.  What put does not name stays as it is.
 */
#include "base/hex.h"
#include "cli/connect.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
	BODY_MAX = 256 * 1024,
	PATH_LEN = 512,
	FIELDS_MAX = 8
};

enum form {
	A_TEXT,
	A_NUMBER,
	A_BOOL,
	A_LIST
};

static const struct field {
	const char *kind, *name, *option, *value, *help;
	enum form form;
	bool shown; /* in the list */
} fields[] = {
	{"user",    "full_name",   "full-name",   "TEXT",                            "put: what people call them",
	 A_TEXT,													     true},
	{"user",    "email",       "email",       "TEXT",                            "put: where mail goes",       A_TEXT,
	 true														    },
	{"user",    "uid",         "uid",         "N",
	 "put: who is that on the server's Unix socket",							   A_NUMBER, true},
	{"user",    "disabled",    "disabled",    "true|false",
	 "put: true shuts them out at once",								       A_BOOL,   true},
	{"group",   "description", "description", "TEXT",                            "put: what it is for",
	 A_TEXT,													     true},
	{"group",   "members",     "member",      "USER",
	 "put: who is in it, in place of who was; may be repeated",                                                A_LIST,
	 true														    },
	{"role",    "role",        "role",        "viewer|operator|developer|admin",
	 "put: what the members are",									      A_TEXT,   true},
	{"role",    "projects",    "in",          "PROJECT",
	 "put: where, '*' for everywhere; may be repeated",                                                        A_LIST,   true},
	{"role",    "members",     "member",      "user/NAME|group/NAME",
	 "put: who, in place of who was; may be repeated",                                                         A_LIST,   true},
	{"project", "description", "description", "TEXT",                            "put: what it is for",
	 A_TEXT,													     true},
	{"project", "paused",      "paused",      "true|false",
	 "put: true lets no run of it start",								      A_BOOL,   true},
	{"project", "max_running", "max-running", "N",
	 "put: runs of it at once",										A_NUMBER, true},
};

/* What was said of each field of the kind. */
struct asked {
	const struct field *fields[FIELDS_MAX];
	size_t n;
	const char *texts[FIELDS_MAX];
	struct opt_list lists[FIELDS_MAX];
	const char *data;
};

static void path_of(struct buf *b, const char *kind, const char *name)
{
	buf_printf(b, "/v1/%ss", kind);
	if (!name)
		return;
	buf_putc(b, '/');
	percent_encode(b, str_from(name));
}

/* --- put ---------------------------------------------------------------- */

static void put_quoted(struct buf *b, const char *s)
{
	buf_putc(b, '"');
	buf_json(b, str_from(s));
	buf_putc(b, '"');
}

static void put_list(struct buf *b, const struct opt_list *l)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_putc(b, ',');
		put_quoted(b, l->items[i]);
	}
	buf_putc(b, ']');
}

/* A number or a word as it was typed, where it is one; else the server says
 * what is wrong with the text. */
static void put_value(struct buf *b, enum form form, const char *s)
{
	bool word = !strcmp(s, "true") || !strcmp(s, "false");
	int64_t v;

	if ((form == A_BOOL && word) ||
	    (form == A_NUMBER &&
	     !str_to_i64(str_from(s), INT64_MIN, INT64_MAX, &v)))
		buf_puts(b, s);
	else
		put_quoted(b, s);
}

/* Everything of q; what it does not say as it is in old (NULL: nothing is). */
static int put_body(struct buf *b, const struct asked *q,
		    const struct doc_node *old, struct err *e)
{
	const char *sep = "{";

	for (size_t i = 0; i < q->n; i++) {
		const struct field *f = q->fields[i];
		const struct doc_node *was = doc_get(old, f->name);
		bool list = f->form == A_LIST;
		bool said = q->texts[i] || q->lists[i].n;

		if (!said && !was && !(list && !old))
			continue;
		buf_printf(b, "%s\"%s\":", sep, f->name);
		sep = ",";
		if (list && (said || !was))
			put_list(b, &q->lists[i]);
		else if (said)
			put_value(b, f->form, q->texts[i]);
		else if (doc_write_canonical(was, b, e))
			return -1;
	}
	buf_puts(b, *sep == '{' ? "{}" : "}");
	return b->failed ? err_set(e, ERR_LIMIT, "it is too long") : 0;
}

/* What is there: its body and version.  0, also when there is none. */
static int look(const struct server *s, const char *path, struct doc **ret,
		char etag[HTTP_ETAG_MAX], struct err *e)
{
	struct http_call c = {.method = "GET", .path = path};
	struct http_answer a;

	*ret = NULL;
	etag[0] = '\0';
	if (http_do(s, &c, &a, e))
		return -1;
	if (a.status == 200) {
		*ret = cli_json(&a);
		memcpy(etag, a.etag, HTTP_ETAG_MAX);
	}
	http_answer_done(&a);
	return 0;
}

static int send(const struct server *s, const char *path, const char *etag,
		const struct buf *body)
{
	char header[HTTP_ETAG_MAX + 32];
	struct http_call c = {.method = "PUT",
			      .path = path,
			      .type = "application/json",
			      .body = buf_view(body),
			      .header = header};
	struct http_answer a;
	struct err e;
	int code;

	(void)snprintf(header, sizeof(header), "%s: %s",
		       *etag ? "If-Match" : "If-None-Match",
		       *etag ? etag : "*");
	if (http_do(s, &c, &a, &e))
		return cli_fail(&e);
	code = a.status >= 400 ? cli_problem(&a, NULL) : EXIT_DONE;
	if (!code && globals.json)
		fwrite(a.body.data, 1, a.body.len, stdout);
	http_answer_done(&a);
	return code;
}

static int put(const struct asked *q, const char *kind, const char *name)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_LEN);
	CLEANUP_BUF struct buf body = BUF_INIT(BODY_MAX);
	char etag[HTTP_ETAG_MAX];
	struct server s;
	struct doc *old;
	struct err e;
	int bad;

	path_of(&path, kind, name);
	if (connect_server(&s, &e) || look(&s, buf_cstr(&path), &old, etag, &e))
		return cli_fail(&e);
	bad = q->data ? cli_read(q->data, &body, &e) :
			put_body(&body, q, old ? old->root : NULL, &e);
	doc_free(old);
	return bad ? cli_fail(&e) : send(&s, buf_cstr(&path), etag, &body);
}

/* --- looking ------------------------------------------------------------ */

static void put_cell(struct table *t, const struct doc_node *n)
{
	CLEANUP_BUF struct buf names = BUF_INIT(64 * 1024);

	if (n && n->kind == DOC_LIST) {
		for (const struct doc_node *p = n->first; p; p = p->next)
			buf_printf(&names, "%s" STR_FMT, names.len ? "," : "",
				   STR_ARG(p->text));
		table_cell(t, "%s", buf_cstr(&names));
	} else {
		table_cell(t, STR_FMT, STR_ARG(n ? n->text : STR("")));
	}
}

static int list(const struct asked *q, const char *kind)
{
	static const char *const before[] = {"NAME", "CHANGED"};
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_LEN);
	const char *heads[FIELDS_MAX + 2] = {before[0]};
	const struct doc_node *items;
	struct http_answer a;
	struct table t;
	struct doc *d;
	int code;

	path_of(&path, kind, NULL);
	buf_puts(&path, "?limit=500");
	code = cli_get(buf_cstr(&path), &a, &d);
	if (code)
		return code;
	for (size_t i = 0; i < q->n; i++)
		heads[i + 1] = q->fields[i]->name;
	heads[q->n + 1] = before[1];
	items = doc_get(d ? d->root : NULL, "items");
	if (d)
		table_begin(&t, q->n + 2, heads);
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		char when[24];

		cli_time(cli_text(n, "changed_at"), when);
		table_cell(&t, STR_FMT, STR_ARG(cli_text(n, "name")));
		for (size_t i = 0; i < q->n; i++)
			put_cell(&t, doc_get(n, q->fields[i]->name));
		table_cell(&t, "%s", when);
	}
	if (d)
		table_print(&t);
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static int show(const char *kind, const char *name)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_LEN);
	CLEANUP_BUF struct buf out = BUF_INIT(BODY_MAX);
	struct http_answer a;
	struct doc *d;
	struct err e;
	int code;

	path_of(&path, kind, name);
	code = cli_get(buf_cstr(&path), &a, &d);
	if (code)
		return code;
	if (d && doc_write(d->root, DOC_YAML, &out, &e))
		code = cli_fail(&e);
	fputs(buf_cstr(&out), stdout);
	doc_free(d);
	http_answer_done(&a);
	return code;
}

static int rm(const char *kind, const char *name)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_LEN);
	struct http_call c = {.method = "DELETE", .header = "If-Match: *"};
	struct http_answer a;
	int code;

	path_of(&path, kind, name);
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (!code)
		http_answer_done(&a);
	return code;
}

/* --- the verbs ---------------------------------------------------------- */

static size_t options_of(const char *kind, struct asked *q, struct opt *opts)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct field *f = &fields[i];
		bool is_list = f->form == A_LIST;

		if (strcmp(f->kind, kind) != 0)
			continue;
		opts[q->n] = (struct opt){f->option,
					  0,
					  is_list ? OPT_LIST : OPT_TEXT,
					  is_list ? (void *)&q->lists[q->n] :
						    (void *)&q->texts[q->n],
					  f->value,
					  f->help};
		q->fields[q->n++] = f;
	}
	opts[q->n] = (struct opt){"data",
				  0,
				  OPT_TEXT,
				  &q->data,
				  "FILE",
				  "put: all of it as JSON, - for standard "
				  "input"};
	return q->n + 1;
}

int verb_resource(int argc, char **argv, const struct verb *v)
{
	struct opt opts[FIELDS_MAX + 1];
	struct asked q = {.n = 0};
	size_t n, n_opts;
	int r;

	n_opts = options_of(v->name, &q, opts);
	r = opts_parse(argc, argv, v, opts, n_opts, &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n == 1 && !strcmp(argv[0], "list"))
		return list(&q, v->name);
	if (n == 2 && !strcmp(argv[0], "show"))
		return show(v->name, argv[1]);
	if (n == 2 && !strcmp(argv[0], "put"))
		return put(&q, v->name, argv[1]);
	if (n == 2 && !strcmp(argv[0], "rm"))
		return rm(v->name, argv[1]);
	return cli_usage(v);
}

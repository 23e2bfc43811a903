/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo secret`: values come from standard input or a prompt, never from argv. */
#include "cli/secret.h"
#include "base/hex.h"
#include "cli/context.h"
#include "secrets/sealed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

int secret_path(struct buf *b, const char *project, const char *name,
		const char *rest)
{
	buf_puts(b, "/v1/projects/");
	percent_encode(b, str_from(project));
	buf_puts(b, "/secrets");
	if (name) {
		buf_putc(b, '/');
		percent_encode(b, str_from(name));
	}
	buf_puts(b, rest);
	return b->failed ? -1 : 0;
}

/* On a terminal the value is asked for and not shown. */
static int read_value(struct buf *b, struct err *e)
{
	struct termios old, quiet;
	bool tty = isatty(0) && !tcgetattr(0, &old);
	int bad;

	if (tty) {
		fputs("Value (end with Ctrl-D): ", stderr);
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(0, TCSAFLUSH, &quiet);
	}
	bad = cli_read("-", b, e);
	if (tty) {
		(void)tcsetattr(0, TCSAFLUSH, &old);
		fputc('\n', stderr);
		if (b->len && b->data[b->len - 1] == '\n')
			b->len--;
	}
	return bad;
}

/* What has to be there: "0" nothing, else that version. */
static int put_if(struct buf *b, const char *version)
{
	uint64_t v;

	if (str_to_u64(str_from(version), UINT64_MAX - 1, &v))
		return -1;
	if (v)
		buf_printf(b, "If-Match: \"%" PRIu64 "\"", v);
	else
		buf_puts(b, "If-None-Match: *");
	return 0;
}

/* Plain: in the server's memory, for a moment, as it is. */
int secret_send(const struct secret_args *args, struct str value,
		struct http_answer *ret)
{
	const char *project = args->project, *name = args->v[0];
	const char *version = args->if_version;
	CLEANUP_BUF struct buf sealed = BUF_INIT(SEALED_TEXT_MAX + 64);
	CLEANUP_BUF struct buf path = BUF_INIT(1024), only = BUF_INIT(64);
	struct http_call c = {.method = "PUT",
			      .type = "application/octet-stream",
			      .body = value};
	int code;

	if (secret_path(&path, project, name, ""))
		return EXIT_USAGE;
	if (version && put_if(&only, version)) {
		fprintf(stderr, "nfo: --if-version %s: a number is wanted\n",
			version);
		return EXIT_USAGE;
	}
	if (version)
		c.header = buf_cstr(&only);
	c.path = buf_cstr(&path);
	if (!args->plain) {
		code = secret_to_seal(project, name, version, value, &sealed);
		if (code)
			return code;
		c.type = "application/json";
		c.body = buf_view(&sealed);
	}
	return cli_ask(&c, ret);
}

void secret_say_redaction(const struct http_answer *a)
{
	struct doc *d = cli_json(a);
	struct str said = cli_text(d ? d->root : NULL, "redaction");

	if (said.len)
		fprintf(stderr, "nfo: in logs this secret is " STR_FMT "\n",
			STR_ARG(said));
	doc_free(d);
}

static int put(const struct secret_args *args)
{
	struct buf value = BUF_INIT(SECRET_VALUE_BYTES);
	struct http_answer a;
	struct doc *d;
	struct err e;
	int code;

	if (read_value(&value, &e)) {
		buf_wipe(&value);
		return cli_fail(&e);
	}
	code = secret_send(args, str_n(buf_cstr(&value), value.len), &a);
	buf_wipe(&value);
	if (code)
		return code;
	d = cli_json(&a);
	if (globals.json)
		fputs(buf_cstr(&a.body), stdout);
	else
		printf("%s/%s: version " STR_FMT "\n", args->project,
		       args->v[0],
		       STR_ARG(cli_text(d ? d->root : NULL, "version")));
	doc_free(d);
	secret_say_redaction(&a);
	http_answer_done(&a);
	return EXIT_DONE;
}

static void put_rows(struct table *t, const struct doc_node *items)
{
	static const char *const heads[] = {"NAME", "VERSION", "KEPT",
					    "UPDATED"};

	if (!t->n_columns)
		table_begin(t, ARRAY_LEN(heads), heads);
	for (const struct doc_node *n = items ? items->first : NULL; n;
	     n = n->next) {
		char when[24];

		cli_time(cli_text(n, "updated_at"), when);
		table_cell(t, STR_FMT, STR_ARG(cli_text(n, "name")));
		table_cell(t, STR_FMT, STR_ARG(cli_text(n, "version")));
		table_cell(t, STR_FMT, STR_ARG(cli_text(n, "versions")));
		table_cell(t, "%s", when);
	}
}

/* next: the cursor of this page, "" for the first, and then of the next. */
static int list_page(const char *project, struct table *t, struct buf *next)
{
	CLEANUP_BUF struct buf path = BUF_INIT(2048);
	struct http_call c = {.method = "GET"};
	struct http_answer a;
	struct doc *d;
	int code;

	if (secret_path(&path, project, NULL, "?limit=500"))
		return EXIT_USAGE;
	if (next->len) {
		buf_puts(&path, "&cursor=");
		percent_encode(&path, buf_view(next));
	}
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (code)
		return code;
	d = cli_json(&a);
	buf_reset(next);
	buf_str(next, cli_text(d ? d->root : NULL, "next_cursor"));
	if (globals.json)
		fputs(buf_cstr(&a.body), stdout);
	else
		put_rows(t, doc_get(d ? d->root : NULL, "items"));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

/* All of them; as JSON a page after the other. */
static int list(const struct secret_args *args)
{
	CLEANUP_BUF struct buf next = BUF_INIT(256);
	struct table t = {0};
	int code;

	do
		code = list_page(args->project, &t, &next);
	while (!code && next.len);
	if (t.n_columns)
		table_print(&t);
	return code;
}

static int show(const struct secret_args *args)
{
	static const char *const keys[] = {
		"name",       "version",    "versions",     "deleted",
		"created_at", "updated_at", "max_versions", "description"};
	static const char *const heads[] = {"name",    "version", "kept",
					    "deleted", "created", "updated",
					    "max",     "about"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	struct http_answer a;
	struct doc *d;
	int code;

	if (secret_path(&path, args->project, args->v[0], ""))
		return EXIT_USAGE;
	code = cli_get(buf_cstr(&path), &a, &d);
	if (code)
		return code;
	for (size_t i = 0; d && i < ARRAY_LEN(keys); i++)
		printf("%-8s " STR_FMT "\n", heads[i],
		       STR_ARG(cli_text(d->root, keys[i])));
	doc_free(d);
	http_answer_done(&a);
	return EXIT_DONE;
}

static void put_version(struct table *t, const struct doc_node *n)
{
	char when[24];

	cli_time(cli_text(n, "created_at"), when);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "version")));
	table_cell(t, "%s", when);
	table_cell(t, STR_FMT, STR_ARG(cli_text(n, "state")));
}

static int versions(const struct secret_args *args)
{
	static const char *const heads[] = {"VERSION", "CREATED", "STATE"};
	CLEANUP_BUF struct buf path = BUF_INIT(1024);

	if (secret_path(&path, args->project, args->v[0], "/versions"))
		return EXIT_USAGE;
	return cli_list(buf_cstr(&path), ARRAY_LEN(heads), heads, put_version);
}

static int call(const char *method, const struct secret_args *args,
		const char *rest, const char *type, struct str body)
{
	CLEANUP_BUF struct buf path = BUF_INIT(1024);
	struct http_call c = {.method = method, .type = type, .body = body};
	struct http_answer a;
	int code;

	if (secret_path(&path, args->project, args->v[0], rest))
		return EXIT_USAGE;
	c.path = buf_cstr(&path);
	code = cli_ask(&c, &a);
	if (!code)
		http_answer_done(&a);
	return code;
}

static int of_version(const struct secret_args *args, const char *what)
{
	CLEANUP_BUF struct buf rest = BUF_INIT(256);

	if (!args->version)
		return cli_usage(args->verb);
	buf_puts(&rest, "/versions/");
	percent_encode(&rest, str_from(args->version));
	buf_puts(&rest, what);
	return call("POST", args, buf_cstr(&rest), NULL, STR(""));
}

static int rm(const struct secret_args *args)
{
	if (args->version)
		return of_version(args, "/delete");
	return call("DELETE", args, "", NULL, STR(""));
}

int secret_remove(const char *project, const char *name)
{
	char *words[] = {(char *)(uintptr_t)name, NULL};
	struct secret_args args = {.project = project, .v = words, .n = 1};

	return rm(&args);
}

static int undelete(const struct secret_args *args)
{
	return of_version(args, "/undelete");
}

static int destroy(const struct secret_args *args)
{
	return of_version(args, "/destroy");
}

static int describe(const struct secret_args *args)
{
	CLEANUP_BUF struct buf body = BUF_INIT(4096);
	uint64_t n = 0;

	if (args->max_versions &&
	    str_to_u64(str_from(args->max_versions), INT32_MAX, &n))
		return cli_usage(args->verb);
	buf_printf(&body, "{\"max_versions\":%" PRIu64 ",\"description\":\"",
		   n);
	buf_json(&body, str_from(args->description ? args->description : ""));
	buf_puts(&body, "\"}");
	return call("PUT", args, "/metadata", "application/json",
		    buf_view(&body));
}

enum {
	ANY_ARGS = -1
};

enum takes {
	TAKES_PUT = 1,
	TAKES_VERSION = 2,
	TAKES_META = 4,
	TAKES_PASSPHRASE = 8,
	TAKES_SCRYPT = 16,
	TAKES_UNSEAL = 32,
	TAKES_AGE = 64,
	TAKES_TRANSIT = 128,
	TAKES_SLOT = TAKES_PASSPHRASE | TAKES_SCRYPT | TAKES_TRANSIT
};

static const struct {
	const char *name;
	int n; /* arguments behind it */
	unsigned takes;
	int (*fn)(const struct secret_args *a);
} actions[] = {
	{"put",         1,        TAKES_PUT,                       put               },
	{"list",        0,        0,			       list              },
	{"show",        1,        0,			       show              },
	{"versions",    1,        0,			       versions          },
	{"rm",          1,        TAKES_VERSION,                   rm                },
	{"undelete",    1,        TAKES_VERSION,                   undelete          },
	{"destroy",     1,        TAKES_VERSION,                   destroy           },
	{"describe",    1,        TAKES_META,                      describe          },
	{"recipient",   0,        0,			       secret_recipient  },
	{"export",      0,        TAKES_AGE,                       secret_export     },
	{"import",      0,        0,			       secret_import     },
	{"seal",        0,        0,			       secret_seal       },
	{"unseal",      0,        TAKES_PASSPHRASE | TAKES_UNSEAL, secret_unseal     },
	{"seal-status", 0,        0,			       secret_seal_status},
	{"slot",        ANY_ARGS, TAKES_SLOT,                      secret_slot       },
	{"rotate",      0,        0,			       secret_rotate     },
	{"rekey",       0,        TAKES_PASSPHRASE,                secret_rekey      },
};

static unsigned said(const struct secret_args *a)
{
	return (a->if_version || a->plain ? TAKES_PUT : 0) |
	       (a->version ? TAKES_VERSION : 0) |
	       (a->description || a->max_versions ? TAKES_META : 0) |
	       (a->age ? TAKES_AGE : 0) |
	       (a->passphrase_fd ? TAKES_PASSPHRASE : 0) |
	       (a->scrypt ? TAKES_SCRYPT : 0) |
	       (a->transit ? TAKES_TRANSIT : 0) |
	       (a->automatic || a->accept_rollback ? TAKES_UNSEAL : 0);
}

int verb_secret(int argc, char **argv, const struct verb *v)
{
	struct secret_args a = {.verb = v};
	const struct opt opts[] = {
		{"project",         'p', OPT_TEXT, &a.project,         "NAME",
		 "whose secrets; default"                                  },
		{"if-version",      0,   OPT_TEXT, &a.if_version,      "N",
		 "put only over this version; 0: only where there is none" },
		{"plain",           0,   OPT_FLAG, &a.plain,           NULL,
		 "put it as it is, not sealed for the keeper alone"        },
		{"version",         0,   OPT_TEXT, &a.version,         "N",
		 "which one to rm (hide), undelete or destroy"             },
		{"description",     0,   OPT_TEXT, &a.description,     "TEXT",
		 "of describe"					     },
		{"max-versions",    0,   OPT_TEXT, &a.max_versions,    "N",
		 "of describe: kept from now on; 0: as the server does"    },
		{"age",             0,   OPT_TEXT, &a.age,             "RECIPIENT",
		 "of export: who may read the file, age1..."               },
		{"passphrase-fd",   0,   OPT_TEXT, &a.passphrase_fd,   "N",
		 "read it from there, a line each; else it is asked for"   },
		{"scrypt",          0,   OPT_TEXT, &a.scrypt,          "16-20",
		 "of a passphrase: 2 to the power of this; 17"             },
		{"transit",         0,   OPT_TEXT, &a.transit,         "PROVIDER/KEY",
		 "of slot add: a key of a transit engine of Vault"         },
		{"automatic",       0,   OPT_FLAG, &a.automatic,       NULL,
		 "unseal by key file, credential or transit, no passphrase"},
		{"accept-rollback", 0,   OPT_TEXT, &a.accept_rollback, "WHY",
		 "unseal what may be an older copy of the store"           },
	};
	size_t n;
	int r;

	r = opts_parse(argc, argv, v, opts, ARRAY_LEN(opts), &n);
	if (r)
		return r > 0 ? EXIT_DONE : EXIT_USAGE;
	if (n && !strcmp(argv[0], "provider"))
		return provider_verb((int)n - 1, argv + 1, v);
	a.project = context_project(a.project);
	a.v = argv + 1;
	a.n = n ? n - 1 : 0;
	for (size_t i = 0; n && i < ARRAY_LEN(actions); i++)
		if (!strcmp(argv[0], actions[i].name) &&
		    (actions[i].n == ANY_ARGS || actions[i].n == (int)a.n) &&
		    !(said(&a) & ~actions[i].takes))
			return actions[i].fn(&a);
	return cli_usage(v);
}

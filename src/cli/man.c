/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * nfo(1), nfo-VERB(1) and nfo-job(5) in the man macros of roff, from the tables of the
 * command line and of the job format.  The build runs it.
 */
#include "cli/describe.h"
#include "cli/verbs.h"
#include "job/keys.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Text as roff prints it as it is. */
static void put(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!i && (s.p[0] == '.' || s.p[0] == '\''))
			fputs("\\&", stdout);
		switch (s.p[i]) {
		case '\\':
			fputs("\\e", stdout);
			break;
		case '-':
			fputs("\\-", stdout);
			break;
		case '~':
			fputs("\\(ti", stdout);
			break;
		case '^':
			fputs("\\(ha", stdout);
			break;
		case '\'':
			fputs("\\(aq", stdout);
			break;
		case '`':
			fputs("\\(ga", stdout);
			break;
		default:
			putchar(s.p[i]);
		}
	}
}

static void puts_roff(const char *text)
{
	put(str_from(text));
}

/* Paragraphs; lines indented by two are shown as they are. */
static void put_text(const char *text)
{
	struct str rest = str_from(text);
	bool shown = false;

	puts(".PP");
	while (rest.p && rest.len) {
		struct str line = str_cut(&rest, '\n');
		bool show = str_starts(line, STR("  "));

		if (show != shown)
			puts(show ? ".RS\n.nf" : ".fi\n.RE");
		shown = show;
		if (!line.len) {
			puts(".PP");
			continue;
		}
		put(show ? str_from_at(line, 2) : line);
		putchar('\n');
	}
	if (shown)
		puts(".fi\n.RE");
}

static void put_option(const struct opt *o)
{
	fputs(".TP\n", stdout);
	if (o->letter)
		printf("\\fB\\-%c\\fR, ", o->letter);
	fputs("\\fB\\-\\-", stdout);
	puts_roff(o->name);
	fputs("\\fR", stdout);
	if (o->value) {
		fputs(" \\fI", stdout);
		puts_roff(o->value);
		fputs("\\fR", stdout);
	}
	putchar('\n');
	puts_roff(o->help);
	putchar('\n');
}

static void put_command(const struct opts_of *d)
{
	fputs(".SS nfo ", stdout);
	puts_roff(d->verb.name);
	printf("\n.PP\n\\fBnfo ");
	puts_roff(d->verb.name);
	fputs("\\fR ", stdout);
	puts_roff(d->verb.args);
	fputs("\n.PP\n", stdout);
	puts_roff(d->verb.summary);
	puts(".");
	if (d->verb.help)
		put_text(d->verb.help);
	for (size_t i = 0; i < d->n; i++)
		put_option(&d->opts[i]);
}

struct item {
	const char *name, *text;
};

static void put_items(const char *heading, const struct item *items, size_t n)
{
	printf(".SH %s\n", heading);
	for (size_t i = 0; i < n; i++) {
		fputs(".TP\n.B ", stdout);
		puts_roff(items[i].name);
		putchar('\n');
		puts_roff(items[i].text);
		putchar('\n');
	}
}

static const struct item codes[] = {
	{"0", "It is done; the run succeeded."                            },
	{"1", "The run failed or was cancelled."                          },
	{"2", "Wrong usage, an invalid job, or no such thing."            },
	{"3", "Refused: by policy, or because this user may not."         },
	{"4", "There is no server, it could not be started, or it failed."},
};

static const struct item environment[] = {
	{"NFO_SERVER",           "The server to ask, as --server."                      },
	{"NFO_CONTEXT",          "Which server of nfo context, as --context."           },
	{"NFO_TOKEN",            "The bearer token for it, over TCP."                   },
	{"NFO_CA",               "Who signed the certificate of NFO_SERVER, a PEM file."},
	{"NFO_PROJECT",          "The project of commands that name none."              },
	{"NFO_CONFIG",           "The file of nfo context."                             },
	{"NFO_STATE",            "Where the private server has its state, as --state."  },
	{"NO_COLOR",             "When set and not empty: no colours."                  },
	{"XDG_STATE_HOME, HOME",
	 "Where the state of an ordinary user lies: $XDG_STATE_HOME/nfo, else "
	 "$HOME/.local/state/nfo."						      },
};

static const struct item files[] = {
	{"/var/lib/nfo",
	 "The state of a server that root started, unless --state says "
	 "otherwise."						      },
	{"STATE/policies",
	 "Policies; default.yaml is made at the first start."              },
	{"STATE/keeper/key",
	 "The key of the secret store. Without it the secrets are lost."   },
	{"STATE/server/token", "The bearer token for clients over TCP."    },
	{"STATE/run/nfo.sock", "The Unix socket."                          },
	{"STATE/server.log",
	 "What a private server says; nfo serve says it on standard error."},
};

static void man_nfo(void)
{
	static struct opts_of all[DESCRIBE_MAX];
	size_t n = describe_all(all);

	puts(".TH NFO 1 \"\" \"NotForOil\" \"User Commands\"\n"
	     ".SH NAME\n"
	     "nfo \\- run jobs in a sandbox, with secrets, logs and "
	     "artifacts\n"
	     ".SH SYNOPSIS\n"
	     ".B nfo\n"
	     ".I COMMAND\n"
	     "[\\fIOPTION\\fR...] [\\fIWORD\\fR...]\n"
	     ".SH DESCRIPTION\n"
	     "A job is a file in YAML, JSON or TOML; see\n"
	     ".BR nfo\\-job (5).\n"
	     "Its tasks run in sandboxes of a server. A command that needs a\n"
	     "server and is told of none starts a private one of this user,\n"
	     "which leaves after ten idle minutes.\n"
	     ".SH COMMANDS");
	for (size_t i = 0; i < n; i++)
		put_command(&all[i]);
	puts(".SH OPTIONS OF EVERY COMMAND\n"
	     "All but\n.B sandbox\nand\n.B doctor\nhave also these, and all "
	     "have \\fB\\-\\-help\\fR.");
	for (size_t i = 0; i < opts_n_common; i++)
		put_option(&opts_common[i]);
	put_items("EXIT STATUS", codes, ARRAY_LEN(codes));
	put_items("ENVIRONMENT", environment, ARRAY_LEN(environment));
	put_items("FILES", files, ARRAY_LEN(files));
	puts(".SH SEE ALSO\n.BR nfo\\-job (5),");
	for (size_t i = 0; i < n; i++)
		printf(".BR nfo\\-%s (1)%s\n", all[i].verb.name,
		       i + 1 < n ? "," : "");
}

/* nfo-VERB(1): what nfo(1) says of it, by itself. */
static void man_verb(const struct opts_of *d)
{
	fputs(".TH NFO\\-", stdout);
	for (const char *p = d->verb.name; *p; p++)
		putchar(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
	puts(" 1 \"\" \"NotForOil\" \"User Commands\"\n.SH NAME");
	fputs("nfo\\-", stdout);
	puts_roff(d->verb.name);
	fputs(" \\- ", stdout);
	puts_roff(d->verb.summary);
	fputs("\n.SH SYNOPSIS\n.B nfo ", stdout);
	puts_roff(d->verb.name);
	putchar('\n');
	puts_roff(d->verb.args);
	fputs("\n.SH DESCRIPTION\n", stdout);
	puts_roff(d->verb.summary);
	puts(".");
	if (d->verb.help)
		put_text(d->verb.help);
	if (d->n)
		puts(".SH OPTIONS");
	for (size_t i = 0; i < d->n; i++)
		put_option(&d->opts[i]);
	if (d->common)
		puts(".SH OPTIONS OF EVERY COMMAND");
	for (size_t i = 0; d->common && i < opts_n_common; i++)
		put_option(&opts_common[i]);
	put_items("EXIT STATUS", codes, ARRAY_LEN(codes));
	puts(".SH SEE ALSO\n.BR nfo (1),\n.BR nfo\\-job (5)");
}

/* One page each, in that directory. */
static int man_verbs(const char *dir)
{
	static struct opts_of all[DESCRIBE_MAX];
	size_t n = describe_all(all);
	char path[PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/nfo-%s.1", dir,
			       all[i].verb.name);
		if (!freopen(path, "w", stdout)) {
			fprintf(stderr, "nfo: %s: %s\n", path, strerror(errno));
			return EXIT_USAGE;
		}
		man_verb(&all[i]);
	}
	return fflush(stdout) ? EXIT_USAGE : EXIT_DONE;
}

/* --- the job format ----------------------------------------------------- */

static void put_key(const struct job_key *k)
{
	CLEANUP_BUF struct buf takes = BUF_INIT(4096);

	fputs(".TP\n.B ", stdout);
	puts_roff(k->name);
	putchar('\n');
	puts_roff(k->help);
	fputs("\n.br\nTakes ", stdout);
	job_key_takes(k, &takes);
	put(buf_view(&takes));
	if (k->sub)
		printf(", see \\fB%s\\fR", k->sub);
	fputs(".\n", stdout);
	if (k->min || k->max)
		printf("From %lld to %lld.\n", (long long)k->min,
		       (long long)k->max);
	if (k->fallback) {
		fputs("Default: ", stdout);
		puts_roff(k->fallback);
		fputs(".\n", stdout);
	}
	if (k->required)
		puts("Required.");
	if (k->expressions)
		puts("Expressions are allowed.");
	if (k->live > 1)
		puts("Not supported yet: it is checked, and a run that needs "
		     "it is refused.");
	fputs(".br\n", stdout);
	puts_roff(k->example);
	putchar('\n');
}

static const char *const example =
	"  nfo: 1\n"
	"  name: hello\n"
	"  tasks:\n"
	"    list: { run: seq 1 5 }\n"
	"    sum:\n"
	"      stdin: list.stdout\n"
	"      run: awk '{ s += $1 } END { print s }'\n";

static void man_job(void)
{
	const char *where = "";

	puts(".TH NFO\\-JOB 5 \"\" \"NotForOil\" \"File Formats\"\n"
	     ".SH NAME\n"
	     "nfo\\-job \\- the job format of nfo\n"
	     ".SH DESCRIPTION\n"
	     "A job is a map, in YAML, JSON or TOML. Its tasks are a map (a\n"
	     "graph by\n.BR needs )\nor a list (one after another). Unknown "
	     "and\nduplicate keys are errors. A key of a task, a sandbox and\n"
	     "so on stands below the heading of that name.\n"
	     ".B nfo check\nchecks a file,\n.B nfo explain\n"
	     "says what is here of one key.");
	put_text(example);
	for (size_t i = 0; i < job_n_keys; i++) {
		if (strcmp(where, job_keys[i].where) != 0) {
			where = job_keys[i].where;
			printf(".SH KEYS OF %s\n", where);
		}
		put_key(&job_keys[i]);
	}
	puts(".SH SEE ALSO\n.BR nfo (1)");
}

int verb_man(int argc, char **argv, const struct verb *v)
{
	if (argc == 2 && !strcmp(argv[1], "1")) {
		man_nfo();
	} else if (argc == 2 && !strcmp(argv[1], "5")) {
		man_job();
	} else if (argc == 3 && !strcmp(argv[1], "1")) {
		return man_verbs(argv[2]);
	} else {
		fprintf(stderr, "nfo: usage: nfo %s %s\n", v->name, v->args);
		return EXIT_USAGE;
	}
	return fflush(stdout) ? EXIT_USAGE : EXIT_DONE;
}

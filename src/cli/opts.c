/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Options from tables; see opts.h. */
#include "cli/opts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct globals globals;

static struct opts_of *collecting;

const struct opt opts_common[] = {
	{"server",   0,   OPT_TEXT, &globals.server,   "URL",
	 "unix:PATH, http(s)://HOST:PORT; also NFO_SERVER"},
	{"context",  0,   OPT_TEXT, &globals.context,  "NAME",
	 "a server of `nfo context`; also NFO_CONTEXT"    },
	{"state",    0,   OPT_TEXT, &globals.state,    "DIR",
	 "state of the private server; also NFO_STATE"    },
	{"output",   'o', OPT_TEXT, &globals.output,   "text|json",
	 "text (default) or json"                         },
	{"no-color", 0,   OPT_FLAG, &globals.no_color, NULL,
	 "no colours; also NO_COLOR"                      },
};
const size_t opts_n_common = ARRAY_LEN(opts_common);

static void print_opts(const struct opt *opts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s",
			       opts[i].letter ? "-" : " ",
			       opts[i].letter ? opts[i].letter : ' ',
			       opts[i].letter ? ", " : "  ", opts[i].name,
			       opts[i].value ? " " : "",
			       opts[i].value ? opts[i].value : "");
		printf("  %-26s %s\n", left, opts[i].help);
	}
}

static void print_help(const struct verb *v, const struct opt *opts, size_t n)
{
	printf("nfo %s %s\n\n%s.\n", v->name, v->args, v->summary);
	if (v->help)
		printf("\n%s\n", v->help);
	if (n) {
		puts("\nOptions:");
		print_opts(opts, n);
	}
	puts("\nOptions of every command:");
	print_opts(opts_common, opts_n_common);
}

static const struct opt *find(const struct opt *opts, size_t n, struct str name,
			      char letter)
{
	for (size_t i = 0; i < n; i++)
		if (letter ? opts[i].letter == letter :
			     str_is(name, opts[i].name))
			return &opts[i];
	return NULL;
}

static int PRINTF_LIKE(2, 3) mistake(const struct verb *v, const char *fmt, ...)
{
	va_list ap;

	fputs("nfo: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (see nfo %s --help)\n", v->name);
	return -1;
}

static int store(const struct verb *v, const struct opt *o, const char *value)
{
	struct opt_list *list = o->to;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->to = true;
		break;
	case OPT_TEXT:
		*(const char **)o->to = value;
		break;
	case OPT_LIST:
		if (list->n == OPT_LIST_MAX)
			return mistake(v, "too many --%s", o->name);
		list->items[list->n++] = value;
		break;
	}
	return 0;
}

/* One option at argv[*i]; moves *i over a value of its own. */
static int one(int argc, char **argv, int *i, const struct verb *v,
	       const struct opt *opts, size_t n_opts)
{
	const char *arg = argv[*i];
	bool is_long = arg[1] == '-';
	struct str rest = str_from(arg + (is_long ? 2 : 1)), name;
	const char *value = NULL;
	const struct opt *o;

	name = is_long ? str_cut(&rest, '=') : str_n(arg + 1, 1);
	if (is_long && rest.p)
		value = rest.p;
	else if (!is_long && arg[2])
		value = arg + 2;
	o = find(opts, n_opts, name, is_long ? '\0' : arg[1]);
	if (!o)
		o = find(opts_common, opts_n_common, name,
			 is_long ? '\0' : arg[1]);
	if (!o)
		return mistake(v, "unknown option %s", arg);
	if (o->kind == OPT_FLAG && value)
		return mistake(v, "--%s takes no value", o->name);
	if (o->kind != OPT_FLAG && !value) {
		if (*i + 1 >= argc)
			return mistake(v, "--%s wants a value", o->name);
		value = argv[++*i];
	}
	return store(v, o, value);
}

void opts_collect(struct opts_of *to)
{
	collecting = to;
}

static void collect(const struct verb *v, const struct opt *opts, size_t n)
{
	assert(n <= OPTS_MAX);
	*collecting = (struct opts_of){.verb = *v, .n = n, .common = true};
	for (size_t i = 0; i < n; i++)
		collecting->opts[i] = opts[i];
}

int opts_parse(int argc, char **argv, const struct verb *v,
	       const struct opt *opts, size_t n_opts, size_t *ret_n)
{
	size_t n = 0;
	int i;

	if (collecting) {
		collect(v, opts, n_opts);
		return 1;
	}
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (argv[i][0] != '-' || !argv[i][1]) {
			argv[n++] = argv[i];
			continue;
		}
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(v, opts, n_opts);
			return 1;
		}
		if (one(argc, argv, &i, v, opts, n_opts))
			return -1;
	}
	for (i++; i < argc; i++)
		argv[n++] = argv[i];
	if (globals.output && strcmp(globals.output, "json") != 0 &&
	    strcmp(globals.output, "text") != 0)
		return mistake(v, "--output %s: text or json", globals.output);
	globals.json = globals.output && !strcmp(globals.output, "json");
	*ret_n = n;
	return 0;
}

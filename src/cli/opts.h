/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Options from one table a verb: it parses, and it is the --help.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum opt_kind {
	OPT_FLAG,
	OPT_TEXT,
	OPT_LIST
};

enum {
	OPT_LIST_MAX = 256
};

struct opt_list {
	const char *items[OPT_LIST_MAX];
	size_t n;
};

struct opt {
	const char *name; /* "source", given as --source VALUE or =VALUE */
	char letter;      /* 0: none */
	enum opt_kind kind;
	void *to;          /* bool *, const char **, struct opt_list * */
	const char *value; /* what the help calls it: "DIR" */
	const char *help;
};

struct verb {
	const char *name, *args, *summary;
	const char *help; /* more lines, with examples */
	int (*run)(int argc, char **argv, const struct verb *v);
};

/*
 * Parse argv[1..]; what is no option is moved to the front and counted in
 * *ret_n.  "--" ends the options.  0; 1 when --help was printed; -1 with the
 * mistake said on standard error.  The options of every verb (--server,
 * --context, --state, --output, --no-color) are understood too.
 */
MUST_USE int opts_parse(int argc, char **argv, const struct verb *v,
			const struct opt *opts, size_t n_opts, size_t *ret_n);

/* What a verb takes, besides what every verb does. */
enum {
	OPTS_MAX = 24
};
struct opts_of {
	struct verb verb;
	struct opt opts[OPTS_MAX]; /* `to` is of no use any more */
	size_t n;
	bool common; /* and the options of every verb */
};

/*
 * Until it is called with NULL opts_parse() parses nothing: it writes the verb
 * and its options to *to and returns 1, as if --help had been asked for.  So
 * the manual and the completion have no table of their own.
 */
void opts_collect(struct opts_of *to);

/* What every verb understands. */
extern const struct opt opts_common[];
extern const size_t opts_n_common;

/* Said before every verb; see opts.c. */
struct globals {
	const char *server, *context, *state, *output;
	bool no_color;
	bool json;     /* --output json */
	bool no_start; /* only a server that runs already */
};
extern struct globals globals;

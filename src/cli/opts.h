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
 * --state, --output, --no-color) are understood too.
 */
MUST_USE int opts_parse(int argc, char **argv, const struct verb *v,
			const struct opt *opts, size_t n_opts, size_t *ret_n);

/* Said before every verb; see opts.c. */
struct globals {
	const char *server, *state, *output;
	bool no_color;
	bool json; /* --output json */
};
extern struct globals globals;

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What `nfo sandbox` and `nfo doctor` take, once: their --help is printed from
 * these tables, and so are the manual and the completion (src/cli/describe.h).
 * Data only; linking it brings nothing of the sandbox.
 */
#pragma once

#include <stddef.h>

struct command_option {
	const char *name;
	int letter;        /* what getopt_long() gives; not said to anybody */
	const char *value; /* what the help calls it; NULL: takes none */
	const char *help;
};

struct command_help {
	const char *name, *args, *summary;
	const char *text; /* paragraphs, and examples indented by two */
	const struct command_option *options;
	size_t n_options;
};

extern const struct command_help sandbox_help, doctor_help;

/* The --help, on standard output. */
void command_help_print(const struct command_help *h);

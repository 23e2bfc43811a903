/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The command line told from its own tables: the manual and the completion.
 */
#pragma once

#include "cli/opts.h"

enum {
	DESCRIBE_MAX = 64
};

/* Every command with its options, in the order of the help; how many. */
size_t describe_all(struct opts_of out[DESCRIBE_MAX]);
/*
 * The i-th word that is no option, as the command's usage line calls it
 * ("RUN", "put|list|rm"); the last one again where more may follow.  p is NULL
 * when there is none.
 */
struct str describe_word(const struct opts_of *d, size_t i);
/* The command's option that arg names ("--to", "-t"), or one that every command
 * has; NULL: none, or arg is no option. */
const struct opt *describe_option(const struct opts_of *d, const char *arg);

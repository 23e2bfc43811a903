/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The command line: a client of the REST API and nothing more, apart from
 * what needs no server (check, convert, import, explain).  Exit codes: 0 done,
 * 1 the run failed, 2 wrong usage or invalid job, 3 refused, 4 no server,
 * 130 interrupted while the run goes on.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_RUN_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,
	EXIT_NO_SERVER = 4,
	EXIT_INTERRUPTED = 130,
};

/* The program: argv[0] is the verb's program, argv[1] the verb. */
int cli_main(int argc, char **argv);

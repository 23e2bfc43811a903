/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Between command.c (the run) and command_options.c (the command line). */
#pragma once

#include "sandbox/sandbox.h"

#include <limits.h>

enum {
	COMMAND_ENV_MAX = 256
};

struct command {
	struct sandbox_host_opts host;
	struct sandbox_root roots[SANDBOX_ROOTS_MAX];
	char paths[SANDBOX_ROOTS_MAX][PATH_MAX];
	struct sandbox_spec spec;
	char *env[COMMAND_ENV_MAX + 4];
	size_t n_env;
	int64_t timeout_us;
	char **argv;
	bool has_work;
};

/* Say what is wrong with it; returns -1. */
int command_usage(const char *what, const char *value);
/* 0: go on; 1: help was printed; -1: a mistake was said. */
int command_parse(struct command *c, int argc, char **argv);
/* PATH, HOME and LANG where they were not given. */
void command_default_env(struct command *c);

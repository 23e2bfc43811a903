/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Which files of a workspace match an artifact's patterns.  The tree belongs
 * to the task: it is only ever opened through a function that goes beneath it
 * and follows no link (in life: PID 1 of the sandbox, as the task's user).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
	GLOB_MATCHES_MAX = 10000,
	GLOB_VISITS_MAX = 200000,
	GLOB_DEPTH_MAX = 64
};

/* path is relative, "." for the tree itself; -1 with errno. */
typedef int runner_open_fn(void *ctx, const char *path, bool directory);

struct glob_list {
	char **paths; /* sorted by bytes, each once; mem_free'd by _done */
	size_t n, cap;
};

/*
 * Add what matches; '*' and '?' stay within a name, '**' crosses directories.
 * Names with control characters or that are not UTF-8 are an error, not
 * skipped in silence.  ".nfo" at the top is ours and never matches.
 */
MUST_USE int glob_match(runner_open_fn *open_fn, void *ctx, struct str pattern,
			struct glob_list *list, struct err *e);
void glob_sort(struct glob_list *list);
void glob_done(struct glob_list *list);

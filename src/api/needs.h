/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a run needs of secrets, seen to before it is made: is there such a
 * provider, is there such a secret in the store?  Only what is known of them is
 * asked for.  Who cannot say (a keeper that is away, a sealed store) is no
 * reason to turn the run away: it waits, or its task fails.
 */
#pragma once

#include "base/err.h"
#include "doc/problem.h"

struct config;
struct job;
struct keeper;
struct needs;

/* ps: "secret-missing" and "unknown-provider", each where the secret is
 * declared. */
typedef void needs_fn(void *ctx, const struct problems *ps);

/* Of what the job's tasks are granted and what its source is fetched with; j
 * borrowed until fn is called, which is at once or later, and exactly once. */
void needs_check(struct keeper *k, const struct config *c, const struct job *j,
		 needs_fn *fn, void *ctx);

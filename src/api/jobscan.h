/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Does a job that is to be stored hold a secret of its project?  The keeper
 * looks through its text, in pieces, as a redactor would.  Who cannot say (it
 * is away, sealed, asked too often, there are too many secrets) is no reason to
 * refuse the job.
 */
#pragma once

#include "base/str.h"

#include <stdint.h>

struct keeper;

/* line: where one ends, from 1; 0: none was seen. */
typedef void jobscan_fn(void *ctx, uint32_t line);

/* project and text borrowed until fn is called, at once or later, exactly
 * once. */
void jobscan(struct keeper *k, struct str project, struct str text,
	     jobscan_fn *fn, void *ctx);

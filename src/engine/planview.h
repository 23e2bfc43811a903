/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What a run would be, if it were made now: every instance, what it waits for
 * and may touch, and what policy says.  Pure; nothing is stored or fetched.
 */
#pragma once

#include "base/buf.h"
#include "engine/engine.h"

struct job;

/* A JSON object without its last brace, so that the caller may add to it.
 * Takes job, also on failure.  -1: ps has what is wrong with the inputs, or *e.
 * inputs is a JSON object, "" for {}. */
MUST_USE int planview(const struct policy_set *policies, struct job *job,
		      struct str canonical, struct str inputs, struct buf *b,
		      struct problems *ps, struct err *e);

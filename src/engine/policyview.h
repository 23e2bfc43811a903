/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What policy says of a run, if it were made now: of every task instance, and
 * of what fetches the source.  Pure; the same function decides that decides when
 * a run is made.
 */
#pragma once

#include "base/buf.h"
#include "engine/engine.h"

struct job;

struct policyview_ask {
	const struct policy_set *policies;
	struct str canonical, inputs; /* inputs: a JSON object, "" for {} */
	struct str submitter;         /* as policy names it: "user:ann" */
};

/* A JSON object.  Takes job, also on failure.  -1: ps has what is wrong with
 * the inputs, or *e. */
MUST_USE int policyview(const struct policyview_ask *q, struct job *job,
			struct buf *b, struct problems *ps, struct err *e);

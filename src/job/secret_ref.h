/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The canonical text of a reference to a secret, as secrets/ref.h has it: that
 * header is beside this layer, so the form is written here once more, and a
 * test parses what is written with it.  For src/job alone.
 */
#pragma once

#include "job/expr.h"

/* decl: an entry of the job's `secrets`.  Appended to b. */
MUST_USE int job_secret_ref(struct str project, const struct doc_node *decl,
			    const struct expr_context *c, struct buf *b,
			    struct err *e);

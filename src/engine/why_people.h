/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whom a run waits for. */
#pragma once

#include "base/buf.h"
#include "store/approvals.h"
#include "store/reader.h"

/*
 * Append a reason for each approval of the run that is open: of one task, or
 * of all ({NULL, 0}), which are named then.  *n counts the reasons in b.
 */
MUST_USE int why_people(struct store_reader *r, const struct ulid *run,
			struct str task, struct buf *b, size_t *n,
			struct err *e);

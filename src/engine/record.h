/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is left to be said of a run that has ended, as one canonical document
 * (RFC 8785): what it was made of, who asked, every attempt, the hash of each
 * artifact.  The same bytes whenever it is asked for, so that their hash names
 * it.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/reader.h"

enum {
	RECORD_MAX = 32 << 20
};

/* ERR_CONFLICT: it has not ended yet. */
MUST_USE int record_of(struct store_reader *r, const struct ulid *run,
		       struct buf *b, struct err *e);

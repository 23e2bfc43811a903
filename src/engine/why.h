/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Why a run waits: what the store knows of it, of those in its group, and of
 * its plan.  In the reader's thread.
 */
#pragma once

#include "base/buf.h"
#include "engine/engine.h"
#include "store/reader.h"

/* {"id","state","blocked","waits":[...],"tasks":[{"name","state","waits"}]};
 * each of waits is {"for","text"} and, where there are some, "runs". */
MUST_USE int why_run(struct store_reader *r, const struct ulid *run,
		     const struct engine_stats *stats, struct buf *b,
		     struct err *e);
/* [{run, "position"}] of what waits, first in line first. */
MUST_USE int why_queue(struct store_reader *r, struct str visible,
		       uint32_t limit, struct buf *b, struct err *e);

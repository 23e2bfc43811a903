/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where a request comes from, and under which path it was asked for. */
#pragma once

#include "api/request.h"

/* Sets r->from and takes base_path off r->path.  -1: answered with 400, a
 * trusted proxy sent headers that are none. */
MUST_USE int origin_read(struct request *r);
/* What links begin with: "" or "/nfo"; valid for this turn of the loop. */
const char *origin_base(const struct request *r);
/* A line of the log, where that is wanted; when the answer has gone. */
void origin_log(const struct request *r);

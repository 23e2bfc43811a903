/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Every `code` of a problem: clients decide by them, so they are listed in the
 * OpenAPI document and do not change. */
#pragma once

#include "base/buf.h"

/* ["a","b",...] */
void codes_json(struct buf *b);

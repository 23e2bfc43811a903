/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* An approval as JSON, and whether who asks may give it. */
#pragma once

#include "api/request.h"
#include "store/approvals.h"

/* What keeps the one who asks from deciding it; NULL: nothing does.  said: they
 * did already. */
const char *approval_refusal(struct request *r, const struct store_approval *a);
/* Append it, with what was said. */
MUST_USE int approval_view(struct request *r, const struct store_approval *a,
			   struct buf *b, struct err *e);
/* Is it open, and theirs to decide now? */
MUST_USE int approval_is_mine(struct request *r, const struct store_approval *a,
			      bool *ret, struct err *e);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* May what is there be replaced?  If-Match and If-None-Match, decided in the
 * transaction that writes. */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct guard {
	struct str if_match, if_none_match; /* headers; {NULL, 0}: none */
};

/*
 * tag: of what is there, with its quotes; NULL: nothing is.  -1 with *refusal:
 * ERR_STALE (412), or ERR_UNGUARDED (428) where it is there and nobody said
 * which version is meant.
 */
MUST_USE int guard_check(const struct guard *g, const char *tag,
			 struct err *refusal);

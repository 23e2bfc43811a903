/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* May what is there be replaced?  See guard.h. */
#include "api/guard.h"
#include "api/negotiate.h"

int guard_check(const struct guard *g, const char *tag, struct err *refusal)
{
	if (g->if_match.p && !tag)
		return err_set(refusal, ERR_STALE, "there is none to match");
	if (g->if_match.p && !etag_in(g->if_match, str_from(tag)))
		return err_set(refusal, ERR_STALE,
			       "it has changed since: it is %s now", tag);
	if (g->if_none_match.p && tag &&
	    etag_in(g->if_none_match, str_from(tag)))
		return err_set(refusal, ERR_STALE, "it is there: %s", tag);
	if (tag && !g->if_match.p)
		return err_set(refusal, ERR_UNGUARDED,
			       "it is there: say with If-Match which version "
			       "is meant (%s), or * for any",
			       tag);
	return 0;
}

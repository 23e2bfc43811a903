/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * How often a hook may be called, or somebody call it: a burst, then so many a second.  A fixed
 * table: two hooks may share a place in it, nobody can make it grow.
 */
#pragma once

#include "base/str.h"

enum {
	HOOK_LIMIT_PLACES = 1024,
	HOOK_LIMIT_BURST = 50,
	HOOK_LIMIT_PER_S = 10,
	HOOK_LIMIT_NOBODY = 0, /* the key of all that is no hook: */
	HOOK_LIMIT_NOBODY_BURST = 20,
	HOOK_LIMIT_NOBODY_PER_S = 5
};

struct hook_limit {
	int64_t full_us[HOOK_LIMIT_PLACES]; /* when nothing is owed any more */
};

/* 0: go on; else so many microseconds are to be waited.  key: the hook's number,
 * or HOOK_LIMIT_NOBODY. */
int64_t hook_limit_take(struct hook_limit *l, uint64_t key, int64_t now_us);

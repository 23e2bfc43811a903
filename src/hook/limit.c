/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* See limit.h: the generic cell rate algorithm. */
#include "hook/limit.h"

int64_t hook_limit_take(struct hook_limit *l, uint64_t key, int64_t now_us)
{
	bool nobody = key == HOOK_LIMIT_NOBODY;
	int64_t each =
		1000000 / (nobody ? HOOK_LIMIT_NOBODY_PER_S : HOOK_LIMIT_PER_S);
	int64_t burst = nobody ? HOOK_LIMIT_NOBODY_BURST : HOOK_LIMIT_BURST;
	int64_t *full =
		&l->full_us[nobody ? 0 : 1 + key % (HOOK_LIMIT_PLACES - 1)];
	int64_t from = *full > now_us ? *full : now_us;
	int64_t over = from + each - (now_us + burst * each);

	if (over > 0)
		return over;
	*full = from + each;
	return 0;
}

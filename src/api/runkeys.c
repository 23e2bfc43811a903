/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* When a run has ended, the key of its private files goes; what was missed
 * (the server was down, too much happened) is asked for. */
#include "api/internal.h"
#include "base/log.h"
#include "engine/engine.h"
#include "store/reader.h"

static int see_state(void *ctx, const struct store_run *run, struct err *e)
{
	(void)e;
	*(bool *)ctx = !state_final(run->state);
	return 0;
}

/* A key that the keeper has. */
static void on_key(void *ctx, const struct ulid *run)
{
	struct api *a = ctx;
	bool lives = false;
	struct err e;

	if (store_read_run(a->reader, run, see_state, &lives, &e) &&
	    e.code != ERR_NOT_FOUND)
		log_warn("run %s: %s", run->s, e.text);
	else if (!lives)
		keeper_run_gone(a->keeper, run);
}

void runkeys_sweep(struct api *a)
{
	keeper_run_keys(a->keeper, on_key, a);
}

void runkeys_news(struct api *a, const struct engine_news *n)
{
	if (!n->run.s[0])
		runkeys_sweep(a);
	else if (n->ended)
		keeper_run_gone(a->keeper, &n->run);
}

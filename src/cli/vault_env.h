/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The variables of Vault's and OpenBao's own tools (VAULT_ADDR, BAO_TOKEN ...)
 * as the provider `default`, for a server whose settings name none.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"

/* What a monitor is started with; -1: none.  Both are inherited by what is
 * executed. */
struct vault_env {
	int list;  /* for --secret-providers */
	int token; /* a sealed memory file that the list names */
};

/*
 * Take what is there.  The token leaves the environment, and the memory that
 * others see it in, whatever comes of it.
 *
 * Fails with ERR_INVALID, naming the variable, when something is wrong or would
 * be wrong to do; nothing is open then.  No address, no provider: both are -1.
 */
MUST_USE int vault_env_take(struct vault_env *ret, struct err *e);
void vault_env_done(struct vault_env *v);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* `nfo secret provider check`: ask one provider now, step by step. */
#pragma once

#include "vault/call.h"
#include "vault/check_text.h"
#include "vault/vault.h"

/* json: an object, borrowed. */
typedef void check_fn(void *ctx, struct str json);

/* paths: "KIND PATH\n" for each that jobs read, copied.  fn is called once,
 * from the loop, never from in here.  NULL: there is no such provider. */
struct check;
struct check *check_start(struct vault *v, const char *provider,
			  struct str paths, check_fn *fn, void *ctx) MUST_USE;
void check_cancel(struct check *c); /* NULL is fine; not within fn */

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Runs as they were told last, so that who asks for the same again and again
 * costs no query.  It is emptied when anything was committed since: never is
 * an older state told than the store's.  In the loop's thread only.
 */
#pragma once

#include "base/buf.h"
#include "base/id.h"
#include "store/reader.h"

struct viewcache;

struct viewcache *viewcache_new(struct store_reader *reader) MUST_USE;
void viewcache_free(struct viewcache *c);
/* Appends the text and is true when it is there. */
bool viewcache_get(struct viewcache *c, const struct ulid *run, struct buf *b);
/* What a read after a viewcache_get() gave; a copy is kept if there is room. */
void viewcache_put(struct viewcache *c, const struct ulid *run,
		   struct str text);

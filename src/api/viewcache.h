/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Runs as they were told last, so that who asks for the same again and again
 * costs no query.  It is emptied when anything was committed since: nobody who
 * was told of a change sees what was before it.  In the loop's thread only.
 */
#pragma once

#include "base/buf.h"
#include "base/id.h"

enum {
	VIEWCACHE_TAG_MAX = 24
};

struct viewcache;

struct viewcache *viewcache_new(void) MUST_USE;
void viewcache_free(struct viewcache *c);
/* Appends the text, sets its tag and is true when it is there.  version:
 * engine_version(). */
bool viewcache_get(struct viewcache *c, uint64_t version,
		   const struct ulid *run, struct buf *b,
		   char tag[VIEWCACHE_TAG_MAX]);
/* What a read after that gave; a copy is kept if there is room. */
void viewcache_put(struct viewcache *c, const struct ulid *run, struct str text,
		   const char *tag);

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A backup is a tar: nfo-backup.json (what it is), nfo.db, blobs/SHA256,
 * runs/RUN/ATTEMPT/log.{idx,data}, and last manifest.json with the number of
 * files, of their bytes, and the SHA-256 of a line "SHA256 BYTES PATH" for each
 * in their order.  No secret is in it: they are the keeper's.
 *
 * Taking one back is in two steps: all of it is laid into restore/ and checked,
 * and only then renamed to restore.ready/; a server that starts and finds that
 * puts it in the place of what it has (restore_finish), again and again until
 * it is done.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* Write one into a file without a name, from its beginning; takes as long as
 * it takes, so not in a loop's thread.  db is the path of the database; nothing
 * may remove files meanwhile (engine_hold_files).  One at a time. */
MUST_USE int backup_make(int state_fd, const char *db, const char *dir,
			 const char *version, int *ret_fd, struct err *e);

struct restore;
/* dir is the path of state_fd.  One at a time. */
MUST_USE int restore_begin(int state_fd, const char *dir, struct restore **ret,
			   struct err *e);
/* Errors are final: ERR_INVALID names the entry, ERR_LIMIT is a full disk. */
MUST_USE int restore_feed(struct restore *r, const void *p, size_t len,
			  struct err *e);
/* All came: checked, and left for the next start.  Frees r either way. */
MUST_USE int restore_end(struct restore *r, struct err *e);
void restore_abort(struct restore *r); /* NULL is fine */

/* Before the store is opened. */
MUST_USE int restore_finish(int state_fd, struct err *e);

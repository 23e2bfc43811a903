/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Files by their content: blobs/sha256/.  A blob is written to tmp/, hashed on
 * the way, synced and renamed into place with mode 0444; there it never
 * changes.  Called from any thread.
 */
#pragma once

#include "base/err.h"
#include "base/hash.h"

/*
 * Copy what is left of fd.  ERR_LIMIT when it is longer than max_bytes or the
 * disk is full (err.sys is ENOSPC).
 */
MUST_USE int blob_put(int state_fd, int fd, uint64_t max_bytes,
		      struct hash *ret, uint64_t *ret_bytes, struct err *e);
/* Open for reading; ERR_NOT_FOUND. */
MUST_USE int blob_open(int state_fd, const struct hash *h, int *ret_fd,
		       struct err *e);

/* Remove what nobody uses any more, unless it was put so short a time ago:
 * then somebody may be about to use it, and this is -1. */
enum {
	BLOB_FRESH_S = 600
};
MUST_USE int blob_drop(int state_fd, const char hex[HASH_HEX_LEN + 1]);

/* Is it a tar that may be laid in?  Takes as long as it is large. */
MUST_USE int blob_check_tar(int state_fd, const struct hash *h,
			    uint64_t max_files, uint64_t max_bytes,
			    struct err *e);
/* What a source may be, plain. */
enum {
	SOURCE_FILES_MAX = 200000
};
#define SOURCE_BYTES_MAX ((uint64_t)2 << 30)

/* The same in parts, for what arrives in parts (an upload). */
struct blob_writer;
MUST_USE int blob_begin(int state_fd, uint64_t max_bytes,
			struct blob_writer **ret, struct err *e);
MUST_USE int blob_write(struct blob_writer *w, const void *p, size_t len,
			struct err *e);
/* Frees w either way. */
MUST_USE int blob_end(struct blob_writer *w, struct hash *ret,
		      uint64_t *ret_bytes, struct err *e);
void blob_abort(struct blob_writer *w); /* NULL is fine */

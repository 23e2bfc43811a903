/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * What is packed in bytes that pass by: gzip (RFC 1952), zip (APPNOTE 6.3,
 * by its local headers: stored and deflated members) and tar, in one another.
 * It is fed the bytes as they come, keeps no content and no name, and hands on
 * what it has unpacked.  It does not judge: a broken archive is bytes like any
 * other, and what is enciphered or packed in another way stays as it is.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	UNPACK_DEPTH = 3 /* archives in archives that are looked into */
};

struct unpack_limits {
	uint64_t max_bytes; /* unpacked, of all levels together */
	uint64_t ratio;     /* unpacked to fed; 1 MiB is always allowed */
};

/*
 * Unpacked bytes, borrowed during the call.
 *
 * level  1 for what was in the fed bytes, 2 for what was in that, ...
 * fresh  they do not follow what this level had before
 *
 * What tar and zip hold as it is was in the bytes already, and does not come
 * again.  Not 0 ends the unpacking.
 */
typedef int unpack_fn(void *ctx, unsigned level, bool fresh, const void *p,
		      size_t len);

struct unpack;
struct unpack *unpack_new(const struct unpack_limits *limits, unpack_fn *fn,
			  void *ctx);
void unpack_free(struct unpack *u); /* NULL is fine; wipes what it held */
/*
 * Returns 0, or 1 when fn ended it: then it may only be freed.  Fails with
 * ERR_LIMIT when there is more in it than is allowed.
 */
MUST_USE int unpack_feed(struct unpack *u, const void *p, size_t len,
			 struct err *e);
